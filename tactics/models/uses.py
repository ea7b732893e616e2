"""What was done at a visit."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, User
from patrols.models import Engagement
from tactics.models.catalogue import Tactic


class TacticUse(models.Model):
    """A tactic ticked off at a visit. Written by ``tactics.services.tactic_use_record`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    engagement = models.ForeignKey(Engagement, on_delete=models.CASCADE, related_name="tactic_uses")
    tactic = models.ForeignKey(Tactic, on_delete=models.PROTECT)
    was_recommended = models.BooleanField()
    used_at = models.DateTimeField(default=timezone.now)
    officer = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = [
            models.Index(fields=["agency", "used_at"], name="tactic_use_by_time"),
            # The operator's list of all agencies.
            models.Index(fields=["used_at"], name="tactic_use_by_time_of_all"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["engagement", "tactic"], name="tactic_once_per_engagement")
        ]

    def __str__(self) -> str:
        return _("%(tactic)s at %(engagement)s") % {"tactic": self.tactic, "engagement": self.engagement}
