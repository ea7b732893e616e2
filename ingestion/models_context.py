"""What surrounds the incidents: scheduled events, weather, and how many people live where."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency


class ScheduledEvent(models.Model):
    """A game, a festival, a market: what is on, where, and since when one knew.

    Written by ``ingestion.services.events.events_upsert`` from a feed, or typed in by an administrator (no feed then).
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    feed = models.ForeignKey(
        "ingestion.Feed", null=True, blank=True, editable=False, on_delete=models.CASCADE
    )
    external_id = models.CharField(max_length=200, blank=True, editable=False)
    name = models.CharField(
        max_length=120,
        help_text=gettext_lazy("Shown on pages, e.g. “Street festival”. Never a person's name."),
    )
    kind = models.SlugField(
        max_length=40,
        help_text=gettext_lazy(
            "What the forecast learns from: one word for all of its kind, e.g. “game”, “festival”, “market”."
        ),
    )
    starts_at = models.DateTimeField(help_text=gettext_lazy("In the agency's time zone."))
    ends_at = models.DateTimeField(
        help_text=gettext_lazy("When it is over; crowds are reckoned with for an hour more.")
    )
    announced_at = models.DateTimeField(
        default=timezone.now,
        help_text=gettext_lazy(
            "Since when it is known. Forecasts issued earlier do not see it, so that tests of accuracy stay honest."
        ),
    )
    lon = models.FloatField(
        null=True,
        blank=True,
        verbose_name=gettext_lazy("longitude"),
        help_text=gettext_lazy("Leave both empty for an event of the whole city."),
    )
    lat = models.FloatField(
        null=True,
        blank=True,
        verbose_name=gettext_lazy("latitude"),
        help_text=gettext_lazy("Degrees, e.g. 41.8299."),
    )
    attendance = models.PositiveIntegerField(
        null=True, blank=True, help_text=gettext_lazy("People expected. Empty: it counts like one of 10,000.")
    )
    cancelled_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=gettext_lazy("Set when it is called off: forecasts issued later do not see it."),
    )
    imported_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-starts_at", "name"]
        constraints = [
            models.UniqueConstraint(fields=["feed", "external_id"], name="event_once_per_feed"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="event_ends_after_start"),
            models.CheckConstraint(
                condition=Q(lon__isnull=True, lat__isnull=True) | Q(lon__isnull=False, lat__isnull=False),
                name="event_has_both_coordinates_or_none",
            ),
        ]
        indexes = [models.Index(fields=["agency", "starts_at"], name="event_by_time")]

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"

    def clean(self) -> None:
        from ingestion.engine.privacy import screen_columns

        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            raise ValidationError({"ends_at": _("It must end after it begins.")})
        if (self.lon is None) != (self.lat is None):
            empty = "lat" if self.lat is None else "lon"
            raise ValidationError(
                {empty: _("Give both coordinates, or neither for an event of the whole city.")}
            )
        if (
            self.lon is not None
            and self.lat is not None
            and not (abs(self.lon) <= 180 and abs(self.lat) <= 90)
        ):
            raise ValidationError({"lon": _("These are not longitude and latitude in degrees.")})
        # A kind becomes a column of the models: a list of persons must not come in as a calendar.
        if self.kind and (violations := screen_columns([self.kind.replace("-", " ")])):
            raise ValidationError(
                {
                    "kind": _("This is about persons (rule %(rule)s); events only.")
                    % {"rule": violations[0].rule}
                }
            )


class WeatherHour(models.Model):
    """An hour's (or a day's) weather as it was foreseen or measured. Written by ``ingestion.services.weather_store`` only.

    Several rows for one time are several issues: a forecast is judged by what could be read when it was made.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE, db_index=False)
    feed = models.ForeignKey("ingestion.Feed", on_delete=models.CASCADE, db_index=False)
    valid_at = models.DateTimeField(help_text=gettext_lazy("When the hour or day begins."))
    length_hours = models.PositiveSmallIntegerField(
        default=1, help_text=gettext_lazy("1, or a day's 23, 24 or 25.")
    )
    issued_at = models.DateTimeField(help_text=gettext_lazy("When it could first be read."))
    temperature_c = models.FloatField(null=True)
    precipitation_mm = models.FloatField(null=True)
    snow_cm = models.FloatField(null=True)
    wind_ms = models.FloatField(null=True)
    is_forecast = models.BooleanField(default=False)

    class Meta:
        ordering = ["valid_at", "issued_at"]
        verbose_name_plural = gettext_lazy("weather hours")
        constraints = [
            models.UniqueConstraint(fields=["feed", "valid_at", "issued_at"], name="weather_once_per_issue"),
            models.CheckConstraint(
                condition=Q(length_hours__gte=1, length_hours__lte=25), name="weather_lasts_an_hour_or_a_day"
            ),
        ]
        indexes = [models.Index(fields=["agency", "valid_at"], name="weather_by_time")]

    def __str__(self) -> str:
        return f"{self.valid_at:%Y-%m-%d %H:%M} ({'forecast' if self.is_forecast else 'observed'})"


class CensusArea(models.Model):
    """An area of the census with the few figures that a forecast may read. Written by ``ingestion.services.census_import`` only.

    Population, households, housing units, vacancy and age: there is no field for anything else.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(max_length=120, blank=True)
    geometry = models.JSONField(help_text=gettext_lazy("A Polygon or MultiPolygon in WGS84."))
    population = models.FloatField(null=True, blank=True)
    households = models.FloatField(null=True, blank=True)
    housing_units = models.FloatField(null=True, blank=True)
    vacant_units = models.FloatField(null=True, blank=True)
    median_age = models.FloatField(null=True, blank=True)
    valid_from = models.DateField(
        help_text=gettext_lazy(
            "From when the figures were published; forecasts issued earlier do not see them."
        )
    )
    source = models.CharField(max_length=200, help_text=gettext_lazy("The file, or the survey and its year."))
    imported_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-valid_from", "name"]
        indexes = [models.Index(fields=["agency", "valid_from"], name="census_by_validity")]

    def __str__(self) -> str:
        return self.name or _("Area %(pk)s") % {"pk": self.pk}


class ContextLayer(models.Model):
    """Places that shape risk (bars, transit, schools …) or orient the eye (streets, water)."""

    class Kind(models.TextChoices):
        RISK = "risk", gettext_lazy("Feeds the forecast and is shown on maps")
        REFERENCE = "reference", gettext_lazy("Shown on maps only")
        COVERAGE = (
            "coverage",
            gettext_lazy("Where gunfire sensors reach: gunfire elsewhere is unknown, not zero"),
        )

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(
        max_length=60, help_text=gettext_lazy("Shown in the layer switch and in “why here”, e.g. “bars”.")
    )
    slug = models.SlugField(
        max_length=60, help_text=gettext_lazy("Used in addresses and as the feature's name in models.")
    )
    kind = models.CharField(
        max_length=12,
        choices=Kind,
        default=Kind.RISK,
        help_text=gettext_lazy(
            "Risk layers become features: the number of places near each cell. Reference layers never do. A coverage "
            "layer holds the areas that gunfire sensors hear: nothing is learnt from silence elsewhere, and no gunfire is forecast "
            "there, unless calls about shots tell of it too. “Valid from” is the day on which the sensors began."
        ),
    )
    geojson = models.JSONField(help_text=gettext_lazy("A FeatureCollection in WGS84."))
    valid_from = models.DateField(
        null=True,
        blank=True,
        help_text=gettext_lazy(
            "Date from which the places are known; forecasts issued earlier do not see them."
        ),
    )

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["agency", "slug"], name="context_layer_slug_once_per_agency")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def feature_count(self) -> int:
        return len((self.geojson or {}).get("features", []))
