"""Why an answer of an identity provider is refused: a short code for the audit log, a sentence for the person."""

from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from missions_project.lib.errors import MissionsError


class Why(StrEnum):
    """The codes, as the audit log keeps them and docs/security/saml.md explains them."""

    SIZE = "size"
    XML = "xml"
    STRUCTURE = "structure"
    ENCRYPTED = "encrypted"
    UNSIGNED = "unsigned"
    ALGORITHM = "algorithm"
    SIGNATURE = "signature"
    STATUS = "status"
    ISSUER = "issuer"
    DESTINATION = "destination"
    AUDIENCE = "audience"
    TIME = "time"
    CONFIRMATION = "confirmation"
    SUBJECT = "subject"
    REPLAYED = "replayed"
    UNASKED = "unasked"
    SIGN_OUT = "sign-out"


WHY = {
    Why.SIZE: _("The provider's answer is empty or too large."),
    Why.XML: _(
        "The provider's answer is no plain XML: it has a document type, comments, entities or is damaged."
    ),
    Why.STRUCTURE: _("The provider's answer is not built as a signed assertion has to be."),
    Why.ENCRYPTED: _("The provider's answer is encrypted, which is not supported."),
    Why.UNSIGNED: _("The provider did not sign its assertion."),
    Why.ALGORITHM: _("The provider signed with a method that is not accepted, for example SHA-1."),
    Why.SIGNATURE: _("The signature is not by the provider's key, or what was signed has been changed."),
    Why.STATUS: _("The provider did not let you in."),
    Why.ISSUER: _("The answer comes from another provider than the one that was asked."),
    Why.DESTINATION: _("The answer is meant for another address."),
    Why.AUDIENCE: _("The answer is meant for another service."),
    Why.TIME: _("The answer is too old, or from the future."),
    Why.CONFIRMATION: _("The answer does not say for whom, where and until when it holds."),
    Why.SUBJECT: _("The answer does not name the person by a lasting name."),
    Why.REPLAYED: _("The answer has been used before."),
    Why.UNASKED: _("The answer belongs to no sign-in that was begun in this browser."),
    Why.SIGN_OUT: _("The provider's request to sign out cannot be used."),
}
"""By code. Said to whoever stands at the door: none of it helps to make a better forgery."""


class SamlRefused(MissionsError):
    """An answer that opens nothing. ``subject``: who it was about, where the signature held."""

    def __init__(self, code: Why, *, subject: str = "") -> None:
        super().__init__(
            str(WHY[code]),
            next_step=str(
                _(
                    "try again from the sign-in page; if it fails again, tell whoever runs this installation the time."
                )
            ),
        )
        self.code, self.subject = code, subject
