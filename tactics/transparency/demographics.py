"""The one door to the audit store: cells sorted into tenths by a demographic figure, for the exposure audit alone.

Import contracts let nothing but ``tactics.transparency`` import this module, and nothing but this module the audit store.
"""

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import shape

from agencies.models import Agency
from forecasting.engine.census import people_per_cell
from forecasting.engine.grid import GridSpec
from ingestion.audit.selectors import audit_areas, audit_tables
from tactics.engine.exposure import tenths
from tactics.models import DemographicMeasure

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def measures_of(agency: Agency) -> list[DemographicMeasure]:
    """Return the figures by which the agency's exposure audit sorts areas, by name. One query."""
    return list(DemographicMeasure.objects.filter(agency=agency))


def measure_problem(agency: Agency, measure: DemographicMeasure) -> str:
    """Say what the audit store lacks for a measure; empty where it has all. One query."""
    table = next((row for row in audit_tables(agency) if row.name == measure.table), None)
    if table is None:
        return f"The audit store holds no table “{measure.table}”. Next step: Admin → Audit tables → Add."
    wanted = [name for name in (measure.column, measure.total_column) if name]
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        return f"Table “{table.name}” has no column {', '.join(missing)}; it has {', '.join(table.columns)}."
    return ""


def tenths_of_cells(
    agency: Agency, measure: DemographicMeasure, spec: GridSpec, residents: Floats
) -> Ints | None:
    """Return each cell's tenth by the measure, 0 lowest … 9 highest, -1 without a figure: int64[N]. Two queries.

    Each tenth holds about a tenth of the ``residents``. None where the audit store lacks the table or a column. Areas' figures
    are spread evenly over their surface; a figure without a whole is averaged over a cell by the surface of each area in it.
    """
    if measure_problem(agency, measure):
        return None
    table = next(row for row in audit_tables(agency) if row.name == measure.table)
    shapes: list[shapely.Geometry] = []
    part: list[float] = []
    whole: list[float] = []
    for area in audit_areas(agency, table):
        outline = shape(area.geometry)
        total = area.values.get(measure.total_column) if measure.total_column else outline.area
        value = area.values.get(measure.column)
        if value is None or total is None:
            continue
        shapes.append(outline)
        part.append(float(value) if measure.total_column else float(value) * float(total))
        whole.append(float(total))
    if not shapes:
        return None
    top, below = people_per_cell(spec, shapes, part), people_per_cell(spec, shapes, whole)
    with np.errstate(divide="ignore", invalid="ignore"):
        figure = np.where(below > 0, top / below, np.nan)
    return tenths(figure, residents)
