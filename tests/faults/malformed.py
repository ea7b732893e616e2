"""Requests with something wrong in them, as bytes: an HTTP library would mend or refuse most of these before they leave.

No Django and no network here: what ``tests.faults.known`` found goes in, requests come out, the same for the same seed.
Everything else about a request is right, so that it comes as far as it can: a real address, a signed-in person with the word
that forms need, a key with its scope, a form as its page gives it, a body that the API takes.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.faults import malformed_values as odd
from tests.faults.load import said

ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
WORD = "a" * 32
"""A form's secret word is whatever the cookie says it is, as long as both agree."""
FORM = "application/x-www-form-urlencoded"
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Malformed:
    """One request. ``is_http``: a server can tell what is asked, and must answer it; otherwise it may also hang up."""

    kind: str
    who: str
    told: str
    sent: bytes
    is_http: bool = True


def raw(text: str) -> bytes:
    """As bytes of a header or an address; what is no Latin-1 goes as UTF-8, half a character as it would be written."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


class Source:
    """Draws requests. ``known`` is what ``tests.faults.known`` printed."""

    def __init__(self, known: dict[str, Any], seed: int) -> None:
        self.known, self.rng = known, random.Random(seed)
        self.pages: list[dict[str, Any]] = known["pages"]
        self.people = [*known["sessions"], "nobody"]
        self.uploads = [form for form in known["forms"] if form["multipart"]] or known["forms"]
        self.kinds: dict[str, Callable[[], Malformed]] = {
            "address": self.address, "parameters": self.parameters, "method": self.method, "headers": self.headers,
            "cookies": self.cookies, "form word": self.form_word, "form": self.form, "JSON": self.json,
            "multipart": self.multipart, "content type": self.content_type, "length": self.length,
            "chunks": self.chunks, "no HTTP": self.no_http, "key": self.key,
        }  # fmt: skip

    def requests(self, n: int) -> Iterator[Malformed]:
        """``n`` requests, the kinds in turn; those that reach the product's own code more often."""
        turns = [*self.kinds, "address", "parameters", "parameters", "form", "form", "JSON", "JSON"]
        for number in range(n):
            yield self.kinds[turns[number % len(turns)]]()

    # What is right about a request

    def page(self, kinds: tuple[str, ...] = ("page", "admin", "api")) -> dict[str, Any]:
        """A room first: there are far more addresses of the admin than of anything else."""
        kind = self.rng.choice(kinds)
        return self.rng.choice([page for page in self.pages if page["kind"] == kind])

    def somebody(self, page: dict[str, Any]) -> str:
        if page["closes"]:
            return "nobody"
        if page["kind"] == "api" and self.rng.random() < 0.6:
            return self.rng.choice(list(self.known["keys"]))
        # Mostly people who may: strangers and nobody end at the door.
        may = (
            ["operator", "admin"]
            if page["kind"] == "admin"
            else ["admin", "analyst", "supervisor", "officer"]
        )
        return self.rng.choice(may if self.rng.random() < 0.75 else self.people)

    def target(self, page: dict[str, Any], wrong: dict[str, str] | None = None) -> bytes:
        """The address with its real arguments, or with these instead, which are written as they are."""
        told = wrong or {}
        pieces, last = [], 0
        route = page["route"]
        for match in ARGUMENT.finditer(route):
            value = told.get(match[2])
            right = quote(self.rng.choice(page["arguments"][match[2]]), safe=":")
            pieces += [route[last : match.start()], right if value is None else value]
            last = match.end()
        return raw("".join([*pieces, route[last:]]))

    def papers(self, who: str, *, word: bool = True) -> Headers:
        """What shows who asks: a key, or a session with the form's word."""
        if who in self.known["keys"]:
            return [(b"Authorization", f"Token {self.known['keys'][who]}".encode())]
        if who not in self.known["sessions"]:
            return []
        cookie = f"{self.known['cookie']}={self.known['sessions'][who]}"
        if not word:
            return [(b"Cookie", cookie.encode())]
        return [(b"Cookie", f"{cookie}; csrftoken={WORD}".encode()), (b"X-CSRFToken", WORD.encode())]

    def made(
        self, kind: str, who: str, method: str | bytes, target: bytes, headers: Headers, body: bytes | None = None, *,
        is_http: bool = True, has_length: bool = True,
    ) -> Malformed:  # fmt: skip
        verb = method if isinstance(method, bytes) else method.encode()
        lines = [b"%s %s HTTP/1.1" % (verb, target)]
        own = {name.lower() for name, _ in headers}
        lines += [] if b"host" in own else [b"Host: 127.0.0.1"]
        lines += [b"Connection: close", *(b"%s: %s" % pair for pair in headers)]
        if body is not None and has_length:
            lines.append(b"Content-Length: %d" % len(body))
        told = f"{who}: {verb[:20].decode('latin-1')} {target[:160].decode('latin-1')}"
        return Malformed(kind, who, told, b"\r\n".join(lines) + b"\r\n\r\n" + (body or b""), is_http)

    def value(self) -> str:
        return self.rng.choice(odd.TEXTS)

    def pairs(self, names: list[str], most: int) -> str:
        """Parameters with odd values, as they stand in an address or a form."""
        chosen = [self.rng.choice(names) for _ in range(self.rng.randint(1, most))]
        return "&".join(f"{quote(name, safe='')}={said(self.value())}" for name in chosen)

    # What is wrong with it

    def address(self) -> Malformed:
        page = self.page()
        names = [name for _, name in ARGUMENT.findall(page["route"])]
        who = self.somebody(page)
        if not names or self.rng.random() < 0.15:
            target = self.rng.choice(odd.ADDRESSES).replace(b"@", self.target(page))
        else:
            # The agency's name last: without it the request ends at the door.
            inner = [name for name in names if name != "agency_slug"] or names
            wrong = {self.rng.choice(inner): said(self.value()) for _ in range(self.rng.choice((1, 1, 2)))}
            target = self.target(page, wrong)
            if self.rng.random() < 0.1:
                target = self.target(page, {name: self.value() for name in wrong})
        line = re.search(rb"[\x00-\x20\x7f-\xff]", target) is None and len(target) < 4000
        method = self.rng.choice(("GET", "GET", "POST"))
        body = b"" if method == "POST" else None
        return self.made("address", who, method, target, self.papers(who), body, is_http=line)

    def parameters(self) -> Malformed:
        page = self.page()
        who = self.somebody(page)
        own = page["asked"] or self.known["names"]
        forms = [
            form
            for form in self.known["forms"]
            if form["action"].partition("?")[0].encode() == self.target(page)
        ]
        names = [*own, *odd.NAMES] if self.rng.random() < 0.6 else self.known["names"]
        if forms and self.rng.random() < 0.8:
            names = [*self.rng.choice(forms)["fields"], *odd.NAMES]
        query = self.pairs(names, 4) if self.rng.random() < 0.9 else self.rng.choice(odd.QUERIES)
        method = "HEAD" if self.rng.random() < 0.05 else "GET"
        return self.made("parameters", who, method, self.target(page) + b"?" + raw(query), self.papers(who))

    def method(self) -> Malformed:
        page = self.page()
        who = self.somebody(page)
        method = self.rng.choice(odd.METHODS)
        known = re.fullmatch(rb"[A-Z]{3,20}", method) is not None
        body = self.rng.choice((None, b"", b"{}", b"a=1"))
        return self.made("method", who, method, self.target(page), self.papers(who), body, is_http=known)

    def headers(self) -> Malformed:
        page = self.page()
        who = self.somebody(page)
        chosen: Headers = []
        for _ in range(self.rng.choice((1, 1, 2, 4))):
            name = self.rng.choice(list(odd.HEADERS))
            chosen.append((name, self.rng.choice(odd.HEADERS[name] or [raw(self.value())])))
        if self.rng.random() < 0.05:
            chosen = self.rng.choice(odd.MANY_HEADERS)
        clean = all(re.fullmatch(rb"[\x20-\x7e]{0,4000}", value) for _, value in chosen) and len(chosen) < 50
        method = self.rng.choice(("GET", "GET", "HEAD", "POST"))
        body = b"" if method == "POST" else None
        return self.made(
            "headers", who, method, self.target(page), self.papers(who) + chosen, body, is_http=clean
        )

    def cookies(self) -> Malformed:
        page = self.page(("page", "admin"))
        who = self.somebody(page)
        session = self.known["sessions"].get(who, "")
        cookie = self.rng.choice(odd.COOKIES).replace(b"@", session.encode())
        cookie = cookie.replace(b"sessionid", self.known["cookie"].encode())
        clean = re.fullmatch(rb"[\x20-\x7e]{0,4000}", cookie) is not None
        return self.made("cookies", who, "GET", self.target(page), [(b"Cookie", cookie)], is_http=clean)

    def form_word(self) -> Malformed:
        form = self.rng.choice(self.known["forms"])
        session = f"{self.known['cookie']}={self.known['sessions'][form['who']]}"
        cookie, header, field = (self.rng.choice(odd.WORDS) for _ in range(3))
        headers = [(b"Cookie", session.encode() + b"; csrftoken=" + cookie), (b"Content-Type", FORM.encode())]
        headers += [(b"X-CSRFToken", header)] if self.rng.random() < 0.5 else []
        headers += [(b"Origin", self.rng.choice(odd.ORIGINS))] if self.rng.random() < 0.3 else []
        body = b"csrfmiddlewaretoken=" + quote(field).encode()
        return self.made("form word", form["who"], "POST", raw(form["action"]), headers, body)

    def form(self) -> Malformed:
        """A form as its page gives it, with one or two fields wrong, missing, twice or unknown."""
        form = self.rng.choice(self.known["forms"])
        fields = [(name, value) for name, value in form["fields"].items()]
        for _ in range(self.rng.choice((1, 1, 2))):
            place = self.rng.randrange(len(fields)) if fields else 0
            deed = self.rng.random()
            if not fields or deed < 0.1:
                fields.append((self.rng.choice([*self.known["names"], *odd.NAMES]), self.value()))
            elif deed < 0.8:
                fields[place] = (fields[place][0], self.value())
            elif deed < 0.9:
                fields.pop(place)
            else:
                fields.insert(place, (fields[place][0], self.value()))
        text = "&".join(f"{quote(name, safe='')}={said(value)}" for name, value in fields).encode()
        action = raw(form["action"])
        if form["method"] == "GET":
            return self.made(
                "form", form["who"], "GET", action.partition(b"?")[0] + b"?" + text, self.papers(form["who"])
            )
        headers = [*self.papers(form["who"]), (b"Content-Type", FORM.encode())]
        return self.made("form", form["who"], "POST", action, headers, text)

    def json(self) -> Malformed:
        write = self.rng.choice(self.known["writes"])
        deed = self.rng.random()
        if deed < 0.7:
            document = spoilt(self.rng, write["body"])
        elif deed < 0.95:
            document = self.rng.choice(odd.DOCUMENTS)
        else:
            document = json.dumps(write["body"]).encode(
                self.rng.choice(("utf-16", "utf-32", "utf-8-sig", "cp037"))
            )
        headers = [*self.papers(write["who"]), (b"Content-Type", b"application/json")]
        if self.rng.random() < 0.2:
            headers.append((self.rng.choice(odd.ONCE), raw(self.value())))
        clean = all(re.fullmatch(rb"[\x20-\x7e]*", value) for _, value in headers)
        return self.made(
            "JSON", write["who"], write["method"], raw(write["address"]), headers, document, is_http=clean
        )

    def multipart(self) -> Malformed:
        form = self.rng.choice(self.uploads if self.rng.random() < 0.7 else self.known["forms"])
        kind, body = self.rng.choice(odd.MULTIPARTS)
        name = self.rng.choice([*form["fields"], "file", "geometry"]).encode("utf-8", "surrogatepass")
        own = b"".join(
            b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (raw(key), raw(value))
            for key, value in form["fields"].items()
        )
        headers = [*self.papers(form["who"]), (b"Content-Type", kind)]
        body = body.replace(b"@name", name).replace(b"@fields", own)
        return self.made("multipart", form["who"], "POST", raw(form["action"]), headers, body)

    def content_type(self) -> Malformed:
        write = self.rng.choice([*self.known["writes"], *self.known["forms"]])
        body = self.rng.choice(odd.DOCUMENTS) if "body" not in write else json.dumps(write["body"]).encode()
        headers = [*self.papers(write["who"]), (b"Content-Type", self.rng.choice(odd.TYPES))]
        if self.rng.random() < 0.3:
            headers.append((b"Content-Encoding", self.rng.choice((b"gzip", b"br", b"identity", b"x", b""))))
        target = raw(write.get("address") or write["action"])
        clean = all(re.fullmatch(rb"[\x20-\x7e]*", value) for _, value in headers)
        return self.made("content type", write["who"], "POST", target, headers, body, is_http=clean)

    def length(self) -> Malformed:
        """A body that is longer or shorter than its head says; or a head that says nothing that makes sense."""
        write = self.rng.choice([*self.known["writes"], *self.known["forms"]])
        body = json.dumps(write.get("body", {})).encode()
        kind = b"application/json" if "body" in write else FORM.encode()
        headers = [*self.papers(write["who"]), (b"Content-Type", kind)]
        headers += [(b"Content-Length", value) for value in self.rng.choice(odd.LENGTHS)]
        target = raw(write.get("address") or write["action"])
        return self.made(
            "length", write["who"], "POST", target, headers, body, is_http=False, has_length=False
        )

    def chunks(self) -> Malformed:
        write = self.rng.choice(self.known["writes"])
        headers = [*self.papers(write["who"]), (b"Content-Type", b"application/json")]
        headers += [(b"Transfer-Encoding", self.rng.choice(odd.CODINGS))]
        body = self.rng.choice(odd.CHUNKS)
        target = raw(write["address"])
        return self.made(
            "chunks", write["who"], "POST", target, headers, body, is_http=False, has_length=False
        )

    def no_http(self) -> Malformed:
        sent = self.rng.choice(odd.NO_HTTP)
        if self.rng.random() < 0.3:
            sent = self.rng.randbytes(self.rng.randint(1, 300))
        return Malformed("no HTTP", "nobody", repr(sent[:60]), sent, is_http=False)

    def key(self) -> Malformed:
        page = self.page(("api",))
        real = self.known["keys"][self.rng.choice(list(self.known["keys"]))].encode()
        header = self.rng.choice(odd.KEYS).replace(b"@", real)
        clean = re.fullmatch(rb"[\x20-\x7e]{0,4000}", header) is not None
        return self.made(
            "key", "a key", "GET", self.target(page), [(b"Authorization", header)], is_http=clean
        )


def spoilt(rng: random.Random, document: Any) -> bytes:
    """The document with one or two of its values replaced by what JSON allows, or nearly, and nobody expects."""
    places: list[tuple[Any, Any]] = []
    document = json.loads(json.dumps(document))

    def walk(value: Any) -> None:
        for key in (
            list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        ):
            places.append((value, key))
            walk(value[key])

    walk(document)
    if not places:
        return rng.choice(odd.DOCUMENTS)
    marks: dict[str, str] = {}
    for number in range(rng.choice((1, 1, 2))):
        owner, key = rng.choice(places)
        if rng.random() < 0.08 and isinstance(owner, dict):
            owner.pop(key, None)
            owner[rng.choice(odd.TEXTS).encode("utf-8", "replace").decode()[:200]] = 1
            continue
        if isinstance(owner, dict) or key < len(owner):
            owner[key] = f"@@{number}@@"
            marks[f'"@@{number}@@"'] = rng.choice(odd.JSON_VALUES)
    text = json.dumps(document)
    for mark, value in marks.items():
        text = text.replace(mark, value)
    return text.encode("utf-8", "surrogatepass")
