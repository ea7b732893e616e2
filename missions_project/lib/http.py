"""Fetch from servers that are slow, limited, broken or hostile, and say in words what happened.

Only http and https, only to allowed addresses, each request with a cap on bytes and on wall time. Answers that say
"later" (429, 5xx, a body cut off) are asked for again after a growing, jittered wait, or after the wait that the
server names. Messages show an address without its query: that is where tokens travel.
"""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from django.utils.translation import gettext as _
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.response import BaseHTTPResponse

from missions_project.lib.addresses import AddressRefused, endpoints
from missions_project.lib.fetched import (
    Fetched,
    FetchError,
    FetchLater,
    FetchPolicy,
    TryAgain,
    conditional_headers,
    retry_after_seconds,
    shown_address,
)

__all__ = [
    "FetchError",
    "FetchLater",
    "FetchPolicy",
    "Fetched",
    "Fetcher",
    "TryAgain",
    "conditional_headers",
    "retry_after_seconds",
    "shown_address",
]
USER_AGENT = "missions-project/1.0 (+data feeds)"
LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5
BLOCK_BYTES = 64 * 1024
SLICE_SECONDS = 1.0
FIRST_WAIT_SECONDS = 1.0

Pulse = Callable[[str], None]
Result = TypeVar("Result")


def _connect(connection: Any, policy: FetchPolicy) -> socket.socket:
    """Connect to an address that was looked up here and allowed: looked up twice, a name could answer twice."""
    last: OSError | None = None
    found = endpoints(connection.host, connection.port, policy.private_hosts, setting=policy.private_setting)
    for endpoint in found:
        sock = socket.socket(endpoint.family, socket.SOCK_STREAM)
        try:
            sock.settimeout(policy.connect_seconds)
            sock.connect((endpoint.address, endpoint.port))
        except OSError as exc:
            sock.close()
            last = exc
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(policy.read_seconds)
        return sock
    raise NewConnectionError(connection, f"{type(last).__name__}")


class _Plain(HTTPConnection):
    def __init__(self, *args: Any, fetcher: "Fetcher", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fetcher = fetcher

    def _new_conn(self) -> socket.socket:
        return _connect(self, self.fetcher.policy)

    def connect(self) -> None:
        super().connect()
        self.fetcher.interrupt = self.sock.shutdown


class _Secure(HTTPSConnection):
    def __init__(self, *args: Any, fetcher: "Fetcher", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fetcher = fetcher

    def _new_conn(self) -> socket.socket:
        return _connect(self, self.fetcher.policy)

    def connect(self) -> None:
        super().connect()
        if self.sock is not None:
            self.fetcher.interrupt = self.sock.shutdown


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure


class Fetcher:
    """A client for the requests of one run, one at a time. ``pulse`` is told of waits, at least once a second.

    ``hidden`` are words (keys, passwords) that are taken out of what servers say. ``rng`` jitters the waits; ``sleep`` and ``clock`` are given by tests.
    """

    def __init__(
        self,
        policy: FetchPolicy | None = None,
        *,
        pulse: Pulse = lambda label: None,
        hidden: Sequence[str] = (),
        rng: random.Random | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.policy = policy or FetchPolicy()
        self.pulse = pulse
        self._hidden = tuple(hidden)
        self.interrupt: Callable[[int], None] | None = None
        self._rng = rng or random.Random()
        self._sleep = sleep
        self._clock = clock
        self._pools: dict[tuple[str, str, int], urllib3.HTTPConnectionPool] = {}

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def get(
        self,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        check: Callable[[Fetched], None] = lambda fetched: None,
    ) -> Fetched:
        """The whole answer (200, or 304 to a conditional request), however often it had to be asked for.

        With ``form`` it is a POST: some queries are longer than an address may be. ``check`` sees each 200 and
        may raise ``TryAgain``. Raises ``FetchError``, ``FetchLater`` or ``AddressRefused``.
        """

        def once() -> Fetched:
            with self._answer(url, query, headers, form, self.policy.max_seconds) as answer:
                body = b"".join(self._blocks(answer, url, self.policy.max_bytes))
                fetched = Fetched(answer.status, body, {k.lower(): v for k, v in answer.headers.items()})
            if fetched.status == 200:
                check(fetched)
            return fetched

        return self._patiently(once, url)

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body once and return the status, 200 to 299. A redirect is an error: a signed body goes to one address only.

        Raises ``FetchError`` (also where the server cannot be reached: the caller tries again) or ``AddressRefused``.
        """
        where = shown_address(url)
        try:
            with self._limited(
                url, self.policy.max_seconds, _("let that server answer first and work later.")
            ):
                answer = self._open(url, {"User-Agent": USER_AGENT, **headers}, body)
                status = int(answer.status)
                answer.close()
        except (HTTPError, OSError) as exc:
            raise FetchError(
                _("%(where)s cannot be reached (%(name)s).") % {"where": where, "name": type(exc).__name__},
                next_step=_("check the address, and that its server is up."),
            ) from None
        if status in REDIRECTS:
            raise FetchError(
                _("%(where)s redirects (%(status)s).") % {"where": where, "status": status},
                next_step=_("enter the address at which it ends."),
            )
        if not 200 <= status < 300:
            raise FetchError(
                _("%(where)s answered %(status)s.") % {"where": where, "status": status},
                next_step=_("look into that server's own log."),
            )
        return status

    @contextmanager
    def stream(
        self, url: str, *, query: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[tuple[Fetched, Iterator[bytes]]]:
        """The answer in blocks: its beginning is waited for patiently, its middle is not asked for again.

        ``TryAgain`` from the blocks means that the answer was cut off.
        """
        with ExitStack() as open_answers:

            def once() -> BaseHTTPResponse:
                limit = self.policy.max_stream_seconds
                return open_answers.enter_context(self._answer(url, query, headers, None, limit))

            answer = self._patiently(once, url)
            fetched = Fetched(answer.status, b"", {k.lower(): v for k, v in answer.headers.items()})
            yield fetched, self._blocks(answer, url, self.policy.max_stream_bytes)

    def _patiently(self, once: Callable[[], Result], url: str) -> Result:
        waited, where = 0.0, shown_address(url)
        for attempt in range(self.policy.attempts):
            asked: float | None = None
            try:
                return once()
            except TryAgain as exc:
                reason, asked = str(exc), exc.seconds
            except HTTPError as exc:
                # Only the kind of failure: urllib3's own words hold the whole address, query included.
                reason = _("the connection failed (%(name)s)") % {"name": type(exc).__name__}
            wait = (
                FIRST_WAIT_SECONDS * 2**attempt * (0.5 + self._rng.random() / 2) if asked is None else asked
            )
            if waited + wait > self.policy.max_wait_seconds:
                raise FetchLater(
                    _("%(where)s: %(reason)s, and asks for %(wait)s seconds of patience.")
                    % {"where": where, "reason": reason, "wait": f"{wait:,.0f}"},
                    next_step=_(
                        "nothing: it is asked again at the feed's next turn. If it keeps happening, pull less often."
                    ),
                    seconds=wait,
                )
            if attempt + 1 < self.policy.attempts:
                label = _("%(host)s: %(reason)s; asking again in %(wait)s s")
                self._wait(
                    wait, label % {"host": urlsplit(url).hostname, "reason": reason, "wait": f"{wait:.0f}"}
                )
                waited += wait
        raise FetchError(
            _("%(where)s: %(reason)s, %(attempts)s times in a row.")
            % {"where": where, "reason": reason, "attempts": self.policy.attempts},
            next_step=_(
                "look whether the server works in a browser; the feed is tried again at its next turn."
            ),
        )

    def _wait(self, seconds: float, label: str) -> None:
        while seconds > 0:
            self.pulse(label)
            self._sleep(min(seconds, SLICE_SECONDS))
            seconds -= SLICE_SECONDS

    @contextmanager
    def _answer(
        self,
        url: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str] | None,
        seconds: float,
    ) -> Iterator[BaseHTTPResponse]:
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate", **(headers or {})}
        if query:
            url = f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(query)}"
        try:
            with self._limited(url, seconds):
                answer = self._follow(url, sent, form)
                try:
                    self._check_status(answer, url)
                    yield answer
                finally:
                    # Not back into the pool: what was not read would be taken for the next answer's beginning.
                    answer.close()
        except OSError as exc:
            raise TryAgain(_("the connection failed (%(name)s)") % {"name": type(exc).__name__}) from None

    @contextmanager
    def _limited(self, url: str, seconds: float, remedy: str = "") -> Iterator[threading.Event]:
        """Cut what happens inside off after so many seconds of wall time, and say so. Yields whether it was."""
        late = threading.Event()
        watch = threading.Timer(seconds, self._give_up, [late])
        watch.daemon = True
        watch.start()
        try:
            yield late
        except (HTTPError, OSError, TryAgain):
            if late.is_set():
                raise FetchError(
                    _("%(address)s: the answer took longer than %(seconds)s seconds.")
                    % {"address": shown_address(url), "seconds": f"{seconds:,.0f}"},
                    next_step=remedy or _("ask for smaller pages, or raise PULL_REQUEST_SECONDS."),
                ) from None
            raise
        finally:
            watch.cancel()

    def _give_up(self, late: threading.Event) -> None:
        late.set()
        if self.interrupt is not None:
            try:
                self.interrupt(socket.SHUT_RDWR)
            except OSError:
                return  # closed already: nothing waits on it

    def _follow(self, url: str, headers: dict[str, str], form: Mapping[str, str] | None) -> BaseHTTPResponse:
        first = urlsplit(url)
        for _redirect in range(MAX_REDIRECTS + 1):
            kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
            answer = self._open(url, headers | kind, urlencode(form) if form is not None else None)
            target = answer.headers.get("Location")
            if answer.status not in REDIRECTS or not target:
                return answer
            answer.close()
            url = urljoin(url, target)
            moved = urlsplit(url)
            if first.scheme == "https" and moved.scheme != "https":
                raise FetchError(
                    _("%(address)s redirects to an address without encryption.")
                    % {"address": shown_address(first.geturl())},
                    next_step=_("enter the address to which it leads now, if you trust it."),
                )
            if (moved.scheme, moved.netloc) != (first.scheme, first.netloc):
                # A key for one server must not be handed to another one.
                headers = {
                    k: v for k, v in headers.items() if k in ("User-Agent", "Accept-Encoding", "Accept")
                }
                form = None
        raise FetchError(
            _("%(address)s redirects more than %(max_redirects)s times.")
            % {"address": shown_address(first.geturl()), "max_redirects": MAX_REDIRECTS},
            next_step=_("open it in a browser and enter the address at which it ends."),
        )

    def _open(self, url: str, headers: dict[str, str], body: str | bytes | None) -> BaseHTTPResponse:
        """One request, no redirect followed: a POST where there is a body."""
        parts = urlsplit(url)
        self.pulse(f"Asking {parts.hostname}")
        # No sign of life can be given between the lines of a head: it has less time than a run may be silent.
        with self._limited(
            url,
            min(self.policy.max_head_seconds, self.policy.max_seconds),
            _("look whether the server works in a browser; the feed is tried again at its next turn."),
        ) as late:
            answer = self._pool(url).urlopen(
                "POST" if body is not None else "GET",
                f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}",
                body=body,
                headers=headers,
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(self.policy.connect_seconds, self.policy.read_seconds),
            )
            if late.is_set():
                # To http.client the end of a head and the end of the line are one: this head has no end.
                answer.close()
                raise HTTPError(_("cut off"))
            return answer

    def _pool(self, url: str) -> urllib3.HTTPConnectionPool:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        if parts.scheme not in ("http", "https") or not host or parts.username is not None:
            raise AddressRefused(
                _("%(scheme)s://%(host)s is no address that can be fetched.")
                % {"scheme": parts.scheme or "?", "host": host},
                next_step=_(
                    "enter an address that begins with https:// (or http://), without user and password."
                ),
            )
        secure = parts.scheme == "https"
        key = (parts.scheme, host, port or (443 if secure else 80))
        if key not in self._pools:
            kind = _SecurePool if secure else _PlainPool
            self._pools[key] = kind(host, key[2], maxsize=1, fetcher=self)
        return self._pools[key]

    def _check_status(self, answer: BaseHTTPResponse, url: str) -> None:
        status, where = answer.status, shown_address(url)
        if status in (200, 304):
            return
        if status in LATER:
            asked = retry_after_seconds(answer.headers.get("Retry-After", ""), self._clock())
            raise TryAgain(_("the server answered %(status)s") % {"status": status}, asked)
        words = {
            400: (
                _("%(where)s does not accept the query (400)."),
                _("check the feed's parameters and the names of its columns."),
            ),
            401: (_("%(where)s wants a key (401)."), _("enter the feed's token again.")),
            403: (
                _("%(where)s refuses access (403)."),
                _("check the feed's token, and that this server's address is not blocked."),
            ),
            404: (
                _("%(where)s has nothing at this address (404)."),
                _("check the address and the dataset's identifier."),
            ),
            410: (_("%(where)s has removed the data (410)."), _("look for its new address.")),
        }
        other = _("%(where)s answered %(status)s."), _("open the address in a browser to see why.")
        what, next_step = words.get(status, other)
        told = what % {"where": where, "status": status}
        raise FetchError(f"{told} {self._excerpt(answer)}".strip(), next_step=next_step)

    def _excerpt(self, answer: BaseHTTPResponse) -> str:
        """The server's own words where it speaks JSON; never a web page."""
        if "json" not in answer.headers.get("Content-Type", ""):
            return ""
        try:
            text = answer.read(600).decode("utf-8", "replace")
        except (HTTPError, OSError):
            return ""
        for word in self._hidden:
            text = text.replace(word, "…")
        return _("It says: %(words)s") % {"words": " ".join(text.split())[:300]}

    def _blocks(self, answer: BaseHTTPResponse, url: str, max_bytes: int) -> Iterator[bytes]:
        total = 0
        try:
            # read1: what trickles in is a sign of life at each piece, not only when the block is full.
            while block := answer.read1(BLOCK_BYTES):
                total += len(block)
                if total > max_bytes:
                    raise FetchError(
                        _("%(address)s: the answer is larger than %(max_bytes)s bytes; it was not read on.")
                        % {"address": shown_address(url), "max_bytes": f"{max_bytes:,}"},
                        next_step=_("ask for smaller pages or fewer columns, or raise PULL_MAX_BYTES."),
                    )
                self.pulse(_("Receiving from %(host)s") % {"host": urlsplit(url).hostname})
                yield block
        except HTTPError as exc:
            raise TryAgain(
                _("the answer was cut off or damaged (%(name)s)") % {"name": type(exc).__name__}
            ) from None
