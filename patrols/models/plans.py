"""The plan of a shift instance, and its missions."""

from django.db import models
from django.db.models import Q

from agencies.models import Agency, Beat, CrimeType, Shift, User
from forecasting.models import ForecastRun, Grid
from missions_project.lib.runs import AbstractRun, RunQuerySet
from patrols.models.overrides import Addition


class MissionPlan(AbstractRun):
    """The plan of one shift instance: its whole design and draw. Made by ``patrols.services`` only."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        SUPERSEDED = "superseded", "Superseded"

    class Trigger(models.TextChoices):
        PERSON = "person", "Asked for by a person"
        SCHEDULE = "schedule", "By schedule"
        GUNFIRE = "gunfire", "Gunfire alert"

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    shift = models.ForeignKey(Shift, on_delete=models.PROTECT)
    on = models.DateField(help_text="The local date on which the shift starts.")
    decision = models.PositiveSmallIntegerField(
        default=0,
        editable=False,
        help_text="0 is the shift's plan; 1 and more are decisions in the middle of it, each with its own design and draw "
        "for what is left of the shift.",
    )
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.PERSON, editable=False)
    reason = models.CharField(
        max_length=300,
        blank=True,
        editable=False,
        help_text="Why there was another decision during the shift.",
    )
    period_from = models.DateTimeField(
        help_text="The shift's start, or when the decision during it was made."
    )
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
    replay_mark = models.CharField(
        max_length=64,
        blank=True,
        default="",
        editable=False,
        help_text="Signed by the program when it last drew the plan again and found what is stored: seed, digest and bytes of "
        "the design. Another design, another seed or another release has another mark, and is drawn again.",
    )
    replayed_at = models.DateTimeField(
        null=True, editable=False, help_text="When the plan was last drawn again and found to be as stored."
    )
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
                fields=["agency", "shift", "on", "decision"],
                condition=Q(state="published"),
                name="one_published_plan_per_decision",
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
    addition = models.ForeignKey(
        Addition,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="missions",
        help_text="The addition that asked for it before the draw. Empty: drawn, or added after the draw.",
    )
    reason = models.CharField(max_length=300, blank=True, help_text="Why a person added it.")
    author = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    tactic = models.SlugField(
        max_length=60,
        blank=True,
        help_text="The tactic that the person who added it asked for. Empty: by the rules.",
    )
    moved_starts = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text="Start of each visit as a person changed them; what was drawn stays in visit_starts.",
    )
    moved_at = models.DateTimeField(null=True, blank=True, editable=False)
    moved_reason = models.CharField(max_length=300, blank=True, editable=False)
    moved_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    swapped_for = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="instead_of",
        help_text="The added mission that takes the place of this withdrawn one.",
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.CharField(max_length=300, blank=True)
    withdrawn_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["plan", "number"]
        constraints = [models.UniqueConstraint(fields=["plan", "cell_id"], name="one_mission_per_plan_cell")]

    def __str__(self) -> str:
        return f"Mission {self.number} ({self.crime_type})"

    @property
    def current_starts(self) -> list[str]:
        """Start of each visit as it stands now, ISO instants in UTC: a person's change, else what was drawn."""
        return list(self.moved_starts or self.visit_starts)

    @property
    def headline(self) -> str:
        """Why here, in one line of at most 110 characters. Empty until the reasons are written."""
        return str(self.why.get("headline", ""))
