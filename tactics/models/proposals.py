"""Changes of a dial that the figures suggest: a person decides, and only then something changes."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from agencies.models import Agency
from patrols.models import PatrolPolicy
from tactics.models.catalogue import TacticRule
from tactics.models.inquiries import Inquiry


class PolicyProposal(models.Model):
    """One dial, one step, and why. Made by ``tactics.services.proposals_make``, decided by ``proposal_decide`` alone.

    ``value_from`` is what the dial stood at: where it stands elsewhere by now the proposal is stale and changes nothing.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        APPROVED = "approved", _("Approved")
        DECLINED = "declined", _("Declined")
        STALE = "stale", _("Out of date")

    class Purpose(models.TextChoices):
        GAIN = "gain", _("Prevent more")
        LEARN = "learn", _("Learn sooner")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    inquiry = models.ForeignKey(Inquiry, on_delete=models.RESTRICT, related_name="proposals", editable=False)
    policy = models.ForeignKey(PatrolPolicy, null=True, on_delete=models.CASCADE, editable=False)
    rule = models.ForeignKey(TacticRule, null=True, on_delete=models.CASCADE, editable=False)
    field = models.CharField(max_length=40, editable=False)
    label = models.CharField(max_length=250, editable=False)
    value_from = models.FloatField(editable=False)
    value_to = models.FloatField(editable=False)
    purpose = models.CharField(max_length=8, choices=Purpose, editable=False)
    gain = models.FloatField(
        null=True,
        editable=False,
        help_text=_(
            "Additional share of all expected crime that would be prevented. Empty where no study gave an interval."
        ),
    )
    gain_low = models.FloatField(null=True, editable=False)
    gain_high = models.FloatField(null=True, editable=False)
    basis = models.JSONField(default=dict, editable=False)
    basis_hash = models.CharField(max_length=64, editable=False)
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN, editable=False)
    decided_at = models.DateTimeField(null=True, editable=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    reason = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["-made_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(policy__isnull=False, rule__isnull=True)
                | Q(policy__isnull=True, rule__isnull=False),
                name="proposal_names_one_dial",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["open", "stale"]) | (Q(decided_at__isnull=False) & ~Q(reason="")),
                name="proposal_decided_with_reason",
            ),
            models.UniqueConstraint(
                fields=["policy", "field"],
                condition=Q(status="open", policy__isnull=False),
                name="one_open_proposal_per_policy_dial",
            ),
            models.UniqueConstraint(
                fields=["rule", "field"],
                condition=Q(status="open", rule__isnull=False),
                name="one_open_proposal_per_rule_dial",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.value_from:g} → {self.value_to:g}"
