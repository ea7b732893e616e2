"""A third party's server that trickles: the pull is cut off on time and its row says so, nobody is held up, nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults.city import day_file
from tests.faults.installation import Installation, states
from tests.ingestion.files import COLUMNS
from tests.ingestion.portals import Portal, serving

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 500000\r\n"
LIMITS = {
    # Longer than a run may be silent: who only drips is alive all the same.
    "PULL_RUN_SECONDS": "14",
    "PULL_REQUEST_SECONDS": "4",
    "FAULTS_PATIENCE": "7",
    "PULL_PRIVATE_HOSTS": "127.0.0.1",
}


@contextmanager
def trickling(portal: Portal, beginning: bytes, drop: bytes) -> Iterator[None]:
    """The portal's next answer begins at once and then goes on by drops, until the block ends."""
    over = threading.Event()

    def drips(handler: Any) -> bool:
        handler.wfile.write(beginning)
        while not over.wait(0.2):
            handler.wfile.write(drop)
        handler.close_connection = True
        return True

    portal.faults.append(drips)
    try:
        yield
    finally:
        over.set()


ANSWERS = {
    "its head": (HEAD, b"X-More: 1\r\n", "4"),
    "its rows": (HEAD + b"\r\n" + ",".join(COLUMNS).encode() + b"\r\n", b"R", "14"),
}
"""How each answer begins, how it goes on by drops, and after how many seconds it is cut off."""


def test_an_answer_that_trickles_is_cut_off_and_the_run_says_why(
    either: Callable[[str], Installation], calm: dict[str, Any]
) -> None:
    one = either("import")
    one.environment |= LIMITS
    keeper = one.keeper("import")
    with serving(Portal()) as portal:
        portal.files["/rms.csv"] = day_file(one.folder, 0).read_bytes(), "text/csv"
        one.order("feed", f"{portal.url}/rms.csv")
        for beginning, drop, _ in ANSWERS.values():
            with trickling(portal, beginning, drop):
                one.line("pull", keep=keeper)
        assert states(one, "import") == [("failed", 1)] * 2, "tried once, and never taken for dead"
        errors = one.rows("SELECT error FROM ingestion_importrun ORDER BY id")
        for (error,), (_, _, seconds) in zip(errors, ANSWERS.values(), strict=True):
            assert f"took longer than {seconds} seconds" in error
            assert "Next step:" in error
        assert len(portal.asked) == 2
        # The worker has its hands free, and the server is well again.
        one.line("import", "pull", keep=keeper)
    assert states(one, "import")[2:] == [("succeeded", 1)] * 2
    found, (n, _) = one.summed(), calm["rows"]["ingestion.Incident"]
    assert found["rows"]["ingestion.Incident"][0] == 2 * n, "each feed's rows, each once"
    assert found["runs"][3]["counts"] == found["runs"][2]["counts"] == calm["runs"][0]["counts"]
