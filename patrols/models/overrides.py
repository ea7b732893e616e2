"""What people decide before the draw: areas kept out of it, and boxes that are visited whatever is drawn."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.engine.free_text import text_about_person
from agencies.fields import AreaField
from agencies.models import Agency, Beat, CrimeType, Shift, User


class Suppression(models.Model):
    """An area taken out of planning for a while, by a person, with a reason."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    beat = models.ForeignKey(
        Beat,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        help_text=gettext_lazy("Suppress a whole beat, or draw an area instead."),
    )
    geometry = AreaField(
        null=True,
        blank=True,
        help_text=gettext_lazy("Cells whose centre lies inside are no candidates while this holds."),
    )
    reason = models.CharField(max_length=300, help_text=gettext_lazy("Shown with the plan and kept with it."))
    starts_at = models.DateTimeField(default=timezone.now, help_text=gettext_lazy("From when it holds."))
    expires_at = models.DateTimeField(
        help_text=gettext_lazy("Until when it holds. Plans drawn for shifts before this leave the area out.")
    )
    author = models.ForeignKey(User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("starts_at")), name="suppression_expires_after_start"
            )
        ]

    def __str__(self) -> str:
        return self.reason

    def clean(self) -> None:
        if about := text_about_person(self.reason):
            raise ValidationError(
                {"reason": _("This seems to hold %(about)s. Write about the place only.") % {"about": about}}
            )
        if (self.beat is None) == (self.geometry is None):
            raise ValidationError(_("Choose a beat or draw an area: exactly one of them."))
        if self.beat and self.beat.agency_id != self.agency_id:
            raise ValidationError({"beat": _("This beat belongs to another agency.")})
        if self.expires_at and self.starts_at and self.expires_at <= self.starts_at:
            raise ValidationError({"expires_at": _("The suppression ends before it starts.")})


class Addition(models.Model):
    """A place that is visited in every shift while this holds, by a person's decision, with a reason.

    Entered before a draw, its cells are no candidates of it: their missions are certain (π = 1), count against the beat's
    number, and stand outside every study. Made by ``patrols.services.addition_create`` and in the admin.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    geometry = AreaField(
        help_text=gettext_lazy(
            "Cells whose centre lies inside are visited; an area without any means the cell that holds its middle."
        )
    )
    shift = models.ForeignKey(
        Shift,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        help_text=gettext_lazy("Only in this shift. Empty: in all."),
    )
    crime_type = models.ForeignKey(
        CrimeType, on_delete=models.CASCADE, help_text=gettext_lazy("What the visits are about.")
    )
    dose_minutes = models.PositiveSmallIntegerField(
        default=15,
        validators=[MinValueValidator(5), MaxValueValidator(60)],
        help_text=gettext_lazy("Minutes of each visit."),
    )
    tactic = models.SlugField(
        max_length=60,
        blank=True,
        help_text=gettext_lazy("A tactic of the catalogue to recommend there. Empty: by the rules."),
    )
    reason = models.CharField(
        max_length=300, help_text=gettext_lazy("Shown with the missions and kept with them.")
    )
    starts_at = models.DateTimeField(default=timezone.now, help_text=gettext_lazy("From when it holds."))
    expires_at = models.DateTimeField(
        help_text=gettext_lazy("Until when it holds. Shifts that start before this get the visits.")
    )
    author = models.ForeignKey(User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("starts_at")), name="addition_expires_after_start"
            )
        ]

    def __str__(self) -> str:
        return self.reason

    def clean(self) -> None:
        if about := text_about_person(self.reason):
            raise ValidationError(
                {"reason": _("This seems to hold %(about)s. Write about the place only.") % {"about": about}}
            )
        for name in ("crime_type", "shift"):
            if getattr(self, f"{name}_id") and getattr(self, name).agency_id != self.agency_id:
                raise ValidationError({name: _("This belongs to another agency.")})
        if self.expires_at and self.starts_at and self.expires_at <= self.starts_at:
            raise ValidationError({"expires_at": _("The addition ends before it starts.")})
