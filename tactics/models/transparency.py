"""What the public is told: packs that stay as they were published, and findings of the exposure audit with their answers."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from agencies.models import Agency, User, languages
from missions_project.lib.runs import AbstractRun, RunQuerySet


class TransparencyPolicy(models.Model):
    """How far exposure may differ before people must answer, and whether packs are public. One per agency, in the admin."""

    agency = models.OneToOneField(Agency, on_delete=models.CASCADE)
    disparity_threshold = models.FloatField(
        gettext_lazy("disparity that must be answered"),
        default=1.25,
        validators=[MinValueValidator(1.05), MaxValueValidator(10.0)],
        help_text=gettext_lazy(
            "How many times its part of residents, or of reported crime, an area's part of patrol may be. 1.25: a quarter "
            "more, or a fifth less. Beyond it, and where chance does not explain it, a finding is raised, which somebody must answer "
            "before the next pack is published."
        ),
    )
    is_public = models.BooleanField(
        gettext_lazy("published packs are public"),
        default=False,
        help_text=gettext_lazy(
            "Anybody, without signing in, can read the packs that were published, at /<agency>/transparency/. Off: only "
            "members of the agency."
        ),
    )

    class Meta:
        verbose_name = gettext_lazy("transparency policy")
        verbose_name_plural = gettext_lazy("transparency policies")

    def __str__(self) -> str:
        return _("Transparency policy of %(agency)s") % {"agency": self.agency}


class DemographicMeasure(models.Model):
    """A figure of the audit store by which the exposure audit sorts areas into tenths. Read there alone, never by a forecast.

    Named, not linked: a foreign key would put the audit store within reach of every query of this room.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    name = models.CharField(
        max_length=80,
        help_text=gettext_lazy("As it stands in a sentence of the pack, e.g. “share of Black residents”."),
    )
    table = models.CharField(
        max_length=120, help_text=gettext_lazy("Name of the table in the audit store (Admin → Audit tables).")
    )
    column = models.CharField(
        max_length=200,
        help_text=gettext_lazy("The table's column, e.g. the number of Black residents, or median income."),
    )
    total_column = models.CharField(
        gettext_lazy("column of the whole"),
        max_length=200,
        blank=True,
        help_text=gettext_lazy(
            "The column that it is a part of, e.g. all residents: areas are then sorted by the share. Empty: the column "
            "is a figure of the area as it stands, such as median income."
        ),
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
    "agency_id", "number", "language", "first", "last", "state", "content", "content_hash", "made_at", "published_at",
)  # fmt: skip
"""What nobody can change once a pack is published: here, and by a trigger in the database (``tactics.triggers``)."""


class TransparencyPack(AbstractRun):
    """What the public is told of one period. Made, published and set aside by ``tactics.transparency.services`` only.

    ``content`` is everything that the pages, files and documents show; ``content_hash`` is SHA-256 over its canonical JSON,
    which names the hash of the pack published before: none can be changed or taken out unnoticed.
    """

    class State(models.TextChoices):
        DRAFT = "draft", gettext_lazy("Draft")
        PUBLISHED = "published", gettext_lazy("Published")
        DISCARDED = "discarded", gettext_lazy("Set aside")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    number = models.PositiveIntegerField(editable=False)
    first = models.DateField(editable=False, help_text=gettext_lazy("Local date of the first shift."))
    last = models.DateField(editable=False, help_text=gettext_lazy("Local date of the last shift."))
    language = models.CharField(
        max_length=10,
        choices=languages,
        default="en",
        editable=False,
        help_text=gettext_lazy(
            "The language that the public reads it in: its pages, charts, files and documents."
        ),
    )
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
        return _("Transparency pack %(self_number)s") % {"self_number": self.number}

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        if self.state == self.State.PUBLISHED:
            raise ValidationError(_("This pack is published: it stays, and the next one may correct it."))
        return super().delete(*args, **kwargs)


FINDING_FROZEN_FIELDS = (
    "agency_id", "pack_id", "measure", "basis", "kind", "area", "others", "ratio", "low", "high", "threshold", "raised_at", "first", "last",
)  # fmt: skip
"""What a finding says stays as it was raised (trigger in ``tactics.triggers``)."""
MOST_OTHERS = 8
TENTHS = (
    gettext_noop("lowest tenth"),
    gettext_noop("second tenth"),
    gettext_noop("third tenth"),
    gettext_noop("fourth tenth"),
    gettext_noop("fifth tenth"),
    gettext_noop("sixth tenth"),
    gettext_noop("seventh tenth"),
    gettext_noop("eighth tenth"),
    gettext_noop("ninth tenth"),
    gettext_noop("highest tenth"),
)
"""Areas that are no places, as findings keep them."""
RISK = gettext_noop("forecast risk")
"""What the city is cut by, as findings keep it, where that is no figure of the audit store."""
ANSWER_FIELDS = ("answer", "answered_at")
"""Written once, and then kept as they are (trigger in ``tactics.triggers``)."""


def area_words(kind: str, area: str) -> str:
    """An area as a table's first column names it: a place's own name, or a tenth in the reader's language."""
    return _(area) if kind not in ("District", "Beat") and area in TENTHS else area


def place_words(kind: str, area: str) -> str:
    """An area of the exposure audit in words.

    >>> place_words("Beat", "11"), place_words("forecast risk", "highest tenth")
    ('Beat 11', 'The highest tenth by forecast risk')
    """
    if kind == "District":
        return _("District %(name)s") % {"name": area}
    if kind == "Beat":
        return _("Beat %(name)s") % {"name": area}
    return _("The %(area)s by %(kind)s") % {
        "area": area_words(kind, area),
        "kind": _(kind) if kind == RISK else kind,
    }


class ExposureFinding(models.Model):
    """Areas that got more, or less, patrol than the agency tolerates. Raised by ``tactics.transparency.services`` only.

    One for each way of cutting the city and each basis: it names the largest disparity, and ``others`` the rest.
    Answered once, in the admin, by a person; kept for good, with its answer.
    """

    class Measure(models.TextChoices):
        AS_IF = "as_if", gettext_lazy("As designed (chance of a mission × minutes)")
        ACTUAL = "actual", gettext_lazy("Delivered minutes")

    class Basis(models.TextChoices):
        RESIDENTS = "residents", gettext_lazy("residents")
        CRIME = "crime", gettext_lazy("reported crime")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    pack = models.ForeignKey(
        TransparencyPack, on_delete=models.RESTRICT, related_name="findings", editable=False
    )
    measure = models.CharField(max_length=8, choices=Measure, editable=False)
    basis = models.CharField(max_length=10, choices=Basis, editable=False)
    kind = models.CharField(
        max_length=100,
        editable=False,
        help_text=gettext_lazy("District, beat, tenth by risk, or tenth by a figure of the audit store."),
    )
    area = models.CharField(max_length=120, editable=False)
    others = models.JSONField(
        default=list,
        blank=True,
        editable=False,
        help_text=gettext_lazy(
            "Further areas beyond the threshold in the same comparison, each with its ratio; the largest disparity is "
            "the finding's own."
        ),
    )
    ratio = models.FloatField(
        editable=False,
        help_text=gettext_lazy("The area's part of patrol over its part of residents or crime."),
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
        help_text=gettext_lazy(
            "Why it is so, and what is done about it, in words that the council will read. Kept for good: it cannot be "
            "changed later."
        ),
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
        return _("%(where)s: %(ratio)s × its part of %(basis)s") % {
            "where": self.where,
            "ratio": f"{self.ratio:.2f}",
            "basis": self.get_basis_display(),
        }

    @property
    def where(self) -> str:
        """The area in words: “Beat 11”, “The highest tenth by forecast risk”."""
        return place_words(self.kind, self.area)

    @property
    def sentence(self) -> str:
        """What was found, in words that a council can read."""
        more = (
            _("%(ratio)s times") % {"ratio": f"{self.ratio:.2f}"}
            if self.ratio >= 1
            else _("only %(ratio)s times") % {"ratio": f"{self.ratio:.2f}"}
        )
        what = (
            _("the minutes that the design foresees")
            if self.measure == self.Measure.AS_IF
            else _("delivered minutes")
        )
        others = [
            (
                _("%(area)s: %(ratio)s times (as designed)")
                if one["measure"] == self.Measure.AS_IF
                else _("%(area)s: %(ratio)s times (delivered)")
            )
            % {"area": area_words(self.kind, one["area"]), "ratio": f"{one['ratio']:.2f}"}
            for one in self.others[:MOST_OTHERS]
        ]
        if len(self.others) > MOST_OTHERS:
            others.append(_("%(count)s more in the tables") % {"count": len(self.others) - MOST_OTHERS})
        return (
            _(
                "%(where)s had %(more)s its part of %(basis)s in %(what)s (95 %% interval %(low)s to %(high)s; tolerated up to %(threshold)s times, or down to %(threshold_2)s)."
            )
            % {
                "where": self.where,
                "more": more,
                "basis": self.get_basis_display(),
                "what": what,
                "low": f"{self.low:.2f}",
                "high": f"{self.high:.2f}",
                "threshold": f"{self.threshold:g}",
                "threshold_2": f"{1 / self.threshold:.2f}",
            }
        ) + (" " + _("Beyond it too: %(names)s.") % {"names": "; ".join(others)} if others else "")

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise ValidationError(_("A finding is kept for good, with its answer."))
