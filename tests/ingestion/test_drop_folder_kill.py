"""Whatever step of a drop folder's look is killed, nothing is lost and nothing is imported twice."""

from __future__ import annotations

import errno
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ingestion.models import ImportRun, Incident
from ingestion.services import drop_files, drops
from missions_project.lib.runs import RunStatus
from tests.ingestion.command_line import CommandLine
from tests.ingestion.drop_box import Box, Kill
from tests.ingestion.files import good_row, run_import, write_rows


def steps_of_a_good_file(box: Box, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    monkeypatch.setattr(drops, "_step", seen.append)
    box.put("first.csv", range(100, 103))
    box.look()
    box.look(60)
    return seen


@pytest.mark.parametrize("is_good", [True, False])
@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_a_kill_after_any_step_loses_nothing_and_imports_nothing_twice(
    is_good, is_elsewhere, box, monkeypatch
):
    if is_elsewhere:
        _other_file_system(monkeypatch)
    steps = steps_of_a_good_file(box, monkeypatch)
    assert steps == [
        *("claimed", "markers removed", "taken", "queued", "imported", "decided", "put away", "finished")
    ]
    wanted = [*steps[:-2], *([] if is_good else ["reason written"]), *steps[-2:]]
    imported, runs = 3, 1
    for number, at in enumerate(wanted):
        name = f"{number}.csv"
        box.put(name, range(number * 10, number * 10 + 4))
        if not is_good:
            (box.path / name).write_text("nothing that is a table")
        box.look()

        def step(here: str, at: str = at) -> None:
            if here == at:
                raise Kill(at)

        monkeypatch.setattr(drops, "_step", step)
        with pytest.raises(Kill):
            box.look(60)
        monkeypatch.setattr(drops, "_step", lambda here: None)
        box.look()
        box.look(60)
        runs += 1
        if is_good:
            imported += 4
            # By whatever day: the clock of this test goes on past midnight.
            assert any(path.startswith("done/") and path.endswith(f"/{name}") for path in box.tree())
        else:
            assert {f"failed/{name}", f"failed/{name}.txt"} <= set(box.tree())
        assert len([path for path in box.tree() if path.endswith(name)]) == 1
        assert Incident.objects.count() == imported
        assert ImportRun.objects.count() == runs, "one run a file"
    assert sum(run.counts.get("inserted", 0) for run in ImportRun.objects.all()) == imported


def _other_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renames between two folders fail as they do between two file systems."""
    real = os.rename

    def rename(source: Any, target: Any) -> None:
        if Path(source).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(drop_files.os, "rename", rename)


@pytest.mark.parametrize("place", ["copy", "unlink"])
def test_a_kill_in_the_middle_of_a_move_between_file_systems_leaves_the_file_whole(place, box, monkeypatch):
    _other_file_system(monkeypatch)
    box.put("a.csv")
    box.look()
    function = {"copy": (drop_files.shutil, "copyfileobj"), "unlink": (drop_files.os, "unlink")}[place]

    def stop(*_: Any) -> None:
        raise Kill

    with monkeypatch.context() as patch:
        patch.setattr(*function, stop)
        with pytest.raises(Kill):
            box.look(60)
    box.look()
    box.look(60)
    assert box.tree() == [f"{box.today}/a.csv"]
    assert Incident.objects.count() == 5
    assert ImportRun.objects.count() == 1


def test_an_import_killed_halfway_goes_on_at_the_next_look(box, monkeypatch):
    from ingestion.services import imports

    monkeypatch.setattr(imports, "chunk_rows", lambda: 10)
    real, seen = imports.quarantine_store, iter(range(100))

    def stop(**arguments: Any) -> None:
        real(**arguments)
        if next(seen) == 2:
            raise Kill

    monkeypatch.setattr(imports, "quarantine_store", stop)
    box.put("a.csv", range(50))
    box.look()
    with pytest.raises(Kill):
        box.look(60)
    # What SIGKILL leaves: nobody marked the run.
    ImportRun.objects.update(status=RunStatus.RUNNING, error="")
    assert [f.state for f in box.look()] == ["done"]
    run = ImportRun.objects.get()
    assert run.counts["received"] == run.counts["inserted"] == Incident.objects.count() == 50


def test_a_run_buried_by_another_import_is_taken_up_again(box, tmp_path, monkeypatch):
    monkeypatch.setattr(
        drops, "_step", lambda here: (_ for _ in ()).throw(Kill()) if here == "queued" else None
    )
    box.put("a.csv")
    box.look()
    with pytest.raises(Kill):
        box.look(60)
    monkeypatch.setattr(drops, "_step", lambda here: None)
    ImportRun.objects.update(status=RunStatus.RUNNING, attempts=1)
    run_import(box.folder.feed, write_rows(tmp_path / "b.csv", [good_row(77)]))
    assert ImportRun.objects.get(file_name="a.csv").status == "queued"
    assert [f.state for f in box.look()] == ["done"]
    assert Incident.objects.count() == 6


def test_a_file_that_kills_its_process_three_times_is_given_up(box, monkeypatch):
    monkeypatch.setattr(
        drops, "_step", lambda here: (_ for _ in ()).throw(Kill()) if here == "queued" else None
    )
    box.put("a.csv")
    box.look()
    with pytest.raises(Kill):
        box.look(60)
    monkeypatch.setattr(drops, "_step", lambda here: None)
    ImportRun.objects.update(status=RunStatus.RUNNING, attempts=3)
    (file,) = box.look()
    assert file.state == "failed"
    assert "died 3 times" in (box.path / "failed/a.csv.txt").read_text()


def test_an_accident_is_tried_again_before_the_file_is_blamed(box, monkeypatch):
    from ingestion.services import imports

    real, seen = imports.quarantine_store, iter(range(100))

    def stumble(**arguments: Any) -> None:
        if next(seen) == 0:
            raise RuntimeError("the network blinked")
        real(**arguments)

    monkeypatch.setattr(imports, "quarantine_store", stumble)
    box.put("a.csv")
    box.look()
    assert [f.state for f in box.look(60)] == ["done"]
    assert ImportRun.objects.get().attempts == 2


SET_UP = """
from datetime import timedelta
from tests import factories
from tests.ingestion.files import plain_feed
from ingestion.models import DropFolder
from ingestion.services import drop_folder_scan
from django.core.management import call_command
call_command("migrate", verbosity=0)
agency = factories.make_agency()
folder = DropFolder.objects.create(agency=agency, feed=plain_feed(agency), name="rms", settle_seconds=1)
drop_folder_scan(folder=folder)
"""
FILES, ROWS, KILLS = 3, 6_000, 6


@pytest.mark.slow
@pytest.mark.sqlite_only
def test_a_process_that_is_really_killed_again_and_again_ends_like_an_undisturbed_one(tmp_path):
    one = CommandLine(tmp_path)
    one.environment["DROP_DIR"] = str(tmp_path / "drop")
    one.finish(one.start("-c", f"import django; django.setup()\n{SET_UP}"))
    box = tmp_path / "drop" / "riverton" / "rms"
    for number in range(FILES):
        rows = [good_row(number * ROWS + n) for n in range(ROWS)]
        write_rows(box / f"{number}.csv", rows)
    scan = ("manage.py", "drop_scan", "--agency", "riverton")
    one.finish(one.start(*scan))
    time.sleep(1.1)
    moments, killed = random.Random(7), 0
    for _ in range(KILLS):
        process = one.start(*scan)
        before = (one.runs(), sorted(box.rglob("*.csv")))
        # At a random moment after the process has begun to change something.
        while process.poll() is None and (one.runs(), sorted(box.rglob("*.csv"))) == before:
            time.sleep(0.01)
        time.sleep(moments.random() * 0.7)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        killed += process.returncode == -signal.SIGKILL
    assert killed >= 3, "the looks must be slow enough to be killed"
    for _ in range(3):
        one.finish(one.start(*scan))
        time.sleep(1.1)
    there = sorted(p.name for p in box.rglob("*.csv"))
    assert there == [f"{number}.csv" for number in range(FILES)]
    assert {p.parent.parent.name for p in box.rglob("*.csv")} == {"done"}
    runs = [(status, counts) for status, counts in one.runs()]
    assert [status for status, _ in runs] == ["succeeded"] * FILES, "one run a file, whatever was killed"
    assert [counts["inserted"] for _, counts in runs] == [ROWS] * FILES
    assert len(one.incidents()) == FILES * ROWS
