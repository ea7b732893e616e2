"""One sheet per beat, to take along: a small map in black and white, and the missions with their times.

The map is drawn as plain SVG shapes from the agency's own layers: no tiles, no script, legible on a poor printer.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import shapely.geometry

from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, Beat
from forecasting.engine.grid import GridSpec, project
from ingestion.models import ContextLayer
from patrols.board import BeatRows
from patrols.models import MissionPlan

WIDTH, HEIGHT = 720.0, 460.0
MARGIN_M = 150.0


@dataclass(frozen=True)
class SheetBox:
    """A mission's box on the sheet's map, in SVG units."""

    label: str
    letter: str
    kind: str
    x: float
    y: float
    size: float

    @property
    def middle(self) -> float:
        return round(self.size / 2, 1)


@dataclass(frozen=True)
class Sheet:
    """One beat's page. Paths are SVG path data."""

    beat: BeatRows
    outline: str
    streets: str
    main_streets: str
    water: str
    boxes: tuple[SheetBox, ...]
    scale_px: float
    scale_label: str


def beat_sheets(agency: Agency, plans: list[MissionPlan], beats: list[BeatRows]) -> list[Sheet]:
    """Return a sheet per beat, in the order given; ``plans`` are those of the rows. Three queries, one more a plan."""
    specs = {plan.pk: GridSpec.from_bytes(bytes(plan.grid.spec)) for plan in plans if plan.grid is not None}
    spec = specs[plans[0].pk]
    outlines = dict(Beat.objects.filter(agency=agency).values_list("pk", "geometry"))
    streets, names = _layer(agency, "streets", spec.epsg)
    water, _ = _layer(agency, "river", spec.epsg)
    is_main = np.array(
        [name.endswith(("Ave", "Avenue", "Blvd", "Boulevard", "Pkwy", "Parkway")) for name in names],
        dtype=bool,
    )
    # Of thousands of streets a beat shows a few hundred.
    tree = shapely.STRtree(streets)
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
                outline=frame.path([area]),
                streets=frame.path(streets[near & ~is_main]),
                main_streets=frame.path(streets[near & is_main]),
                water=frame.path(water),
                boxes=tuple(
                    SheetBox(
                        row.label,
                        row.mission.crime_type.letter,
                        row.mission.crime_type.slug,
                        *frame.point(box.bounds[0], box.bounds[3]),
                        round((box.bounds[2] - box.bounds[0]) * frame.scale, 1),
                    )
                    for row, box in zip(beat.rows, boxes, strict=True)
                ),
                scale_px=round(500 * frame.scale, 1),
                scale_label="500 m",
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
        west, south, east, north = area.buffer(MARGIN_M).bounds
        scale = min(WIDTH / (east - west), HEIGHT / (north - south))
        # Centre the beat: a tall one would otherwise stick to the left edge.
        west -= (WIDTH / scale - (east - west)) / 2
        north += (HEIGHT / scale - (north - south)) / 2
        return cls(west, north, scale, shapely.box(west, north - HEIGHT / scale, west + WIDTH / scale, north))

    def point(self, x_m: float, y_m: float) -> tuple[float, float]:
        return round((x_m - self.west) * self.scale, 1), round((self.north - y_m) * self.scale, 1)

    def path(self, shapes: Any) -> str:
        """SVG path data of what lies in the window: lines, and rings of polygons, in the order given."""
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
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features if feature.get("geometry")]
    names = [str((f.get("properties") or {}).get("name", "")) for f in features if f.get("geometry")]
    return _to_metres(np.array(shapes, dtype=object), epsg) if shapes else np.array([], dtype=object), names
