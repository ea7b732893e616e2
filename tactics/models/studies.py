"""Studies of what missions did: set up before they run, frozen, and reported whatever comes out."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, User
from missions_project.lib.runs import AbstractRun, RunQuerySet

FROZEN_FIELDS = (
    "agency_id", "name", "kind", "question", "crime_types", "districts", "beats", "shifts", "first", "last", "window_hours",
    "stop_at_next_draw", "estimand", "with_plain", "family", "confidence", "draws", "settle_days", "minimum_detectable",
    "net_minimum_detectable", "minimum_basis", "specification", "design_hash", "code_version", "seed", "frozen_at",
)  # fmt: skip
"""What nobody can change once a study is frozen: here, and by a trigger in the database (``tactics.triggers``)."""


class ImpactStudy(models.Model):
    """A question about missions and how it will be answered. Written by ``tactics.services.studies`` only.

    draft → frozen (nothing can be changed any more) → running → reported, or cancelled, which leaves it in the list. The
    rolling study of an agency is made by the system over all plans; it is never frozen and never called pre-registered.
    """

    class Kind(models.TextChoices):
        REGISTERED = "registered", gettext_lazy("Set up by a person")
        ROLLING = "rolling", gettext_lazy("Over all plans, by the system")

    class State(models.TextChoices):
        DRAFT = "draft", gettext_lazy("Draft")
        FROZEN = "frozen", gettext_lazy("Frozen, waits for its first shift")
        RUNNING = "running", gettext_lazy("Running")
        REPORTED = "reported", gettext_lazy("Reported")
        CANCELLED = "cancelled", gettext_lazy("Cancelled")

    class Estimand(models.TextChoices):
        MISSIONS = (
            "missions",
            gettext_lazy("Missions as designed: the share of crime prevented where missions were planned"),
        )
        OVERLAP = (
            "overlap",
            gettext_lazy(
                "Overlap-weighted: the shortest interval, boxes that could well go either way count most"
            ),
        )

    class Family(models.TextChoices):
        MAIN = "main", gettext_lazy("One main effect; crime types and districts are exploratory")
        PARTS = "parts", gettext_lazy("Crime types and districts too, p-values adjusted by Holm within each")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(max_length=120, help_text=gettext_lazy("Shown in the list of studies."))
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.REGISTERED, editable=False)
    question = models.CharField(
        max_length=300,
        help_text=gettext_lazy(
            "In one sentence, for a council: “Do missions in the evening prevent thefts from vehicles?”"
        ),
    )
    crime_types = models.JSONField(
        default=list, help_text=gettext_lazy("Ids of the crime types whose reports count, together.")
    )
    districts = models.JSONField(
        default=list, blank=True, help_text=gettext_lazy("Ids of the districts studied. Empty: all.")
    )
    beats = models.JSONField(
        default=list, blank=True, help_text=gettext_lazy("Ids of the beats studied. Empty: all.")
    )
    shifts = models.JSONField(
        default=list, blank=True, help_text=gettext_lazy("Ids of the shifts studied. Empty: all.")
    )
    first = models.DateField(
        null=True,
        blank=True,
        help_text=gettext_lazy("Local date of the first shift. Empty only in the rolling study."),
    )
    last = models.DateField(
        null=True,
        blank=True,
        help_text=gettext_lazy("Local date of the last shift. Empty only in the rolling study."),
    )
    window_hours = models.FloatField(
        gettext_lazy("outcome window, hours"),
        default=8.0,
        validators=[MinValueValidator(0.5), MaxValueValidator(72.0)],
        help_text=gettext_lazy(
            "Crimes count for so many hours after the drawn start, of visited and other boxes alike."
        ),
    )
    stop_at_next_draw = models.BooleanField(
        gettext_lazy("end windows at the next draw"),
        default=True,
        help_text=gettext_lazy(
            "If not, windows run into later plans, and every figure is labelled “including later policy”."
        ),
    )
    estimand = models.CharField(
        max_length=10,
        choices=Estimand,
        default=Estimand.MISSIONS,
        help_text=gettext_lazy("Which effect answers the question."),
    )
    with_plain = models.BooleanField(
        gettext_lazy("plain average too"),
        default=False,
        help_text=gettext_lazy("Every box counts alike. Needs about twice the shifts for the same interval."),
    )
    family = models.CharField(
        gettext_lazy("multiple comparisons"),
        max_length=10,
        choices=Family,
        default=Family.MAIN,
        # xgettext:no-python-format
        help_text=gettext_lazy("Which effects are claims, and so share the 5 % chance of a false one."),
    )
    confidence = models.FloatField(
        default=0.95,
        validators=[MinValueValidator(0.8), MaxValueValidator(0.999)],
        help_text=gettext_lazy("Level of all intervals."),
    )
    draws = models.PositiveIntegerField(
        gettext_lazy("draws of the Fisher test"),
        default=199,
        validators=[MinValueValidator(99), MaxValueValidator(2000)],
        help_text=gettext_lazy(
            "How often all plans are drawn again at most; the test stops early when the answer is clear."
        ),
    )
    settle_days = models.PositiveSmallIntegerField(
        default=14,
        validators=[MaxValueValidator(120)],
        help_text=gettext_lazy(
            "Days after the last shift until the analysis, so that late reports of crimes are in."
        ),
    )
    minimum_detectable = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=gettext_lazy(
            "Smallest share of crime prevented in visited boxes that 80 % of such studies would show."
        ),
    )
    net_minimum_detectable = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=gettext_lazy("The same for visited boxes and those around them together."),
    )
    minimum_basis = models.CharField(
        max_length=300, blank=True, help_text=gettext_lazy("What the smallest effects were worked out from.")
    )
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT, editable=False)
    specification = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text=gettext_lazy("Everything that was frozen, with the policy of that moment."),
    )
    design_hash = models.CharField(max_length=64, blank=True, editable=False)
    code_version = models.CharField(max_length=40, blank=True, editable=False)
    seed = models.PositiveBigIntegerField(
        default=0,
        editable=False,
        help_text=gettext_lazy("Follows from the hash, so that nobody can choose it."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    frozen_at = models.DateTimeField(null=True, blank=True, editable=False)
    frozen_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    cancelled_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancelled_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    cancelled_reason = models.CharField(max_length=300, blank=True, editable=False)
    next_report_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        db_index=True,
        help_text=gettext_lazy("When the analysis is due."),
    )

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name_plural = gettext_lazy("impact studies")
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "name"],
                name="study_name_once_per_agency",
                violation_error_message=gettext_lazy(
                    "There is a study of this name already, perhaps a cancelled one. Choose another."
                ),
            ),
            models.UniqueConstraint(
                fields=["agency"], condition=Q(kind="rolling"), name="one_rolling_study_per_agency"
            ),
            models.CheckConstraint(
                condition=Q(kind="rolling")
                | Q(first__isnull=False, last__isnull=False, last__gte=F("first")),
                name="study_ends_after_start",
                violation_error_message=gettext_lazy("The last shift must not be before the first."),
            ),
            models.CheckConstraint(
                condition=Q(kind="rolling", frozen_at__isnull=True)
                | Q(kind="registered", state__in=["draft", "cancelled"])
                | Q(kind="registered", frozen_at__isnull=False),
                name="study_runs_only_when_frozen",
            ),
            models.CheckConstraint(
                condition=Q(frozen_at__isnull=True) | ~Q(design_hash=""), name="frozen_study_has_a_hash"
            ),
            models.CheckConstraint(
                condition=Q(frozen_at__isnull=True) | ~Q(state="draft"), name="frozen_study_is_no_draft"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk:
            stored = type(self).objects.filter(pk=self.pk, frozen_at__isnull=False).first()
            if stored is not None and any(getattr(stored, n) != getattr(self, n) for n in FROZEN_FIELDS):
                raise ValidationError(
                    _("This study is frozen: nothing of it can be changed. Cancel it and set up another.")
                )
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        if self.frozen_at:
            raise ValidationError(
                _("This study is frozen: it can be cancelled and stays in the list, never deleted.")
            )
        return super().delete(*args, **kwargs)

    @property
    def is_rolling(self) -> bool:
        return self.kind == self.Kind.ROLLING

    @property
    def is_open(self) -> bool:
        """Whether it can still be changed."""
        return self.kind == self.Kind.REGISTERED and self.state == self.State.DRAFT

    @property
    def is_preregistered(self) -> bool:
        """Frozen before its first shift: nobody could know a crime that it counts."""
        return bool(
            self.frozen_at and self.first and self.specification.get("frozen_on", "9999") < f"{self.first}"
        )

    def clean(self) -> None:
        for name in ("crime_types", "districts", "beats", "shifts"):
            value = getattr(self, name)
            if not isinstance(value, list) or not all(type(one) is int for one in value):
                raise ValidationError({name: _("Give a list of ids.")})
        if not self.crime_types:
            raise ValidationError({"crime_types": _("Choose at least one crime type.")})


class ImpactReport(AbstractRun):
    """One analysis of a study, or of how small an effect it could show. Written by ``tactics.services.studies`` only.

    The same data (``data_hash``) and the same ``seed`` give the same ``figures``.
    """

    class Purpose(models.TextChoices):
        REPORT = "report", gettext_lazy("Report")
        POWER = "power", gettext_lazy("Smallest effect that it could show")

    class Verdict(models.TextChoices):
        PREVENTED = "prevented", gettext_lazy("Shown: crime prevented")
        MORE = "more", gettext_lazy("Shown: more crime")
        NOT_SHOWN = "not_shown", gettext_lazy("Not shown")
        WITHHELD = "withheld", gettext_lazy("No verdict")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    study = models.ForeignKey(ImpactStudy, on_delete=models.CASCADE, related_name="reports")
    purpose = models.CharField(max_length=8, choices=Purpose, default=Purpose.REPORT, editable=False)
    first = models.DateField(editable=False, help_text=gettext_lazy("Local date of the first shift read."))
    last = models.DateField(editable=False, help_text=gettext_lazy("Local date of the last shift read."))
    seed = models.PositiveBigIntegerField(editable=False)
    figures = models.JSONField(default=dict, blank=True, editable=False)
    sentence = models.CharField(max_length=500, blank=True, editable=False)
    verdict = models.CharField(max_length=10, choices=Verdict, blank=True, editable=False)
    design_hash = models.CharField(max_length=64, blank=True, editable=False)
    code_version = models.CharField(max_length=40, blank=True, editable=False)
    cancel_asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancel_asked_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]
        constraints = [
            # Two presses, or a press and the dispatcher: one of them makes it.
            models.UniqueConstraint(
                fields=["study", "purpose"],
                condition=Q(status__in=["queued", "running"]),
                name="one_open_report_per_study",
            )
        ]

    def __str__(self) -> str:
        return f"{self.study}, {self.get_purpose_display().lower()} {self.pk}"
