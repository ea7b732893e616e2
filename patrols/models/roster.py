"""Who is on duty in one dated shift, where that differs from the units' standing duties; and the note to the next shift."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.engine.free_text import text_about_person
from agencies.models import Agency, Beat, Shift, Unit, User


class Duty(models.Model):
    """Where one unit is in one shift instance, instead of its standing duty. Written by ``patrols.services.duty_set`` only."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    unit = models.ForeignKey(Unit, on_delete=models.CASCADE, related_name="duties")
    shift = models.ForeignKey(Shift, on_delete=models.CASCADE)
    on = models.DateField(help_text=gettext_lazy("The local date on which the shift starts."))
    beat = models.ForeignKey(
        Beat,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        help_text=gettext_lazy("The beat that it works. Empty: off duty."),
    )
    missions = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(20)],
        help_text=gettext_lazy(
            "Boxes that it can visit in this shift. Empty: as many as the unit always does."
        ),
    )
    author = models.ForeignKey(User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["on", "unit"]
        verbose_name_plural = gettext_lazy("duties")
        constraints = [
            models.UniqueConstraint(fields=["unit", "shift", "on"], name="one_duty_per_unit_shift_instance")
        ]
        indexes = [models.Index(fields=["agency", "on", "shift"], name="duty_by_shift")]

    def __str__(self) -> str:
        where = str(self.beat) if self.beat_id else _("off duty")
        return f"{self.unit}, {self.shift} {self.on:%Y-%m-%d}: {where}"

    def clean(self) -> None:
        for name in ("unit", "shift", "beat"):
            if getattr(self, f"{name}_id") and getattr(self, name).agency_id != self.agency_id:
                raise ValidationError({name: _("This belongs to another agency.")})


class HandOverNote(models.Model):
    """What one shift tells the next. Written by ``patrols.services.hand_over_write`` only; never changed, only followed."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    shift = models.ForeignKey(Shift, on_delete=models.CASCADE)
    on = models.DateField(help_text=gettext_lazy("The local date on which the shift that writes it starts."))
    text = models.TextField(
        max_length=2000, help_text=gettext_lazy("About places and tasks, never about persons.")
    )
    author = models.ForeignKey(User, null=True, editable=False, on_delete=models.SET_NULL, related_name="+")
    written_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-written_at"]
        indexes = [models.Index(fields=["agency", "on", "shift"], name="hand_over_by_shift")]

    def __str__(self) -> str:
        return _("Note of %(shift)s %(on)s") % {"shift": self.shift, "on": f"{self.on:%Y-%m-%d}"}

    def clean(self) -> None:
        if about := text_about_person(self.text):
            raise ValidationError(
                {
                    "text": _("This seems to hold %(about)s. Write about places and tasks only.")
                    % {"about": about}
                }
            )
