"""Upload districts, beats or the boundary: a file, a look at what it would change, then all of it or nothing."""

from dataclasses import dataclass
from typing import Any

import shapely
from django import forms
from django.contrib.admin import AdminSite, site
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_base import administered_agencies
from agencies.area_files import areas_read, areas_read_soon
from agencies.engine.area_guesses import guess_code, guess_district, guess_name
from agencies.engine.geometry import GeometryProblem, geojson_from_polygon
from agencies.engine.geometry_files import MAX_FILE_BYTES, AreaFile
from agencies.models import Agency
from agencies.selectors import leaflet_settings
from agencies.services import GeographyDraft, boundary_set, geography_commit, geography_draft
from agencies.uploads import upload_delete, upload_path, upload_store
from agencies.words import said
from missions_project.lib.errors import MissionsError

LAYERS = {"districts": "districts", "beats": "beats", "boundary": "boundary"}
SALT = "agencies.geography-upload"
SHOWN_PROBLEMS = 50
SHOWN_SAMPLES = 4
SKETCH_STEPS = 2_000
"""A preview is drawn to a 2,000th of its extent: finer lines only make the page slow."""


class UploadForm(forms.Form):
    file = forms.FileField(
        help_text=format_lazy(
            gettext_lazy(
                "GeoJSON, a zipped Shapefile (.shp, .shx, .dbf, .prj in one zip) or a GeoPackage, up to {megabytes} MB. "
                "Any coordinate system: it is turned into longitude and latitude."
            ),
            megabytes=MAX_FILE_BYTES // 1024**2,
        )
    )
    layer = forms.CharField(
        required=False,
        max_length=100,
        label=gettext_lazy("Layer"),
        help_text=gettext_lazy(
            "Only for a GeoPackage with several: the layer's name. Empty takes the first one of polygons."
        ),
    )
    epsg = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=999_999,
        label=gettext_lazy("EPSG code"),
        help_text=gettext_lazy(
            "Only if the file does not say its coordinate system, e.g. 3435. 4326 is longitude and latitude."
        ),
    )


class ChoiceForm(forms.Form):
    """Which property is what."""

    upload = forms.CharField(widget=forms.HiddenInput)
    code = forms.ChoiceField(
        label=gettext_lazy("Code"),
        help_text=gettext_lazy("Rows with the same code become one area. Existing codes are updated."),
    )
    name = forms.ChoiceField(
        label=gettext_lazy("Name"), required=False, help_text=gettext_lazy("Optional; shown beside the code.")
    )
    district = forms.ChoiceField(
        label=gettext_lazy("District"),
        required=False,
        help_text=gettext_lazy("The district's code. Left empty, the place decides: the largest overlap."),
    )
    repair = forms.BooleanField(
        required=False,
        label=gettext_lazy("Repair outlines that cross themselves"),
        help_text=gettext_lazy(
            "Loops become parts of their own (shapely's make_valid). Each repair is listed; look at it on the map."
        ),
    )

    def __init__(self, data: Any, *, file: AreaFile, layer: str) -> None:
        super().__init__(data)
        columns = [(name, f"{name}  ({_samples(file, name)})") for name in file.columns]
        self.fields["code"].choices = columns  # type: ignore[attr-defined]
        for name, empty in (("name", "none"), ("district", _("none: the place decides"))):
            self.fields[name].choices = [("", empty), *columns]  # type: ignore[attr-defined]
        if layer != "beats":
            del self.fields["district"]
        if layer == "boundary":
            del self.fields["code"], self.fields["name"]


def _samples(file: AreaFile, column: str) -> str:
    values = dict.fromkeys(str(area.properties.get(column)) for area in file.areas[:50])
    return ", ".join(value[:24] for value in list(values)[:SHOWN_SAMPLES])


@dataclass(frozen=True)
class Upload:
    """A waiting file, as the signed token in the page's address names it."""

    name: str
    original: str
    file_layer: str
    crs: str

    def file(self) -> AreaFile:
        try:
            return areas_read(upload_path(self.name), layer=self.file_layer, crs=self.crs)
        except GeometryProblem as exc:
            raise MissionsError(str(exc), next_step=_("upload another file; nothing was changed.")) from exc


def _token(request: HttpRequest, agency: Agency, layer: str, upload: Upload) -> str:
    owner = [request.user.pk, agency.pk, layer]
    return signing.dumps(
        [*owner, upload.name, upload.original, upload.file_layer, upload.crs], salt=SALT, compress=True
    )


def _upload(request: HttpRequest, agency: Agency, layer: str, token: str) -> Upload:
    try:
        user_pk, agency_pk, of_layer, *rest = signing.loads(token, salt=SALT)
    except signing.BadSignature as exc:
        raise Http404(_("No such upload.")) from exc
    # Signed for one person and one agency: a link that is passed on opens nothing.
    if [user_pk, agency_pk, of_layer] != [request.user.pk, agency.pk, layer]:
        raise Http404(_("No such upload."))
    return Upload(*rest)


def _agency(request: HttpRequest, pk: int, layer: str) -> Agency:
    agency = administered_agencies(request).filter(pk=pk).first() if layer in LAYERS else None
    if agency is None:
        raise Http404(_("No such agency."))
    return agency


def _page(
    request: HttpRequest, template: str, agency: Agency | None, layer: str, **context: Any
) -> HttpResponse:
    back = "admin:agencies_agency_changelist"
    if layer in ("districts", "beats"):
        back = f"admin:agencies_{layer.removesuffix('s')}_changelist"
    common = {
        **site.each_context(request),
        "title": _("Upload %(layer)s of %(agency)s") % {"layer": said(layer), "agency": agency}
        if agency
        else _("Upload %(layer)s") % {"layer": said(layer)},
        "agency": agency,
        "layer": layer,
        "back_url": reverse(back),
    }
    return render(request, template, common | context)


def choose_view(request: HttpRequest, layer: str) -> HttpResponse:
    """Whose districts or beats? Asked only of somebody with several agencies."""
    if layer not in LAYERS:
        raise Http404(_("No such layer."))
    links = [
        (str(agency), reverse("admin:agencies_geography_upload", args=[agency.pk, layer]))
        for agency in administered_agencies(request)
    ]
    return _page(request, "admin/geography_upload.html", None, layer, links=links)


def _upload_taken(*, file: Any, layer: str, epsg: int | None) -> Upload:
    """Keep a file that can be read. Raises ``MissionsError`` for another; nothing is kept then."""
    name = ""
    try:
        name = upload_store(file.chunks())
        upload = Upload(name, file.name[:120], layer, f"EPSG:{epsg}" if epsg else "")
        upload.file()
    except MissionsError:
        upload_delete(name)
        raise
    return upload


def upload_view(request: HttpRequest, pk: int, layer: str) -> HttpResponse:
    """Step 1: the file. It is read at once, so that a wrong format is told before anything else is asked."""
    agency = _agency(request, pk, layer)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            upload = _upload_taken(**form.cleaned_data)
        except MissionsError as exc:
            form.add_error("file", str(exc))
        else:
            query = QueryDict(mutable=True)
            query["upload"] = _token(request, agency, layer, upload)
            return HttpResponseRedirect(
                f"{reverse('admin:agencies_geography_check', args=[pk, layer])}?{query.urlencode()}"
            )
    areas_read_soon()
    return _page(request, "admin/geography_upload.html", agency, layer, form=form)


def check_view(request: HttpRequest, pk: int, layer: str) -> HttpResponse:
    """Step 2: what the file would change. A GET looks, a POST does it."""
    agency = _agency(request, pk, layer)
    data = (request.POST if request.method == "POST" else request.GET).copy()
    upload = _upload(request, agency, layer, data.get("upload", ""))
    try:
        file = upload.file()
        _fill_guesses(data, file, layer)
        form = ChoiceForm(data, file=file, layer=layer)
        draft = _draft(agency, layer, file, form) if form.is_valid() else None
        if request.method == "POST" and form.is_valid():
            return _commit(request, agency, layer, upload, draft, form)
    except MissionsError as exc:
        site._registry[Agency].message_user(request, str(exc), level="ERROR")
        return HttpResponseRedirect(reverse("admin:agencies_geography_upload", args=[pk, layer]))
    context = _check_context(file, draft, form) | _map_context(request, agency, layer, data)
    return _page(request, "admin/geography_check.html", agency, layer, upload=upload, **context)


def _map_context(request: HttpRequest, agency: Agency, layer: str, data: QueryDict) -> dict[str, Any]:
    """The second step's map: where its areas come from, and the agency's tiles."""
    areas = reverse("admin:agencies_geography_areas", args=[agency.pk, layer])
    return {
        "areas_url": f"{areas}?{data.urlencode()}",
        "context_url": reverse("admin:agencies_agency_context", args=[agency.pk]),
        "leaflet": leaflet_settings(request, agency),
    }


def _check_context(file: AreaFile, draft: GeographyDraft | None, form: ChoiceForm) -> dict[str, Any]:
    """What the second step shows of the file, and of what it would change."""
    return {
        "form": form,
        "file": file,
        "draft": draft,
        "faults": [area for area in file.areas if area.fault][:SHOWN_PROBLEMS],
        "problems": draft.problems[:SHOWN_PROBLEMS] if draft else [],
        "more_problems": max(0, len(draft.problems) - SHOWN_PROBLEMS) if draft else 0,
        "blocked": _blocked(file, draft, form) if form.is_valid() else True,
    }


def _fill_guesses(data: QueryDict, file: AreaFile, layer: str) -> None:
    """On the first look nothing has been chosen yet; later an empty choice is a choice."""
    if "code" not in data and layer != "boundary":
        code = guess_code(file, layer)
        data["code"] = code
        data["name"] = guess_name(file, code)
        data["district"] = guess_district(file, code) if layer == "beats" else ""


def _draft(agency: Agency, layer: str, file: AreaFile, form: ChoiceForm) -> GeographyDraft | None:
    if layer == "boundary":
        return None
    return geography_draft(
        agency=agency,
        layer="beats" if layer == "beats" else "districts",
        file=file,
        code_property=form.cleaned_data["code"],
        name_property=form.cleaned_data["name"],
        district_property=form.cleaned_data.get("district", ""),
        repair=form.cleaned_data["repair"],
    )


def _blocked(file: AreaFile, draft: GeographyDraft | None, form: ChoiceForm) -> bool:
    if draft is not None:
        return draft.is_blocked or not draft.areas
    return any(area.fault and not (area.repaired and form.cleaned_data["repair"]) for area in file.areas)


def _commit(
    request: HttpRequest,
    agency: Agency,
    layer: str,
    upload: Upload,
    draft: GeographyDraft | None,
    form: ChoiceForm,
) -> HttpResponse:
    page = site._registry[Agency]
    if draft is not None:
        report = geography_commit(draft=draft, actor=request.user)  # type: ignore[arg-type]  # admin_view: signed in
        words = {"layer": said(layer).capitalize(), "agency": agency, "report": report}
        page.message_user(request, _("%(layer)s of %(agency)s: %(report)s.") % words)
        target = reverse(f"admin:agencies_{layer.removesuffix('s')}_changelist")
    else:
        boundary_set(
            agency=agency,
            path=upload_path(upload.name),
            layer=upload.file_layer,
            crs=upload.crs,
            repair=form.cleaned_data["repair"],
            actor=request.user,  # type: ignore[arg-type]  # admin_view: signed in
        )
        page.message_user(request, _("Boundary of %(agency)s set.") % {"agency": agency})
        target = reverse("admin:agencies_agency_change", args=[agency.pk])
    upload_delete(upload.name)
    return HttpResponseRedirect(target)


def areas_view(request: HttpRequest, pk: int, layer: str) -> HttpResponse:
    """The areas of step 2 as GeoJSON, coarse enough to draw quickly."""
    agency = _agency(request, pk, layer)
    upload = _upload(request, agency, layer, request.GET.get("upload", ""))
    try:
        file = upload.file()
    except MissionsError as exc:
        raise Http404(str(exc)) from exc
    form = ChoiceForm(request.GET, file=file, layer=layer)
    draft = _draft(agency, layer, file, form) if form.is_valid() else None
    if draft is not None:
        new = set(draft.new)
        rows = [(area.code, "new" if area.code in new else "known", area.shape) for area in draft.areas]
    else:
        rows = [
            (str(a.row), "new", shape) for a in file.areas if (shape := a.repaired or a.shape) is not None
        ]
    return JsonResponse({"type": "FeatureCollection", "features": _sketch(rows)})


def _sketch(rows: list[tuple[str, str, Any]]) -> list[dict[str, Any]]:
    if not rows:
        return []
    west, south, east, north = shapely.total_bounds([shape for __, __, shape in rows])
    step = max(east - west, north - south) / SKETCH_STEPS
    return [
        {
            "type": "Feature",
            "properties": {"code": code, "state": state},
            "geometry": geojson_from_polygon(shapely.simplify(shape, step)),
        }
        for code, state, shape in rows
    ]


def urls(admin_site: AdminSite) -> list[URLPattern]:
    """The addresses, for the agency's admin."""
    view = admin_site.admin_view
    return [
        path("geography/<slug:layer>/", view(choose_view), name="agencies_geography_choose"),
        path("<int:pk>/geography/<slug:layer>/", view(upload_view), name="agencies_geography_upload"),
        path("<int:pk>/geography/<slug:layer>/check/", view(check_view), name="agencies_geography_check"),
        path(
            "<int:pk>/geography/<slug:layer>/areas.geojson", view(areas_view), name="agencies_geography_areas"
        ),
    ]
