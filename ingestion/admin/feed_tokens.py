"""The page of a feed's keys: make one, see its secret once, revoke it."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from ingestion.models import ApiToken, Feed
from ingestion.services.tokens import MAX_DAYS, token_create, token_revoke, token_rotate
from missions_project.lib.errors import MissionsError


class TokenForm(forms.Form):
    """What a new key may do, and for how long."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=60,
        help_text=gettext_lazy("Which machine will use it, e.g. “CAD export server”."),
    )
    scope = forms.ChoiceField(
        label=gettext_lazy("Scope"),
        choices=[
            ("push", gettext_lazy("Push: send rows to this feed, upload HunchLab files")),
            ("read", gettext_lazy("Read: fetch missions and their effectiveness")),
        ],
        help_text=gettext_lazy(
            "A key does one of the two. Two machines need two keys: each can be revoked alone."
        ),
    )
    days = forms.IntegerField(
        label=gettext_lazy("Days valid"),
        min_value=1,
        max_value=MAX_DAYS,
        initial=365,
        help_text=gettext_lazy("After them it is refused."),
    )


class TokensMixin:
    """The keys' address and page, for the feed's admin."""

    admin_site: Any
    _feed: Callable[..., Feed]

    def get_urls(self) -> list[URLPattern]:
        view = never_cache(self.admin_site.admin_view(self.tokens_view))
        return [
            path("<int:feed_id>/tokens/", view, name="ingestion_feed_tokens"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def tokens_view(self, request: HttpRequest, feed_id: int) -> HttpResponse:
        """List the feed's keys; make one, change one for a new one, or revoke one."""
        feed = self._feed(request, feed_id)
        secret = ""
        form = TokenForm()
        if request.method == "POST" and "revoke" in request.POST:
            if token_revoke(feed=feed, token_key=request.POST["revoke"], actor=request.user):  # type: ignore[arg-type]
                messages.success(
                    request, _("Revoked. Whoever still uses it is refused, in two seconds at the latest.")
                )
            return redirect("admin:ingestion_feed_tokens", feed.pk)
        if request.method == "POST" and "rotate" in request.POST:
            # The newest of those that begin so; two that do are one chance in billions.
            old = (
                ApiToken.objects.filter(feed=feed, token_key=request.POST["rotate"])
                .order_by("-created")
                .first()
            )
            if old is None:
                return redirect("admin:ingestion_feed_tokens", feed.pk)
            try:
                __, secret = token_rotate(token=old, actor=request.user)  # type: ignore[arg-type]
            except MissionsError as exc:
                messages.error(request, str(exc))
        elif request.method == "POST":
            form = TokenForm(request.POST)
            if form.is_valid():
                # Shown in this answer and kept nowhere: a session or a message would store it.
                __, secret = token_create(feed=feed, made_by=request.user, **form.cleaned_data)  # type: ignore[arg-type]
                form = TokenForm()
        now = timezone.now()
        tokens = ApiToken.objects.filter(feed=feed).select_related("user").order_by("-created")
        context = {
            **self.admin_site.each_context(request),
            "opts": Feed._meta,
            "feed": feed,
            "title": _("%(feed)s: keys for machines") % {"feed": feed},
            "form": form,
            "secret": secret,
            "rows": [(token, token.expiry is not None and token.expiry <= now) for token in tokens],
            "address": _address(request, feed),
        }
        return TemplateResponse(request, "admin/ingestion/feed/tokens.html", context)


def _address(request: HttpRequest, feed: Feed) -> str:
    return request.build_absolute_uri(reverse(f"api:push_{feed.record_kind}"))
