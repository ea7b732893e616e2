"""Grids, trained models, and forecasts."""

import datetime as dt
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, CrimeType, Shift, User
from forecasting.models_live import ForecastSeal, LiveRecord, LiveScore
from missions_project.lib.runs import AbstractRun, RunQuerySet

__all__ = [
    "DriftAcknowledgement",
    "ForecastRun",
    "ForecastSeal",
    "Grid",
    "LiveRecord",
    "LiveScore",
    "ModelPolicy",
    "ModelVersion",
    "ModelVersionQuerySet",
    "ModelWeek",
    "RiskSurface",
    "TrainingRun",
]


class Grid(models.Model):
    """The agency's cells. Built by ``forecasting.services.grid_build``; frozen once a forecast uses it."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    spec = models.BinaryField(editable=False)
    hash = models.CharField(max_length=64, editable=False)
    epsg = models.PositiveIntegerField(editable=False)
    cell_size_m = models.PositiveIntegerField(editable=False)
    n_cells = models.PositiveIntegerField(editable=False)
    is_active = models.BooleanField(
        default=True, help_text=gettext_lazy("New forecasts use the active grid. One per agency.")
    )
    built_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agency"], condition=Q(is_active=True), name="one_active_grid_per_agency"
            ),
            models.UniqueConstraint(fields=["agency", "hash"], name="grid_once_per_agency"),
        ]

    def __str__(self) -> str:
        return _("%(n_cells)s cells of %(cell_size_m)s m") % {
            "n_cells": self.n_cells,
            "cell_size_m": self.cell_size_m,
        }

    def save(self, *args: object, **kwargs: object) -> None:
        if self.pk and self.forecastrun_set.exists():
            stored = type(self).objects.only("hash", "spec").get(pk=self.pk)
            # A surface is a bare vector over this grid's cells: a changed grid would move every forecast.
            if stored.hash != self.hash or bytes(stored.spec) != bytes(self.spec):
                raise ValidationError(
                    _("This grid is frozen: forecasts were made on it. Build a new grid instead.")
                )
        super().save(*args, **kwargs)  # type: ignore[arg-type]


class TrainingRun(AbstractRun):
    """One training of all the agency's active crime types. Changed by ``forecasting.services`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    due_at = models.DateTimeField(
        gettext_lazy("due by schedule"),
        null=True,
        blank=True,
        editable=False,
        help_text=gettext_lazy("Empty: started by hand."),
    )
    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at"]
        constraints = [
            # Two dispatchers, or one and cron, find the same training due: one of them makes it.
            models.UniqueConstraint(fields=["agency", "due_at"], name="one_training_per_due_instant"),
        ]

    def __str__(self) -> str:
        return _("Training %(self_pk)s") % {"self_pk": self.pk}


class ModelPolicy(models.Model):
    """How the agency puts new models into service, how often it trains, and when it wants to be warned about a model.

    One per agency, created with these defaults by ``forecasting.services.model_policy_ensure``; changed in the admin.
    """

    class GoLive(models.TextChoices):
        AUTOMATIC = "automatic", gettext_lazy("By themselves, when they beat the best plain count")
        APPROVAL = "approval", gettext_lazy("Only after a person's approval")

    agency = models.OneToOneField(Agency, on_delete=models.CASCADE)
    go_live = models.CharField(
        gettext_lazy("new models go live"),
        max_length=10,
        choices=GoLive,
        default=GoLive.AUTOMATIC,
        help_text=gettext_lazy(
            "A learned model that does not beat the best plain count never goes live, whatever is chosen here."
        ),
    )
    refit_days = models.PositiveSmallIntegerField(
        gettext_lazy("refit every … days"),
        default=7,
        validators=[MaxValueValidator(366)],
        help_text=gettext_lazy(
            "Days from one training to the next; 0: only by hand. Counted from the last training; one that was missed "
            "is caught up once. The first training is always by hand. What is trained goes live or waits as said above."
        ),
    )
    refit_time = models.TimeField(
        gettext_lazy("refit at"),
        default=dt.time(4, 30),
        help_text=gettext_lazy(
            "Time of day by the agency's clock. A training takes the processors for minutes: choose a quiet hour. Where "
            "summer time skips it, the first moment after counts; where it comes twice, the first."
        ),
    )
    settle_days = models.PositiveSmallIntegerField(
        default=14,
        validators=[MaxValueValidator(120)],
        help_text=gettext_lazy(
            "Days after a week's end until its reports count as complete. Younger weeks are shown but never raise "
            "the alarm."
        ),
    )
    departure_percent = models.PositiveSmallIntegerField(
        default=25,
        validators=[MinValueValidator(5), MaxValueValidator(200)],
        help_text=gettext_lazy("The error of the expected count that the alarm is tuned to find soon."),
    )
    tolerated_percent = models.PositiveSmallIntegerField(
        default=5,
        validators=[MaxValueValidator(100)],
        help_text=gettext_lazy("A model this far off still counts as sound."),
    )
    false_alarm_percent = models.FloatField(
        gettext_lazy("false alarms, per cent"),
        default=5.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(50.0)],
        help_text=gettext_lazy(
            "Chance that a sound model raises an alarm within a year. Lower is calmer and slower."
        ),
    )
    drift_measured_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name_plural = gettext_lazy("model policies")
        constraints = [
            models.CheckConstraint(
                condition=Q(tolerated_percent__lt=F("departure_percent")),
                name="tolerated_below_departure",
                violation_error_message=gettext_lazy(
                    "The tolerated error must be smaller than the departure to be found."
                ),
            )
        ]

    def __str__(self) -> str:
        return _("Model policy of %(agency)s") % {"agency": self.agency}


class ModelVersionQuerySet(models.QuerySet[Any]):
    def live(self) -> Self:
        """The versions that forecasts use: at most one a crime type."""
        return self.filter(state=ModelVersion.State.LIVE)


class ModelVersion(models.Model):
    """One trained model of one crime type: the champion of its league.

    Written by ``forecasting.services`` only: training makes it, ``model_approve``, ``model_refuse`` and
    ``model_roll_back`` move it from state to state: trained → live → retired (→ live again by a roll-back), or refused.
    """

    class State(models.TextChoices):
        TRAINED = "trained", gettext_lazy("Trained, waits for approval")
        LIVE = "live", gettext_lazy("Approved, live")
        RETIRED = "retired", gettext_lazy("Retired")
        REFUSED = "refused", gettext_lazy("Refused")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    crime_type = models.ForeignKey(CrimeType, on_delete=models.CASCADE)
    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="versions")
    grid = models.ForeignKey(Grid, on_delete=models.PROTECT)
    number = models.PositiveIntegerField()
    champion = models.CharField(max_length=60)
    beats_baseline = models.BooleanField()
    is_baseline = models.BooleanField(
        default=False, help_text=gettext_lazy("The champion is itself a plain count.")
    )
    artefact = models.CharField(max_length=200, help_text=gettext_lazy("File under the artefact folder."))
    artefact_hash = models.CharField(max_length=64)
    summary = models.JSONField(
        default=dict,
        help_text=gettext_lazy("League table against the baselines, and the model card's figures."),
    )
    trained_from = models.DateTimeField()
    trained_to = models.DateTimeField()
    n_incidents = models.PositiveIntegerField()
    data_hash = models.CharField(max_length=64)
    dispersion = models.FloatField(
        default=1.0,
        help_text=gettext_lazy(
            "How much more the held-out weeks varied than pure chance; the drift alarm allows for it."
        ),
    )
    created_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=8, choices=State, default=State.TRAINED)
    approved_by = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=gettext_lazy("Empty: automatically."),
    )
    approved_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=gettext_lazy("When it last went live; for a refused one, when it was refused."),
    )
    approval_note = models.CharField(max_length=500, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        ordering = ["crime_type", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["crime_type", "number"], name="model_number_once_per_type"),
            models.UniqueConstraint(
                fields=["crime_type"], condition=Q(state="live"), name="one_live_model_per_type"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["live", "retired"]) | Q(beats_baseline=True) | Q(is_baseline=True),
                name="no_losing_model_live",
            ),
            models.CheckConstraint(
                condition=Q(state="trained", approved_at__isnull=True)
                | (~Q(state="trained") & Q(approved_at__isnull=False)),
                name="model_decision_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(state="retired", retired_at__isnull=False)
                | (~Q(state="retired") & Q(retired_at__isnull=True)),
                name="model_retired_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.crime_type} v{self.number} ({self.champion})"

    @property
    def is_live(self) -> bool:
        return self.state == self.State.LIVE

    @property
    def may_go_live(self) -> bool:
        """A learned model that lost to the best plain count never may; the plain count itself may."""
        return self.beats_baseline or self.is_baseline


class ModelWeek(models.Model):
    """What one model expected in one week of shifts, and what has become known to have happened.

    Written by ``forecasting.services.drift_measure`` only. Sums over the shift instances that this version forecast from
    what was known before they began.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="weeks")
    week_from = models.DateField(help_text=gettext_lazy("The Monday on or before the shifts' local dates."))
    n_shifts = models.PositiveIntegerField()
    expected = models.FloatField()
    observed = models.PositiveIntegerField()
    log_score = models.FloatField(
        help_text=gettext_lazy("Poisson log-likelihood over all cells and shifts, in nats.")
    )
    baseline_log_score = models.FloatField(
        null=True, help_text=gettext_lazy("The same of the best plain count; empty where it was not stored.")
    )
    measured_at = models.DateTimeField()

    class Meta:
        ordering = ["version", "week_from"]
        constraints = [
            models.UniqueConstraint(fields=["version", "week_from"], name="model_week_once"),
        ]

    def __str__(self) -> str:
        return _("%(version)s, week of %(week_from)s") % {
            "version": self.version,
            "week_from": f"{self.week_from:%Y-%m-%d}",
        }


class DriftAcknowledgement(models.Model):
    """Somebody has looked at a drift alarm and answers for it. Written by ``forecasting.services.drift_acknowledge`` only.

    Holds for the weeks up to ``through_week``: the alarm's sum starts anew behind them, so that only new weeks raise it.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="acknowledgements")
    rule = models.CharField(
        max_length=8, help_text=gettext_lazy("Which sum raised the alarm: more, fewer or skill.")
    )
    through_week = models.DateField(help_text=gettext_lazy("The newest settled week that the person saw."))
    alarm = models.CharField(
        max_length=300, help_text=gettext_lazy("The alarm's sentence, as the person saw it.")
    )
    reason = models.CharField(max_length=500)
    actor = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["version", "through_week"]
        constraints = [
            models.UniqueConstraint(
                fields=["version", "rule", "through_week"], name="drift_alarm_acknowledged_once"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="drift_acknowledgement_has_a_reason"),
        ]

    def __str__(self) -> str:
        return _("%(version)s, %(rule)s, through the week of %(through_week)s") % {
            "version": self.version,
            "rule": self.rule,
            "through_week": f"{self.through_week:%Y-%m-%d}",
        }


class ForecastRun(AbstractRun):
    """A forecast of one shift instance for all active crime types. Changed by ``forecasting.services`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    shift = models.ForeignKey(Shift, on_delete=models.PROTECT)
    on = models.DateField(help_text=gettext_lazy("The local date on which the shift starts."))
    period_from = models.DateTimeField()
    period_to = models.DateTimeField()
    as_of = models.DateTimeField(help_text=gettext_lazy("Nothing reported from this instant on was used."))
    grid = models.ForeignKey(Grid, null=True, on_delete=models.PROTECT)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at"]
        indexes = [models.Index(fields=["agency", "on", "shift"], name="forecast_by_shift")]

    def __str__(self) -> str:
        return f"{self.shift} {self.on:%Y-%m-%d}"


class RiskSurface(models.Model):
    """Expected counts per cell of one crime type in one shift instance: a float32 vector over the grid's cells."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    run = models.ForeignKey(ForecastRun, on_delete=models.CASCADE, related_name="surfaces")
    crime_type = models.ForeignKey(CrimeType, on_delete=models.CASCADE)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT)
    values = models.BinaryField()
    baseline_values = models.BinaryField(
        null=True,
        help_text=gettext_lazy(
            "The best plain count's expected counts, rounded; empty where the model is that count."
        ),
    )
    dtype = models.CharField(max_length=8, default="<f4")
    codec = models.PositiveSmallIntegerField(default=1)
    grid_hash = models.CharField(max_length=64)
    expected_total = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "crime_type"], name="one_surface_per_run_type")]

    def __str__(self) -> str:
        return f"{self.crime_type}, {self.run}"
