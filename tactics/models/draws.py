"""How the recommended tactic is drawn, each draw with its probabilities, and what adaptive draws have learnt."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency
from patrols.models import Mission
from tactics.models.catalogue import Tactic


class DrawMethod(models.TextChoices):
    WEIGHTS = "weights", gettext_lazy("By the agency's preferences")
    ADAPTIVE = "adaptive", gettext_lazy("Adaptive: more often what was followed by fewer crimes")


class TacticPolicy(models.Model):
    """How the recommended tactic is drawn. Draws freeze a copy of the active one; without one, by preferences."""

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(
        max_length=60,
        default="Standard",
        help_text=gettext_lazy("To tell policies apart in draws and reports."),
    )
    is_active = models.BooleanField(
        default=True, help_text=gettext_lazy("New plans use the active policy. One per agency.")
    )
    method = models.CharField(
        max_length=8,
        choices=DrawMethod,
        default=DrawMethod.WEIGHTS,
        help_text=gettext_lazy(
            "By preferences: chances are the rules' weights. Adaptive (Thompson sampling): chances move, batch by batch, "
            "towards the tactics that were followed by fewer crimes, never below the floor."
        ),
    )
    floor = models.FloatField(
        default=0.2,
        validators=[MinValueValidator(0.2), MaxValueValidator(0.5)],
        help_text=gettext_lazy(
            "Adaptive only: no tactic in the draw has a smaller chance. At least 0.2, so that every tactic goes on "
            "being tried and can be compared."
        ),
    )
    drawn_among = models.PositiveSmallIntegerField(
        default=3,
        validators=[MinValueValidator(2), MaxValueValidator(5)],
        help_text=gettext_lazy(
            "Adaptive only: the draw is among so many of the allowed tactics, the most preferred ones. Floor × this "
            "number must not pass 1: with a floor of 0.2 five tactics leave nothing to move, three leave 0.4."
        ),
    )
    batch_days = models.PositiveSmallIntegerField(
        default=28,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
        help_text=gettext_lazy("Adaptive only: days between two updates of the chances."),
    )
    window_hours = models.PositiveSmallIntegerField(
        default=8,
        validators=[MinValueValidator(1), MaxValueValidator(72)],
        help_text=gettext_lazy("Crimes are counted in the box from the drawn start for so many hours."),
    )
    settle_days = models.PositiveSmallIntegerField(
        default=7,
        validators=[MaxValueValidator(90)],
        help_text=gettext_lazy(
            "Adaptive only: a mission is counted so many days after its window, when late reports are in."
        ),
    )
    prior_crimes = models.FloatField(
        default=10.0,
        validators=[MinValueValidator(1.0), MaxValueValidator(1000.0)],
        help_text=gettext_lazy(
            "Adaptive only: how much evidence it takes to move the chances: before any count, each tactic is believed "
            "to be followed by what was forecast, as firmly as after so many crimes."
        ),
    )

    class Meta:
        ordering = ["-is_active", "name"]
        verbose_name_plural = gettext_lazy("tactic policies")
        constraints = [
            models.UniqueConstraint(
                fields=["agency"],
                condition=Q(is_active=True),
                name="one_active_tactic_policy",
                violation_error_message=gettext_lazy(
                    "There is an active tactic policy already. Make that one inactive first."
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if (
            self.floor is not None
            and self.drawn_among is not None
            and self.floor * self.drawn_among > 1.0 + 1e-9
        ):
            raise ValidationError(
                {
                    "drawn_among": _(
                        "%(drawn_among)s tactics with a floor of %(floor)s each are more than 1: lower this to %(floor_2)s, or the floor to %(drawn_among_2)s."
                    )
                    % {
                        "drawn_among": self.drawn_among,
                        "floor": f"{self.floor:g}",
                        "floor_2": int(1.0 / self.floor + 1e-9),
                        "drawn_among_2": f"{1.0 / self.drawn_among:.2g}",
                    }
                }
            )


class TacticUpdate(models.Model):
    """What adaptive draws had learnt at one time: crimes and forecast crimes after each tactic, by crime type.

    Written by ``tactics.services.tactic_update_make`` only. ``totals``: crime type's slug → tactic's slug → missions,
    crimes, expected; all counted so far.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    number = models.PositiveIntegerField()
    made_at = models.DateTimeField(default=timezone.now)
    counted_until = models.DateTimeField(
        help_text=gettext_lazy("Missions whose window ended before this were counted.")
    )
    n_missions = models.PositiveIntegerField(help_text=gettext_lazy("Newly counted in this update."))
    totals = models.JSONField(default=dict, help_text=gettext_lazy("Everything counted so far."))

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["agency", "number"], name="tactic_update_number_once")]

    def __str__(self) -> str:
        return _("Update %(self_number)s") % {"self_number": self.number}


class TacticDraw(models.Model):
    """The recommended tactic of one drawn mission, and with what chance each allowed one could have been it.

    Written by ``tactics.services.plan_tactics_draw`` in the transaction that writes the plan's missions; the ``counted_``
    fields once, by ``tactic_update_make``: what adaptive draws were told, which may differ from what is known later.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    mission = models.OneToOneField(Mission, on_delete=models.CASCADE, related_name="tactic_draw")
    tactic = models.ForeignKey(Tactic, on_delete=models.PROTECT)
    probabilities = models.JSONField(
        help_text=gettext_lazy("Chance of each tactic in the draw, by slug. They sum to 1.")
    )
    method = models.CharField(max_length=8, choices=DrawMethod)
    seed = models.PositiveBigIntegerField(
        help_text=gettext_lazy("The plan's seed; with the box's place in the grid it gives the draw.")
    )
    policy = models.JSONField(
        default=dict,
        help_text=gettext_lazy(
            "The policy, the weights and the places near the box, as they were at the draw."
        ),
    )
    update = models.ForeignKey(
        TacticUpdate,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=gettext_lazy("What an adaptive draw had learnt by then."),
    )
    drawn_at = models.DateTimeField(default=timezone.now)
    counted_in = models.ForeignKey(
        TacticUpdate, null=True, blank=True, on_delete=models.SET_NULL, related_name="draws"
    )
    counted_crimes = models.PositiveSmallIntegerField(null=True, blank=True)
    counted_expected = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ["mission"]
        indexes = [
            models.Index(fields=["agency", "drawn_at"], name="tactic_draw_by_time"),
            # The operator's list is of all agencies.
            models.Index(fields=["drawn_at"], name="tactic_draw_by_time_of_all"),
        ]

    def __str__(self) -> str:
        return _("%(tactic)s for %(mission)s") % {"tactic": self.tactic, "mission": self.mission}
