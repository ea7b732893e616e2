"""From a file's rows to an agency's areas: one per code, checked against each other, with every doubt put into words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import shapely

from agencies.engine.geometry_files import AreaFile, FileArea, polygons_only

if TYPE_CHECKING:
    import geopandas
    import pyproj

MAX_CODE_CHARACTERS = 20
MAX_NAME_CHARACTERS = 80
OVERLAP_SHARE = 0.01
"""Neighbours digitised by hand overlap by slivers; from 1 % of the smaller one on it is a mistake to look at."""
OVERLAP_M2 = 2_500.0
_GAP_M = 1.0


@dataclass(frozen=True)
class Problem:
    """Something about a row that a person should know. ``blocks`` means that nothing is saved until it is mended."""

    message: str
    blocks: bool = False


@dataclass(frozen=True)
class CodedArea:
    """One area to be: its code, name and (for a beat) the district that the file names."""

    code: str
    name: str
    district_code: str
    shape: shapely.MultiPolygon
    rows: tuple[int, ...]


@dataclass(frozen=True)
class AreaSet:
    """What a file would become, and what is doubtful about it."""

    areas: tuple[CodedArea, ...]
    problems: tuple[Problem, ...] = field(default=())

    @property
    def is_blocked(self) -> bool:
        return any(problem.blocks for problem in self.problems)


def areas_by_code(
    file: AreaFile,
    *,
    code_property: str,
    name_property: str = "",
    district_property: str = "",
    repair: bool = False,
) -> AreaSet:
    """Put a file's areas together by code: rows that share a code become one area of several parts.

    Rows without code or without usable outline are blocking problems, one each; with ``repair`` an outline
    that crosses itself is mended by shapely's ``make_valid`` (the crossing loops become parts of their own)
    and reported. Areas keep the order in which their codes first appear.
    """
    for label, name in (("code", code_property), ("name", name_property), ("district", district_property)):
        if (label == "code" or name) and name not in file.columns:
            known = ", ".join(file.columns) or "none"
            return AreaSet(
                (), (Problem(f"The file has no property “{name}” for the {label}. It has: {known}.", True),)
            )
    problems: list[Problem] = []
    groups: dict[str, list[tuple[FileArea, shapely.MultiPolygon]]] = {}
    for area in file.areas:
        code = _text(area.properties.get(code_property))
        problem = _row_problem(area, code, code_property, repair)
        if problem is not None:
            problems.append(problem)
        shape = area.repaired if area.fault else area.shape
        if shape is None or not code or (problem is not None and problem.blocks):
            continue
        groups.setdefault(code, []).append((area, _multi(shape)))
    areas = []
    for code, members in groups.items():
        rows = tuple(area.row for area, _ in members)
        if len(members) > 1:
            listed = ", ".join(map(str, rows))
            problems.append(
                Problem(f"Code {code} stands in rows {listed}: they become one area of {len(rows)} rows.")
            )
        districts = {_text(area.properties.get(district_property)) for area, _ in members} - {""}
        if len(districts) > 1:
            problems.append(
                Problem(
                    f"Code {code} names several districts ({', '.join(sorted(districts))}): make them one.",
                    True,
                )
            )
        names = [_text(area.properties.get(name_property)) for area, _ in members if name_property]
        areas.append(
            CodedArea(
                code=code,
                name=next((name for name in names if name), "")[:MAX_NAME_CHARACTERS],
                district_code=min(districts, default=""),
                shape=_dissolved([shape for _, shape in members]),
                rows=rows,
            )
        )
    return AreaSet(tuple(areas), tuple(problems))


def _row_problem(area: FileArea, code: str, code_property: str, repair: bool) -> Problem | None:
    if not code:
        return Problem(
            f"Row {area.row} has no {code_property}. Give it a code, or choose another property.", True
        )
    if len(code) > MAX_CODE_CHARACTERS:
        return Problem(
            f"Row {area.row}: “{code[:30]}…” is longer than {MAX_CODE_CHARACTERS} characters. Choose another property.",
            True,
        )
    if not area.fault:
        return None
    if area.repaired is None:
        return Problem(f"Row {area.row} ({code}) {area.fault}. Mend or remove it in the file.", True)
    if repair:
        return Problem(
            f"Row {area.row} ({code}) {area.fault}; repaired: its loops become parts of their own."
        )
    return Problem(f"Row {area.row} ({code}) {area.fault}. Mend it in the file, or let it be repaired.", True)


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _multi(shape: shapely.Polygon | shapely.MultiPolygon) -> shapely.MultiPolygon:
    return shape if isinstance(shape, shapely.MultiPolygon) else shapely.MultiPolygon([shape])


def _dissolved(shapes: Sequence[shapely.MultiPolygon]) -> shapely.MultiPolygon:
    if len(shapes) == 1:
        return shapes[0]
    union = polygons_only(shapely.union_all(list(shapes)))
    return union if union is not None else shapes[0]


def in_metres(shapes: Sequence[shapely.Geometry]) -> npt.NDArray[np.object_]:
    """The shapes (WGS84) in the UTM zone of their middle: areas and distances in metres."""
    # Here, not above: loading it takes a third of a second, for which every command would wait.
    import geopandas

    series = geopandas.GeoSeries(list(shapes), crs=4326)
    return np.asarray(series.to_crs(_utm(series)).values, dtype=object)


def _utm(series: "geopandas.GeoSeries") -> "pyproj.CRS":
    """The UTM zone of the middle of these shapes (WGS84), found once for each square kilometre: the search takes a twentieth of a second."""
    west, south, east, north = series.total_bounds
    return _utm_at(round((west + east) / 2, 2), round((south + north) / 2, 2))


@lru_cache(maxsize=256)
def _utm_at(longitude: float, latitude: float) -> "pyproj.CRS":
    import geopandas

    zone: pyproj.CRS = geopandas.GeoSeries([shapely.Point(longitude, latitude)], crs=4326).estimate_utm_crs()
    return zone


def union_without_slivers(shapes: Sequence[shapely.Geometry]) -> shapely.MultiPolygon:
    """The area that the shapes (WGS84) cover together; gaps between neighbours narrower than two metres are closed."""
    import geopandas

    series = geopandas.GeoSeries(list(shapes), crs=4326)
    utm = _utm(series)
    # Grown and shrunk by the same metre: hand-drawn neighbours leave hairline holes in a plain union.
    grown = shapely.buffer(series.to_crs(utm).values, _GAP_M, join_style="mitre")
    closed = shapely.buffer(shapely.union_all(grown), -_GAP_M, join_style="mitre")
    back = polygons_only(geopandas.GeoSeries([closed], crs=utm).to_crs(4326).iloc[0])
    if back is None:
        raise ValueError("The shapes cover no area.")
    return back


def overlaps(areas: Sequence[CodedArea]) -> list[Problem]:
    """Pairs of areas that overlap by more than 1 % of the smaller one (and 2,500 m²), largest overlap first."""
    if len(areas) < 2:
        return []
    shapes = in_metres([area.shape for area in areas])
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    shared = shapely.area(shapely.intersection(shapes[left], shapes[right]))
    smaller = np.minimum(shapely.area(shapes[left]), shapely.area(shapes[right]))
    found = np.flatnonzero((shared > OVERLAP_M2) & (shared > OVERLAP_SHARE * smaller))
    return [
        Problem(
            f"{areas[left[i]].code} and {areas[right[i]].code} overlap by {shared[i] / 1e4:,.1f} ha "
            f"({100 * shared[i] / smaller[i]:.0f} % of the smaller). Look which of them is right."
        )
        for i in found[np.argsort(-shared[found], kind="stable")]
    ]


def largest_overlap(
    shapes: Sequence[shapely.Geometry], containers: Sequence[shapely.Geometry]
) -> npt.NDArray[np.int64]:
    """For each shape the index of the container that holds the largest part of it; -1 where none touches its inside.

    Ties go to the first container. Both in WGS84.
    """
    best = np.full(len(shapes), -1, dtype=np.int64)
    if not len(shapes) or not len(containers):
        return best
    both = in_metres([*shapes, *containers])
    inner, outer = both[: len(shapes)], both[len(shapes) :]
    i, j = shapely.STRtree(outer).query(inner, predicate="intersects")
    shared = shapely.area(shapely.intersection(inner[i], outer[j]))
    # Ascending by area with the first container last: the last write wins.
    for k in np.lexsort((-j, shared)):
        if shared[k] > 0:
            best[i[k]] = j[k]
    return best


def code_matches(wanted: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Which known code each wanted one means: itself, or the only one that differs just by leading zeros ("06", "6")."""
    bare: dict[str, list[str]] = {}
    for code in known:
        bare.setdefault(code.lstrip("0"), []).append(code)
    matches = {}
    for code in wanted:
        candidates = [code] if code in known else bare.get(code.lstrip("0"), [])
        if len(candidates) == 1:
            matches[code] = candidates[0]
    return matches
