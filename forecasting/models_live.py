"""The live record: what was forecast before each shift, sealed and chained, and how it scored afterwards."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, CrimeType, Shift


class LiveRecord(models.Model):
    """The end of one agency's chain of seals. Written by ``forecasting.services.live`` only."""

    agency = models.OneToOneField(Agency, on_delete=models.CASCADE, related_name="live_record")
    n_seals = models.PositiveIntegerField(default=0)
    head = models.CharField(max_length=64, blank=True, help_text=gettext_lazy("Hash of the newest seal."))
    held_until = models.DateTimeField(null=True, blank=True)
    """Somebody scores until then; a worker that was killed lets go of it by itself."""

    def __str__(self) -> str:
        return _("Live record of %(agency)s") % {"agency": self.agency}


class ForecastSeal(models.Model):
    """One forecast's fingerprint, taken when it was finished. Written by ``forecasting.services.live_seal`` only.

    ``statement`` holds what was sealed, ``hash`` is the sha256 of it, and it names the hash of the seal before: nothing in the
    chain can be changed, taken out or put elsewhere without showing. ``state`` and ``due_at`` are no part of what is sealed.
    """

    class State(models.TextChoices):
        WAITING = "waiting", gettext_lazy("Waits for its shift and the reports of it")
        SCORED = "scored", gettext_lazy("Scored")
        FINAL = "final", gettext_lazy("Scored again with late reports")
        LATE = "late", gettext_lazy("Made after the shift began; never scored")
        SUPERSEDED = "superseded", gettext_lazy("A later forecast, still before the shift, counts")
        CHANGED = "changed", gettext_lazy("Its surfaces are not the ones that were sealed; never scored")
        GONE = "gone", gettext_lazy("Its surfaces are no longer there; not scored")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    number = models.PositiveIntegerField(help_text=gettext_lazy("Place in the agency's chain, from 1."))
    run = models.ForeignKey(
        "forecasting.ForecastRun", null=True, on_delete=models.SET_NULL, related_name="seals"
    )
    shift = models.ForeignKey(Shift, on_delete=models.PROTECT)
    on = models.DateField(help_text=gettext_lazy("The local date on which the shift starts."))
    period_from = models.DateTimeField()
    period_to = models.DateTimeField()
    sealed_at = models.DateTimeField()
    is_late = models.BooleanField(help_text=gettext_lazy("Sealed after the shift began."))
    statement = models.TextField()
    previous = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    due_at = models.DateTimeField(
        null=True, blank=True, help_text=gettext_lazy("When it is to be scored (again).")
    )

    class Meta:
        ordering = ["agency", "number"]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="seal_by_due"),
            models.Index(fields=["agency", "shift", "on"], name="seal_by_shift"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["agency", "number"], name="seal_number_once_per_agency"),
            models.CheckConstraint(
                condition=Q(is_late=False, sealed_at__lt=F("period_from"))
                | Q(is_late=True, sealed_at__gte=F("period_from")),
                name="seal_says_whether_it_was_late",
            ),
            models.CheckConstraint(
                condition=Q(is_late=False) | Q(state="late", due_at__isnull=True),
                name="late_seal_is_never_due",
            ),
        ]

    def __str__(self) -> str:
        return _("Seal %(self_number)s: %(shift)s %(on)s") % {
            "self_number": self.number,
            "shift": self.shift,
            "on": f"{self.on:%Y-%m-%d}",
        }


class LiveScore(models.Model):
    """How one sealed forecast of one crime type did. Written by ``forecasting.services.live_score`` only.

    Log scores are Poisson log-likelihoods over all cells of the shift, in nats. The first score never changes: the test runs on
    it. ``final_…`` is counted once more, weeks later, with the reports that came late.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    seal = models.ForeignKey(ForecastSeal, on_delete=models.CASCADE, related_name="scores")
    crime_type = models.ForeignKey(CrimeType, on_delete=models.CASCADE)
    version = models.ForeignKey("forecasting.ModelVersion", null=True, on_delete=models.SET_NULL)
    version_number = models.PositiveIntegerField()
    shift = models.ForeignKey(Shift, on_delete=models.PROTECT)
    on = models.DateField()
    sealed_at = models.DateTimeField()
    period_from = models.DateTimeField()
    period_to = models.DateTimeField()
    n_cells = models.PositiveIntegerField()
    expected = models.FloatField()
    largest_gain = models.FloatField(
        help_text=gettext_lazy(
            "Nats for which this shift counts at most in the test, from the two sealed surfaces alone."
        )
    )
    crimes = models.PositiveIntegerField()
    log_score = models.FloatField()
    plain_log_score = models.FloatField(
        null=True,
        help_text=gettext_lazy("The plain count's; empty where it was itself the model in service."),
    )
    scored_at = models.DateTimeField()
    final_crimes = models.PositiveIntegerField(null=True)
    final_log_score = models.FloatField(null=True)
    final_plain_log_score = models.FloatField(null=True)
    final_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["crime_type", "period_from"]
        constraints = [
            models.UniqueConstraint(fields=["crime_type", "shift", "on"], name="live_score_once_per_shift"),
            models.UniqueConstraint(fields=["seal", "crime_type"], name="live_score_once_per_seal"),
            models.CheckConstraint(
                condition=Q(sealed_at__lt=F("period_from")), name="live_score_sealed_before_the_shift"
            ),
            models.CheckConstraint(
                condition=Q(scored_at__gte=F("period_to")), name="live_score_after_the_shift"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.crime_type}, {self.shift} {self.on:%Y-%m-%d}"
