"""Building grids."""

import pyproj
import shapely
from django.db import transaction
from django.utils.translation import gettext as _

from agencies.models import Agency
from agencies.selectors import agency_area
from forecasting.engine import grid as engine
from forecasting.engine.grid import to_metres
from forecasting.models import Grid
from missions_project.lib.errors import MissionsError


def grid_build(*, agency: Agency) -> Grid:
    """Cut the agency's area into square cells and make that its active grid; an identical one is used again.

    Another boundary, cell size or CRS makes a new grid; the old one stays with the forecasts that were made on
    it. Raises ``MissionsError`` where there is no area, the CRS is not in metres, or the cells do not fit.
    """
    area = agency_area(agency)
    if area is None:
        raise MissionsError(
            _(
                "Agency “%(agency_slug)s” has no boundary, beats or districts: there is nothing to cover with cells."
            )
            % {"agency_slug": agency.slug},
            next_step=_("Admin → Agencies: draw the boundary, or upload beats."),
        )
    centre = area.centroid
    epsg = agency.crs_epsg or engine.utm_epsg(centre.x, centre.y)
    _check_metric(epsg)
    metres = to_metres(area, epsg)
    if not metres.is_valid:
        # A valid outline in degrees can touch itself by a rounding error in metres.
        metres = shapely.make_valid(metres)
    try:
        spec = engine.grid_build(metres, agency.cell_size_m, epsg)
    except ValueError as error:
        raise MissionsError(
            str(error), next_step=_("Admin → Agencies: change the cell size or the boundary.")
        ) from error
    with transaction.atomic():
        # Two builds at once would both switch grids; the lock makes the second see the first's.
        Agency.objects.select_for_update().get(pk=agency.pk)
        grid = Grid.objects.filter(agency=agency, hash=spec.hash).first()
        if grid is not None and grid.is_active:
            return grid
        Grid.objects.filter(agency=agency, is_active=True).update(is_active=False)
        if grid is None:
            grid = Grid(
                agency=agency,
                spec=spec.to_bytes(),
                hash=spec.hash,
                epsg=epsg,
                cell_size_m=round(spec.cell_size_m),
                n_cells=len(spec),
            )
        grid.is_active = True
        grid.full_clean()
        grid.save()
    return grid


def _check_metric(epsg: int) -> None:
    try:
        crs = pyproj.CRS.from_epsg(epsg)
    except pyproj.exceptions.CRSError as error:
        raise MissionsError(
            _("EPSG %(epsg)s is not a known coordinate system.") % {"epsg": epsg},
            next_step=_(
                "Admin → Agencies → CRS (EPSG): leave it empty for the UTM zone, or enter a projected one."
            ),
        ) from error
    if not crs.is_projected or any(axis.unit_name != "metre" for axis in crs.axis_info):
        raise MissionsError(
            _("EPSG %(epsg)s (%(name)s) is not projected in metres: cells would not be squares.")
            % {"epsg": epsg, "name": crs.name},
            next_step=_(
                "Admin → Agencies → CRS (EPSG): leave it empty for the UTM zone, or enter one in metres."
            ),
        )
