"""What came in: feeds and their mappings, import runs, facts, and the rows that could not be used."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from knox.models import AbstractAuthToken

from agencies.models import Agency, CrimeType
from agencies.offence_words import refusal_said
from ingestion.models_choices import Discovery, RecordKind, Stage
from ingestion.models_context import CensusArea, ContextLayer, ScheduledEvent, WeatherHour
from ingestion.retention_models import FeedQuality, RetentionPolicy
from missions_project.lib.runs import AbstractRun, RunQuerySet, RunStatus

LONGEST_LAG_HOURS = 4_380
LONGEST_SILENCE_HOURS = 1_440
"""Sixty days: further back nobody looks for the last row."""


class Feed(models.Model):
    """A source of rows and how to read them."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(
        max_length=80, help_text=gettext_lazy("Shown in the feed list, e.g. “RMS incidents”.")
    )
    slug = models.SlugField(max_length=60, help_text=gettext_lazy("Used by the import command: --feed SLUG."))
    record_kind = models.CharField(
        max_length=12,
        choices=RecordKind,
        default=RecordKind.INCIDENTS,
        help_text=gettext_lazy(
            "What one row is. Incidents of the agency's crime types train the forecast; calls and gunfire "
            "detections are further signals."
        ),
    )
    kind = models.CharField(
        max_length=40,
        default="csv_file",
        help_text=gettext_lazy("How rows arrive. Each kind declares its own parameters."),
    )
    params = models.JSONField(
        default=dict,
        blank=True,
        help_text=gettext_lazy("The kind's parameters. Secrets are never shown again."),
    )
    mapping = models.JSONField(
        default=dict,
        blank=True,
        help_text=gettext_lazy(
            "Columns → fields, date format, time zone, CRS. Made by the mapping wizard; columns that it does not "
            "name are never stored."
        ),
    )
    is_active = models.BooleanField(default=True, help_text=gettext_lazy("Inactive feeds accept no imports."))
    lag_median_hours = models.FloatField(
        null=True,
        blank=True,
        verbose_name=gettext_lazy("reporting lag: half known after (hours)"),
        help_text=gettext_lazy(
            "For feeds without report times: half of the rows reach you within so many hours after the incident. The forecast "
            "raises the counts of the last days by what is still to come. Empty: everything is taken as known at once."
        ),
    )
    lag_p90_hours = models.FloatField(
        null=True,
        blank=True,
        verbose_name=gettext_lazy("reporting lag: 90 % known after (hours)"),
        help_text=gettext_lazy(
            "Nine in ten rows reach you within so many hours. Set both or neither; ignored for rows that tell when they were "
            "reported: there the lag is measured."
        ),
    )
    every_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        verbose_name=gettext_lazy("pull every (minutes)"),
        help_text=gettext_lazy("Only for kinds that are pulled. Empty: only by hand."),
    )
    silent_after_hours = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LONGEST_SILENCE_HOURS)],
        verbose_name=gettext_lazy("silent after (hours)"),
        help_text=gettext_lazy(
            "After so many hours without a new row the feed counts as silent and its health is red. Empty: pushed positions "
            "after 2 hours, calls after 12, incidents and gunfire after 72; files and pulls by their own pace."
        ),
    )
    next_due_at = models.DateTimeField(null=True, blank=True, editable=False)
    cursor = models.JSONField(default=dict, blank=True, editable=False)
    """Where the next pull begins; moved only together with the rows that it stands for."""
    sealed_secrets = models.TextField(blank=True, editable=False)
    """The kind's secret parameters, encrypted. Read and written only by ``ingestion.services.secrets``."""
    draft = models.JSONField(default=dict, blank=True, editable=False)
    """An upload on its way through the mapping wizard: its place in the spool and the mapping so far."""

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["agency", "slug"], name="feed_slug_once_per_agency"),
            models.CheckConstraint(
                condition=Q(lag_median_hours__isnull=True, lag_p90_hours__isnull=True)
                # A comparison with nothing is neither true nor false, and a check lets that pass.
                | Q(
                    lag_median_hours__gt=0,
                    lag_p90_hours__isnull=False,
                    lag_p90_hours__gte=F("lag_median_hours"),
                ),
                name="feed_lag_makes_sense",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        # Alerts and calls are judged more mildly than incidents: switched over, their rows would become crimes.
        mapped_as = (self.mapping or {}).get("record_kind")
        if mapped_as and mapped_as != self.record_kind:
            raise ValidationError({"record_kind": self.kind_conflict(mapped_as)})
        self._clean_lag()

    def _clean_lag(self) -> None:
        median, p90 = self.lag_median_hours, self.lag_p90_hours
        if median is None and p90 is None:
            return
        if median is None or p90 is None:
            empty = "lag_median_hours" if median is None else "lag_p90_hours"
            raise ValidationError({empty: _("Set both hours of the reporting lag, or neither.")})
        if not median > 0:
            raise ValidationError({"lag_median_hours": _("Must be above zero. Leave both empty for no lag.")})
        if not median <= p90 <= LONGEST_LAG_HOURS:
            raise ValidationError(
                {
                    "lag_p90_hours": _(
                        "Must be between the first number and %(longest_lag_hours)s hours (half a year)."
                    )
                    % {"longest_lag_hours": f"{LONGEST_LAG_HOURS:,}"}
                }
            )

    def kind_conflict(self, mapped_as: str) -> str:
        """What to say where the feed's kind of record is not that of its mapping."""
        return _("This feed is mapped as %(mapped_as)s. Make a new feed for %(record_kind)s.") % {
            "mapped_as": mapped_as,
            "record_kind": self.get_record_kind_display().lower(),
        }


class OffenceCode(models.Model):
    """What one of a feed's codes means to us: a crime type, or nothing that we forecast."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    feed = models.ForeignKey(
        Feed,
        on_delete=models.CASCADE,
        related_name="offence_codes",
        help_text=gettext_lazy("The feed that uses it."),
    )
    code = models.CharField(max_length=60, help_text=gettext_lazy("As it stands in the file, e.g. “0610”."))
    description = models.CharField(
        max_length=200,
        blank=True,
        help_text=gettext_lazy("The agency's own words; screened for refused offences."),
    )
    nibrs_code = models.CharField(
        max_length=12,
        blank=True,
        verbose_name=gettext_lazy("NIBRS or UCR code"),
        help_text=gettext_lazy("If the agency's table has one: it decides."),
    )
    crime_type = models.ForeignKey(
        CrimeType,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        help_text=gettext_lazy(
            "Rows with this code become incidents of this type. Empty: rows are kept aside as unmapped."
        ),
    )
    is_ignored = models.BooleanField(
        default=False,
        help_text=gettext_lazy("Rows with this code are counted as refused by policy and never stored."),
    )
    written_reason = models.TextField(
        blank=True,
        help_text=gettext_lazy("Needed where the description holds a screened word. Kept in the audit log."),
    )

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["feed", "code"], name="offence_code_once_per_feed")]

    def __str__(self) -> str:
        return f"{self.code} {self.description}".strip()

    def clean(self) -> None:
        from agencies.engine import offence_policy

        if self.crime_type is None:
            return
        if self.crime_type.agency_id != self.agency_id:
            raise ValidationError({"crime_type": _("This crime type belongs to another agency.")})
        verdict = offence_policy.screen_code(
            code=self.code,
            nibrs=self.nibrs_code,
            description=self.description,
            written_reason=self.written_reason,
            declared=self.crime_type.nibrs_code,
        )
        if isinstance(verdict, offence_policy.Refused):
            raise ValidationError({"nibrs_code": refusal_said(verdict.message)}, code="refused_offence")
        if isinstance(verdict, offence_policy.NeedsReason):
            raise ValidationError({"written_reason": refusal_said(verdict.message)}, code="needs_reason")


class ImportRun(AbstractRun):
    """One import of one file. Made and changed by ``ingestion.services`` only.

    ``counts`` holds received, inserted, updated, unchanged, quarantined and refused, and received is always
    the sum of the others. ``refusals`` and ``rejections`` hold counts by code.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, related_name="runs")
    file_name = models.CharField(max_length=200, blank=True)
    spool_name = models.CharField(max_length=200, blank=True, editable=False)
    refusals = models.JSONField(default=dict, blank=True)
    rejections = models.JSONField(default=dict, blank=True)
    pull = models.JSONField(null=True, blank=True, editable=False)
    """How far a pull's fetching has come; none for files. Never holds anything secret."""
    job_id = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    """By which a client that uploaded the file asks for it: a running number would tell how many others there are."""

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["feed"],
                condition=Q(pull__isnull=False, status__in=[RunStatus.QUEUED, RunStatus.RUNNING]),
                name="one_pull_at_a_time_per_feed",
            )
        ]

    def __str__(self) -> str:
        return _("Import %(pk)s of %(file_name)s") % {"pk": self.pk, "file_name": self.file_name or self.feed}


class QuarantinedRow(models.Model):
    """A row that could not be used: its mapped columns only, with the reason. Written by ``ingestion.services`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    feed = models.ForeignKey(Feed, on_delete=models.CASCADE)
    run = models.ForeignKey(ImportRun, on_delete=models.CASCADE, related_name="quarantined_rows")
    row_number = models.PositiveIntegerField()
    external_id = models.CharField(max_length=120, blank=True)
    code = models.CharField(max_length=40, db_index=True)
    field = models.CharField(max_length=60, blank=True)
    values = models.JSONField(default=dict)
    fingerprint = models.CharField(max_length=64)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["run", "row_number"]
        constraints = [
            models.UniqueConstraint(fields=["feed", "fingerprint"], name="quarantined_row_once_per_feed")
        ]
        # A record that comes again and is good closes its quarantined rows, chunk by chunk.
        indexes = [models.Index(fields=["feed", "external_id"], name="quarantined_row_by_record")]

    def __str__(self) -> str:
        return _("Row %(row_number)s: %(code)s") % {"row_number": self.row_number, "code": self.code}


class Fact(models.Model):
    """Something that happened at a place and time, as one feed tells it. (feed, external id) is the key."""

    # No index of their own: the two below begin with them, and every further one slows each import.
    agency = models.ForeignKey(Agency, on_delete=models.CASCADE, db_index=False)
    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, db_index=False)
    external_id = models.CharField(max_length=120)
    code = models.CharField(max_length=60, blank=True)
    occurred_from = models.DateTimeField()
    occurred_to = models.DateTimeField()
    reported_at = models.DateTimeField(null=True, blank=True)
    last_updated_at = models.DateTimeField(null=True, blank=True)
    lon = models.FloatField()
    lat = models.FloatField()
    discovery = models.CharField(max_length=20, choices=Discovery, default=Discovery.REPORTED)
    time_precision = models.CharField(max_length=10, default="minute")
    place_precision_m = models.PositiveIntegerField(null=True, blank=True)
    """Metres between two places that the source's decimals can tell apart; empty where nobody knows. Not part of the content."""
    content_hash = models.BigIntegerField()
    imported_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(fields=["feed", "external_id"], name="%(class)s_once_per_feed"),
            models.CheckConstraint(
                condition=Q(occurred_to__gte=F("occurred_from")), name="%(class)s_ends_after_start"
            ),
        ]
        indexes = [models.Index(fields=["agency", "occurred_from"], name="%(class)s_by_time")]

    def __str__(self) -> str:
        return self.external_id


class Incident(Fact):
    """A crime of one of the agency's types. Created and changed only by ``ingestion.services.incidents_upsert``."""

    crime_type = models.ForeignKey(CrimeType, on_delete=models.PROTECT, db_index=False)

    class Meta(Fact.Meta):
        pass


class CallForService(Fact):
    """A call to the police. Created and changed only by ``ingestion.services.incidents_upsert``.

    ``crime_type`` is set for calls about shots only: they count as gunfire. ``unit_code`` is one of the agency's call signs,
    and set for officer-initiated calls only: a directed patrol is counted for its unit.
    """

    crime_type = models.ForeignKey(CrimeType, null=True, on_delete=models.PROTECT, db_index=False)
    unit_code = models.CharField(max_length=20, blank=True, default="")

    class Meta(Fact.Meta):
        verbose_name_plural = gettext_lazy("calls for service")
        # Whether a crime type may be deleted is asked by type alone: without one, of every call there is.
        indexes = [
            *Fact.Meta.indexes,
            models.Index(
                fields=["crime_type"],
                condition=models.Q(crime_type__isnull=False),
                name="call_about_shots_by_type",
            ),
        ]


class GunfireAlert(Fact):
    """A sensor's detection of gunfire. Created and changed only by ``ingestion.services.incidents_upsert``.

    ``stage`` and ``stage_at`` are empty for feeds that tell of no stages. An alert that was dismissed, or reclassified
    as something else, is kept for audit with ``is_gunfire`` False and counts nowhere.
    """

    crime_type = models.ForeignKey(CrimeType, on_delete=models.PROTECT, db_index=False)
    stage = models.CharField(max_length=12, choices=Stage, blank=True, default="")
    stage_at = models.DateTimeField(null=True, blank=True)
    is_gunfire = models.BooleanField(default=True)

    class Meta(Fact.Meta):
        pass


class ApiToken(AbstractAuthToken):  # type: ignore[misc]  # knox ships no types
    """A machine's key (hashed): one feed or the whole agency, one scope, one expiry. Made by knox's own manager."""

    agency = models.ForeignKey(Agency, null=True, on_delete=models.CASCADE)
    feed = models.ForeignKey(Feed, null=True, blank=True, on_delete=models.CASCADE)
    scope = models.CharField(
        max_length=20,
        default="read",
        choices=[
            ("push", gettext_lazy("Push")),
            ("read", gettext_lazy("Read")),
            ("patrols", gettext_lazy("Patrols")),
        ],
    )
    name = models.CharField(max_length=60, blank=True, help_text=gettext_lazy("Which machine uses it."))

    def __str__(self) -> str:
        return f"{self.token_key}… ({self.scope})"


FACT_KINDS = (RecordKind.INCIDENTS, RecordKind.CALLS, RecordKind.GUNFIRE)
"""The kinds whose rows are facts: something that happened at a place and time."""


def fact_model(record_kind: str) -> type[Any]:
    """The table that holds this kind of record."""
    tables: dict[str, type[Any]] = {
        RecordKind.INCIDENTS: Incident,
        RecordKind.CALLS: CallForService,
        RecordKind.GUNFIRE: GunfireAlert,
        RecordKind.EVENTS: ScheduledEvent,
        RecordKind.WEATHER: WeatherHour,
        RecordKind.POSITIONS: VehiclePosition,
    }
    return tables[record_kind]


from ingestion.api_models import AgencyKey, ApiAnswer  # noqa: E402 - they refer to the keys above
from ingestion.models_drop import DropFile, DropFolder  # noqa: E402 - they hang on the feed, so it must be there first

# Below, because they refer to the feeds above; Django looks for models here only.
from ingestion.push_models import ForecastRefresh, PushDay, PushTally, VehiclePosition  # noqa: E402 - see the line above

__all__ = [
    "AgencyKey",
    "ApiAnswer",
    "ApiToken",
    "CallForService",
    "CensusArea",
    "ContextLayer",
    "Discovery",
    "DropFile",
    "DropFolder",
    "FACT_KINDS",
    "Fact",
    "Feed",
    "FeedQuality",
    "ForecastRefresh",
    "GunfireAlert",
    "ImportRun",
    "Incident",
    "LONGEST_LAG_HOURS",
    "OffenceCode",
    "PushDay",
    "PushTally",
    "QuarantinedRow",
    "RecordKind",
    "RetentionPolicy",
    "ScheduledEvent",
    "Stage",
    "VehiclePosition",
    "WeatherHour",
    "fact_model",
]
