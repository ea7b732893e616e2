"""How long units were where, put together from all sources after each shift."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, Beat, Shift, Unit
from forecasting.models import Grid
from patrols.models.plans import Mission, MissionPlan


class PresenceAccount(models.Model):
    """The account of one shift instance: when it is due, who holds it, what it found.

    Written by ``patrols.services.presence`` only. ``next_at`` is when it is due again; whoever moves it forward holds it.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    shift = models.ForeignKey(Shift, on_delete=models.CASCADE)
    on = models.DateField(help_text=gettext_lazy("The local date on which the shift starts."))
    period_to = models.DateTimeField()
    next_at = models.DateTimeField(null=True, blank=True, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    done_at = models.DateTimeField(null=True, blank=True)
    counts = models.JSONField(
        default=dict,
        blank=True,
        help_text=gettext_lazy("What was read, mended and contradicted; minutes by source."),
    )

    class Meta:
        ordering = ["-on", "shift"]
        constraints = [
            models.UniqueConstraint(fields=["agency", "shift", "on"], name="one_presence_account_per_shift")
        ]

    def __str__(self) -> str:
        return _("Presence in %(shift)s %(on)s") % {"shift": self.shift, "on": f"{self.on:%Y-%m-%d}"}


class Presence(models.Model):
    """One stretch of time of a unit in a box, from one source. Written by ``patrols.services.presence_count`` only.

    Stays of under a minute outside missions are summed in one row a box, without a unit: ``visits`` says how many, and
    ``minutes`` is then less than from the first to the last. ``minutes`` 0 is a record of a visit of unknown length.
    """

    class Source(models.TextChoices):
        AVL = "avl", gettext_lazy("Vehicle location")
        TIMER = "timer", gettext_lazy("Officer's timer")
        CAD = "cad", gettext_lazy("Dispatch record")
        MANUAL = "manual", gettext_lazy("Entered by hand")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE, db_index=False)
    account = models.ForeignKey(PresenceAccount, on_delete=models.CASCADE, related_name="presences")
    unit = models.ForeignKey(Unit, null=True, on_delete=models.SET_NULL)
    mission = models.ForeignKey(Mission, null=True, on_delete=models.SET_NULL, related_name="presences")
    plan = models.ForeignKey(MissionPlan, null=True, on_delete=models.SET_NULL, related_name="+")
    grid = models.ForeignKey(Grid, on_delete=models.CASCADE, related_name="+")
    beat = models.ForeignKey(Beat, null=True, on_delete=models.SET_NULL, related_name="+")
    cell_id = models.BigIntegerField(
        help_text=gettext_lazy("Stable id of the cell in the grid (row × columns + column).")
    )
    arrived_at = models.DateTimeField()
    left_at = models.DateTimeField()
    source = models.CharField(max_length=8, choices=Source)
    minutes = models.FloatField()
    visits = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["arrived_at"]
        indexes = [models.Index(fields=["agency", "arrived_at"], name="presence_by_time")]
        constraints = [
            models.CheckConstraint(
                condition=Q(left_at__gte=F("arrived_at")), name="presence_leaves_after_arriving"
            ),
            models.CheckConstraint(condition=Q(minutes__gte=0), name="presence_minutes_not_negative"),
        ]

    def __str__(self) -> str:
        return _("%(minutes)s minutes in cell %(cell_id)s (%(source)s)") % {
            "minutes": f"{self.minutes:.1f}",
            "cell_id": self.cell_id,
            "source": self.source,
        }
