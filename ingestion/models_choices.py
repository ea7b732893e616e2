"""The words by which feeds and facts are told apart."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RecordKind(models.TextChoices):
    INCIDENTS = "incidents", _("Crime incidents")
    CALLS = "calls", _("Calls for service")
    GUNFIRE = "gunfire", _("Gunfire detections")
    EVENTS = "events", _("Scheduled events")
    WEATHER = "weather", _("Weather")
    POSITIONS = "positions", _("Vehicle positions")


class Stage(models.TextChoices):
    """How far a gunfire alert has come, in order."""

    DETECTED = "detected", _("Detected")
    REVIEWED = "reviewed", _("Reviewed")
    RECLASSIFIED = "reclassified", _("Reclassified")
    DISMISSED = "dismissed", _("Dismissed")


class Discovery(models.TextChoices):
    REPORTED = "reported", _("Reported by the public")
    SENSOR = "sensor", _("Acoustic sensor")
    OFFICER_INITIATED = "officer_initiated", _("Officer-initiated")
