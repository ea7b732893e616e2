"""Files of a drop folder on the disk: which are complete, and how they are moved so that no moment of it loses one."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from ingestion.models import DropFolder
from missions_project.lib.errors import MissionsError

UNFINISHED = (".part", ".tmp", ".filepart", ".partial", ".crdownload", ".upload")
MARKERS = (".done", ".ok")
WORK, DONE, FAILED = "work", "done", "failed"
MAX_NAME = 180
_COPY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Look:
    """A file as it lies in the folder at one look."""

    name: str
    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def at(cls, path: Path) -> "Look | None":
        """What lies there now, or nothing if that is no plain file."""
        try:
            found = path.lstat()
        except OSError:
            return None
        # A link could point at any file of this machine.
        if not stat.S_ISREG(found.st_mode):
            return None
        return cls(path.name, found.st_size, found.st_mtime_ns, found.st_ino)


def folder_address(folder: DropFolder) -> Path:
    """Where the folder is on this machine."""
    return Path(settings.DROP_DIR) / folder.agency.slug / folder.name


def folder_ready(folder: DropFolder) -> Path:
    """The folder with its three rooms, made where missing. Raises ``MissionsError`` where a link or a stranger's room stands.

    The folder's sticky bit keeps the sending account from replacing our rooms; only this account may look into work/.
    """
    top = folder_address(folder)
    for path in (top.parent, top):
        path.mkdir(parents=True, exist_ok=True)
        _must_be_folder(path)
    for room in (WORK, DONE, FAILED):
        path = top / room
        if not path.is_symlink() and not path.exists():
            path.mkdir(mode=0o700 if room == WORK else 0o750)
            if top.stat().st_uid == os.geteuid():
                # Anybody who may write here could otherwise put a link in a room's place.
                top.chmod(stat.S_IMODE(top.stat().st_mode) | stat.S_ISVTX)
        _must_be_folder(path)
    work = (top / WORK).lstat()
    if work.st_uid != os.geteuid():
        raise MissionsError(
            _("%(path)s belongs to another account.") % {"path": top / WORK},
            next_step=_(
                "delete it (the product makes its own), and let the sending account write into the folder above only."
            ),
        )
    if stat.S_IMODE(work.st_mode) & 0o077:
        (top / WORK).chmod(0o700)
    return top


def _must_be_folder(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        raise MissionsError(
            _("%(path)s is a link or no folder.") % {"path": path},
            next_step=_("delete it; the product makes the folder itself."),
        )


def files_in(top: Path) -> Iterator[Look]:
    """Plain files in the folder, oldest first: a later export must not be overtaken by an earlier one."""
    found = [look for entry in os.scandir(top) if (look := Look.at(Path(entry.path))) is not None]
    yield from sorted(found, key=lambda look: (look.mtime_ns, look.name))


def is_on_its_way(name: str) -> bool:
    """Whether the name says that the file is not yet whole, or that it is no data at all."""
    lower = name.lower()
    return name.startswith((".", "~")) or lower.endswith((*UNFINISHED, *MARKERS))


def name_problem(name: str) -> str:
    """Why a file of this name cannot be taken; empty if it can."""
    if not name.isprintable() or any("\ud800" <= letter <= "\udfff" for letter in name):
        return _("holds characters that cannot be shown")
    if len(name) > MAX_NAME:
        return _("is longer than %(most)s characters") % {"most": MAX_NAME}
    return ""


def markers_of(top: Path, name: str) -> list[Path]:
    """The markers that lie beside a file: data.csv.done, or data.done."""
    stems = {name, Path(name).stem}
    return [path for stem in sorted(stems) for m in MARKERS if Look.at(path := top / f"{stem}{m}")]


def move(source: Path, target: Path) -> None:
    """Move a file so that at every moment it is whole in one of the two places. Safe to repeat after a kill.

    By a rename where both are on one file system; otherwise as a copy that appears under its name once it is written,
    after which the source is deleted.
    """
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:  # another file system
            raise
        _copy_over(source, target)
        os.unlink(source)
    for folder in {source.parent, target.parent}:
        _sync_folder(folder)


def _copy_over(source: Path, target: Path) -> None:
    unfinished = target.with_name(f".{target.name}.part")
    flags = os.O_RDONLY | os.O_NOFOLLOW
    with open(os.open(source, flags), "rb") as read, open(unfinished, "wb") as written:
        shutil.copyfileobj(read, written, _COPY_BYTES)
        written.flush()
        os.fsync(written.fileno())
    times = source.lstat()
    os.utime(unfinished, ns=(times.st_atime_ns, times.st_mtime_ns))
    os.rename(unfinished, target)


def _sync_folder(path: Path) -> None:
    """A rename that is only in memory is undone by a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_name(folder: Path, name: str) -> str:
    """This name, or with a number before its ending where one is there: the same name may come every day."""
    stem, dot, ending = name.partition(".")
    number, free = 1, name
    while (folder / free).exists() or (folder / f"{free}.txt").exists():
        number += 1
        free = f"{stem}-{number}{dot}{ending}"
    return free
