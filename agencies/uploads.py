"""Where an uploaded file of areas waits while a person looks at what it would change. Never inside served folders."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from agencies.engine.geometry_files import MAX_FILE_BYTES
from missions_project.lib.errors import MissionsError

PREFIX = "areas-"


def upload_store(chunks: Iterable[bytes]) -> str:
    """Keep the file, readable by this account only, and return its random name. Nothing is kept of one too large.

    What nobody commits is deleted with the rest of the spool after SPOOL_HOURS.
    """
    folder = Path(settings.SPOOL_DIR)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = PREFIX + secrets.token_urlsafe(24)
    size = 0
    try:
        with open(folder / name, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            for chunk in chunks:
                size += len(chunk)
                if size > MAX_FILE_BYTES:
                    raise MissionsError(
                        _("The file is larger than %(max_file_bytes)s MB; nothing was kept.")
                        % {"max_file_bytes": MAX_FILE_BYTES // 1024**2},
                        next_step=_("export only the areas, or simplify their outlines."),
                    )
                file.write(chunk)
    except BaseException:
        (folder / name).unlink(missing_ok=True)
        raise
    return name


def upload_path(name: str) -> Path:
    """Where the file waits. Raises ``MissionsError`` if it is gone."""
    path = Path(settings.SPOOL_DIR) / Path(name).name
    if not name.startswith(PREFIX) or not path.is_file():
        raise MissionsError(
            _(
                "The uploaded file is no longer there: it is deleted when it has been taken over, and after %(spool_hours)s hours."
            )
            % {"spool_hours": settings.SPOOL_HOURS},
            next_step=_("upload it again."),
        )
    return path


def upload_delete(name: str) -> None:
    """Forget the file. One that is gone already is no error."""
    if name.startswith(PREFIX):
        (Path(settings.SPOOL_DIR) / Path(name).name).unlink(missing_ok=True)
