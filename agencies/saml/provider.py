"""The kind of provider that django-allauth shows on the sign-in page: its own for SAML, with our addresses, checks and words."""

from typing import Any

from allauth.socialaccount.providers.saml.provider import SAMLProvider
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from agencies.saml.claims import Said, claims_of


class CheckedSamlProvider(SAMLProvider):  # type: ignore[misc]  # allauth ships no types
    """Reads no answer itself: it is given what a checked one said."""

    def get_login_url(self, request: HttpRequest, **kwargs: Any) -> str:
        url = reverse("saml_login", kwargs={"provider_id": self.app.provider_id})
        return f"{url}?{urlencode(kwargs)}" if kwargs else url

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kwargs: Any
    ) -> HttpResponseRedirect:
        """Ask the provider, and keep in this browser's session what was asked: only an answer to that opens it."""
        from agencies.saml.protocol import asking

        there, number = asking(self.app)
        self.stash_redirect_state(request, process, next_url, data, state_id=number, **kwargs)
        return HttpResponseRedirect(there)

    def extract_uid(self, data: Said) -> str:
        return data.subject

    def extract_extra_data(self, data: Said) -> dict[str, Any]:
        return {"id_token": claims_of(data, self.app.settings["groups_attribute"])}

    def extract_common_fields(self, data: Said) -> dict[str, Any]:
        # Who the person is here is decided in agencies.sign_on, not by allauth.
        return {}


provider_classes = [CheckedSamlProvider]
