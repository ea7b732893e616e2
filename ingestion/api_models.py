"""What the API keeps: an agency's own keys, and answers to requests that may be sent twice."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.models import Agency, User
from ingestion.models import ApiToken


class AgencyKey(ApiToken):
    """A key for the agency's whole API instead of one feed. Made by ``ingestion.services.agency_key_create`` only."""

    class Meta:
        proxy = True
        verbose_name = gettext_lazy("API key")
        verbose_name_plural = gettext_lazy("API keys")


class ApiAnswer(models.Model):
    """What a request with an Idempotency-Key was answered. Written by ``ingestion.api.once`` only, kept for two days.

    It is written in the transaction of what the request did: either both are there or neither.
    """

    agency = models.ForeignKey(Agency, on_delete=models.CASCADE)
    asker = models.CharField(
        max_length=80, help_text=gettext_lazy("Whose word it is: a person's, or a key's.")
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=100)
    fingerprint = models.CharField(max_length=64, help_text=gettext_lazy("Of method, address and body."))
    status = models.PositiveSmallIntegerField()
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agency", "asker", "key"], name="api_answer_once_per_key")
        ]
        indexes = [models.Index(fields=["created_at"], name="api_answer_by_age")]

    def __str__(self) -> str:
        return _("%(status)s for %(key)s") % {"status": self.status, "key": self.key}
