"""Questions that are answered from the agency's history in the background, and kept with their answers."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from agencies.models import Agency
from missions_project.lib.runs import AbstractRun, RunQuerySet


class Inquiry(AbstractRun):
    """A question with its choices, and the answer once it is worked out: a link with the same choices shows it again.

    Queued, answered and thinned out only by ``tactics.services.inquiries``.
    """

    class Kind(models.TextChoices):
        EXPERIMENT = "experiment", _("What a study would show")
        PROPOSALS = "proposals", _("Which dials might be turned")
        CURVES = "curves", _("Time until the next crime")

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    kind = models.CharField(max_length=12, choices=Kind, editable=False)
    choices = models.JSONField(default=dict, editable=False)
    choices_hash = models.CharField(max_length=64, editable=False)
    answer = models.JSONField(null=True, editable=False)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-queued_at", "-pk"]
        verbose_name_plural = _("inquiries")
        indexes = [models.Index(fields=["agency", "kind", "choices_hash"], name="inquiry_by_choices")]

    @staticmethod
    def mark_of(choices: Mapping[str, Any]) -> str:
        """A fingerprint of a question's choices, whatever their order."""
        return hashlib.sha256(json.dumps(choices, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.queued_at:%Y-%m-%d}"
