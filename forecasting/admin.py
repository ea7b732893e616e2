"""Grids, trainings, models and forecasts in the admin: read-only rows, and the buttons that make new ones."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from agencies import checklist
from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin, administered_agencies
from agencies.admin_runs import RunAdminMixin
from agencies.lookups import pk_from_text
from agencies.models import Agency, CrimeType, Shift
from agencies.selectors import active_crime_types
from forecasting import (
    admin_dashboard,  # noqa: F401  # registers its panels
    admin_live,  # noqa: F401  # registers itself
)
from forecasting.admin_governance import person_of, version_name
from forecasting.models import ForecastRun, Grid, ModelVersion, RiskSurface, TrainingRun
from forecasting.overlay import short
from forecasting.selectors import next_shift_instance, waiting_versions
from forecasting.services import forecast_ask, grid_build, training_approve, training_ask
from forecasting.services.retention import retention_notice
from forecasting.tasks import forecast_run_task, training_run_task
from ingestion.services import retention_notice_register
from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy
from missions_project.lib.runs import AbstractRun


class AgencyActionMixin:
    """A button above the list that does one thing for one of the person's agencies, and opens its page."""

    change_list_template = "forecasting/admin/action_list.html"
    action_label = ""
    action_help = ""

    action: Callable[[HttpRequest, Agency], Any]
    """Does it and returns the row to open; each admin brings its own. May raise ``MissionsError``."""

    @property
    def _action_name(self) -> str:
        meta = self.model._meta  # type: ignore[attr-defined]  # a ModelAdmin beside this mixin
        return f"{meta.app_label}_{meta.model_name}_queue"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.action_view)  # type: ignore[attr-defined]
        return [path("queue/", view, name=self._action_name), *super().get_urls()]  # type: ignore[misc]

    def action_view(self, request: HttpRequest) -> HttpResponse:
        meta = self.model._meta  # type: ignore[attr-defined]
        here = f"admin:{meta.app_label}_{meta.model_name}"
        agency = administered_agencies(request).filter(pk=pk_from_text(request.POST.get("agency"))).first()
        if request.method != "POST" or agency is None:
            raise Http404(_("No such agency."))
        try:
            row = self.action(request, agency)
        except MissionsError as exc:
            messages.error(request, str(exc))
            return redirect(f"{here}_changelist")
        return redirect(f"{here}_change", row.pk)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        extra = {
            "action_agencies": list(administered_agencies(request)),
            "action_label": self.action_label,
            "action_help": self.action_help,
            "action_url": reverse(f"admin:{self._action_name}"),
        }
        return super().changelist_view(request, extra | (extra_context or {}))  # type: ignore[misc,no-any-return]


@admin.register(Grid)
class GridAdmin(AgencyActionMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):  # type: ignore[misc]  # mixins before the base
    action_label = gettext_lazy("Build grid")
    action_help = gettext_lazy(
        "From the agency's boundary and cell size. An identical grid is used again; forecasts keep theirs."
    )
    none_yet = gettext_lazy("“Build grid” above makes it, once the agency has a boundary or beats.")
    list_display = ("__str__", "agency", "projection", "is_active", "built_at")
    list_filter = ("is_active",)
    fields = ("agency", "cell_size_m", "cells", "projection", "hash", "is_active", "built_at")
    readonly_fields = ("cells", "projection")

    @admin.display(description=gettext_lazy("projection"), ordering="epsg")
    def projection(self, grid: Grid) -> str:
        return f"EPSG:{grid.epsg}"

    @admin.display(description=gettext_lazy("cells"), ordering="n_cells")
    def cells(self, grid: Grid) -> str:
        return f"{grid.n_cells:,}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("agency").defer("spec")

    def action(self, request: HttpRequest, agency: Agency) -> Grid:
        grid = grid_build(agency=agency)
        messages.success(
            request,
            _("%(grid)s: this is %(agency)s's active grid. Train the models next.")
            % {"grid": grid, "agency": agency},
        )
        return grid


@admin.register(TrainingRun)
class TrainingRunAdmin(  # type: ignore[misc]  # mixins before the base
    AgencyActionMixin, RunAdminMixin, ReadOnlyAdminMixin, AgencyScopedAdmin
):
    action_label = gettext_lazy("Train now")
    action_help = gettext_lazy(
        "Trains and tests every active crime type in the background. Champions go live together, or wait for approval: see "
        "Model policies."
    )
    none_yet = gettext_lazy(
        "“Train now” above starts the first, once a grid is built and incidents are there."
    )
    actions = ["approve_all"]

    def action(self, request: HttpRequest, agency: Agency) -> AbstractRun:
        run = training_ask(agency=agency, person=person_of(request))
        training_run_task.delay_on_commit(run.pk)
        return run

    @admin.action(description=gettext_lazy("Approve all waiting models of the chosen trainings"))
    def approve_all(self, request: HttpRequest, queryset: QuerySet[TrainingRun]) -> None:
        # Oldest first: of two chosen trainings the newer one's models end up live.
        for run in queryset.order_by("pk"):
            try:
                versions = training_approve(
                    run=run,
                    actor=person_of(request),
                    note=_("Approved together, training %(run_pk)s.") % {"run_pk": run.pk},
                )
            except MissionsError as exc:
                messages.error(request, str(exc))
            else:
                messages.success(
                    request, _("Live now: %(names)s.") % {"names": ", ".join(map(str, versions))}
                )

    def run_counts(self, request: HttpRequest, run: Any) -> list[tuple[str, str]]:
        return [
            (_("%(name)s: incidents learned from") % {"name": name}, f"{n:,}")
            for name, n in _named(run.agency, run.counts)
        ]

    def run_links(self, request: HttpRequest, run: Any) -> list[tuple[str, str]]:
        return [
            (
                _("Model card: %(crime_type)s") % {"crime_type": row.crime_type},
                reverse("forecasting:model", args=[run.agency.slug, row.crime_type.slug]),
            )
            for row in run.versions.select_related("crime_type")
        ]


@admin.register(ForecastRun)
class ForecastRunAdmin(  # type: ignore[misc]  # mixins before the base
    AgencyActionMixin, RunAdminMixin, ReadOnlyAdminMixin, AgencyScopedAdmin
):
    action_label = gettext_lazy("Forecast next shift")
    action_help = gettext_lazy("The next shift to start, for every active crime type with a live model.")
    none_yet = gettext_lazy("“Forecast next shift” above makes the first, once a model is live.")
    list_select_related = ("agency", "shift")  # type: ignore[misc]  # the mixin declares it for one model

    def action(self, request: HttpRequest, agency: Agency) -> AbstractRun:
        shift, on = next_shift_instance(agency, timezone.now())
        run = forecast_ask(agency=agency, shift=shift, on=on, person=person_of(request))
        forecast_run_task.delay_on_commit(run.pk)
        return run

    def run_counts(self, request: HttpRequest, run: Any) -> list[tuple[str, str]]:
        return [
            (_("%(name)s: expected in the shift") % {"name": name}, short(total))
            for name, total in _named(run.agency, run.counts)
        ]

    def run_links(self, request: HttpRequest, run: Any) -> list[tuple[str, str]]:
        page = reverse("forecasting:risk", args=[run.agency.slug])
        return [(_("Open the risk map"), f"{page}?shift={run.shift.slug}&date={run.on.isoformat()}")]


@admin.register(RiskSurface)
class RiskSurfaceAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    none_yet = gettext_lazy(
        "Each forecast writes one for every crime type: Forecast runs → Forecast next shift."
    )
    list_display = ("__str__", "agency", "expected", "version")
    list_select_related = ("agency", "crime_type", "run__shift", "model_version__crime_type")
    fields = ("agency", "run", "crime_type", "version", "expected", "stored_as", "grid_hash")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("values", "baseline_values")

    @admin.display(description=gettext_lazy("model version"))
    def version(self, surface: RiskSurface) -> str:
        address = reverse("admin:forecasting_modelversion_change", args=[surface.model_version_id])
        return format_html('<a href="{}">{}</a>', address, version_name(surface.model_version))

    @admin.display(description=gettext_lazy("values stored as"))
    def stored_as(self, surface: RiskSurface) -> str:
        return f"{surface.dtype}, {surface.codec}"

    @admin.display(description=gettext_lazy("expected count"), ordering="expected_total")
    def expected(self, surface: RiskSurface) -> str:
        return f"{surface.expected_total:,.2f}"


def _named(agency: Agency, counts: dict[str, Any]) -> list[tuple[str, Any]]:
    """A run's figures by crime type, each by the agency's own name for it: runs keep them by slug. One query."""
    names = dict(CrimeType.objects.filter(agency=agency).values_list("slug", "name"))
    return [(names.get(slug, slug.replace("_", " ")), value) for slug, value in counts.items()]


def forecasting_checklist(agency: Agency) -> list[checklist.ChecklistItem]:
    """What forecasts need: a grid, and a live model for each active crime type. Six queries at most."""
    grid = Grid.objects.filter(agency=agency, is_active=True).defer("spec").first()
    crime_types = active_crime_types(agency)
    live = ModelVersion.objects.live().filter(agency=agency, crime_type__in=crime_types).count()
    waiting = 0 if live else len(waiting_versions(agency))
    last = ForecastRun.objects.filter(agency=agency, status="succeeded").order_by("-finished_at").first()
    return [
        checklist.ChecklistItem(
            label=_("Build the grid"),
            done=grid is not None and grid.cell_size_m == agency.cell_size_m,
            why=_("Its cells are what is forecast and where missions are sent."),
            url=reverse("admin:forecasting_grid_changelist"),
            detail=str(grid) if grid else "",
        ),
        checklist.ChecklistItem(
            label=_("Train the models"),
            done=bool(crime_types) and live == len(crime_types),
            why=_("Each crime type needs a model that was tested against plain counts."),
            url=reverse(f"admin:forecasting_{'modelversion' if waiting else 'trainingrun'}_changelist"),
            detail=(
                _("%(live)s of %(count)s crime types have a live model")
                % {"live": live, "count": len(crime_types)}
            )
            + (_(", %(waiting)s wait for approval") % {"waiting": waiting} if waiting else ""),
        ),
        checklist.ChecklistItem(
            label=_("Forecast a shift"),
            done=last is not None,
            why=_("Missions are drawn from the forecast of their shift."),
            url=reverse("admin:forecasting_forecastrun_changelist"),
            detail=_("last: %(shift)s, %(on)s")
            % {"shift": Shift.objects.get(pk=last.shift_id), "on": date_format(last.on)}
            if last
            else "",
        ),
    ]


checklist.register(forecasting_checklist, order=30)
retention_notice_register(retention_notice)
