"""The private place where uploads wait: outside everything that is served, under random names."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from ingestion.models import Feed, ImportRun
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus

_NAME_BYTES = 24


def spool_folder() -> Path:
    """The spool, made where it is missing; only this account may look inside."""
    folder = Path(settings.SPOOL_DIR)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # mkdir leaves the mode of an existing folder alone, and an unpacked archive may have made it readable.
    folder.chmod(0o700)
    return folder


def spool_store(*, chunks: Iterable[bytes]) -> str:
    """Keep an upload until it is imported; return the random name that finds it again.

    Raises ``MissionsError`` for one larger than UPLOAD_MAX_BYTES; nothing is kept then.
    """
    name = secrets.token_urlsafe(_NAME_BYTES)
    path = spool_folder() / name
    size = 0
    try:
        with open(path, "xb", opener=_private) as file:
            for chunk in chunks:
                size += len(chunk)
                if size > settings.UPLOAD_MAX_BYTES:
                    raise MissionsError(
                        _("The file is larger than %(upload_max_bytes)s bytes; nothing was kept.")
                        % {"upload_max_bytes": f"{settings.UPLOAD_MAX_BYTES:,}"},
                        next_step=_("split it, or raise UPLOAD_MAX_BYTES."),
                    )
                file.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return name


def spool_path(name: str) -> Path:
    """Where the upload waits. Raises ``MissionsError`` if it is gone: expired, or imported already."""
    # A name comes back from the database, never from a browser; still no path may climb out of the spool.
    path = spool_folder() / Path(name).name
    if not name or not path.is_file():
        raise MissionsError(
            _(
                "The uploaded file is no longer there: uploads are deleted %(spool_hours)s hours after they arrive, or when they have been imported."
            )
            % {"spool_hours": settings.SPOOL_HOURS},
            next_step=_("upload it again."),
        )
    return path


def spool_delete(*, name: str) -> None:
    """Forget an upload. One that is gone already is no error."""
    if name:
        (spool_folder() / Path(name).name).unlink(missing_ok=True)


def spool_expire() -> int:
    """Delete uploads older than SPOOL_HOURS that no waiting or running import needs; return how many. Two queries."""
    needed = set(
        ImportRun.objects.filter(status__in=[RunStatus.QUEUED, RunStatus.RUNNING])
        .exclude(spool_name="")
        .values_list("spool_name", flat=True)
    )
    oldest = timezone.now().timestamp() - settings.SPOOL_HOURS * 3600
    deleted = 0
    for path in spool_folder().iterdir():
        if path.name not in needed and path.is_file() and path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
            deleted += 1
    for feed in Feed.objects.exclude(draft={}):
        spool_name = feed.draft.get("spool_name", "")
        if spool_name and not (spool_folder() / spool_name).is_file():
            Feed.objects.filter(pk=feed.pk).update(draft={})
    return deleted


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
