"""What officers expect, written down before it happens."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, Beat, CrimeType, Unit, User
from forecasting.models import Grid


class Hunch(models.Model):
    """An officer's expectation of one crime type in one cell for some days: a hypothesis that can be scored later.

    Written by ``tactics.services.hunch_log`` and ``hunch_answer`` only. It sends nobody anywhere.
    """

    class Status(models.TextChoices):
        NEW = "new", gettext_lazy("New")
        SEEN = "seen", gettext_lazy("Looked at")
        FOLLOWED = "followed", gettext_lazy("Followed up")
        CLOSED = "closed", gettext_lazy("Set aside")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    uuid = models.UUIDField(help_text=gettext_lazy("From the form: sent twice, it is logged once."))
    officer = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    unit = models.ForeignKey(Unit, null=True, blank=True, on_delete=models.SET_NULL)
    grid = models.ForeignKey(Grid, on_delete=models.PROTECT)
    cell_id = models.PositiveIntegerField(
        help_text=gettext_lazy("The grid cell: the exact point is not kept.")
    )
    beat = models.ForeignKey(Beat, null=True, blank=True, on_delete=models.SET_NULL)
    crime_type = models.ForeignKey(CrimeType, on_delete=models.CASCADE)
    period_from = models.DateTimeField()
    period_to = models.DateTimeField()
    reason = models.CharField(max_length=500)
    made_at = models.DateTimeField(default=timezone.now)
    status = models.CharField(max_length=8, choices=Status, default=Status.NEW)
    answer = models.CharField(
        max_length=500, blank=True, help_text=gettext_lazy("The analyst's words to the officer.")
    )
    answered_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at", "-pk"]
        verbose_name_plural = gettext_lazy("hunches")
        constraints = [
            models.UniqueConstraint(fields=["agency", "uuid"], name="hunch_once_per_agency"),
            models.CheckConstraint(
                condition=Q(period_to__gt=F("period_from")), name="hunch_ends_after_it_begins"
            ),
            # A hypothesis about what has already happened is none.
            models.CheckConstraint(
                condition=Q(period_from__gte=F("made_at")), name="hunch_is_made_before_it_begins"
            ),
        ]

    def __str__(self) -> str:
        return _("%(crime_type)s in cell %(cell_id)s, %(period_from)s") % {
            "crime_type": self.crime_type,
            "cell_id": self.cell_id,
            "period_from": f"{self.period_from:%Y-%m-%d}",
        }
