"""How people get accounts: an administrator makes them, or an identity provider's group does; nobody signs up by themselves."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.contrib import messages
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext

from agencies.models import User
from agencies.services.sign_on import signs_on_elsewhere
from agencies.sign_in_log import record_for_person, sign_in_failed
from agencies.sign_on import SignOnAdapter
from missions_project.lib.mail import PRODUCT, Letter, message_of, pieces_of


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

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        sign_in_failed(credentials)

    def logout(self, request: HttpRequest) -> None:
        """Write down who goes, while it is known; a session that ends by itself is none's deed."""
        person = request.user if request.user.is_authenticated else None
        super().logout(request)
        if isinstance(person, User):
            record_for_person(person, "signed out", by=person)

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMultiAlternatives:
        """The library's own text, in a letter that looks as all others: its last paragraph, ours, is the foot."""
        text = super().render_mail(template_prefix, email, context, headers)
        words = {
            "password_reset_url": gettext("Choose a new password"),
            "activate_url": gettext("Confirm the address"),
        }
        links = {
            str(context[name]): words.get(name, gettext("Go on")) for name in context if name.endswith("_url")
        }
        body, _gap, foot = str(text.body).strip().rpartition("\n\n")
        letter = Letter(
            subject=text.subject,
            sender=PRODUCT,
            heading=text.subject.removeprefix(f"[{PRODUCT}] "),
            pieces=pieces_of(body, links),
            foot=[" ".join(foot.split())],
            links=list(links),
        )
        message = message_of(letter, text.to)
        # Word by word as the library wrote it, lines and all.
        message.body, message.from_email = text.body, text.from_email
        message.extra_headers |= text.extra_headers
        return message
