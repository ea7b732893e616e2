"""Tables of reports as files for maps."""

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import EVERYONE, Access, agency_page
from tactics.reports.geofiles import geojson_response, geopackage_response
from tactics.reports.pages import exported

WRITERS = {"geojson": geojson_response, "gpkg": geopackage_response}


@require_GET
@agency_page(EVERYONE)
def report_places(
    request: HttpRequest, access: Access, slug: str, table: str, ending: str
) -> HttpResponseBase:
    """A table with a place as GeoJSON or GeoPackage; 404 for one without."""
    made = exported(request, access, slug)
    if isinstance(made, HttpResponse):
        return made
    found = made[1].table(table)
    if found is None or not found.place:
        raise Http404(_("This report has no such table with a place."))
    return WRITERS[ending](access.agency, made[1], found)
