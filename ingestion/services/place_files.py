"""Files of places and areas that people upload, read in a process of its own: a legal file may still take all memory, or minutes."""

import logging
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from ingestion.places.base import MAX_FILE_BYTES, Chooser, PlacesFile
from ingestion.places.packing import unpacked
from missions_project.lib.confined import TooMuch, confined
from missions_project.lib.errors import MissionsError

SECONDS, MEGABYTES = 100, 2048
"""For the largest files that are let in at all. 300 MB of GeoJSON (200,000 outlines with 3,000,000 points) takes 650 MB, with all its
columns 900 MB; 100 MB of KML 760 MB, 200 MB of OpenStreetMap 680 MB, 100 MB of CSV 400 MB; none more than twenty seconds. Both of a
file's readings together have these seconds: a web request has 120.
"""
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
        "language": get_language() or settings.LANGUAGE_CODE,
        "languages": [[code, str(name)] for code, name in settings.LANGUAGES],
        "locale_paths": [str(folder) for folder in settings.LOCALE_PATHS],
    }
    until = time.monotonic() + SECONDS
    columns = [str(column) for column in _told(asked, shown, until)["columns"]]
    keep = list(dict.fromkeys(choose(columns)))
    answer = _told({**asked, "keep": keep}, shown, until)
    try:
        return unpacked(answer["file"])
    except (ValueError, TypeError, KeyError) as exc:
        logger.warning("A file of places was read into nonsense: %s", exc)
        raise _too_much(shown) from exc


def _told(asked: dict[str, Any], shown: str, until: float) -> dict[str, Any]:
    """What the confined reader answers, within what is left of the time. Raises ``MissionsError``."""
    seconds = max(1, round(until - time.monotonic()))
    try:
        answer: dict[str, Any] = confined(READER, asked, seconds=seconds, megabytes=MEGABYTES)
    except TooMuch as exc:
        logger.warning("A file of places was not read: %s", exc)
        raise _too_much(shown) from exc
    if "problem" in answer:
        problem = answer["problem"]
        raise MissionsError(str(problem["message"]), next_step=str(problem["next_step"]))
    return answer


def _too_much(shown: str) -> MissionsError:
    return MissionsError(
        _("%(shown)s takes more than %(seconds)s seconds or %(megabytes)s MB to read.")
        % {"shown": shown, "seconds": SECONDS, "megabytes": MEGABYTES},
        next_step=_("cut it to the agency's area, or simplify its outlines."),
    )
