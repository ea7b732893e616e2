"""Grids, trained models, and forecasts."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from agencies.models import Agency, CrimeType, Shift
from missions_project.lib.runs import AbstractRun, RunQuerySet


class Grid(models.Model):
    """The agency's cells. Built by ``forecasting.services.grid_build``; frozen once a forecast uses it."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    spec = models.BinaryField(editable=False)
    hash = models.CharField(max_length=64, editable=False)
    epsg = models.PositiveIntegerField(editable=False)
    cell_size_m = models.PositiveIntegerField(editable=False)
    n_cells = models.PositiveIntegerField(editable=False)
    is_active = models.BooleanField(
        default=True, help_text="New forecasts use the active grid. One per agency."
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
        return f"{self.n_cells} cells of {self.cell_size_m} m"

    def save(self, *args: object, **kwargs: object) -> None:
        if self.pk and self.forecastrun_set.exists():
            stored = type(self).objects.only("hash", "spec").get(pk=self.pk)
            # A surface is a bare vector over this grid's cells: a changed grid would move every forecast.
            if stored.hash != self.hash or bytes(stored.spec) != bytes(self.spec):
                raise ValidationError(
                    "This grid is frozen: forecasts were made on it. Build a new grid instead."
                )
        super().save(*args, **kwargs)  # type: ignore[arg-type]


class TrainingRun(AbstractRun):
    """One training of all the agency's active crime types. Changed by ``forecasting.services`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at"]

    def __str__(self) -> str:
        return f"Training {self.pk}"


class ModelVersion(models.Model):
    """One trained model of one crime type: the champion of its league. Written by ``forecasting.services`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    crime_type = models.ForeignKey(CrimeType, on_delete=models.CASCADE)
    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="versions")
    grid = models.ForeignKey(Grid, on_delete=models.PROTECT)
    number = models.PositiveIntegerField()
    champion = models.CharField(max_length=60)
    beats_baseline = models.BooleanField()
    artefact = models.CharField(max_length=200, help_text="File under the artefact folder.")
    artefact_hash = models.CharField(max_length=64)
    summary = models.JSONField(default=dict, help_text="League table against the baselines, with intervals.")
    trained_from = models.DateTimeField()
    trained_to = models.DateTimeField()
    n_incidents = models.PositiveIntegerField()
    data_hash = models.CharField(max_length=64)
    is_live = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["crime_type", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["crime_type", "number"], name="model_number_once_per_type"),
            models.UniqueConstraint(
                fields=["crime_type"], condition=Q(is_live=True), name="one_live_model_per_type"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.crime_type} v{self.number} ({self.champion})"


class ForecastRun(AbstractRun):
    """A forecast of one shift instance for all active crime types. Changed by ``forecasting.services`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    shift = models.ForeignKey(Shift, on_delete=models.PROTECT)
    on = models.DateField(help_text="The local date on which the shift starts.")
    period_from = models.DateTimeField()
    period_to = models.DateTimeField()
    as_of = models.DateTimeField(help_text="Nothing reported from this instant on was used.")
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
    dtype = models.CharField(max_length=8, default="<f4")
    codec = models.PositiveSmallIntegerField(default=1)
    grid_hash = models.CharField(max_length=64)
    expected_total = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "crime_type"], name="one_surface_per_run_type")]

    def __str__(self) -> str:
        return f"{self.crime_type}, {self.run}"
