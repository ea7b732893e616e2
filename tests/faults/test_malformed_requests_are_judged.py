"""What the run of malformed requests must not overlook, and that it sends the same for the same seed."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults import malformed_run
from tests.faults.malformed import Malformed, Source, spoilt
from tests.faults.malformed_run import Run, exchanged, judged

KNOWN: dict[str, Any] = {
    "pages": [
        {"route": "/<slug:agency_slug>/shifts/<str:on>/", "arguments": {"agency_slug": ["riverton"], "on": ["2026-03-14"]}, "asked": [], "kind": "page", "closes": False},
        {"route": "/admin/agencies/unit/", "arguments": {}, "asked": ["id__in"], "kind": "admin", "closes": False},
        {"route": "/api/v1/<slug:agency_slug>/missions/<int:mission_id>/", "arguments": {"agency_slug": ["riverton"], "mission_id": ["7"]}, "asked": [], "kind": "api", "closes": False},
        {"route": "/accounts/logout/", "arguments": {}, "asked": [], "kind": "page", "closes": True},
    ],
    "forms": [
        {"method": "POST", "action": "/admin/agencies/unit/add/", "fields": {"call_sign": "R1"}, "multipart": False, "who": "admin"},
        {"method": "POST", "action": "/admin/ingestion/feed/1/upload/", "fields": {"file": ""}, "multipart": True, "who": "admin"},
    ],
    "writes": [{"method": "POST", "address": "/api/v1/riverton/engagements/", "who": "patrols key", "body": {"mission": 7, "unit": "R11"}}],
    "names": ["on", "unit"],
    "keys": {"patrols key": "k" * 64, "read key": "r" * 64},
    "cookie": "sessionid",
    "sessions": {who: who * 3 for who in ("admin", "officer", "operator", "analyst", "supervisor")},
}  # fmt: skip


@contextmanager
def answering(*answers: bytes | None) -> Iterator[int]:
    """A server that answers each connection with the next of these bytes; None keeps silent until the test ends."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            held = []
            for told in answers:
                line = server.accept()[0]
                while line.recv(65_536):
                    pass
                if told is None:
                    held.append(line)
                    continue
                line.sendall(told)
                line.close()
            over.wait(10)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        over.set()
        thread.join()


def asked(**changes: Any) -> Malformed:
    return Malformed(
        **{"kind": "form", "who": "admin", "told": "x", "sent": b"GET / HTTP/1.1\r\n\r\n", **changes}
    )


@pytest.mark.parametrize(
    ("told", "is_http", "status", "fault"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", True, "404", ""),
        (b"HTTP/1.1 500 Oops\r\n\r\n", True, "500", "500"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", False, "500", "500"),
        (b"HTTP/1.1 502 Oops\r\n\r\n", True, "502", "502"),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 30\r\n\r\n", True, "503", ""),
        (b"HTTP/1.1 503 Busy\r\n\r\n", True, "503", "503"),
        (b"HTTP/1.1 501 No\r\n\r\n", False, "501", ""),
        (b"HTTP/1.1 501 No\r\n\r\n", True, "501", "501"),
        (b"", False, "closed", ""),
        (b"", True, "closed", "hung up without an answer"),
        (b"garbage", False, "closed", "hung up without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", True, "200", "an answer that ends in its middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", True, "200", "an answer that ends in its middle"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfull\r\n0\r\n\r\n", True, "200", ""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad\r\n\r\n", True, "400", ""),
    ],
)  # fmt: skip
def test_each_answer_is_judged(told: bytes, is_http: bool, status: str, fault: str) -> None:
    answer = judged(asked(is_http=is_http), told, 0.1)
    assert (answer.status, answer.fault) == (status, fault)


def test_the_head_alone_may_end_without_its_body() -> None:
    answer = judged(
        asked(sent=b"HEAD / HTTP/1.1\r\n\r\n"), b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 0.1
    )
    assert answer.fault == ""


def test_a_server_that_keeps_silent_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(malformed_run, "LOOKS", 1)
    with answering(None) as port:
        answer = exchanged(port, asked())
    assert (answer.status, answer.fault) == ("hangs", "no answer, or no end of it")


def test_faults_are_told_with_what_was_sent_and_the_rest_is_counted_by_kind() -> None:
    fine, broken = b"HTTP/1.1 400 Bad\r\n\r\n", b"HTTP/1.1 500 Oops\r\n\r\n"
    with answering(fine, broken, fine) as port:
        run = Run(port)
        for kind in ("form", "JSON", "form"):
            run._keep(asked(kind=kind), exchanged(port, asked(kind=kind)))
    assert {kind: dict(answers) for kind, answers in run.answers.items()} == {
        "form": {"400": 2},
        "JSON": {"500": 1},
    }
    assert len(run.faults) == 1
    assert "500: JSON, x" in run.faults[0]
    assert any(line.split()[:2] == ["form", "2"] for line in run.table())


def test_who_was_signed_out_and_a_server_that_is_gone_are_faults() -> None:
    here = b"HTTP/1.1 302 Found\r\nLocation: /riverton/shifts/\r\n\r\n"
    door = b"HTTP/1.1 302 Found\r\nLocation: /accounts/login/?next=/\r\n\r\n"
    with answering(here, door, b"") as port:
        run = Run(port)
        run.still_there({"admin": "a", "officer": "b", "analyst": "c"}, "sessionid")
    assert len(run.faults) == 2
    assert "officer was signed out" in run.faults[0]
    assert "not shown to analyst" in run.faults[1]


def test_the_same_seed_sends_the_same_and_every_kind_is_sent() -> None:
    one, other, third = (list(Source(KNOWN, seed).requests(400)) for seed in (1, 1, 2))
    assert one == other != third
    assert {request.kind for request in one} == set(Source(KNOWN, 1).kinds)
    for request in one:
        if request.is_http:
            head = request.sent.partition(b"\r\n\r\n")[0]
            assert head.split(b"\r\n")[0].endswith(b" HTTP/1.1"), request
            assert b"Connection: close" in head
        assert not (
            request.who in KNOWN["sessions"] and b"/accounts/logout/" in request.sent.split(b"\r\n")[0]
        )


def test_a_spoilt_body_differs_in_a_value_or_two_only() -> None:
    body = {
        "mission": 7,
        "unit": "R11",
        "starts": ["2026-03-14T12:00:00Z"],
        "geometry": {"type": "Polygon", "coordinates": [[[0, 0]]]},
    }
    alike = 0
    for seed in range(60):
        text = spoilt(random.Random(seed), body)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            continue
        alike += (
            isinstance(document, dict)
            and sum(document.get(name) == value for name, value in body.items()) >= 2
        )
    assert alike > 30
