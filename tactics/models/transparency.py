"""What the public is told: packs that stay as they were published, and findings of the exposure audit with their answers."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from agencies.models import Agency, User
from missions_project.lib.runs import AbstractRun, RunQuerySet


class TransparencyPolicy(models.Model):
    """How far exposure may differ before people must answer, and whether packs are public. One per agency, in the admin."""

    agency = models.OneToOneField(Agency, on_delete=models.CASCADE)
    disparity_threshold = models.FloatField(
        "disparity that must be answered",
        default=1.25,
        validators=[MinValueValidator(1.05), MaxValueValidator(10.0)],
        help_text="How many times its part of residents, or of reported crime, an area's part of patrol may be. 1.25: a quarter "
        "more, or a fifth less. Beyond it, and where chance does not explain it, a finding is raised, which somebody must answer "
        "before the next pack is published.",
    )
    is_public = models.BooleanField(
        "published packs are public",
        default=False,
        help_text="Anybody, without signing in, can read the packs that were published, at /<agency>/transparency/. Off: only "
        "members of the agency.",
    )

    class Meta:
        verbose_name = "transparency policy"
        verbose_name_plural = "transparency policies"

    def __str__(self) -> str:
        return f"Transparency policy of {self.agency}"


class DemographicMeasure(models.Model):
    """A figure of the audit store by which the exposure audit sorts areas into tenths. Read there alone, never by a forecast.

    Named, not linked: a foreign key would put the audit store within reach of every query of this room.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(
        max_length=80,
        help_text="As it stands in a sentence of the pack, e.g. “share of Black residents”.",
    )
    table = models.CharField(
        max_length=120, help_text="Name of the table in the audit store (Admin → Audit tables)."
    )
    column = models.CharField(
        max_length=200, help_text="The table's column, e.g. the number of Black residents, or median income."
    )
    total_column = models.CharField(
        "column of the whole",
        max_length=200,
        blank=True,
        help_text="The column that it is a part of, e.g. all residents: areas are then sorted by the share. Empty: the column "
        "is a figure of the area as it stands, such as median income.",
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "name"], name="demographic_measure_name_once_per_agency"
            )
        ]

    def __str__(self) -> str:
        return self.name


PACK_FROZEN_FIELDS = (
    "agency_id", "number", "first", "last", "state", "content", "content_hash", "made_at", "published_at",
)  # fmt: skip
"""What nobody can change once a pack is published: here, and by a trigger in the database (``tactics.triggers``)."""


class TransparencyPack(AbstractRun):
    """What the public is told of one period. Made, published and set aside by ``tactics.transparency.services`` only.

    ``content`` is everything that the pages, files and documents show; ``content_hash`` is SHA-256 over its canonical JSON,
    which names the hash of the pack published before: none can be changed or taken out unnoticed.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PUBLISHED = "published", "Published"
        DISCARDED = "discarded", "Set aside"

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    number = models.PositiveIntegerField(editable=False)
    first = models.DateField(editable=False, help_text="Local date of the first shift.")
    last = models.DateField(editable=False, help_text="Local date of the last shift.")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT, editable=False)
    content = models.JSONField(default=dict, blank=True, editable=False)
    content_hash = models.CharField(max_length=64, blank=True, editable=False)
    previous = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    made_at = models.DateTimeField(null=True, blank=True, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    published_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["agency", "number"], name="pack_number_once_per_agency"),
            # Two presses of the button: one of them makes it.
            models.UniqueConstraint(
                fields=["agency"],
                condition=Q(status__in=["queued", "running"]),
                name="one_pack_in_the_making",
            ),
            models.CheckConstraint(condition=Q(last__gte=F("first")), name="pack_ends_after_it_begins"),
            models.CheckConstraint(
                condition=~Q(state="published") | (Q(published_at__isnull=False) & ~Q(content_hash="")),
                name="published_pack_has_hash_and_time",
            ),
        ]

    def __str__(self) -> str:
        return f"Transparency pack {self.number}"

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        if self.state == self.State.PUBLISHED:
            raise ValidationError("This pack is published: it stays, and the next one may correct it.")
        return super().delete(*args, **kwargs)


FINDING_FROZEN_FIELDS = (
    "agency_id", "pack_id", "measure", "basis", "kind", "area", "others", "ratio", "low", "high", "threshold", "raised_at", "first", "last",
)  # fmt: skip
"""What a finding says stays as it was raised (trigger in ``tactics.triggers``)."""
MOST_OTHERS = 8
ANSWER_FIELDS = ("answer", "answered_at")
"""Written once, and then kept as they are (trigger in ``tactics.triggers``)."""


def place_words(kind: str, area: str) -> str:
    """An area of the exposure audit in words.

    >>> place_words("Beat", "11"), place_words("forecast risk", "highest tenth")
    ('Beat 11', 'The highest tenth by forecast risk')
    """
    return f"{kind} {area}" if kind in ("District", "Beat") else f"The {area} by {kind}"


class ExposureFinding(models.Model):
    """Areas that got more, or less, patrol than the agency tolerates. Raised by ``tactics.transparency.services`` only.

    One for each way of cutting the city and each basis: it names the largest disparity, and ``others`` the rest.
    Answered once, in the admin, by a person; kept for good, with its answer.
    """

    class Measure(models.TextChoices):
        AS_IF = "as_if", "As designed (chance of a mission × minutes)"
        ACTUAL = "actual", "Delivered minutes"

    class Basis(models.TextChoices):
        RESIDENTS = "residents", "residents"
        CRIME = "crime", "reported crime"

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    pack = models.ForeignKey(
        TransparencyPack, on_delete=models.RESTRICT, related_name="findings", editable=False
    )
    measure = models.CharField(max_length=8, choices=Measure, editable=False)
    basis = models.CharField(max_length=10, choices=Basis, editable=False)
    kind = models.CharField(
        max_length=100,
        editable=False,
        help_text="District, beat, tenth by risk, or tenth by a figure of the audit store.",
    )
    area = models.CharField(max_length=120, editable=False)
    others = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text="Further areas beyond the threshold in the same comparison, each with its ratio; the largest disparity is "
        "the finding's own.",
    )
    ratio = models.FloatField(
        editable=False, help_text="The area's part of patrol over its part of residents or crime."
    )
    low = models.FloatField(editable=False)
    high = models.FloatField(editable=False)
    threshold = models.FloatField(editable=False)
    first = models.DateField(editable=False)
    last = models.DateField(editable=False)
    raised_at = models.DateTimeField(default=timezone.now, editable=False)
    answer = models.TextField(
        blank=True,
        max_length=2000,
        help_text="Why it is so, and what is done about it, in words that the council will read. Kept for good: it cannot be "
        "changed later.",
    )
    answered_by = models.ForeignKey(
        User, null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    answered_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["-raised_at", "kind", "area", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(answer="", answered_at__isnull=True)
                | (~Q(answer="") & Q(answered_at__isnull=False)),
                name="finding_answered_with_words_and_time",
            ),
            # The same disparity is not asked about twice while the first question waits for its answer.
            models.UniqueConstraint(
                fields=["agency", "basis", "kind"],
                condition=Q(answered_at__isnull=True),
                name="one_open_finding_per_comparison",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.where}: {self.ratio:.2f} × its part of {self.get_basis_display()}"

    @property
    def where(self) -> str:
        """The area in words: “Beat 11”, “The highest tenth by forecast risk”."""
        return place_words(self.kind, self.area)

    @property
    def sentence(self) -> str:
        """What was found, in words that a council can read."""
        more = f"{self.ratio:.2f} times" if self.ratio >= 1 else f"only {self.ratio:.2f} times"
        what = (
            "the minutes that the design foresees"
            if self.measure == self.Measure.AS_IF
            else "delivered minutes"
        )
        others = [
            f"{one['area']}: {one['ratio']:.2f} times ({'as designed' if one['measure'] == self.Measure.AS_IF else 'delivered'})"
            for one in self.others[:MOST_OTHERS]
        ]
        if len(self.others) > MOST_OTHERS:
            others.append(f"{len(self.others) - MOST_OTHERS} more in the tables")
        return (
            f"{self.where} had {more} its part of {self.get_basis_display()} in {what} (95 % interval {self.low:.2f} to "
            f"{self.high:.2f}; tolerated up to {self.threshold:g} times, or down to {1 / self.threshold:.2f})."
            + (f" Beyond it too: {'; '.join(others)}." if others else "")
        )

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise ValidationError("A finding is kept for good, with its answer.")
