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


@pytest.mark.parametrize(
    ("beginning", "drop", "seconds"),
    [(HEAD, b"X-More: 1\r\n", "4"), (HEAD + b"\r\n" + ",".join(COLUMNS).encode() + b"\r\n", b"R", "14")],
    ids=["its head", "its rows"],
)
def test_an_answer_that_trickles_is_cut_off_and_the_run_says_why(
    before: Callable[[str], Installation], calm: dict[str, Any], beginning: bytes, drop: bytes, seconds: str
) -> None:
    one = before("import")
    one.environment |= LIMITS
    with serving(Portal()) as portal:
        portal.files["/rms.csv"] = day_file(one.folder, 0).read_bytes(), "text/csv"
        one.order("feed", f"{portal.url}/rms.csv")
        with trickling(portal, beginning, drop):
            # The second import waits behind the pull on the one worker, and is done.
            one.line("pull", "import", keep=one.keeper())
        (pulled, attempts), imported = states(one, "import")
        ((error,),) = one.rows("SELECT error FROM ingestion_importrun WHERE status = 'failed'")
        assert (pulled, attempts) == ("failed", 1), "tried once, and never taken for dead"
        assert f"took longer than {seconds} seconds" in error
        assert "Next step:" in error
        assert imported == ("succeeded", 1)
        assert len(portal.asked) == 1
        one.line("pull")
        assert states(one, "import")[2] == ("succeeded", 1), "the server is well again: so is the feed"
    found = one.rows("SELECT counts FROM ingestion_importrun ORDER BY id DESC LIMIT 1")
    assert '"received": 6000' in str(found)
    assert one.summed()["rows"]["ingestion.Incident"][0] == 2 * calm["rows"]["ingestion.Incident"][0]
