"""An import that is killed at random moments, twenty times over, leaves true counts and ends like an undisturbed one."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from ingestion.services.tally import CLASSES
from tests.ingestion.files import COLUMNS, dirty_rows, good_row, write_rows
from tests.ingestion.installation import Installation

KILLS = 20
ROWS = 30_000
ENOUGH = 15
"""So many of the twenty must meet an import at work: the others came before its first or after its last row."""
pytestmark = pytest.mark.slow


def big_file(folder: Path) -> Path:
    """Good rows, and among them dirt of every kind, a repeated identifier and refused offences, all over the file."""
    rows = [good_row(number) for number in range(ROWS)]
    dirt = dirty_rows(200)
    for start in range(0, ROWS, 3_000):
        for number, row in enumerate(dirt):
            rows[start + number] = row | {"id": f"D{start}-{row['id']}"}
    return write_rows(folder / "a.csv", rows, COLUMNS)


def postgres_url() -> str:
    """The tests' own cluster, whose databases come and go; empty on SQLite."""
    return os.environ["DATABASE_URL"] if connection.vendor == "postgresql" else ""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return big_file(tmp_path_factory.mktemp("file"))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Installation]:
    """Migrated, with one agency and its feed: what the others are copies of."""
    one = Installation(tmp_path_factory.mktemp("fresh"), "fresh", postgres_url=postgres_url())
    yield one
    one.close()


@pytest.fixture
def rough(tmp_path: Path, fresh: Installation) -> Iterator[Installation]:
    one = Installation(tmp_path, "rough", postgres_url=postgres_url(), copy_of=fresh)
    yield one
    one.close()


@pytest.fixture(scope="module")
def calm(
    tmp_path_factory: pytest.TempPathFactory, file: Path, fresh: Installation
) -> Iterator[tuple[Installation, float]]:
    """An installation that imported the file undisturbed, and how long that took."""
    one = Installation(tmp_path_factory.mktemp("calm"), "calm", postgres_url=postgres_url(), copy_of=fresh)
    how, seconds = one.order("new", file)
    assert how == "exit0"
    yield one, seconds
    one.close()


def check_account(one: Installation) -> None:
    """Each run's sum is right, and what all runs say was inserted is what is stored."""
    runs = one.runs()
    for _, counts, refusals, rejections in runs:
        if counts:
            assert counts["received"] == sum(counts[name] for name in CLASSES)
            assert counts["refused"] == sum(sum(codes.values()) for codes in refusals.values())
            assert counts["quarantined"] == sum(rejections.values())
    assert len(one.facts()) == sum(counts.get("inserted", 0) for _, counts, _, _ in runs)


@pytest.mark.parametrize("kind", ["resume", "new"])
def test_twenty_kills_change_nothing_in_the_end(
    kind: str, file: Path, calm: tuple[Installation, float], rough: Installation
):
    """``resume``: the worker goes on with the run. ``new``: somebody imports the file again from the beginning."""
    undisturbed, seconds = calm
    moments = random.Random(17 if kind == "resume" else 5)
    at_work = killed = 0
    order = "new"
    # A resumed import has less left each time: it is killed early enough to last for twenty.
    longest = seconds * (0.3 if kind == "resume" else 1.0)
    while killed < KILLS:
        how, lasted = rough.order(order, file, kill_after=moments.random() * longest)
        status = rough.runs()[-1][0] if rough.runs() else "none"
        check_account(rough)
        assert how in ("killed", "exit0"), rough.said
        killed += how == "killed"
        at_work += how == "killed" and status == "running"
        if how == "exit0":
            # What is stored already takes less time: later kills must not come too late.
            longest = min(longest, 0.9 * lasted)
        # A kill that came after the run's last word left nothing to go on with.
        order = "resume" if kind == "resume" and status in ("queued", "running") else "new"
    assert at_work >= ENOUGH, "most kills must meet an import at work"
    assert rough.order(order, file)[0] == "exit0"
    check_account(rough)
    assert rough.facts() == undisturbed.facts()
    assert rough.quarantine() == undisturbed.quarantine()
    (_, counts, refusals, rejections) = undisturbed.runs()[0]
    last = rough.runs()[-1]
    assert last[0] == "succeeded"
    assert last[1]["received"] == counts["received"]
    assert (last[2], last[3]) == (refusals, rejections)
    if len(rough.runs()) == 1:
        assert last[1] == counts, "one run, twenty workers: its account is that of an undisturbed one"
    # Runs that were begun anew: what the earlier ones stored is not stored twice.
    assert sum(run[1].get("inserted", 0) for run in rough.runs()) == counts["inserted"]


@pytest.mark.sqlite_only
def test_two_imports_at_once_one_works_and_the_other_stops_with_a_message(
    tmp_path: Path, file: Path, fresh: Installation
):
    one = Installation(tmp_path, "two", copy_of=fresh)
    try:
        command = [
            sys.executable,
            "manage.py",
            "import_incidents",
            "--agency",
            "riverton",
            "--feed",
            "rms",
            str(file),
        ]
        both = [
            subprocess.Popen(command, cwd=settings.BASE_DIR, env=one.environment, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(2)
        ]  # fmt: skip
        spoken = [process.communicate(timeout=300)[1] for process in both]
        codes = sorted(process.returncode for process in both)
        assert codes in ([0, 1], [0, 0]), spoken
        if codes == [0, 1]:
            assert any("Another import of feed" in words for words in spoken)
            assert any(
                "Next step: wait" in words or "wait until it has finished" in words for words in spoken
            )
        check_account(one)
        assert sum(status == "succeeded" for status, *_ in one.runs()) == codes.count(0)
    finally:
        one.close()


def test_an_import_whose_lock_is_held_elsewhere_is_refused_and_runs_afterwards(
    rough: Installation, file: Path
):
    """The holder is another process that is killed: its lock ends with it."""
    holder = subprocess.Popen(
        [sys.executable, "-c", (
            "import django; django.setup()\n"
            "import time\n"
            "from ingestion.models import Feed\n"
            "from ingestion.services.locks import import_lock\n"
            "with import_lock(Feed.objects.get(slug='rms')):\n"
            "    print('held', flush=True); time.sleep(600)\n"
        )],
        cwd=settings.BASE_DIR, env=rough.environment, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        assert rough.order("new", file)[0] == "exit3"
        assert rough.runs()[-1][:2] == ("queued", {})
    finally:
        holder.kill()
        holder.communicate(timeout=30)
    for _ in range(100):
        # PostgreSQL notices within moments that the holder's connection has broken.
        if (how := rough.order("resume")[0]) == "exit0":
            break
        time.sleep(0.1)
    assert how == "exit0"
    assert rough.runs()[-1][0] == "succeeded"
