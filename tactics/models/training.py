"""Practice: shifts that never happened, and what the officer's page may do in this agency."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, Unit, User


class PracticeShift(models.Model):
    """A made-up shift to learn the page with. Written by ``tactics.services.practice_*`` only.

    All of it is in this row: no mission, visit, tactic or note of it exists anywhere else, so no study and no report
    can count it.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    officer = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    unit = models.ForeignKey(Unit, null=True, blank=True, on_delete=models.SET_NULL)
    started_at = models.DateTimeField(default=timezone.now)
    log = models.JSONField(default=list, help_text=gettext_lazy("The presses, in order."))

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(fields=["agency", "officer"], name="one_practice_shift_per_officer")
        ]

    def __str__(self) -> str:
        return _("Practice of %(officer)s") % {"officer": self.officer}


class OfficerPageSettings(models.Model):
    """What the officer's page may do in this agency. Changed in the admin; without a row, the defaults hold."""

    agency = models.OneToOneField(Agency, on_delete=models.CASCADE)
    near_me = models.BooleanField(
        default=False,
        verbose_name=gettext_lazy("“Near me now”"),
        help_text=gettext_lazy(
            "Officers may press “Near me now”: the browser asks for the phone's position and works out the distances on the "
            "phone. The position is neither sent nor stored. Off: the browser refuses to tell the page where it is."
        ),
    )

    class Meta:
        verbose_name = gettext_lazy("officer's page")
        verbose_name_plural = gettext_lazy("officer's page")

    def __str__(self) -> str:
        return _("Officer's page of %(agency)s") % {"agency": self.agency}
