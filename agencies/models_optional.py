"""What an agency may add and does not need: priorities of districts, and background maps."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from agencies.validators import validate_attribution, validate_tile_url


class DistrictPriority(models.Model):
    """How much more, or less, a crime type counts in one district."""

    agency = models.ForeignKey("agencies.Agency", on_delete=models.CASCADE)
    district = models.ForeignKey(
        "agencies.District", on_delete=models.CASCADE, help_text=_("Changes plans inside this district only.")
    )
    crime_type = models.ForeignKey(
        "agencies.CrimeType", on_delete=models.CASCADE, help_text=_("The type whose weight changes.")
    )
    multiplier = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(10.0)],
        help_text=_(
            "The type's weight is multiplied by this inside the district. 1 changes nothing, 0 ignores it here."
        ),
    )

    class Meta:
        verbose_name_plural = _("district priorities")
        constraints = [
            models.UniqueConstraint(fields=["district", "crime_type"], name="one_priority_per_district_type")
        ]

    def __str__(self) -> str:
        return f"{self.district}: {self.crime_type} × {self.multiplier:g}"

    def clean(self) -> None:
        for name in ("district", "crime_type"):
            if getattr(self, f"{name}_id") and getattr(self, name).agency_id != self.agency_id:
                raise ValidationError({name: gettext("This belongs to another agency.")})


class BaseMap(models.Model):
    """Background tiles for the agency's maps. Without any, maps show the agency's own vector layers."""

    agency = models.ForeignKey("agencies.Agency", on_delete=models.CASCADE)
    name = models.CharField(max_length=60, help_text=_("Shown in the map's layer switch."))
    url_template = models.CharField(
        max_length=300,
        validators=[validate_tile_url],
        help_text=_(
            "https://…/{z}/{x}/{y}.png. The browser loads tiles from this host; it is added to the page's "
            "content-security policy."
        ),
    )
    attribution = models.CharField(
        max_length=200,
        validators=[validate_attribution],
        help_text=_("Shown in the map's corner; most providers ask for it."),
    )
    max_zoom = models.PositiveSmallIntegerField(
        default=19,
        validators=[MaxValueValidator(24)],
        help_text=_("Deepest zoom level that the provider serves."),
    )
    is_default = models.BooleanField(default=False, help_text=_("Shown when a map opens. One per agency."))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agency"], condition=Q(is_default=True), name="one_default_base_map_per_agency"
            )
        ]

    def __str__(self) -> str:
        return self.name
