"""What officers can do on arrival, and which tactic suits which crime type."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from agencies.models import Agency, CrimeType, Shift


class Tactic(models.Model):
    """Something that officers can do at a mission. The starter set comes from ``services.starter_catalogue_create``."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(max_length=60, help_text="Shown on the officer's page as a row to tick off.")
    slug = models.SlugField(max_length=60, help_text="Used in exports.")
    steps = models.TextField(blank=True, help_text="What to do, in a few lines. Shown to officers.")
    evidence_note = models.TextField(
        blank=True, help_text="What research says, with its limits. Shown with the recommendation."
    )
    evidence_source = models.CharField(max_length=200, blank=True, help_text="Author and year.")
    community_note = models.TextField(blank=True, help_text="How residents may see it; what to avoid.")
    is_enforcement = models.BooleanField(
        default=False,
        help_text="Enforcement tactics are never recommended by rules; they can only be recorded.",
    )
    is_active = models.BooleanField(
        default=True, help_text="Inactive tactics are kept in history but no longer offered."
    )

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["agency", "slug"], name="tactic_slug_once_per_agency")]

    def __str__(self) -> str:
        return self.name


class TacticRule(models.Model):
    """This tactic suits that crime type, perhaps only in some shift."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    crime_type = models.ForeignKey(
        CrimeType, on_delete=models.CASCADE, help_text="Missions of this type get the tactic."
    )
    tactic = models.ForeignKey(Tactic, on_delete=models.CASCADE, help_text="The tactic to recommend.")
    shift = models.ForeignKey(
        Shift, null=True, blank=True, on_delete=models.CASCADE, help_text="Only in this shift. Empty: in all."
    )
    preference = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(10.0)],
        help_text="The agency's own weight: higher ones are listed first. 0 hides the tactic for this type.",
    )

    class Meta:
        ordering = ["crime_type", "-preference"]
        constraints = [
            models.UniqueConstraint(
                fields=["crime_type", "tactic", "shift"],
                name="rule_once_per_type_tactic_shift",
                violation_error_message="There is a rule for this crime type, tactic and shift already.",
            ),
            # Two empty shifts are no duplicates to a database: without this a tactic could be listed twice.
            models.UniqueConstraint(
                fields=["crime_type", "tactic"],
                condition=Q(shift__isnull=True),
                name="rule_for_all_shifts_once_per_type_tactic",
                violation_error_message="There is a rule for this crime type and tactic in all shifts already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.crime_type}: {self.tactic}"

    def clean(self) -> None:
        for name in ("crime_type", "tactic", "shift"):
            if getattr(self, f"{name}_id") and getattr(self, name).agency_id != self.agency_id:
                raise ValidationError({name: "This belongs to another agency."})
        if self.tactic_id and self.tactic.is_enforcement and self.preference > 0:
            raise ValidationError(
                {"tactic": "Enforcement tactics are never recommended. Choose another tactic."}
            )
