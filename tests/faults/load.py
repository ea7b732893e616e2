"""Load and fuzz: people who read page after page, and a program that sends whatever comes to its mind, while the workers die.

No Django here: what it sees is what any client on the network sees.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import socket
import threading
from collections import Counter
from html import unescape
from urllib.parse import quote, urljoin, urlsplit

PATIENCE_SECONDS = 150.0
"""More than the server gives its own workers: whoever waits longer for an answer was forgotten."""
LINK = re.compile(r'<a\b[^>]*?\bhref="([^"#]+)')
LEAVES = ("logout", "/language/")
ODD = (
    "", "0", "-1", "9" * 30, "1e999", "NaN", "true", "null", "\x00", "%00", "%ff%fe", "../../etc/passwd", "..%2f..%2f",
    "' OR 1=1 --", "<script>", "{{7*7}}", "%F0%9F%92%A9", "٣", "2025-02-30", "0000-00-00", "9999-12-31T25:61", "a" * 3000,
    "\ud83d", "[]", "{}", "%", "%zz", "&&&==", "a[b][c]=1", "\r\nX-Odd: 1", "$(id)", "C:\\con", "\u202e", "1,2,3", "1:2",
)  # fmt: skip
METHODS = ("GET", "GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW")
NAMES = (
    "page",
    "q",
    "on",
    "shift",
    "sort",
    "agency",
    "bbox",
    "limit",
    "offset",
    "cursor",
    "next",
    "format",
    "lang",
    "o",
    "p",
)
BODIES = (
    b"", b"{", b"[]", b"null", b'{"a":' * 400, b"\x00\xff\xfe", b"a=%ff&b=%", b"--x\r\nContent-Disposition: form-data\r\n\r\n",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", b"\x1f\x8b\x08\x00garbage",
    b'[{"lat": 1e400, "lon": "x"}]', b"csrfmiddlewaretoken=" + b"x" * 5000,
)  # fmt: skip
KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/csv", "x", "image/png")  # fmt: skip
RAW = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 200,
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 500 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\nabc",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
)  # fmt: skip


class Load:
    """Readers and one source of malformed requests against a server on this machine, until ``stop``.

    ``wrong`` holds what no request may do: an answer of 500 or more, or none at all.
    """

    def __init__(self, port: int, cookies: list[str], *, seed: int, pause_seconds: float) -> None:
        self.port, self.pause_seconds = port, pause_seconds
        self.answers: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.pages = {"/"}
        self._over = threading.Event()
        self._lock = threading.Lock()
        readers = [
            threading.Thread(target=self._reads, args=(random.Random(seed + 1 + n), cookie), daemon=True)
            for n, cookie in enumerate(cookies)
        ]
        odd = threading.Thread(target=self._mumbles, args=(random.Random(seed), cookies), daemon=True)
        self._threads = [*readers, odd]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def ask(
        self, who: str, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[int, str, str]:
        """Status, place it leads to, and page; 0 where the connection broke, as when the server's process is killed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        status, place, page = 0, "", ""
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            status, place = answer.status, answer.headers.get("Location", "")
            read = answer.read(2_000_000)
            page = read.decode("utf-8", "replace") if "html" in answer.headers.get("Content-Type", "") else ""
        except TimeoutError:
            self._note(f"no answer: {method} {path[:80]!r}")
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        if status >= 500 and status != 501:
            self._note(f"{status}: {method} {path[:80]!r}")
        with self._lock:
            self.answers[f"{who} {status or 'cut off'}"] += 1
        return status, place, page

    def _note(self, what: str) -> None:
        with self._lock:
            self.wrong[what] += 1

    def _reads(self, rng: random.Random, cookie: str) -> None:
        """From the start page from link to link, as a person with this session."""
        here = "/"
        while not self._over.wait(self.pause_seconds):
            status, place, page = self.ask("reader", "GET", here, {"Cookie": cookie, "Accept": "text/html"})
            if place and urlsplit(place).netloc in ("", f"127.0.0.1:{self.port}"):
                here = self._inside(urljoin(here, place)) or "/"
                continue
            found = {self._inside(urljoin(here, unescape(link))) for link in LINK.findall(page)}
            links = sorted(link for link in found if link)
            with self._lock:
                self.pages.update(links)
            # Now and then back to the start: some pages lead only to themselves.
            here = rng.choice(links) if status == 200 and links and rng.random() > 0.1 else "/"

    def _inside(self, address: str) -> str:
        parts = urlsplit(address)
        here = parts.netloc in ("", f"127.0.0.1:{self.port}") and parts.path.startswith("/")
        if not here or any(word in parts.path for word in LEAVES):
            return ""
        return quote(parts.path, safe="/%") + (f"?{quote(parts.query, safe='=&%')}" if parts.query else "")

    def _mumbles(self, rng: random.Random, cookies: list[str]) -> None:
        while not self._over.wait(self.pause_seconds):
            if rng.random() < 0.15:
                self._raw(rng.choice(RAW))
                continue
            with self._lock:
                known = sorted(self.pages)
            method, path = rng.choice(METHODS), odd_address(rng, rng.choice(known))
            headers = {"Accept": rng.choice(("*/*", "text/html", "application/json", "\x7f", ""))}
            if rng.random() < 0.7:
                headers["Cookie"] = rng.choice([*cookies, "sessionid=x; csrftoken=\x80", "=;=;"])
            if rng.random() < 0.3:
                headers[rng.choice(("Authorization", "X-Forwarded-For", "Range", "If-None-Match", "X-CSRFToken", "Accept-Language"))] = latin(rng.choice(ODD))  # fmt: skip
            body = None
            if method not in ("GET", "HEAD"):
                body, headers["Content-Type"] = rng.choice(BODIES), rng.choice(KINDS)
            with contextlib.suppress(ValueError, UnicodeError):
                self.ask("malformed", method, path, headers, body)

    def _raw(self, sent: bytes) -> None:
        """Bytes that are no request. Any answer below 500 is right, and so is a closed door."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 10) as line:
            line.sendall(sent)
            line.shutdown(socket.SHUT_WR)
            line.settimeout(PATIENCE_SECONDS)
            try:
                first = line.recv(200)
            except TimeoutError:
                self._note(f"no answer: {sent[:40]!r}")
                return
            status = first[9:12].decode("latin-1") if first.startswith(b"HTTP/1.") else "closed"
            if status.isdigit() and int(status) >= 500 and status not in ("501", "505"):
                self._note(f"{status}: {sent[:40]!r}")
            with self._lock:
                self.answers[f"raw {status}"] += 1


def odd_address(rng: random.Random, known: str) -> str:
    """An address of the product with something wrong in its path, its query or both."""
    path, _, query = known.partition("?")
    pieces = path.split("/")
    if rng.random() < 0.6 and len(pieces) > 1:
        pieces[rng.randrange(1, len(pieces))] = said(rng.choice(ODD))
    pairs = [query] if query else []
    pairs += [f"{rng.choice(NAMES)}={said(rng.choice(ODD))}" for _ in range(rng.choice((0, 1, 1, 3)))]
    return "/".join(pieces) + (f"?{'&'.join(pairs)}" if pairs else "")


def said(word: str) -> str:
    """As it can stand in a request's first line: what is no ASCII or ends the line is quoted, wrong percent signs stay."""
    return quote(word.encode("utf-8", "surrogatepass"), safe="%/'<>{}&=[]\\$()|,:*+")


def latin(word: str) -> str:
    return word.encode("ascii", "ignore").decode().replace("\r\n", " ").replace("\x00", "")
