"""Pull now: on a feed's page and for several feeds of the list."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_clock import local
from ingestion import services
from ingestion.models import Feed
from ingestion.sources import is_pull
from ingestion.tasks import import_task
from missions_project.lib.errors import MissionsError


class PullMixin:
    """The address, the action and the columns about pulls, for the feed's admin."""

    admin_site: Any
    _feed: Callable[..., Feed]
    actions: Any = ("pull_now",)

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "<int:feed_id>/pull/", self.admin_site.admin_view(self.pull_view), name="ingestion_feed_pull"
        )
        return [own, *super().get_urls()]  # type: ignore[misc]

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        feed = context.get("original")
        context["is_pulled"] = feed is not None and is_pull(feed.kind)
        context["needs_mapping"] = feed is not None and not services.feed_is_whole_file(feed.kind)
        found: HttpResponse = super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
        return found

    def pull_view(self, request: HttpRequest, feed_id: int) -> HttpResponse:
        """Queue a pull and show its run."""
        feed = self._feed(request, feed_id)
        if request.method != "POST" or not is_pull(feed.kind):
            raise Http404(_("A pull is asked for with a button."))
        try:
            run = services.pull_queue(feed=feed, requested_by=request.user)  # type: ignore[arg-type]
        except MissionsError as exc:
            messages.error(request, str(exc))
            return redirect("admin:ingestion_feed_change", feed.pk)
        import_task.delay_on_commit(run.pk)
        messages.success(request, _("The pull has been queued."))
        return redirect("admin:ingestion_importrun_change", run.pk)

    @admin.action(description=gettext_lazy("Pull now"), permissions=["change"])
    def pull_now(self, request: HttpRequest, queryset: QuerySet[Feed]) -> None:
        for feed in queryset:
            try:
                run = services.pull_queue(feed=feed, requested_by=request.user)  # type: ignore[arg-type]
            except MissionsError as exc:
                messages.error(request, f"{feed}: {exc}")
                continue
            import_task.delay_on_commit(run.pk)
            url = reverse("admin:ingestion_importrun_change", args=[run.pk])
            messages.success(
                request, format_html(_('“{}” is being pulled: <a href="{}">progress</a>.'), feed, url)
            )

    @admin.display(description=gettext_lazy("next run"), ordering="next_due_at")
    def next_pull(self, feed: Feed) -> str:
        """When the feed is pulled next, in the agency's own time."""
        if not is_pull(feed.kind):
            return "–"
        if not feed.every_minutes:
            return _("by hand")
        if not feed.is_active:
            return _("switched off")
        if not feed.mapping and not services.feed_is_whole_file(feed.kind):
            return _("once it is mapped")
        if feed.next_due_at is None:
            return _("within a minute")
        return local(feed.next_due_at, feed.agency)
