"""What officers can do on arrival, and which tactic suits which crime type and place."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, CrimeType, Shift


class PlaceKind(models.TextChoices):
    """What a box may be near. Which map layers tell of it: ``tactics.surroundings``."""

    BUSINESSES = "businesses", gettext_lazy("Near businesses")
    NIGHTLIFE = "nightlife", gettext_lazy("Near bars and clubs")
    SCHOOLS = "schools", gettext_lazy("Near schools")
    PARKS = "parks", gettext_lazy("Near parks")
    RESIDENTIAL = "residential", gettext_lazy("Residential")
    TRANSIT = "transit", gettext_lazy("Near transit")
    VACANT = "vacant", gettext_lazy("Near vacant buildings or lots")


class Strength(models.TextChoices):
    """How strong the evidence for a tactic by itself is, on one scale for the whole catalogue."""

    STRONG = "strong", gettext_lazy("Strong: several experiments agree")
    MODERATE = "moderate", gettext_lazy("Moderate: one good experiment")
    WEAK = "weak", gettext_lazy("Weak: observation only")
    NONE = "none", gettext_lazy("Tested, no effect shown")
    NOT_TESTED = "not_tested", gettext_lazy("Not tested by itself")


class Tactic(models.Model):
    """Something that officers can do at a mission. The starter set comes from ``services.starter_catalogue_create``."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(
        max_length=60, help_text=gettext_lazy("Shown on the officer's page as a row to tick off.")
    )
    slug = models.SlugField(max_length=60, help_text=gettext_lazy("Used in exports."))
    steps = models.TextField(
        blank=True, help_text=gettext_lazy("What to do, in a few lines. Shown to officers.")
    )
    evidence_note = models.TextField(
        blank=True,
        help_text=gettext_lazy("What research says, with its limits. Shown with the recommendation."),
    )
    evidence_source = models.CharField(max_length=200, blank=True, help_text=gettext_lazy("Author and year."))
    evidence_effect = models.CharField(
        max_length=200,
        blank=True,
        help_text=gettext_lazy(
            # xgettext:no-python-format
            "What was found, in one line with its figure, e.g. “31 % less property crime than expected”. Empty where "
            "there is no study."
        ),
    )
    evidence_strength = models.CharField(
        max_length=12,
        choices=Strength,
        default=Strength.NOT_TESTED,
        help_text=gettext_lazy(
            "For this tactic by itself, not for policing of hot spots as a whole. Every other grade than “not tested” "
            "needs a source."
        ),
    )
    places = models.JSONField(
        default=list,
        blank=True,
        verbose_name=gettext_lazy("places it suits"),
        help_text=gettext_lazy(
            "Offered only at boxes near one of these. None: everywhere. A kind of place that no map layer tells of is "
            "not asked for."
        ),
    )
    hours_from = models.TimeField(
        null=True,
        blank=True,
        help_text=gettext_lazy(
            "Offered only at missions that start at or after this time of day, in the agency's time zone. Leave both "
            "empty for any time."
        ),
    )
    hours_to = models.TimeField(
        null=True,
        blank=True,
        help_text=gettext_lazy("… and before this one. Earlier than “from”: over midnight."),
    )
    community_note = models.TextField(
        blank=True, help_text=gettext_lazy("How residents may see it; what to avoid.")
    )
    is_enforcement = models.BooleanField(
        default=False,
        help_text=gettext_lazy(
            "Enforcement tactics are never recommended by rules; they can only be recorded."
        ),
    )
    is_active = models.BooleanField(
        default=True, help_text=gettext_lazy("Inactive tactics are kept in history but no longer offered.")
    )

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["agency", "slug"], name="tactic_slug_once_per_agency")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not isinstance(self.places, list) or any(place not in PlaceKind.values for place in self.places):
            raise ValidationError(
                {"places": _("Choose among %(names)s.") % {"names": ", ".join(PlaceKind.values)}}
            )
        if (self.hours_from is None) != (self.hours_to is None):
            missing = "hours_to" if self.hours_to is None else "hours_from"
            raise ValidationError({missing: _("Give both times, or neither for any time of day.")})
        if self.hours_from is not None and self.hours_from == self.hours_to:
            raise ValidationError(
                {"hours_to": _("These times leave no hour. Leave both empty for any time of day.")}
            )
        if self._was_drawn_by_another_slug():
            raise ValidationError(
                {
                    "slug": _(
                        "Draws of this tactic are stored under its short name: keep it, and change the name."
                    )
                }
            )
        # A grade without a study behind it would be an invention.
        if self.evidence_strength != Strength.NOT_TESTED and not self.evidence_source.strip():
            raise ValidationError({"evidence_source": _("Name the study that this grade rests on.")})

    def _was_drawn_by_another_slug(self) -> bool:
        """Whether the short name is new and draws name the old one. At most two queries."""
        if self.pk is None:
            return False
        draws = Tactic.objects.filter(pk=self.pk, tacticdraw__isnull=False).exclude(slug=self.slug)
        return draws.exists()

    @property
    def place_labels(self) -> list[str]:
        """The places it suits, in words."""
        return [str(PlaceKind(place).label) for place in self.places if place in PlaceKind.values]


class TacticRule(models.Model):
    """This tactic suits that crime type, perhaps only in some shift or near some kind of place."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    crime_type = models.ForeignKey(
        CrimeType, on_delete=models.CASCADE, help_text=gettext_lazy("Missions of this type get the tactic.")
    )
    tactic = models.ForeignKey(
        Tactic, on_delete=models.CASCADE, help_text=gettext_lazy("The tactic to recommend.")
    )
    shift = models.ForeignKey(
        Shift,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        help_text=gettext_lazy("Only in this shift. Empty: in all."),
    )
    context = models.CharField(
        max_length=12,
        choices=PlaceKind,
        blank=True,
        default="",
        help_text=gettext_lazy(
            "Only at boxes near such a place, as the agency's map layers tell. Empty: everywhere. It goes before the "
            "rule for everywhere; a rule for a place that no layer tells of never applies."
        ),
    )
    preference = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(10.0)],
        help_text=gettext_lazy(
            "The agency's own weight: twice the weight, twice the chance of being recommended. 0 hides the tactic."
        ),
    )

    class Meta:
        ordering = ["crime_type", "-preference"]
        constraints = [
            models.UniqueConstraint(
                fields=["crime_type", "tactic", "shift", "context"],
                name="rule_once_per_type_tactic_shift_place",
                violation_error_message=gettext_lazy(
                    "There is a rule for this crime type, tactic, shift and place already."
                ),
            ),
            # Two empty shifts are no duplicates to a database: without this a tactic could be listed twice.
            models.UniqueConstraint(
                fields=["crime_type", "tactic", "context"],
                condition=Q(shift__isnull=True),
                name="rule_for_all_shifts_once_per_place",
                violation_error_message=gettext_lazy(
                    "There is a rule for this crime type, tactic and place in all shifts already."
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.crime_type}: {self.tactic}"

    def clean(self) -> None:
        for name in ("crime_type", "tactic", "shift"):
            if getattr(self, f"{name}_id") and getattr(self, name).agency_id != self.agency_id:
                raise ValidationError({name: _("This belongs to another agency.")})
        if self.tactic_id and self.tactic.is_enforcement and self.preference > 0:
            raise ValidationError(
                {"tactic": _("Enforcement tactics are never recommended. Choose another tactic.")}
            )
