"""A report's table with a place, as a file for maps: GeoJSON and GeoPackage, one feature a row.

Any report has them: a table with a column ``cell``, ``beat`` or ``district`` (``Table.place``) is given its shapes here.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import shapely
from django.http import FileResponse, StreamingHttpResponse

from agencies.engine.geometry import polygon_from_geojson
from agencies.models import Agency, Beat, District
from forecasting.models import Grid
from forecasting.selectors import grid_spec
from missions_project.lib.cells import plain_cell
from tactics.reports.shapes import Cell, Column, Report, Table

if TYPE_CHECKING:
    import geopandas

Shapes = npt.NDArray[np.object_]
Rows = Sequence[tuple[Cell, ...]]
GEOJSON, GEOPACKAGE = "application/geo+json", "application/geopackage+sqlite3"
WGS84 = 4326
ROWS_A_PART = 500
"""Features that leave in one piece: fewer make many small writes, more a file in memory."""
ROWS_WRITTEN = 20_000
"""Rows that a GeoPackage is given at a time: each time it is opened anew."""


def attribute(column: Column) -> str:
    """A column's name in a file for maps: its key, with its unit unless the key says it.

    >>> attribute(Column("longest", "Longest", "number", unit="min")), attribute(Column("spent_minutes", "Spent", unit="min"))
    ('longest_min', 'spent_minutes')
    """
    unit = "".join(one for one in column.unit.replace("²", "2").replace("/", "_per_") if one.isalnum() or one == "_")  # fmt: skip
    return column.key if not unit or unit in column.key else f"{column.key}_{unit}"


def facts(report: Report, table: Table) -> dict[str, Any]:
    """What each file says of itself: whose, what was asked, the zone, which models, when it was made, what its attributes mean."""
    known = {
        "report": report.slug,
        "table": table.slug,
        "title": f"{report.title}: {table.title}",
        "agency": report.agency,
        "filters": report.asked.words,
        "time_zone": report.zone,
        "model": report.model,
        "generated_at": report.made_at.isoformat(timespec="seconds"),
        "about": [*report.about, *([table.note] if table.note else [])],
        "attributes": {
            attribute(one): {
                "title": one.title,
                "unit": "share, 0 to 1" if one.kind == "share" else one.unit,
                "about": one.about,
            }
            for one in table.columns
        },
    }
    return {name: plain_cell(value) for name, value in known.items()}


def shapes_of_rows(agency: Agency, report: Report, table: Table) -> tuple[Callable[[Rows], Shapes], int]:
    """What finds the shape of each of some rows, None where its place is not known any more, and the EPSG code. One query.

    Cells are squares in the metres of their grid, beats and districts as they are drawn now, in WGS84.
    """
    at = next(number for number, column in enumerate(table.columns) if column.key == table.place)
    if table.place == "cell":
        spec = grid_spec(Grid.objects.get(agency=agency, pk=int(str(report.data["grid"]))))
        boxes = spec.boxes()

        def squares(rows: Rows) -> Shapes:
            found = np.full(len(rows), None, dtype=object)
            where = spec.index_of([-1 if row[at] is None else int(str(row[at])) for row in rows])
            found[where >= 0] = boxes[where[where >= 0]]
            return found

        return squares, spec.epsg
    known = _areas(agency, Beat if table.place == "beat" else District)

    def areas(rows: Rows) -> Shapes:
        found = np.full(len(rows), None, dtype=object)
        found[:] = [known.get(str(row[at])) for row in rows]
        return found

    return areas, WGS84


def _areas(agency: Agency, model: type[Beat] | type[District]) -> dict[str, shapely.MultiPolygon]:
    """The areas by code, and by name where no code is called so. One query."""
    rows = [
        (code, name, polygon_from_geojson(geometry))
        for code, name, geometry in model.objects.filter(agency=agency).values_list(
            "code", "name", "geometry"
        )
    ]
    return {name: shape for _, name, shape in rows if name} | {code: shape for code, _, shape in rows}


def geojson_response(agency: Agency, report: Report, table: Table) -> StreamingHttpResponse:
    """The table as GeoJSON in WGS84, feature by feature. Two queries at most, one more for rows that are read as they leave."""
    find, epsg = shapes_of_rows(agency, report, table)
    return StreamingHttpResponse(
        _geojson(report, table, find, epsg),
        content_type=GEOJSON,
        headers=_attached(report.file_name(table.slug, "geojson")),
    )


def _geojson(report: Report, table: Table, find: Callable[[Rows], Shapes], epsg: int) -> Iterator[str]:
    # Here: the projection's library takes a moment to load, and pages need it not.
    from forecasting.engine.grid import unproject

    names = [attribute(column) for column in table.columns]
    head = json.dumps(facts(report, table), ensure_ascii=False)
    yield f'{{"type": "FeatureCollection", "metadata": {head}, "features": [\n'
    rows, between = iter(table.rows), ""
    while some := list(islice(rows, ROWS_A_PART)):
        part = find(some)
        if epsg != WGS84:
            part = shapely.transform(part, lambda p: np.column_stack(unproject(p[:, 0], p[:, 1], epsg)))
        drawn = shapely.to_geojson(shapely.set_precision(part, 1e-6) if epsg != WGS84 else part)
        lines = []
        for row, shape in zip(some, drawn, strict=True):
            values = json.dumps(dict(zip(names, map(plain_cell, row), strict=True)), ensure_ascii=False)
            lines.append(f'{{"type": "Feature", "properties": {values}, "geometry": {shape or "null"}}}')
        yield between + ",\n".join(lines)
        between = ",\n"
    yield "\n]}\n"


def geopackage_response(agency: Agency, report: Report, table: Table) -> FileResponse:
    """The table as a GeoPackage with one layer, written to a file that is gone when it has been sent. Two queries at most, as above."""
    find, epsg = shapes_of_rows(agency, report, table)
    with tempfile.TemporaryDirectory(prefix="report-") as folder:
        path = Path(folder) / "report.gpkg"
        _write(path, report, table, find, epsg)
        # Open, and taken out of its folder: it lives until the answer is closed, whatever becomes of this process.
        file = path.open("rb")
    return FileResponse(
        file,
        as_attachment=True,
        filename=report.file_name(table.slug, "gpkg"),
        content_type=GEOPACKAGE,
    )


def _write(path: Path, report: Report, table: Table, find: Callable[[Rows], Shapes], epsg: int) -> None:
    """Write the rows part by part: a long table is never all in memory."""
    import pyogrio

    known = facts(report, table)
    told = {name: value if isinstance(value, str) else json.dumps(value) for name, value in known.items()}
    rows, first = iter(table.rows), True
    # A table without rows is a layer, too.
    while (some := list(islice(rows, ROWS_WRITTEN))) or first:
        about: dict[str, Any] = {
            "layer_metadata": told,
            "layer_options": {"IDENTIFIER": known["title"], "DESCRIPTION": "; ".join(report.provenance)},
        }
        pyogrio.write_dataframe(
            _frame(table, some, find(some), epsg),
            path,
            driver="GPKG",
            layer=table.slug,
            # Without rows the kind of shapes cannot be told from them.
            geometry_type="Polygon" if table.place == "cell" else "MultiPolygon",
            **(about if first else {"append": True}),
        )
        first = False


def _frame(table: Table, rows: Rows, shapes: Shapes, epsg: int) -> "geopandas.GeoDataFrame":
    import geopandas

    types = {"int": "Int64", "number": "float64", "share": "float64", "text": "object"}
    return geopandas.GeoDataFrame(
        {attribute(column): [plain_cell(row[at]) for row in rows] for at, column in enumerate(table.columns)},
        geometry=geopandas.GeoSeries(list(shapes), crs=epsg),
        crs=epsg,
    ).astype({attribute(column): types[column.kind] for column in table.columns})


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
