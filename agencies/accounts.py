"""How people get accounts: an administrator makes them; nobody signs up by themselves."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Signing up is closed: a stranger with an account would be inside the first door."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
