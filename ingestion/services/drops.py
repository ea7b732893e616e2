"""Drop folders: complete files are picked up one by one, oldest first, imported, and moved to done/ or failed/.

Each step is announced in the journal (``DropFile``) before it is done on the disk, and each is safe to repeat. Whoever looks
next after a kill, at whatever point, finishes what was begun: nothing is lost, and nothing is imported twice.
"""

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.models import DropFile, DropFolder, ImportRun
from ingestion.services.drop_files import (
    DONE,
    FAILED,
    WORK,
    Look,
    files_in,
    folder_ready,
    free_name,
    is_on_its_way,
    markers_of,
    move,
    name_problem,
)
from ingestion.services.imports import STOPPED, import_run_execute, import_run_queue
from ingestion.services.locks import ImportBusy, import_lock
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from missions_project.lib.runs import RunStatus

logger = logging.getLogger(__name__)
State = DropFile.State
UNDER_WAY = (State.CLAIMED, State.QUEUED, State.FINISHING)
FAILED_KEEP_DAYS = 30
JOURNAL_DAYS = 90
MAX_TRIES = 3
MAX_FILES_A_LOOK = 200
ACCIDENT = "Next step: run it again;"
"""In the error of a run that ended by an unforeseen error, see ``missions_project.lib.runs``."""
DEADLY = gettext_lazy(
    "The process died %(times)s times while importing this file, most likely for lack of memory. Next step: look at the "
    "worker's log, give it more memory or split the file."
)


def drop_folder_scan(
    *, folder: DropFolder, now: datetime | None = None, progress: Progress = no_progress
) -> list[DropFile]:
    """Look once: finish what was begun, take note of what lies there, import what is complete. Returns what it finished.

    Somebody else who looks at the same time does the work; this one then returns an empty list. What keeps the folder from
    being read is written into its ``message``, not raised.
    """
    now = now or timezone.now()
    finished: list[DropFile] = []
    try:
        top = folder_ready(folder)
        with _alone(top) as is_alone:
            if is_alone:
                message = _look(folder, top, now, progress, finished)
                DropFolder.objects.filter(pk=folder.pk).update(looked_at=now, message=message)
    except (MissionsError, OSError) as error:
        DropFolder.objects.filter(pk=folder.pk).update(looked_at=now, message=str(error))
    folder.refresh_from_db()
    return finished


def drop_folders_due() -> list[int]:
    """The folders that are looked into each minute. One query."""
    rows = DropFolder.objects.filter(is_active=True, feed__is_active=True)
    return list(rows.values_list("pk", flat=True))


@contextmanager
def _alone(top: Path) -> Iterator[bool]:
    """Hold the folder: two that look at once would both claim a file. The lock ends with the process that holds it."""
    with open(top / WORK / ".lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def _look(folder: DropFolder, top: Path, now: datetime, progress: Progress, finished: list[DropFile]) -> str:
    for begun in folder.files.filter(state__in=UNDER_WAY).order_by("pk"):
        if not _go_on(begun, top, now, progress, finished):
            return _("%(file)s: waiting for another import to end.") % {"file": begun.name}
    _put_orphans_back(folder, top)
    words = _note(folder, top, now)
    if problem := _not_ready(folder):
        return problem
    for file in _complete(folder, top, now):
        _claim(file)
        if not _go_on(file, top, now, progress, finished):
            return _("%(file)s: waiting for another import to end.") % {"file": file.name}
    _forget(folder, top, now)
    return words


def _not_ready(folder: DropFolder) -> str:
    feed = folder.feed
    if not folder.is_active or not feed.is_active:
        return _("The folder or its feed is inactive; files stay where they are.")
    if not feed.mapping:
        return _(
            "Feed “%(feed)s” has no mapping yet; files stay where they are. Next step: upload one of them in Admin → Feeds."
        ) % {"feed": feed}
    return ""


def _put_orphans_back(folder: DropFolder, top: Path) -> None:
    """Files in work/ of which the journal knows nothing (it was restored from a backup, say) are put back to be seen again."""
    known = set(folder.files.filter(state__in=UNDER_WAY).values_list("work_name", flat=True))
    for look in files_in(top / WORK):
        if look.name not in known and not look.name.startswith("."):
            name = look.name.partition("-")[2] or look.name
            move(top / WORK / look.name, top / free_name(top, name))


def _note(folder: DropFolder, top: Path, now: datetime) -> str:
    """Write down what lies in the folder; a file that changed starts to settle anew. Returns what a person should know."""
    known = {file.name: file for file in folder.files.filter(state=State.SEEN)}
    there = set()
    problems = []
    for look in files_in(top):
        if is_on_its_way(look.name):
            continue
        if problem := name_problem(look.name):
            problems.append(
                _("A file's name %(problem)s: %(name)s. Next step: rename it at the source.")
                % {"problem": problem, "name": ascii(look.name)[:80]}
            )
            continue
        there.add(look.name)
        file = known.get(look.name) or DropFile(agency_id=folder.agency_id, folder=folder, name=look.name)
        if file.pk is None or _look_of(file) != look:
            file.size, file.mtime_ns, file.inode, file.seen_at = look.size, look.mtime_ns, look.inode, now
            file.save()
    folder.files.filter(state=State.SEEN).exclude(name__in=there).delete()
    return "\n".join(problems)


def _look_of(file: DropFile) -> Look:
    return Look(file.name, file.size, file.mtime_ns, file.inode)


def _complete(folder: DropFolder, top: Path, now: datetime) -> list[DropFile]:
    """The files that may be taken, oldest first. Those behind one that is still arriving do not wait for it."""
    seen = folder.files.filter(state=State.SEEN).order_by("mtime_ns", "name")
    if folder.needs_marker:
        found = [file for file in seen if markers_of(top, file.name)]
    else:
        found = list(seen.filter(seen_at__lte=now - timedelta(seconds=folder.settle_seconds)))
    return found[:MAX_FILES_A_LOOK]


def _claim(file: DropFile) -> None:
    file.work_name = f"{file.pk}-{file.name}"
    file.state = State.CLAIMED
    file.save(update_fields=["state", "work_name"])
    _step("claimed")


def _go_on(file: DropFile, top: Path, now: datetime, progress: Progress, finished: list[DropFile]) -> bool:
    """Bring a file that was begun to its end, from whatever state. False if another import must end first."""
    if file.state == State.CLAIMED and not _take(file, top):
        return True
    if file.state == State.CLAIMED:
        _queue(file, top, now)
    if file.state == State.QUEUED and not _import(file, top, now, progress):
        return False
    if file.state == State.FINISHING:
        _put_away(file, top, now)
        finished.append(file)
    return True


def _take(file: DropFile, top: Path) -> bool:
    """Move the claimed file into work/. False if it is no longer what was claimed: then it starts anew, or is gone."""
    work, source = top / WORK / file.work_name, top / file.name
    if Look.at(work) is None:
        if Look.at(source) != _look_of(file):
            # Replaced or withdrawn by the sender between two moments: the next look judges what is there now.
            file.delete()
            return False
        # Before the file: a marker that is left behind would declare the next file of this name complete.
        for marker in markers_of(top, file.name):
            marker.unlink(missing_ok=True)
        _step("markers removed")
        move(source, work)
        _step("taken")
    elif Look.at(source) == _look_of(file):
        # Copied from another file system and killed before the source was deleted.
        source.unlink(missing_ok=True)
    return True


def _queue(file: DropFile, top: Path, now: datetime) -> None:
    path = top / WORK / file.work_name
    if file.size > settings.UPLOAD_MAX_BYTES:
        _decide(
            file,
            top,
            now,
            _("The file is larger than %(most)s bytes. Next step: split it, or raise UPLOAD_MAX_BYTES.")
            % {"most": f"{settings.UPLOAD_MAX_BYTES:,}"},
        )
        return
    try:
        # Run and journal together: a run without its file's note would be imported and the file again.
        with transaction.atomic():
            file.run = import_run_queue(feed=file.folder.feed, path=path, file_name=file.name)
            file.state = State.QUEUED
            file.save(update_fields=["run", "state"])
    except MissionsError as error:
        file.run = None
        _decide(file, top, now, str(error))
    _step("queued")


def _import(file: DropFile, top: Path, now: datetime, progress: Progress) -> bool:
    """See the file's run to its end. False while it, or another import in its way, is still running."""
    run = file.run
    if run is not None and not run.is_finished:
        try:
            _give_up_if_deadly(run)
            # A run that is marked as running and whose import lock is free has lost its process: it goes on here.
            import_run_execute(run=run, progress=progress)
        except ImportBusy:
            return False
        # What became of it stands on its row, also where another worker has done it meanwhile.
        except MissionsError:
            pass
        # Its row and log say what happened; one file's accident must not stop the files behind it.
        except Exception:
            logger.exception("Import run %s of a drop folder failed.", run.pk)
        _step("imported")
        run.refresh_from_db()
    if run is not None and not run.is_finished:
        return False
    if run is None:
        # Somebody deleted the run's row; importing again changes nothing that is stored already.
        file.state = State.CLAIMED
        file.save(update_fields=["state"])
        _queue(file, top, now)
        return file.state != State.QUEUED or _import(file, top, now, progress)
    if run.status == RunStatus.FAILED and _was_stopped(run):
        ImportRun.objects.filter(pk=run.pk, status=RunStatus.FAILED).update(status=RunStatus.QUEUED)
        run.refresh_from_db()
        return _import(file, top, now, progress)
    _decide(file, top, now, run.error if run.status == RunStatus.FAILED else "")
    return True


def _was_stopped(run: ImportRun) -> bool:
    """Whether the run failed by a kill or an accident and not by the file's fault: then the file is tried again."""
    return (run.error == STOPPED or ACCIDENT in run.error) and run.attempts < MAX_TRIES


def _give_up_if_deadly(run: ImportRun) -> None:
    """End a run that has killed its process three times, instead of killing the next one each minute."""
    if run.status != RunStatus.RUNNING or run.attempts < MAX_TRIES:
        return
    with import_lock(run.feed):
        ImportRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING).update(
            status=RunStatus.FAILED, finished_at=timezone.now(), error=DEADLY % {"times": MAX_TRIES}
        )


def _decide(file: DropFile, top: Path, now: datetime, reason: str) -> None:
    """Write down where the file goes, before it goes there."""
    file.reason = reason
    if reason:
        file.target = f"{FAILED}/{free_name(top / FAILED, file.name)}"
    elif file.folder.keep_days == 0:
        file.target = "-"
    else:
        day = f"{DONE}/{timezone.localtime(now):%Y-%m-%d}"
        file.target = f"{day}/{free_name(top / day, file.name)}"
    file.state = State.FINISHING
    file.save(update_fields=["state", "target", "reason"])
    _step("decided")


def _put_away(file: DropFile, top: Path, now: datetime) -> None:
    work, target = top / WORK / file.work_name, top / file.target
    if file.target == "-":
        work.unlink(missing_ok=True)
    elif Look.at(work) is not None:
        target.parent.mkdir(mode=0o750, exist_ok=True)
        if file.reason:
            # First the reason: a failed file without one would leave its sender guessing.
            target.with_name(f"{target.name}.txt").write_text(_words(file), encoding="utf-8")
            _step("reason written")
        move(work, target)
        _step("put away")
    file.state = State.FAILED if file.reason else State.DONE
    file.finished_at = now
    file.save(update_fields=["state", "finished_at"])
    _step("finished")


def _words(file: DropFile) -> str:
    run = f"Import run {file.run_id}: its log is under Admin → Import runs.\n" if file.run_id else ""
    return (
        f"{file.name} was not imported.\n\n{file.reason}\n\n{run}"
        "To try again, put the file (mended, if need be) back into the folder above; the same name is fine.\n"
    )


def _forget(folder: DropFolder, top: Path, now: datetime) -> None:
    """Delete what has lain in done/ and failed/ for its time, and old lines of the journal."""
    _expire(folder, top, now - timedelta(days=folder.keep_days), State.DONE)
    _expire(folder, top, now - timedelta(days=FAILED_KEEP_DAYS), State.FAILED)
    for day in (top / DONE).iterdir():
        if day.is_dir() and not day.is_symlink() and not any(day.iterdir()):
            day.rmdir()
    folder.files.filter(finished_at__lt=now - timedelta(days=JOURNAL_DAYS), target="").delete()


def _expire(folder: DropFolder, top: Path, before: datetime, state: str) -> None:
    for file in folder.files.filter(state=state, finished_at__lt=before).exclude(target__in=["", "-"]):
        target = top / file.target
        target.unlink(missing_ok=True)
        target.with_name(f"{target.name}.txt").unlink(missing_ok=True)
        file.target = ""
        file.save(update_fields=["target"])


def _step(name: str) -> None:
    """A moment between two steps: tests end the process here."""
