"""Single sign-on: what the groups of an identity provider mean here. Models of ``agencies.models``, which is where the rest imports them from."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from agencies.models import Membership, Role


class GroupRole(models.Model):
    """A group of an identity provider, and the role that its people have in one agency. A group without a row gives nothing."""

    agency = models.ForeignKey("agencies.Agency", on_delete=models.CASCADE)
    provider = models.SlugField(
        max_length=60,
        help_text=_(
            "The identity provider's short name on this installation, as the operator has set it up."
        ),
    )
    group = models.CharField(
        max_length=200,
        help_text=_("The group exactly as the provider sends it. Some send names, others numbers."),
    )
    role = models.CharField(
        max_length=12,
        choices=Role,
        help_text=_("What people of the group may do here. Who is in several groups gets the widest role."),
    )

    class Meta:
        verbose_name = _("single sign-on group")
        verbose_name_plural = _("single sign-on groups")
        ordering = ["provider", "group"]
        constraints = [
            models.UniqueConstraint(fields=["agency", "provider", "group"], name="one_role_per_agency_group")
        ]

    def __str__(self) -> str:
        return f"{self.group}: {self.get_role_display()}"


class SignOnGrant(models.Model):
    """Tells that a membership came from an identity provider's groups and goes with them. Written by ``agencies.services.sign_on`` only."""

    agency = models.ForeignKey("agencies.Agency", on_delete=models.CASCADE)
    membership = models.OneToOneField(Membership, on_delete=models.CASCADE, related_name="sign_on_grant")
    provider = models.SlugField(max_length=60)
    at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.membership} by {self.provider}"


class SpentAssertion(models.Model):
    """An assertion by SAML that has been used, until it ends by itself. Written by ``agencies.services.assertions`` only."""

    digest = models.CharField(max_length=64, unique=True)
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.digest[:12]} until {self.until:%Y-%m-%d %H:%M}"
