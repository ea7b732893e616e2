"""What officers write down about a place, and the log of what their phones sent."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, Unit, User
from patrols.models import Engagement, Mission


class VisitNote(models.Model):
    """A few words about a place, from one visit. Written by ``tactics.services.visit_note_record`` only, which screens it."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    engagement = models.ForeignKey(Engagement, on_delete=models.CASCADE, related_name="notes")
    text = models.CharField(max_length=500)
    officer = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["written_at", "pk"]
        constraints = [
            # Two phones, or a form sent again without its number, must not write the same words twice.
            models.UniqueConstraint(fields=["engagement", "text"], name="note_once_per_engagement")
        ]

    def __str__(self) -> str:
        return f"{self.engagement}: {self.text[:40]}"


class OfficerAction(models.Model):
    """One press on an officer's page, as the phone sent it, and what became of it.

    Written by ``tactics.services.actions_apply`` only. The phone numbers each press: a press that comes twice is
    applied once. A refused note leaves its length here and none of its words.
    """

    class Kind(models.TextChoices):
        ARRIVED = "arrived", gettext_lazy("Arrived")
        LEFT = "left", gettext_lazy("Left")
        TACTIC = "tactic", gettext_lazy("Tactic")
        NOTE = "note", gettext_lazy("Note")

    class Status(models.TextChoices):
        DONE = "done", gettext_lazy("Applied")
        REFUSED = "refused", gettext_lazy("Not accepted")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    uuid = models.UUIDField()
    officer = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    unit = models.ForeignKey(Unit, null=True, blank=True, on_delete=models.SET_NULL)
    mission = models.ForeignKey(Mission, null=True, blank=True, on_delete=models.SET_NULL)
    kind = models.CharField(max_length=8, choices=Kind)
    detail = models.JSONField(default=dict)
    device_at = models.DateTimeField(help_text=gettext_lazy("By the phone's own clock."))
    correction_seconds = models.FloatField(
        default=0.0,
        help_text=gettext_lazy("How far the phone's clock was behind ours when it last heard from us."),
    )
    at = models.DateTimeField(
        help_text=gettext_lazy("When it was pressed, by our clock: the phone's time and the correction.")
    )
    received_at = models.DateTimeField(default=timezone.now)
    status = models.CharField(max_length=8, choices=Status)
    message = models.CharField(max_length=500, blank=True)
    engagement = models.ForeignKey(
        Engagement, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-received_at", "-pk"]
        constraints = [
            # Two tabs, a batch sent again after its answer was lost: the database lets one of them apply it.
            models.UniqueConstraint(fields=["agency", "uuid"], name="action_once_per_agency")
        ]

    def __str__(self) -> str:
        return _("%(kind)s, %(unit)s at %(mission)s") % {
            "kind": self.get_kind_display(),
            "unit": self.unit,
            "mission": self.mission,
        }
