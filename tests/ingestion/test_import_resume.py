"""A run that goes on where it was stopped, and two that want to work at once."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from django.db import connection

from ingestion.models import ImportRun, Incident, QuarantinedRow
from ingestion.services import ImportBusy, import_run_execute, import_run_queue
from ingestion.services import imports as service
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import MAX_ATTEMPTS, RunStatus
from tests.ingestion.files import dirty_rows, good_row, plain_feed, write_rows


class Stop(BaseException):
    """Stands in for a kill inside one process."""


@pytest.fixture
def stopping(monkeypatch):
    """A function: the import stops in the middle of the chunk with this number, after its rows were written."""
    monkeypatch.setattr(service, "chunk_rows", lambda: 40)
    real = service.quarantine_store

    def stop_in(chunk_number: int) -> None:
        seen = iter(range(1_000))

        def store(**arguments):
            real(**arguments)
            if next(seen) == chunk_number:
                raise Stop

        monkeypatch.setattr(service, "quarantine_store", store)

    return stop_in


def test_a_stopped_run_that_is_queued_again_ends_with_the_counts_of_an_undisturbed_one(
    agency, tmp_path, stopping
):
    path = write_rows(tmp_path / "a.csv", dirty_rows())
    calm = import_run_execute(run=import_run_queue(feed=plain_feed(agency, "calm"), path=path))
    run = import_run_queue(feed=plain_feed(agency, "rough"), path=path)
    for chunk_number in (2, 1):
        stopping(chunk_number)
        with pytest.raises(Stop):
            import_run_execute(run=run)
        run.refresh_from_db()
        stored = Incident.objects.filter(feed=run.feed).count()
        assert run.counts["inserted"] == stored, "no half-counted chunk"
        # What a killed process leaves: nobody marked it as failed.
        ImportRun.objects.filter(pk=run.pk).update(status=RunStatus.RUNNING)
    stopping(-1)
    import_run_execute(run=run)
    assert run.status == "succeeded"
    assert (run.counts, run.rejections, run.refusals) == (calm.counts, calm.rejections, calm.refusals)
    assert QuarantinedRow.objects.filter(feed=run.feed).count() == calm.counts["quarantined"]


def test_a_run_does_not_go_on_with_another_file(agency, tmp_path, stopping):
    path = write_rows(tmp_path / "a.csv", dirty_rows())
    run = import_run_queue(feed=plain_feed(agency), path=path)
    stopping(2)
    with pytest.raises(Stop):
        import_run_execute(run=run)
    ImportRun.objects.filter(pk=run.pk).update(status=RunStatus.QUEUED)
    write_rows(path, dirty_rows(210))
    with pytest.raises(MissionsError, match="not the one of which 80 rows"):
        import_run_execute(run=run)


@pytest.mark.parametrize(("attempts", "becomes"), [(1, "queued"), (MAX_ATTEMPTS, "failed")])
def test_a_killed_run_of_the_feed_goes_on_after_the_next_one(agency, tmp_path, attempts, becomes):
    feed, path = plain_feed(agency), write_rows(tmp_path / "a.csv", [good_row(1)])
    dead = import_run_queue(feed=feed, path=path)
    ImportRun.objects.filter(pk=dead.pk).update(status=RunStatus.RUNNING, attempts=attempts)
    import_run_execute(run=import_run_queue(feed=feed, path=path))
    dead.refresh_from_db()
    assert dead.status == becomes
    if becomes == "queued":
        assert import_run_execute(run=dead).counts["unchanged"] == 1
    else:
        assert "stopped from outside" in dead.error


@pytest.mark.sqlite_only
def test_a_second_importer_is_told_to_wait_and_its_run_stays_queued(agency, tmp_path, settings):
    run = import_run_queue(feed=plain_feed(agency), path=write_rows(tmp_path / "a.csv", [good_row(1)]))
    name = str(connection.settings_dict["NAME"])
    memory = "memory" in name
    with open(Path(settings.VAR_DIR) / "import-lock" if memory else f"{name}.import-lock", "a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ImportBusy, match="Another import"):
            import_run_execute(run=run)
    run.refresh_from_db()
    assert run.status == "queued"
    assert import_run_execute(run=run).status == "succeeded"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_second_importer_of_one_feed_is_told_to_wait_on_postgresql(agency, tmp_path):
    import threading

    from django.db import connections

    from ingestion.services.locks import import_lock

    feed = plain_feed(agency)
    run = import_run_queue(feed=feed, path=write_rows(tmp_path / "a.csv", [good_row(1)]))
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with import_lock(feed):
            held.set()
            release.wait(20)
        connections.close_all()

    other = threading.Thread(target=hold)
    other.start()
    try:
        assert held.wait(20)
        with pytest.raises(ImportBusy, match="RMS"):
            import_run_execute(run=run)
    finally:
        release.set()
        other.join()
    assert import_run_execute(run=run).status == "succeeded"


def test_an_unforeseen_error_rolls_its_chunk_back(agency, tmp_path, stopping):
    run = import_run_queue(feed=plain_feed(agency), path=write_rows(tmp_path / "a.csv", dirty_rows()))
    stopping(0)
    with pytest.raises(Stop):
        import_run_execute(run=run)
    assert Incident.objects.count() == QuarantinedRow.objects.count() == 0
    run.refresh_from_db()
    assert run.status == "failed"
    assert run.counts == {}


@pytest.mark.parametrize("noted", [True, False])
def test_a_run_goes_on_with_the_chunks_with_which_it_began(agency, tmp_path, stopping, monkeypatch, noted):
    """Cut otherwise, no chunk would end where the last stored one ended: after an update of the program, for example."""
    path = write_rows(tmp_path / "a.csv", dirty_rows())
    calm = import_run_execute(run=import_run_queue(feed=plain_feed(agency, "calm"), path=path))
    run = import_run_queue(feed=plain_feed(agency, "rough"), path=path)
    stopping(2)
    with pytest.raises(Stop):
        import_run_execute(run=run)
    run.refresh_from_db()
    assert run.config_snapshot.pop(service.CHUNK) == 40
    if not noted:
        # Began before it was noted: all runs were cut alike then.
        monkeypatch.setattr(service, "CHUNK_ROWS", 40)
        run.save(update_fields=["config_snapshot"])
    ImportRun.objects.filter(pk=run.pk).update(status=RunStatus.QUEUED)
    stopping(-1)
    monkeypatch.setattr(service, "chunk_rows", lambda: 70)
    import_run_execute(run=run)
    assert (run.counts, run.rejections, run.refusals) == (calm.counts, calm.rejections, calm.refusals)
