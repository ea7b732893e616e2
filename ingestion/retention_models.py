"""How long what came in is kept, and what was measured of its quality."""

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency


class RetentionPolicy(models.Model):
    """How long an agency keeps one kind of record exactly, and at all. Changed in the admin; without a row all is kept.

    ``claimed_on`` and ``unlogged`` are written by ``ingestion.services.retention`` only.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    kind = models.CharField(max_length=40, help_text=gettext_lazy("What the rule is about."))
    coarsen_after_days = models.PositiveIntegerField(
        gettext_lazy("make coarse after … days"),
        null=True,
        blank=True,
        help_text=gettext_lazy(
            "Older records keep only a square of about 100 metres and the hour. It cannot be undone. Empty: never."
        ),
    )
    delete_after_days = models.PositiveIntegerField(
        gettext_lazy("delete after … days"),
        null=True,
        blank=True,
        help_text=gettext_lazy(
            "Older records are deleted, and refused when they are imported again. It cannot be undone. Empty: never."
        ),
    )
    claimed_on = models.DateField(null=True, blank=True, editable=False)
    """The agency's date on which the nightly job took this row last: once a day, whatever is started how often."""
    finished_at = models.DateTimeField(gettext_lazy("last finished"), null=True, blank=True, editable=False)
    unlogged = models.JSONField(default=dict, blank=True, editable=False)
    """What was done and is not in the audit log yet: written with each batch, so that a kill loses no count."""

    class Meta:
        ordering = ["agency", "kind"]
        verbose_name_plural = gettext_lazy("retention policies")
        constraints = [
            models.UniqueConstraint(fields=["agency", "kind"], name="retention_policy_once_per_kind"),
            models.CheckConstraint(
                condition=Q(coarsen_after_days__isnull=True)
                | Q(delete_after_days__isnull=True)
                | Q(coarsen_after_days__lt=F("delete_after_days")),
                name="retention_coarse_before_deleted",
            ),
        ]

    def __str__(self) -> str:
        return _("Retention of %(kind)s") % {"kind": self.kind}

    def clean(self) -> None:
        coarse, gone = self.coarsen_after_days, self.delete_after_days
        for name, days in (("coarsen_after_days", coarse), ("delete_after_days", gone)):
            if days == 0:
                raise ValidationError({name: _("At least one day. Leave it empty for “never”.")})
        if coarse is not None and gone is not None and coarse >= gone:
            raise ValidationError(
                {
                    "coarsen_after_days": _(
                        "Must be fewer days than the deletion: what is deleted needs no coarsening."
                    )
                }
            )


class FeedQuality(models.Model):
    """What was measured of one feed's stored rows, kept until they change. Written by ``ingestion.services`` only."""

    feed = models.OneToOneField("ingestion.Feed", on_delete=models.CASCADE, related_name="quality")
    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    version = models.CharField(max_length=64)
    """A mark of the data and of the way of measuring; with another one the row is out of date."""
    measured_at = models.DateTimeField(default=timezone.now)
    summary = models.JSONField(default=dict)

    class Meta:
        verbose_name_plural = gettext_lazy("feed qualities")

    def __str__(self) -> str:
        return _("Quality of feed %(feed_id)s") % {"feed_id": self.feed_id}
