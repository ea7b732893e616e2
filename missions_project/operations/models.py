"""Signs of life of what has no page of its own, and the alerts that the operator got."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from missions_project.lib.lazy import gettext_lazy
from missions_project.lib.outbox import AbstractDelivery


class Pulse(models.Model):
    """When something last said that it lives, and who. Written by ``operations.pulses`` only."""

    name = models.CharField(max_length=40, unique=True)
    holder = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M}"


class Alert(models.Model):
    """Something that the operator should know, from when it was seen until it was over. Written by ``operations.alerts`` only."""

    kind = models.CharField(max_length=20)
    key = models.CharField(max_length=120, help_text=gettext_lazy("What it is about; one is open at a time."))
    # Not a foreign key: the operator's alert outlives the agency that it was about.
    agency_slug = models.CharField(max_length=50, blank=True)
    what = models.TextField()
    next_step = models.TextField(blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(closed_at=None), name="one_open_alert_per_key"
            )
        ]

    def __str__(self) -> str:
        return self.what


class AlertDelivery(AbstractDelivery):
    """One alert on its way to the operator. Written by ``operations.alerts`` only."""

    class Event(models.TextChoices):
        RAISED = "raised", gettext_lazy("Raised")
        OVER = "over", gettext_lazy("Over")

    class Channel(models.TextChoices):
        EMAIL = "email", gettext_lazy("E-mail")
        WEBHOOK = "webhook", gettext_lazy("Web-hook")

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=6, choices=Event)
    channel = models.CharField(max_length=8, choices=Channel)

    class Meta:
        verbose_name_plural = gettext_lazy("alert deliveries")
        constraints = [
            models.UniqueConstraint(fields=["alert", "event", "channel"], name="one_delivery_per_alert_event")
        ]
        indexes = [models.Index(fields=["next_at"], condition=Q(state="waiting"), name="alerts_waiting")]

    def __str__(self) -> str:
        return f"{self.get_event_display()} by {self.get_channel_display()}"
