"""The words by which feeds and facts are told apart."""

from django.db import models


class RecordKind(models.TextChoices):
    INCIDENTS = "incidents", "Crime incidents"
    CALLS = "calls", "Calls for service"
    GUNFIRE = "gunfire", "Gunfire detections"
    EVENTS = "events", "Scheduled events"
    WEATHER = "weather", "Weather"
    POSITIONS = "positions", "Vehicle positions"


class Stage(models.TextChoices):
    """How far a gunfire alert has come, in order."""

    DETECTED = "detected", "Detected"
    REVIEWED = "reviewed", "Reviewed"
    RECLASSIFIED = "reclassified", "Reclassified"
    DISMISSED = "dismissed", "Dismissed"


class Discovery(models.TextChoices):
    REPORTED = "reported", "Reported by the public"
    SENSOR = "sensor", "Acoustic sensor"
    OFFICER_INITIATED = "officer_initiated", "Officer-initiated"
