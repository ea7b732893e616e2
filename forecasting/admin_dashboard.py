"""This room's part of the dashboard: trainings, forecasts, and the model of each crime type."""

from typing import Any

from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext as _

from agencies import dashboards
from agencies.admin_clock import local
from agencies.admin_run_rows import COLUMNS, run_row
from agencies.dashboards import Cell, Panel
from agencies.models import Agency, CrimeType
from agencies.selectors import active_crime_types
from forecasting.model_words import model_label
from forecasting.models import ForecastRun, ModelVersion, TrainingRun
from forecasting.selectors import alarms_of
from missions_project.lib.lazy import gettext_lazy

MODELS = (
    gettext_lazy("Crime type"),
    gettext_lazy("Champion"),
    gettext_lazy("Trained up to"),
    gettext_lazy("Live since"),
    gettext_lazy("Hit rate at 1 %"),
    gettext_lazy("Log skill"),
    gettext_lazy("Drift"),
)


def model_panels(agency: Agency) -> list[Panel]:
    """Trainings and forecasts, and the live model of each active crime type. Nine queries."""
    live = (
        ModelVersion.objects.live()
        .filter(agency=agency)
        .select_related("agency")
        # A card is 50 kB, the league in it one.
        .annotate(league=F("summary__league"))
        .defer("summary")
    )
    versions = {version.crime_type_id: version for version in live}
    alarms = alarms_of(list(versions.values()))
    runs = [run_row(agency, TrainingRun, _("Training")), run_row(agency, ForecastRun, _("Forecast"))]
    rows = [
        _model_row(agency, crime_type, versions.get(crime_type.pk), alarms)
        for crime_type in active_crime_types(agency)
    ]
    return [
        Panel(_("Trainings and forecasts"), COLUMNS, runs, ""),
        Panel(
            _("Models"),
            [str(one) for one in MODELS],
            rows,
            _("No active crime type: add one first."),
            reverse("admin:forecasting_modelversion_changelist"),
            notes=(
                _(
                    "Hit rate: share of the test's crimes inside the one percent of cells that were ranked first. Log skill: "
                    "above 0 is better than the best plain count."
                ),
            ),
        ),
    ]


def _model_row(agency: Agency, crime_type: CrimeType, version: Any, alarms: dict[int, Any]) -> list[Cell]:
    name = Cell(str(crime_type), reverse("admin:agencies_crimetype_change", args=[crime_type.pk]))
    if version is None:
        training = reverse("admin:forecasting_trainingrun_changelist")
        return [name, Cell(_("no live model"), training, "warn"), *[Cell("–") for _ in MODELS[2:]]]
    league = version.league if isinstance(version.league, list) else []
    row: dict[str, Any] = next((row for row in league if row.get("name") == version.champion), {})
    area: dict[str, Any] = next((area for area in row.get("areas", []) if area.get("area") == "1%"), {})
    raised = alarms.get(version.pk, ())
    is_open = any(alarm.is_open for alarm in raised)
    drift = _("Alarm") if is_open else _("Alarm, acknowledged") if raised else _("no alarm")
    page = reverse("admin:forecasting_modelversion_change", args=[version.pk])
    return [
        name,
        Cell(f"{model_label(version.champion)}, v{version.number}", page),
        Cell(local(version.trained_to, agency)),
        Cell(local(version.approved_at, agency)),
        Cell(_figure(area.get("hit_rate"), "{:.1f} %", 100.0), number=True),
        Cell(_figure(row.get("log_skill"), "{:+.3f}"), number=True),
        Cell(drift, page if raised else "", "bad" if is_open else "warn" if raised else "good"),
    ]


def _figure(estimate: Any, shape: str, scale: float = 1.0) -> str:
    """The middle of an estimate of the league; a card of an older version may not have it."""
    value = estimate.get("value") if isinstance(estimate, dict) else None
    return shape.format(scale * value) if isinstance(value, int | float) else "–"


dashboards.register(model_panels, order=30)
