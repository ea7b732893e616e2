"""Why an answer of an identity provider is refused: a short code for the audit log, a sentence for the person."""

from django.utils.translation import gettext_lazy as _

from missions_project.lib.errors import MissionsError

WHY = {
    "size": _("The provider's answer is empty or too large."),
    "xml": _("The provider's answer is no plain XML: it has a document type, comments, entities or is damaged."),
    "structure": _("The provider's answer is not built as a signed assertion has to be."),
    "encrypted": _("The provider's answer is encrypted, which is not supported."),
    "unsigned": _("The provider did not sign its assertion."),
    "algorithm": _("The provider signed with a method that is not accepted, for example SHA-1."),
    "signature": _("The signature is not by the provider's key, or what was signed has been changed."),
    "status": _("The provider did not let you in."),
    "issuer": _("The answer comes from another provider than the one that was asked."),
    "destination": _("The answer is meant for another address."),
    "audience": _("The answer is meant for another service."),
    "time": _("The answer is too old, or from the future."),
    "confirmation": _("The answer does not say for whom, where and until when it holds."),
    "subject": _("The answer does not name the person by a lasting name."),
    "replayed": _("The answer has been used before."),
    "unasked": _("The answer belongs to no sign-in that was begun in this browser."),
    "sign-out": _("The provider's request to sign out cannot be used."),
}
"""By code. Said to whoever stands at the door: none of it helps to make a better forgery."""


class SamlRefused(MissionsError):
    """An answer that opens nothing. ``code`` is one of ``WHY``; ``subject``: who it was about, where the signature held."""

    def __init__(self, code: str, *, subject: str = "") -> None:
        super().__init__(
            str(WHY[code]),
            next_step=str(_("try again from the sign-in page; if it fails again, tell whoever runs this installation the time.")),
        )
        self.code, self.subject = code, subject
