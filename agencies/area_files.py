"""Files of areas that people upload, read in a process of its own: a legal file may still take all memory, or minutes."""

import logging
from pathlib import Path

import shapely
from django.utils.translation import gettext as _

from agencies.engine.geometry import GeometryProblem
from agencies.engine.geometry_files import AreaFile, FileArea
from missions_project.lib.confined import TooMuch, confined, ready

SECONDS, MEGABYTES = 60, 3072
"""For the largest file that is let in at all (100 MB of GeoJSON): a third of each."""
READER = "agencies.engine.geometry_child"
logger = logging.getLogger(__name__)


def areas_read(path: Path, *, layer: str = "", crs: str = "") -> AreaFile:
    """``areas_from_file``, confined to ``SECONDS`` and ``MEGABYTES``; what takes more is a ``GeometryProblem``, too.

    Half a second for a small file, a tenth where its reader has been started ahead: here for the next time, and by ``areas_read_soon``.
    """
    asked = {"path": str(path.resolve()), "layer": layer, "crs": crs}
    try:
        answer = confined(READER, asked, seconds=SECONDS, megabytes=MEGABYTES)
    except TooMuch as exc:
        logger.warning("A file of areas was not read: %s", exc)
        raise GeometryProblem(
            _(
                "The file takes more than %(seconds)s seconds or %(megabytes)s MB to read. Simplify the outlines, or export fewer areas."
            )
            % {"seconds": SECONDS, "megabytes": MEGABYTES}
        ) from exc
    finally:
        areas_read_soon()
    if "problem" in answer:
        raise GeometryProblem(str(answer["problem"]))
    found = answer["file"]
    areas = found.pop("areas")
    shapes = shapely.from_wkb([[shape, repaired] for _row, _facts, shape, repaired, _fault in areas])
    return AreaFile(
        kind=found["kind"],
        layer=found["layer"],
        layers=tuple(found["layers"]),
        crs=found["crs"],
        columns=tuple(found["columns"]),
        areas=tuple(
            FileArea(row, facts, shape, fault, repaired)
            for (row, facts, _shape, _repaired, fault), (shape, repaired) in zip(areas, shapes, strict=True)
        ),
    )


def areas_read_soon() -> None:
    """A person is likely to ask for ``areas_read`` in a moment: its reader opens its libraries until then."""
    ready(READER)
