"""What `make soak` must not overlook: other rows, a failed run, an error of the server, a request that nobody answers."""

from __future__ import annotations

import random
import socket
from typing import Any

import pytest

from missions_project.lib import runs
from tests.faults import load, soak
from tests.ingestion.portals import Portal, answers, hangs_up, serving

RUN = {"kind": "ImportRun", "status": "succeeded", "attempts": 2, "error": "", "counts": {"received": 9}, "closed": True}  # fmt: skip
CALM: dict[str, Any] = {"rows": {"patrols.Mission": [12, "aa"]}, "runs": [RUN]}


def reader(port: int) -> load.Load:
    return load.Load(port, ["sessionid=x"], seed=1, pause_seconds=0.0)


def test_it_knows_how_often_a_run_is_tried() -> None:
    assert soak.MAX_ATTEMPTS == runs.MAX_ATTEMPTS


@pytest.mark.parametrize(
    ("rough", "fault"),
    [
        ({"rows": {"patrols.Mission": [13, "aa"]}}, "Mission"),
        ({"rows": {"patrols.Mission": [12, "ab"]}}, "Mission"),
        ({"runs": [{**RUN, "status": "failed", "error": "The worker died"}]}, "The worker died"),
        ({"runs": [{**RUN, "closed": False}]}, "ImportRun"),
        ({"runs": [{**RUN, "counts": {"received": 8}}]}, "counts differ"),
        ({"runs": [RUN, RUN]}, "counts differ"),
    ],
    ids=["one more", "another", "failed", "not closed", "other counts", "done twice"],
)
def test_what_differs_from_the_calm_run_is_a_fault(rough: dict[str, Any], fault: str) -> None:
    assert soak.unlike(CALM, CALM) == []
    assert fault in " ".join(soak.unlike(CALM, CALM | rough))


def test_the_rows_that_differ_are_told() -> None:
    calm = CALM | {"shown": {"patrols.Mission": ["('a', '1')", "('b', '1')"]}}
    rough = {
        "rows": {"patrols.Mission": [12, "ab"]},
        "shown": {"patrols.Mission": ["('a', '1')", "('b', '2')"]},
    }
    (told,) = soak.unlike(calm, calm | rough)
    assert told.endswith("; only calm: ('b', '1'); only rough: ('b', '2')")


def test_an_error_of_the_server_is_a_fault_and_a_broken_connection_is_counted() -> None:
    with serving(Portal()) as portal:
        one = reader(int(portal.url.rpartition(":")[2]))
        portal.faults.extend([answers(500), hangs_up])
        assert one.ask("reader", "GET", "/a", {})[0] == 500
        assert one.ask("reader", "GET", "/a", {})[0] == 0
        assert one.ask("reader", "GET", "/a", {})[0] == 404
    assert dict(one.wrong) == {"500: GET '/a'": 1}
    assert dict(one.answers) == {"reader 500": 1, "reader cut off": 1, "reader 404": 1}


def test_a_request_that_nobody_answers_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PATIENCE_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        one = reader(silent.getsockname()[1])
        one.ask("malformed", "GET", "/a", {})
        one._raw(b"GET\r\n\r\n")
    assert sorted(one.wrong) == ["no answer: GET '/a'", "no answer: b'GET\\r\\n\\r\\n'"]


def test_the_same_seed_sends_the_same_malformed_addresses() -> None:
    one, other, third = ([load.odd_address(random.Random(seed), "/riverton/board/7/?on=1") for _ in range(9)] for seed in (1, 1, 2))  # fmt: skip
    assert one == other != third
    assert all(address.isascii() and " " not in address and "\n" not in address for address in one)
