"""The plan of a shift instance, and its missions."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, Beat, CrimeType, Shift, User
from forecasting.models import ForecastRun, Grid
from forecasting.reason_words import headline_said
from missions_project.lib.runs import AbstractRun, RunQuerySet
from patrols.models.overrides import Addition


class MissionPlan(AbstractRun):
    """The plan of one shift instance: its whole design and draw. Made by ``patrols.services`` only."""

    class State(models.TextChoices):
        DRAFT = "draft", gettext_lazy("Draft")
        PUBLISHED = "published", gettext_lazy("Published")
        SUPERSEDED = "superseded", gettext_lazy("Superseded")

    class Trigger(models.TextChoices):
        PERSON = "person", gettext_lazy("Asked for by a person")
        SCHEDULE = "schedule", gettext_lazy("By schedule")
        GUNFIRE = "gunfire", gettext_lazy("Gunfire alert")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    shift = models.ForeignKey(Shift, on_delete=models.PROTECT)
    on = models.DateField(help_text=gettext_lazy("The local date on which the shift starts."))
    decision = models.PositiveSmallIntegerField(
        default=0,
        editable=False,
        help_text=gettext_lazy(
            "0 is the shift's plan; 1 and more are decisions in the middle of it, each with its own design and draw "
            "for what is left of the shift."
        ),
    )
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.PERSON, editable=False)
    reason = models.CharField(
        max_length=300,
        blank=True,
        editable=False,
        help_text=gettext_lazy("Why there was another decision during the shift."),
    )
    period_from = models.DateTimeField(
        help_text=gettext_lazy("The shift's start, or when the decision during it was made.")
    )
    period_to = models.DateTimeField()
    forecast_run = models.ForeignKey(ForecastRun, null=True, blank=True, on_delete=models.PROTECT)
    grid = models.ForeignKey(Grid, null=True, blank=True, on_delete=models.PROTECT)
    seed = models.PositiveBigIntegerField(editable=False)
    design = models.BinaryField(
        editable=False,
        default=b"",
        help_text=gettext_lazy("Every candidate's harm, floor, cap, π, Z, start times and dose."),
    )
    design_hash = models.CharField(max_length=64, blank=True, editable=False)
    code_version = models.CharField(max_length=40, blank=True, editable=False)
    replay_mark = models.CharField(
        max_length=64,
        blank=True,
        default="",
        editable=False,
        help_text=gettext_lazy(
            "Signed by the program when it last drew the plan again and found what is stored: seed, digest and bytes of "
            "the design. Another design, another seed or another release has another mark, and is drawn again."
        ),
    )
    replayed_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text=gettext_lazy("When the plan was last drawn again and found to be as stored."),
    )
    reasons_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text=gettext_lazy(
            "When the forecast's reasons were all written beside the missions, or found to be impossible to give."
        ),
    )
    reasons_sent_at = models.DateTimeField(
        null=True, editable=False, help_text=gettext_lazy("When a worker was last asked for the reasons.")
    )
    reasons_claimed_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text=gettext_lazy(
            "The last sign of life of the worker that writes the reasons; its claim ends five minutes later."
        ),
    )
    reasons_attempts = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text=gettext_lazy("How many workers have begun to write the reasons.")
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
        return _("%(shift)s %(on)s, plan %(self_pk)s") % {
            "shift": self.shift,
            "on": f"{self.on:%Y-%m-%d}",
            "self_pk": self.pk,
        }


class Mission(models.Model):
    """A directed patrol to one cell. Drawn ones are made by ``patrols.services.plan_missions`` and never change.

    ``why`` is written once, when the plan is done, by ``patrols.services.plan_reasons_write``.
    """

    class Source(models.TextChoices):
        DRAWN = "drawn", gettext_lazy("Drawn")
        ADDED = "added", gettext_lazy("Added by a person")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    plan = models.ForeignKey(MissionPlan, on_delete=models.CASCADE, related_name="missions")
    beat = models.ForeignKey(Beat, on_delete=models.PROTECT)
    number = models.PositiveSmallIntegerField()
    cell_id = models.BigIntegerField(
        help_text=gettext_lazy("Stable id of the cell in the plan's grid (row × columns + column).")
    )
    crime_type = models.ForeignKey(CrimeType, on_delete=models.PROTECT)
    place = models.CharField(max_length=120, blank=True)
    visit_starts = models.JSONField(help_text=gettext_lazy("Start of each visit, as ISO instants in UTC."))
    starts_at = models.DateTimeField(help_text=gettext_lazy("Start of the first visit."))
    dose_minutes = models.PositiveSmallIntegerField()
    expected = models.FloatField(
        help_text=gettext_lazy("Expected count of the crime type in the cell in this shift.")
    )
    harm = models.FloatField(help_text=gettext_lazy("Sum over crime types of weight × expected count."))
    probability = models.FloatField(
        help_text=gettext_lazy("Inclusion probability π of the cell in the draw.")
    )
    why = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text=gettext_lazy(
            "The forecast's reasons when the plan was made: one line, the three strongest, all in words, and each "
            "driver's share."
        ),
    )
    source = models.CharField(max_length=8, choices=Source, default=Source.DRAWN)
    addition = models.ForeignKey(
        Addition,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="missions",
        help_text=gettext_lazy(
            "The addition that asked for it before the draw. Empty: drawn, or added after the draw."
        ),
    )
    reason = models.CharField(max_length=300, blank=True, help_text=gettext_lazy("Why a person added it."))
    author = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    tactic = models.SlugField(
        max_length=60,
        blank=True,
        help_text=gettext_lazy("The tactic that the person who added it asked for. Empty: by the rules."),
    )
    moved_starts = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text=gettext_lazy(
            "Start of each visit as a person changed them; what was drawn stays in visit_starts."
        ),
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
        help_text=gettext_lazy("The added mission that takes the place of this withdrawn one."),
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    withdrawn_reason = models.CharField(max_length=300, blank=True)
    withdrawn_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["plan", "number"]
        constraints = [models.UniqueConstraint(fields=["plan", "cell_id"], name="one_mission_per_plan_cell")]
        indexes = [models.Index(fields=["starts_at"], name="mission_by_start")]

    def __str__(self) -> str:
        return _("Mission %(self_number)s (%(crime_type)s)") % {
            "self_number": self.number,
            "crime_type": self.crime_type,
        }

    @property
    def current_starts(self) -> list[str]:
        """Start of each visit as it stands now, ISO instants in UTC: a person's change, else what was drawn."""
        return list(self.moved_starts or self.visit_starts)

    @property
    def headline(self) -> str:
        """Why here, in one line of at most 110 characters. Empty until the reasons are written."""
        return str(self.why.get("headline", ""))

    @property
    def headline_said(self) -> str:
        """``headline`` in the reader's language."""
        return headline_said(self.headline)
