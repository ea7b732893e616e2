"""The language in which somebody reads: chosen by them, kept with the account and in the browser, else the browser's own."""

from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from agencies.models import User


class LanguageMiddleware(LocaleMiddleware):
    """Django's choice of the language, and the account's own in the browser from the sign-in on: no query a page."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if language := getattr(request, "language_of_account", ""):
            response.set_cookie(
                settings.LANGUAGE_COOKIE_NAME,
                language,
                max_age=settings.LANGUAGE_COOKIE_AGE,
                secure=settings.LANGUAGE_COOKIE_SECURE,
                httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
                samesite="Lax",
            )
        answer: HttpResponseBase = super().process_response(request, response)
        return answer


@require_POST
def language_choose(request: HttpRequest) -> HttpResponse:
    """Keep the language in the browser and, of somebody who is signed in, with the account; then back to where they were."""
    language = request.POST.get("language", "")
    if language in dict(settings.LANGUAGES) and isinstance(request.user, User):
        User.objects.filter(pk=request.user.pk).update(language=language)
    return set_language(request)


def _note_language(sender: Any, request: HttpRequest | None, user: Any, **kwargs: Any) -> None:
    if request is not None and user.language in dict(settings.LANGUAGES):
        request.language_of_account = user.language  # type: ignore[attr-defined]


user_logged_in.connect(_note_language, dispatch_uid="agencies.language_of_account")
