"""What machines send by themselves: vehicle positions, the daily account of pushes, and what open pages follow."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency
from ingestion.models import Feed, ImportRun

COUNTS = ("received", "inserted", "updated", "unchanged", "quarantined", "refused")


class VehiclePosition(models.Model):
    """Where a unit was at an instant. Written by ``ingestion.services.positions_store`` only.

    A unit's code and nothing about who sat in the car. What is stored once is never changed.
    """

    # Without constraints in the database: checking three references a row would be most of the time of a batch of
    # 10,000, and Django's own cascade deletes the rows with their feed.
    agency = models.ForeignKey(Agency, on_delete=models.CASCADE, db_index=False, db_constraint=False)
    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, db_index=False, db_constraint=False)
    unit_code = models.CharField(max_length=20)
    at = models.DateTimeField()
    lon = models.FloatField()
    lat = models.FloatField()
    is_known_unit = models.BooleanField(
        help_text=gettext_lazy("Whether the agency had a unit of this call sign then.")
    )
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["feed", "unit_code", "at"], name="position_once_per_feed_unit")
        ]
        indexes = [models.Index(fields=["agency", "at"], name="position_by_time")]

    def __str__(self) -> str:
        return _("%(unit_code)s at %(at)s") % {
            "unit_code": self.unit_code,
            "at": f"{self.at:%Y-%m-%d %H:%M:%S}",
        }


class PushDay(models.Model):
    """A feed's pushes of one UTC day, and the run row under which they are shown. Made by ``ingestion.services`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, related_name="push_days")
    on = models.DateField()
    run = models.OneToOneField(ImportRun, on_delete=models.CASCADE, related_name="push_day")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["feed", "on"], name="push_day_once_per_feed")]

    def __str__(self) -> str:
        return f"{self.feed}, {self.on:%Y-%m-%d}"


class PushTally(models.Model):
    """One part of a day's account; the day's is the sum of its parts. Written by ``ingestion.services`` only.

    Each server thread adds to a part of its own: in one row for all, every push would wait for the one before it to
    reach the disk.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    day = models.ForeignKey(PushDay, on_delete=models.CASCADE, related_name="tallies")
    slot = models.PositiveSmallIntegerField()
    batches = models.PositiveBigIntegerField(default=0)
    received = models.PositiveBigIntegerField(default=0)
    inserted = models.PositiveBigIntegerField(default=0)
    updated = models.PositiveBigIntegerField(default=0)
    unchanged = models.PositiveBigIntegerField(default=0)
    quarantined = models.PositiveBigIntegerField(default=0)
    refused = models.PositiveBigIntegerField(default=0)
    refusals = models.JSONField(default=dict, blank=True)
    rejections = models.JSONField(default=dict, blank=True)
    last_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["day", "slot"], name="push_tally_once_per_slot"),
            models.CheckConstraint(
                condition=Q(
                    received=F("inserted") + F("updated") + F("unchanged") + F("quarantined") + F("refused")
                ),
                name="push_tally_adds_up",
            ),
        ]

    def __str__(self) -> str:
        return _("%(day)s, part %(slot)s") % {"day": self.day, "slot": self.slot}


class ForecastRefresh(models.Model):
    """Whether an agency's next forecast should be made anew, and whether somebody does. Changed by compare-and-swap.

    Written by ``ingestion.services.refresh_ask``, ``refresh_begin`` and ``refresh_end`` only.
    """

    agency = models.OneToOneField(Agency, on_delete=models.CASCADE)
    asked_at = models.DateTimeField(null=True)
    begun_at = models.DateTimeField(null=True)
    is_running = models.BooleanField(default=False)

    def __str__(self) -> str:
        return _("%(agency)s: asked %(asked_at)s") % {"agency": self.agency, "asked_at": self.asked_at}
