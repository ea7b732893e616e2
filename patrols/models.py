"""Who goes where, when, for how long, with which probability, and what was done."""

import dataclasses

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from agencies.engine.free_text import text_about_person
from agencies.fields import AreaField
from agencies.models import Agency, Beat, CrimeType, Shift, Unit, User
from forecasting.models import ForecastRun, Grid
from missions_project.lib.runs import AbstractRun, RunQuerySet
from patrols.engine.design import DesignPolicy


class PatrolPolicy(models.Model):
    """How the agency allocates missions (DOMAIN §4). Plans freeze a copy of the active one."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(
        max_length=60, default="Standard", help_text="To tell policies apart in plans and studies."
    )
    is_active = models.BooleanField(
        default=True, help_text="New plans use the active policy. One per agency."
    )
    gamma = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(4.0)],
        help_text="How strongly missions follow harm: probability grows with harm to this power. 0 ignores harm, 1 is "
        "proportional, higher concentrates and becomes easier to predict.",
    )
    exploration = models.FloatField(
        default=0.15,
        validators=[MinValueValidator(0.01), MaxValueValidator(1.0)],
        help_text="Share of each beat's missions spread evenly over all its cells, so that lower-risk areas receive "
        "coverage and the forecast keeps being tested.",
    )
    cap_max = models.FloatField(
        default=0.9,
        validators=[MinValueValidator(0.05), MaxValueValidator(0.9)],
        help_text="No cell gets a mission with a higher probability than this: every cell can be left alone, which "
        "is what impact is measured against.",
    )
    visits_per_cell = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(6)],
        help_text="Visits to each chosen box within the shift, where the units have time for them.",
    )
    min_spacing_minutes = models.PositiveSmallIntegerField(
        default=60,
        validators=[MaxValueValidator(240)],
        help_text="Least minutes between the starts of two visits to the same box.",
    )
    travel_minutes = models.PositiveSmallIntegerField(
        default=5,
        validators=[MaxValueValidator(60)],
        help_text="Minutes kept free between two boxes of the same unit.",
    )
    dose_min_minutes = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(5), MaxValueValidator(60)],
        help_text="Shortest recommended visit.",
    )
    dose_max_minutes = models.PositiveSmallIntegerField(
        default=16,
        validators=[MinValueValidator(5), MaxValueValidator(60)],
        help_text="Longest recommended visit. 10–16 minutes follows Koper (1995).",
    )
    cooldown_days = models.FloatField(
        default=2.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(60.0)],
        help_text="Days after a planned mission during which the box's highest probability is lowered. 0 switches it "
        "off.",
    )
    cooldown_factor = models.FloatField(
        default=0.5,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="What is left of the highest probability right after a mission, growing back evenly to the whole.",
    )
    saturation_window_days = models.PositiveSmallIntegerField(
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(120)],
        help_text="Length of the rolling window over which planned minutes are added up.",
    )
    saturation_soft_minutes = models.PositiveIntegerField(
        default=120,
        help_text="Planned minutes in the window from which a box's highest probability begins to fall.",
    )
    saturation_hard_minutes = models.PositiveIntegerField(
        default=240,
        help_text="Planned minutes in the window that no box may exceed: without room for one more mission it is no "
        "candidate.",
    )

    class Meta:
        verbose_name_plural = "patrol policies"
        constraints = [
            models.UniqueConstraint(
                fields=["agency"], condition=Q(is_active=True), name="one_active_policy_per_agency"
            ),
            models.CheckConstraint(
                condition=Q(dose_max_minutes__gte=F("dose_min_minutes")), name="policy_dose_in_order"
            ),
            models.CheckConstraint(
                condition=Q(saturation_hard_minutes__gt=F("saturation_soft_minutes")),
                name="policy_saturation_in_order",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        problems = self.as_design_policy().problems()
        if problems:
            raise ValidationError({problem.setting: problem.message for problem in problems})

    def as_design_policy(self) -> DesignPolicy:
        """The same dials, for the engine; its other dials keep their defaults."""
        dials = {field.name for field in dataclasses.fields(DesignPolicy)}
        return DesignPolicy(**{f.name: getattr(self, f.name) for f in self._meta.fields if f.name in dials})


class Suppression(models.Model):
    """An area taken out of planning for a while, by a person, with a reason."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    beat = models.ForeignKey(
        Beat,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        help_text="Suppress a whole beat, or draw an area instead.",
    )
    geometry = AreaField(
        null=True, blank=True, help_text="Cells whose centre lies inside are no candidates while this holds."
    )
    reason = models.CharField(max_length=300, help_text="Shown with the plan and kept with it.")
    starts_at = models.DateTimeField(default=timezone.now, help_text="From when it holds.")
    expires_at = models.DateTimeField(
        help_text="Until when it holds. Plans drawn for shifts before this leave the area out."
    )
    author = models.ForeignKey(User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("starts_at")), name="suppression_expires_after_start"
            )
        ]

    def __str__(self) -> str:
        return self.reason

    def clean(self) -> None:
        if about := text_about_person(self.reason):
            raise ValidationError({"reason": f"This seems to hold {about}. Write about the place only."})
        if (self.beat is None) == (self.geometry is None):
            raise ValidationError("Choose a beat or draw an area: exactly one of them.")
        if self.beat and self.beat.agency_id != self.agency_id:
            raise ValidationError({"beat": "This beat belongs to another agency."})
        if self.expires_at and self.starts_at and self.expires_at <= self.starts_at:
            raise ValidationError({"expires_at": "The suppression ends before it starts."})


class MissionPlan(AbstractRun):
    """The plan of one shift instance: its whole design and draw. Made by ``patrols.services`` only."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        SUPERSEDED = "superseded", "Superseded"

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    shift = models.ForeignKey(Shift, on_delete=models.PROTECT)
    on = models.DateField(help_text="The local date on which the shift starts.")
    period_from = models.DateTimeField()
    period_to = models.DateTimeField()
    forecast_run = models.ForeignKey(ForecastRun, null=True, blank=True, on_delete=models.PROTECT)
    grid = models.ForeignKey(Grid, null=True, blank=True, on_delete=models.PROTECT)
    seed = models.PositiveBigIntegerField(editable=False)
    design = models.BinaryField(
        editable=False,
        default=b"",
        help_text="Every candidate's harm, floor, cap, π, Z, start times and dose.",
    )
    design_hash = models.CharField(max_length=64, blank=True, editable=False)
    code_version = models.CharField(max_length=40, blank=True, editable=False)
    reasons_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When the forecast's reasons were all written beside the missions, or found to be impossible to give.",
    )
    reasons_sent_at = models.DateTimeField(
        null=True, editable=False, help_text="When a worker was last asked for the reasons."
    )
    reasons_claimed_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="The last sign of life of the worker that writes the reasons; its claim ends five minutes later.",
    )
    reasons_attempts = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="How many workers have begun to write the reasons."
    )
    state = models.CharField(max_length=12, choices=State, default=State.DRAFT, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    published_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-period_from", "-queued_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "shift", "on"],
                condition=Q(state="published"),
                name="one_published_plan_per_shift_instance",
            )
        ]
        indexes = [models.Index(fields=["agency", "on", "shift"], name="plan_by_shift")]

    def __str__(self) -> str:
        return f"{self.shift} {self.on:%Y-%m-%d}, plan {self.pk}"


class Mission(models.Model):
    """A directed patrol to one cell. Drawn ones are made by ``patrols.services.plan_missions`` and never change.

    ``why`` is written once, when the plan is done, by ``patrols.services.plan_reasons_write``.
    """

    class Source(models.TextChoices):
        DRAWN = "drawn", "Drawn"
        ADDED = "added", "Added by a person"

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    plan = models.ForeignKey(MissionPlan, on_delete=models.CASCADE, related_name="missions")
    beat = models.ForeignKey(Beat, on_delete=models.PROTECT)
    number = models.PositiveSmallIntegerField()
    cell_id = models.BigIntegerField(
        help_text="Stable id of the cell in the plan's grid (row × columns + column)."
    )
    crime_type = models.ForeignKey(CrimeType, on_delete=models.PROTECT)
    place = models.CharField(max_length=120, blank=True)
    visit_starts = models.JSONField(help_text="Start of each visit, as ISO instants in UTC.")
    starts_at = models.DateTimeField(help_text="Start of the first visit.")
    dose_minutes = models.PositiveSmallIntegerField()
    expected = models.FloatField(help_text="Expected count of the crime type in the cell in this shift.")
    harm = models.FloatField(help_text="Sum over crime types of weight × expected count.")
    probability = models.FloatField(help_text="Inclusion probability π of the cell in the draw.")
    why = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="The forecast's reasons when the plan was made: one line, the three strongest, all in words, and each "
        "driver's share.",
    )
    source = models.CharField(max_length=8, choices=Source, default=Source.DRAWN)
    reason = models.CharField(max_length=300, blank=True, help_text="Why a person added it.")
    author = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.CharField(max_length=300, blank=True)
    withdrawn_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["plan", "number"]
        constraints = [models.UniqueConstraint(fields=["plan", "cell_id"], name="one_mission_per_plan_cell")]

    def __str__(self) -> str:
        return f"Mission {self.number} ({self.crime_type})"

    @property
    def headline(self) -> str:
        """Why here, in one line of at most 110 characters. Empty until the reasons are written."""
        return str(self.why.get("headline", ""))


class Assignment(models.Model):
    """The unit that is to carry a mission out."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    mission = models.OneToOneField(Mission, on_delete=models.CASCADE)
    unit = models.ForeignKey(Unit, on_delete=models.CASCADE)
    assigned_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    assigned_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.unit} → {self.mission}"


class Engagement(models.Model):
    """One visit of a unit to a mission. Written by ``patrols.services.engagement_record`` only."""

    class Source(models.TextChoices):
        TIMER = "timer", "Officer's timer"
        MANUAL = "manual", "Entered by hand"
        AVL = "avl", "Vehicle location"

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    mission = models.ForeignKey(Mission, on_delete=models.CASCADE, related_name="engagements")
    unit = models.ForeignKey(Unit, null=True, blank=True, on_delete=models.SET_NULL)
    officer = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    arrived_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=8, choices=Source, default=Source.TIMER)

    class Meta:
        ordering = ["arrived_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(left_at__isnull=True) | Q(left_at__gte=F("arrived_at")),
                name="engagement_leaves_after_arriving",
            ),
            # Two presses of Arrived on a slow phone must not open two timers.
            models.UniqueConstraint(
                fields=["mission", "unit"],
                condition=Q(left_at__isnull=True),
                name="one_open_engagement_per_mission_unit",
            ),
            # NULLs are distinct in a unique index: visits without a unit need their own.
            models.UniqueConstraint(
                fields=["mission"],
                condition=Q(left_at__isnull=True, unit__isnull=True),
                name="one_open_engagement_per_mission_without_unit",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.unit} at {self.mission}"

    @property
    def minutes(self) -> float | None:
        """Minutes present; None while the unit is still there."""
        return (self.left_at - self.arrived_at).total_seconds() / 60 if self.left_at else None
