"""Who wants to be told about plans, how, and what was sent."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from agencies.models import Agency, Membership
from missions_project.lib.outbox import AbstractDelivery
from patrols.models.plans import MissionPlan


class NoticeChoice(models.Model):
    """What one person wants to be told about plans of one agency. Written by ``patrols.services.notice_choice_set`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    membership = models.OneToOneField(Membership, on_delete=models.CASCADE, related_name="notice_choice")
    when_published = models.BooleanField(default=True, verbose_name="a plan is published")
    when_changed = models.BooleanField(default=False, verbose_name="a published plan is changed")
    when_failed = models.BooleanField(default=True, verbose_name="a plan could not be made")
    by_email = models.BooleanField(default=False, verbose_name="by e-mail")
    webhook_url = models.URLField(
        blank=True, verbose_name="web-hook", help_text="An https address that receives the notice as JSON."
    )
    webhook_secret = models.TextField(blank=True, editable=False, help_text="Sealed; signs what is sent.")
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["membership"]

    def __str__(self) -> str:
        return f"Notices to {self.membership.user}"

    def clean(self) -> None:
        if self.membership_id and self.membership.agency_id != self.agency_id:
            raise ValidationError({"membership": "This belongs to another agency."})


class NoticeDelivery(AbstractDelivery):
    """One notice on its way to one person: kept until it arrived or was given up. Written by ``patrols.services.notices``."""

    class Event(models.TextChoices):
        PUBLISHED = "published", "Plan published"
        CHANGED = "changed", "Plan changed"
        FAILED = "failed", "No plan"

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Web-hook"

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    choice = models.ForeignKey(NoticeChoice, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=10, choices=Event)
    channel = models.CharField(max_length=8, choices=Channel)
    plan = models.ForeignKey(MissionPlan, null=True, on_delete=models.CASCADE, related_name="+")
    # One notice per event, person and way, however often a worker is killed between writing and sending.
    key = models.CharField(max_length=80, help_text="What the notice is about; sent once.")
    payload = models.JSONField(default=dict)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "notice deliveries"
        constraints = [
            models.UniqueConstraint(fields=["choice", "channel", "key"], name="one_notice_per_person_event")
        ]
        indexes = [models.Index(fields=["next_at"], condition=Q(state="waiting"), name="notices_waiting")]

    def __str__(self) -> str:
        return f"{self.get_event_display()} by {self.get_channel_display()}"
