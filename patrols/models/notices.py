"""Who wants to be told about plans, how, and what was sent."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, Membership
from missions_project.lib.outbox import AbstractDelivery
from patrols.models.plans import MissionPlan


class NoticeChoice(models.Model):
    """What one person wants to be told about plans of one agency. Written by ``patrols.services.notice_choice_set`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    membership = models.OneToOneField(Membership, on_delete=models.CASCADE, related_name="notice_choice")
    when_published = models.BooleanField(default=True, verbose_name=gettext_lazy("a plan is published"))
    when_changed = models.BooleanField(
        default=False, verbose_name=gettext_lazy("a published plan is changed")
    )
    when_failed = models.BooleanField(default=True, verbose_name=gettext_lazy("a plan could not be made"))
    by_email = models.BooleanField(default=False, verbose_name=gettext_lazy("by e-mail"))
    webhook_url = models.URLField(
        blank=True,
        verbose_name=gettext_lazy("web-hook"),
        help_text=gettext_lazy("An https address that receives the notice as JSON."),
    )
    webhook_secret = models.TextField(
        blank=True, editable=False, help_text=gettext_lazy("Sealed; signs what is sent.")
    )
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["membership"]

    def __str__(self) -> str:
        return _("Notices to %(user)s") % {"user": self.membership.user}

    def clean(self) -> None:
        if self.membership_id and self.membership.agency_id != self.agency_id:
            raise ValidationError({"membership": _("This belongs to another agency.")})


class NoticeDelivery(AbstractDelivery):
    """One notice on its way to one person: kept until it arrived or was given up. Written by ``patrols.services.notices``."""

    class Event(models.TextChoices):
        PUBLISHED = "published", gettext_lazy("Plan published")
        CHANGED = "changed", gettext_lazy("Plan changed")
        FAILED = "failed", gettext_lazy("No plan")

    class Channel(models.TextChoices):
        EMAIL = "email", gettext_lazy("E-mail")
        WEBHOOK = "webhook", gettext_lazy("Web-hook")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    choice = models.ForeignKey(NoticeChoice, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=10, choices=Event)
    channel = models.CharField(max_length=8, choices=Channel)
    plan = models.ForeignKey(MissionPlan, null=True, on_delete=models.CASCADE, related_name="+")
    # One notice per event, person and way, however often a worker is killed between writing and sending.
    key = models.CharField(max_length=80, help_text=gettext_lazy("What the notice is about; sent once."))
    payload = models.JSONField(default=dict)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = gettext_lazy("notice deliveries")
        constraints = [
            models.UniqueConstraint(fields=["choice", "channel", "key"], name="one_notice_per_person_event")
        ]
        indexes = [models.Index(fields=["next_at"], condition=Q(state="waiting"), name="notices_waiting")]

    def __str__(self) -> str:
        return _("%(event)s by %(channel)s") % {
            "event": self.get_event_display(),
            "channel": self.get_channel_display(),
        }
