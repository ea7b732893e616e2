"""Files of places and areas that people upload, read in a process of its own: a legal file may still take all memory, or minutes."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _
from shapely.errors import ShapelyError

from ingestion.places.base import MAX_FILE_BYTES, Chooser, PlacesFile
from ingestion.places.packing import unpacked
from missions_project.lib.confined import TooMuch, confined
from missions_project.lib.errors import MissionsError

SECONDS, MEGABYTES = 100, 2048
"""For the largest files that are let in at all. 300 MB of GeoJSON (200,000 outlines with 3,000,000 points) takes 650 MB, with all its
columns 900 MB; 100 MB of KML 760 MB, 200 MB of OpenStreetMap 680 MB, 100 MB of CSV 400 MB; none more than twenty seconds. Both of a
file's readings together have these seconds: a web request has 120.
"""
COLUMN_SECONDS = 30
"""Of these, for the columns' names: the largest files take five, and a file with a hundred thousand columns would take minutes."""
READER = "ingestion.places.child"
logger = logging.getLogger(__name__)


def places_read(
    path: Path, *, shown: str = "", choose: Chooser, crs: str = "", osm: str = "", layer: str = ""
) -> PlacesFile:
    """Read a file of places, whatever its format; only the columns that ``choose`` names among the file's leave the file.

    ``crs`` (e.g. "EPSG:3435") is used only where the file does not say. ``osm`` names one of ``OSM_CHOICES`` and is
    needed for an OpenStreetMap extract. ``layer`` names a layer of a GeoPackage or KML; it must be named where there are several.
    The file is opened twice, each time by a process that is confined: for the columns' names, and for what ``choose`` takes of
    them. Raises ``MissionsError`` with the next step. A second and a half for a small file.
    """
    shown = shown or path.name
    if not path.is_file():
        raise MissionsError(
            _("There is no file %(shown)s.") % {"shown": shown}, next_step=_("check the path.")
        )
    if path.stat().st_size > MAX_FILE_BYTES:
        raise MissionsError(
            _("%(shown)s is larger than %(max_file_bytes)s MB.")
            % {"shown": shown, "max_file_bytes": MAX_FILE_BYTES // 2**20},
            next_step=_("cut it to the agency's area first."),
        )
    asked = {
        "path": str(path.resolve()),
        "shown": shown,
        "crs": crs,
        "osm": osm,
        "layer": layer,
    }
    until = time.monotonic() + SECONDS
    columns: list[str] = _told(asked, COLUMN_SECONDS, _columns)
    keep = list(dict.fromkeys(choose(columns)))

    def file_of(answer: dict[str, Any]) -> PlacesFile:
        found = unpacked(answer["file"])
        if list(found.values) != keep:
            raise ValueError("other columns than those asked for")
        return found

    found: PlacesFile = _told({**asked, "keep": keep}, max(1, round(until - time.monotonic())), file_of)
    return found


def _columns(answer: dict[str, Any]) -> list[str]:
    return [str(column) for column in answer["columns"]]


def _told(asked: dict[str, Any], seconds: int, made_of: Callable[[dict[str, Any]], Any]) -> Any:
    """What is made of the confined reader's answer. Raises ``MissionsError``, also for an answer of which nothing can be made."""
    try:
        answer = confined(READER, asked, seconds=seconds, megabytes=MEGABYTES)
        if "problem" not in answer:
            return made_of(answer)
        message, next_step = (str(answer["problem"][name]) for name in ("message", "next_step"))
    # A file that has taken its reader over answers what it likes.
    except (TooMuch, ValueError, TypeError, LookupError, ShapelyError) as exc:
        logger.warning("A file of places was not read: %s", exc)
        raise MissionsError(
            _("%(shown)s takes more than %(seconds)s seconds or %(megabytes)s MB to read.")
            % {"shown": asked["shown"], "seconds": seconds, "megabytes": MEGABYTES},
            next_step=_("cut it to the agency's area, simplify its outlines, or export fewer columns."),
        ) from exc
    raise MissionsError(message, next_step=next_step)
