"""How people get accounts: an administrator makes them, or an identity provider's group does; nobody signs up by themselves."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext

from agencies.models import User
from agencies.services.sign_on import signs_on_elsewhere
from agencies.sign_on import SignOnAdapter


class ClosedAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Signing up is closed: a stranger with an account would be inside the first door."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponseBase | None:
        """Keep out by password whose roles come from an identity provider: who has left there must not come in here."""
        refusal: HttpResponseBase | None = super().pre_login(request, user, **kwargs)
        if refusal is not None:
            return refusal
        sociallogin = (kwargs.get("signal_kwargs") or {}).get("sociallogin")
        if sociallogin is not None:
            SignOnAdapter.note_second_factor(request, sociallogin)
        elif signs_on_elsewhere(user):
            messages.error(
                request,
                gettext("Your roles come from single sign-on: sign in through your identity provider."),
            )
            return HttpResponseRedirect(reverse("account_login"))
        return None
