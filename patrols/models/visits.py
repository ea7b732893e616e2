"""Who is to carry a mission out, and who did."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, Unit, User
from patrols.models.plans import Mission


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
        TIMER = "timer", gettext_lazy("Officer's timer")
        MANUAL = "manual", gettext_lazy("Entered by hand")
        AVL = "avl", gettext_lazy("Vehicle location")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    mission = models.ForeignKey(Mission, on_delete=models.CASCADE, related_name="engagements")
    unit = models.ForeignKey(Unit, null=True, blank=True, on_delete=models.SET_NULL)
    officer = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    arrived_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=8, choices=Source, default=Source.TIMER)

    class Meta:
        ordering = ["arrived_at"]
        indexes = [
            models.Index(fields=["agency", "arrived_at"], name="engagement_by_time"),
            # The operator's list of all agencies.
            models.Index(fields=["arrived_at"], name="engagement_by_time_of_all"),
        ]
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
        return _("%(unit)s at %(mission)s") % {"unit": self.unit, "mission": self.mission}

    @property
    def minutes(self) -> float | None:
        """Minutes present; None while the unit is still there."""
        return (self.left_at - self.arrived_at).total_seconds() / 60 if self.left_at else None
