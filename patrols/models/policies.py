"""How the agency allocates missions."""

import dataclasses

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from agencies.models import Agency
from patrols.engine.design import DesignPolicy


class PatrolPolicy(models.Model):
    """How the agency allocates missions (DOMAIN §4). Plans freeze a copy of the active one."""

    class Unstaffed(models.TextChoices):
        NEIGHBOURS = "neighbours", _("Hand its missions to neighbouring beats")
        DROP = "drop", _("Drop its missions")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(
        max_length=60, default="Standard", help_text=_("To tell policies apart in plans and studies.")
    )
    is_active = models.BooleanField(
        default=True, help_text=_("New plans use the active policy. One per agency.")
    )
    gamma = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(4.0)],
        help_text=_(
            "How strongly missions follow harm: probability grows with harm to this power. 0 ignores harm, 1 is "
            "proportional, higher concentrates and becomes easier to predict."
        ),
    )
    exploration = models.FloatField(
        default=0.15,
        validators=[MinValueValidator(0.01), MaxValueValidator(1.0)],
        help_text=_(
            "Share of each beat's missions spread evenly over all its cells, so that lower-risk areas receive "
            "coverage and the forecast keeps being tested."
        ),
    )
    cap_max = models.FloatField(
        default=0.9,
        validators=[MinValueValidator(0.05), MaxValueValidator(0.9)],
        help_text=_(
            "No cell gets a mission with a higher probability than this: every cell can be left alone, which "
            "is what impact is measured against."
        ),
    )
    visits_per_cell = models.PositiveSmallIntegerField(
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(6)],
        help_text=_("Visits to each chosen box within the shift, where the units have time for them."),
    )
    min_spacing_minutes = models.PositiveSmallIntegerField(
        default=60,
        validators=[MaxValueValidator(240)],
        help_text=_("Least minutes between the starts of two visits to the same box."),
    )
    travel_minutes = models.PositiveSmallIntegerField(
        default=5,
        validators=[MaxValueValidator(60)],
        help_text=_("Minutes kept free between two boxes of the same unit."),
    )
    dose_min_minutes = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(5), MaxValueValidator(60)],
        help_text=_("Shortest recommended visit."),
    )
    dose_max_minutes = models.PositiveSmallIntegerField(
        default=16,
        validators=[MinValueValidator(5), MaxValueValidator(60)],
        help_text=_("Longest recommended visit. 10–16 minutes follows Koper (1995)."),
    )
    cooldown_days = models.FloatField(
        default=2.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(60.0)],
        help_text=_(
            "Days after a planned mission during which the box's highest probability is lowered. 0 switches it "
            "off."
        ),
    )
    cooldown_factor = models.FloatField(
        default=0.5,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=_(
            "What is left of the highest probability right after a mission, growing back evenly to the whole."
        ),
    )
    saturation_window_days = models.PositiveSmallIntegerField(
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(120)],
        help_text=_("Length of the rolling window over which planned minutes are added up."),
    )
    saturation_soft_minutes = models.PositiveIntegerField(
        default=240,
        help_text=_("Planned minutes in the window from which a box's highest probability begins to fall."),
    )
    saturation_hard_minutes = models.PositiveIntegerField(
        default=480,
        help_text=_(
            "Planned minutes in the window that no box may exceed: without room for one more mission it is no "
            "candidate."
        ),
    )

    unstaffed = models.CharField(
        max_length=10,
        choices=Unstaffed,
        default=Unstaffed.NEIGHBOURS,
        verbose_name=_("a beat without a unit"),
        help_text=_(
            "What becomes of its missions: units of the beats beside it share them and the least harmful are "
            "dropped, or all are dropped. The plan's log names each."
        ),
    )
    replans_max = models.PositiveSmallIntegerField(
        default=2,
        validators=[MaxValueValidator(6)],
        verbose_name=_("decisions during a shift"),
        help_text=_(
            "How often at most a gunfire alert or a supervisor may have missions drawn anew for what is left of a "
            "shift. 0 switches it off."
        ),
    )
    replan_missions_max = models.PositiveSmallIntegerField(
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(40)],
        verbose_name=_("missions per decision"),
        help_text=_("How many missions one decision during a shift may add at most."),
    )
    replans_on_gunfire = models.BooleanField(
        default=False,
        verbose_name=_("decide anew after gunfire"),
        help_text=_(
            "Let a gunfire alert during a shift start such a decision by itself, as a draft for the supervisor."
        ),
    )

    class Meta:
        verbose_name_plural = _("patrol policies")
        constraints = [
            models.UniqueConstraint(
                fields=["agency"], condition=Q(is_active=True), name="one_active_policy_per_agency"
            ),
            models.CheckConstraint(
                condition=Q(dose_max_minutes__gte=F("dose_min_minutes")), name="policy_dose_in_order"
            ),
            models.CheckConstraint(
                condition=Q(saturation_hard_minutes__gt=F("saturation_soft_minutes")),
                name="policy_saturation_in_order",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        problems = self.as_design_policy().problems()
        if problems:
            raise ValidationError({problem.setting: problem.message for problem in problems})

    def as_design_policy(self) -> DesignPolicy:
        """The same dials, for the engine; its other dials keep their defaults."""
        dials = {field.name for field in dataclasses.fields(DesignPolicy)}
        return DesignPolicy(**{f.name: getattr(self, f.name) for f in self._meta.fields if f.name in dials})
