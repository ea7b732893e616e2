"""One sheet per beat, to take along: a small map in black and white, and the missions with their times.

The map is drawn as plain SVG shapes from the agency's own layers: no tiles, no script, legible on a poor printer.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import shapely.geometry
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, Beat
from forecasting.engine.grid import GridSpec, project
from ingestion.models import ContextLayer
from patrols.board import BeatRows, MissionRow
from patrols.models import Mission, MissionPlan

WIDTH, HEIGHT = 720.0, 460.0
MARGIN_M = 150.0


@dataclass(frozen=True)
class Sheet:
    """One beat's page. ``title``, ``of_map`` and ``units`` are words for the reader, paths are SVG path data, ``boxes`` the
    missions' boxes as SVG, ``rows`` the missions as rows of a table, ``scale_px`` the length of 500 m as SVG has it."""

    beat: BeatRows
    title: str
    of_map: str
    units: str
    outline: str
    streets: str
    main_streets: str
    water: str
    boxes: SafeString
    rows: SafeString
    scale_px: str


def beat_sheets(agency: Agency, plans: list[MissionPlan], beats: list[BeatRows]) -> list[Sheet]:
    """Return a sheet per beat, in the order given; ``plans`` are those of the rows. Three queries, one more a plan."""
    specs = {plan.pk: GridSpec.from_bytes(bytes(plan.grid.spec)) for plan in plans if plan.grid is not None}
    spec = specs[plans[0].pk]
    outlines = dict(Beat.objects.filter(agency=agency).values_list("pk", "geometry"))
    streets, names = _layer(agency, "streets", spec.epsg)
    water = _layer(agency, "river", spec.epsg)[0]
    is_main = np.array(
        [name.endswith(("Ave", "Avenue", "Blvd", "Boulevard", "Pkwy", "Parkway")) for name in names],
        dtype=bool,
    )
    # Of thousands of streets a beat shows a few hundred, and hardly one has the river.
    tree, water_tree = shapely.STRtree(streets), shapely.STRtree(water)
    sheets = []
    for beat in beats:
        area = _to_metres(polygon_from_geojson(outlines[beat.beat.pk]), spec.epsg)
        frame = _Frame.around(area)
        near = np.zeros(len(streets), dtype=bool)
        near[tree.query(frame.window)] = True
        boxes = [_box(specs[row.mission.plan_id], row.mission.cell_id) for row in beat.rows]
        sheets.append(
            Sheet(
                beat=beat,
                title=_("Beat %(code)s") % {"code": beat.beat.code},
                of_map=_("Beat %(code)s with its missions") % {"code": beat.beat.code},
                units=_("Units: %(units)s") % {"units": ", ".join(beat.units) or _("none assigned")},
                outline=frame.path([area]),
                streets=frame.path(streets[near & ~is_main]),
                main_streets=frame.path(streets[near & is_main]),
                water=frame.path(water[np.sort(water_tree.query(frame.window))]),
                boxes=mark_safe(
                    "".join([frame.mission(row, box) for row, box in zip(beat.rows, boxes, strict=True)])
                ),  # nosec B308 B703 - every text in it is escaped
                rows=mark_safe("".join([_row(row) for row in beat.rows])),  # nosec B308 B703 - as above
                scale_px=f"{500 * frame.scale:.1f}",
            )
        )
    return sheets


@dataclass(frozen=True)
class _Frame:
    """The window of the map in metres and its scale in SVG units per metre."""

    west: float
    north: float
    scale: float
    window: Any

    @classmethod
    def around(cls, area: Any) -> "_Frame":
        west, south, east, north = area.bounds
        west, south, east, north = west - MARGIN_M, south - MARGIN_M, east + MARGIN_M, north + MARGIN_M
        scale = min(WIDTH / (east - west), HEIGHT / (north - south))
        # Centre the beat: a tall one would otherwise stick to the left edge.
        west -= (WIDTH / scale - (east - west)) / 2
        north += (HEIGHT / scale - (north - south)) / 2
        return cls(west, north, scale, shapely.box(west, north - HEIGHT / scale, west + WIDTH / scale, north))

    def mission(self, row: MissionRow, box: Any) -> str:
        """A mission's box with its number as SVG."""
        west, _south, east, north = box.bounds
        x, y = (west - self.west) * self.scale, (self.north - north) * self.scale
        size = (east - west) * self.scale
        kind, label = row.mission.crime_type.slug, escape(f"{row.label}{row.mission.crime_type.letter}")
        return (
            f'<g transform="translate({x:.1f} {y:.1f})"><rect width="{size:.1f}" height="{size:.1f}" fill="url(#pattern-{kind})" '
            f'fill-opacity="0.8" stroke="#000" stroke-width="2.5"/><text x="{size / 2:.1f}" y="{size / 2:.1f}" text-anchor="middle" '
            'dominant-baseline="central" font-size="15" font-weight="700" stroke="#fff" stroke-width="5" stroke-linejoin="round" '
            f'paint-order="stroke">{label}</text></g>'
        )

    def path(self, shapes: Any) -> str:
        """SVG path data of what lies in the window: lines, and rings of polygons, in the order given."""
        if not len(shapes):
            return ""
        clipped = shapely.get_parts(
            shapely.clip_by_rect(np.asarray(shapes, dtype=object), *self.window.bounds)
        )
        # A point that moves the line by less than a tenth of a unit is ink for nobody, and a street has many.
        clipped = shapely.simplify(clipped, 0.05 / self.scale, preserve_topology=False)
        kinds = shapely.get_type_id(clipped)
        areas = kinds == shapely.GeometryType.POLYGON
        rings = shapely.get_rings(clipped[areas])
        lines = clipped[
            (kinds == shapely.GeometryType.LINESTRING) | (kinds == shapely.GeometryType.LINEARRING)
        ]
        return " ".join([*self._drawn(lines, ""), *self._drawn(rings, "Z")])

    def _drawn(self, lines: Any, end: str) -> list[str]:
        """One piece of path data a line. All points are moved at once: a beat's streets have thousands."""
        points, of = shapely.get_coordinates(lines, return_index=True)
        x = ((points[:, 0] - self.west) * self.scale).round(1).tolist()
        y = ((self.north - points[:, 1]) * self.scale).round(1).tolist()
        texts = [f"{a} {b}" for a, b in zip(x, y, strict=True)]
        edges = np.searchsorted(of, np.arange(len(lines) + 1)).tolist()
        return [
            "M" + " L".join(texts[first:last]) + end
            for first, last in itertools.pairwise(edges)
            if last > first
        ]


def _row(row: MissionRow) -> str:
    """A mission as a row of its beat's table; the last two columns are for the pen."""
    mission, why = row.mission, ""
    if mission.headline:
        why = mission.headline_said
    elif mission.source == Mission.Source.ADDED:
        why = _("Added: %(reason)s") % {"reason": mission.reason}
    said = f'<br><small class="sheet__why">{escape(why)}</small>' if why else ""
    times = "".join([f"<span>{escape(time)}</span> " for time in row.times])
    return (
        f'<tr><td class="no">{escape(row.label)}</td><td><b>{escape(mission.crime_type.letter)}</b> '
        f'<span class="type-name">{escape(mission.crime_type.name)}</span></td>'
        f'<td>{escape(row.place)}{said}<small class="sheet__tactics" id="tactics-{mission.pk}"></small></td>'
        f'<td class="times">{times}</td><td>{mission.dose_minutes}</td><td>{escape(row.unit or "–")}</td>'
        '<td class="blank"></td><td class="blank"></td></tr>'
    )


def _box(spec: GridSpec, cell_id: int) -> Any:
    """The cell's square in metres."""
    at = int(spec.index_of([cell_id])[0])
    x = spec.x0_m + spec.cols[at] * spec.cell_size_m
    y = spec.y0_m + spec.rows[at] * spec.cell_size_m
    return shapely.box(x, y, x + spec.cell_size_m, y + spec.cell_size_m)


def _to_metres(shape: Any, epsg: int) -> Any:
    return shapely.transform(shape, lambda points: np.column_stack(project(points[:, 0], points[:, 1], epsg)))


def _layer(agency: Agency, slug: str, epsg: int) -> tuple[Any, list[str]]:
    layer = ContextLayer.objects.filter(agency=agency, slug=slug).first()
    features = (layer.geojson or {}).get("features", []) if layer else []
    placed = [feature for feature in features if feature.get("geometry")]
    names = [str((feature.get("properties") or {}).get("name", "")) for feature in placed]
    shapes = _shapes([feature["geometry"] for feature in placed])
    return _to_metres(shapes, epsg) if placed else shapes, names


def _shapes(geometries: list[dict[str, Any]]) -> Any:
    """GeoJSON geometries as shapes; lines, of which streets are many, all at once."""
    shapes = np.empty(len(geometries), dtype=object)
    is_line = np.array(
        [geometry["type"] == "LineString" and len(geometry["coordinates"]) > 1 for geometry in geometries],
        dtype=bool,
    )
    points = [np.asarray(geometries[at]["coordinates"], dtype=float)[:, :2] for at in np.flatnonzero(is_line)]
    if points:
        of = np.repeat(np.arange(len(points)), [len(line) for line in points])
        shapes[is_line] = shapely.linestrings(np.concatenate(points), indices=of)
    for at in np.flatnonzero(~is_line):
        shapes[at] = shapely.geometry.shape(geometries[at])
    return shapes
