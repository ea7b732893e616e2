"""When shifts are forecast and planned by themselves, and what became of each."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, Shift
from forecasting.models import ForecastRun
from patrols.models.plans import MissionPlan


class PlanSchedule(models.Model):
    """How long before a shift its forecast and plan are made by themselves. A row for one shift goes before that for all."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    shift = models.ForeignKey(
        Shift,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        help_text=gettext_lazy("Only for this shift. Empty: for all others."),
    )
    is_on = models.BooleanField(
        default=True, help_text=gettext_lazy("Off: shifts are planned when somebody asks for it.")
    )
    lead_minutes = models.PositiveSmallIntegerField(
        default=120,
        validators=[MinValueValidator(5), MaxValueValidator(2880)],
        help_text=gettext_lazy("Minutes before the shift's start at which it is forecast and planned."),
    )
    refresh_minutes = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(1440)],
        help_text=gettext_lazy(
            "Forecast and plan anew every so many minutes until the shift starts, as long as the plan is a draft. "
            "0: once. Less than 15 is taken as 15."
        ),
    )
    publishes = models.BooleanField(
        default=False,
        help_text=gettext_lazy(
            "Publish the plan by itself when the shift starts and nobody has published one. Off: a supervisor "
            "publishes."
        ),
    )

    class Meta:
        ordering = ["agency", "shift"]
        constraints = [
            models.UniqueConstraint(fields=["agency", "shift"], name="one_schedule_per_shift"),
            # NULLs are distinct in a unique index: the row for all shifts needs its own.
            models.UniqueConstraint(
                fields=["agency"],
                condition=Q(shift__isnull=True),
                name="one_schedule_for_all_shifts",
                violation_error_message=gettext_lazy("There is a schedule for all shifts already."),
            ),
        ]

    def __str__(self) -> str:
        return _("%(shift)s: %(lead_minutes)s minutes before") % {
            "shift": self.shift or _("All shifts"),
            "lead_minutes": self.lead_minutes,
        }

    def clean(self) -> None:
        if self.shift and self.shift.agency_id != self.agency_id:
            raise ValidationError({"shift": _("This shift belongs to another agency.")})


class ShiftPlanning(models.Model):
    """One round of forecasting and planning one shift instance by schedule.

    The row is the claim: whoever inserts it plans, and the unique constraint lets only one do so. Written by
    ``patrols.services.schedules`` only; its state changes by compare-and-swap.
    """

    class State(models.TextChoices):
        QUEUED = "queued", gettext_lazy("Queued")
        RUNNING = "running", gettext_lazy("Running")
        DONE = "done", gettext_lazy("Done")
        FAILED = "failed", gettext_lazy("Failed")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    shift = models.ForeignKey(Shift, on_delete=models.CASCADE)
    on = models.DateField(help_text=gettext_lazy("The local date on which the shift starts."))
    round = models.PositiveSmallIntegerField(
        default=0, help_text=gettext_lazy("0 is the first; later ones are refreshes.")
    )
    due_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, help_text=gettext_lazy("The worker's last sign of life."))
    finished_at = models.DateTimeField(null=True)
    forecast_run = models.ForeignKey(ForecastRun, null=True, on_delete=models.SET_NULL, related_name="+")
    plan = models.ForeignKey(MissionPlan, null=True, on_delete=models.SET_NULL, related_name="+")
    message = models.TextField(blank=True, help_text=gettext_lazy("Why there is no plan, and the next step."))

    class Meta:
        ordering = ["-due_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "shift", "on", "round"], name="one_planning_per_shift_instance_round"
            )
        ]
        indexes = [models.Index(fields=["state", "due_at"], name="planning_by_state")]

    def __str__(self) -> str:
        return _("%(shift)s %(on)s, round %(round)s") % {
            "shift": self.shift,
            "on": f"{self.on:%Y-%m-%d}",
            "round": self.round,
        }
