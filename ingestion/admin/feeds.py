"""Feeds: what comes from where, how it is read, how it is doing; and the door to the mapping wizard."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin
from agencies.admin_clock import local
from ingestion.admin.feed_tokens import TokensMixin
from ingestion.admin.parameters import (
    ParameterForm,
    ParameterNames,
    feed_form,
    parameter_names,
    schedule_names,
)
from ingestion.admin.position_columns import position_names
from ingestion.admin.pulls import PullMixin
from ingestion.admin.wizard import WizardMixin
from ingestion.engine.mapping import FIELDS, FeedMapping, MappingError
from ingestion.engine.position_mapping import PositionMapping
from ingestion.engine.suggest import DATE_FORMATS
from ingestion.forms import FeedForm
from ingestion.models import FACT_KINDS, Feed, RecordKind
from ingestion.selectors import FeedHealth, feeds_with_health
from ingestion.services import feed_is_whole_file
from ingestion.sources import is_pull
from ingestion.words import said

Cache = dict[int, dict[int, FeedHealth]]
SHARED = ("health", "last_run", "stored", "waiting")
"""Columns that come from one set of queries an agency."""


def _row_of(feed: Feed, cache: Cache | None) -> FeedHealth:
    known = cache if cache is not None else {}
    if feed.agency_id not in known:
        rows = feeds_with_health(feed.agency, now=timezone.now())
        known[feed.agency_id] = {row.feed.pk: row for row in rows}
    return known[feed.agency_id][feed.pk]


def _bound(method: Any, cache: Cache) -> Callable[[Feed], str]:
    @admin.display(description=method.short_description)
    def cell(feed: Feed) -> str:
        text: str = method(feed, cache)
        return text

    # The admin names the cell's style after the function.
    cell.__name__ = method.__name__
    return cell


@admin.register(Feed)
class FeedAdmin(PullMixin, TokensMixin, WizardMixin, AuditedAdminMixin, AgencyScopedAdmin):
    form = FeedForm
    list_display = (
        *("name", "agency", "record_kind", "health", "last_run", "next_pull"),
        *("stored", "waiting", "doors"),
    )
    list_filter = ("agency", "record_kind", "is_active")
    list_select_related = ("agency",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    readonly_fields = ("how_it_is_read", "next_pull")
    fields = ("agency", "name", "slug", "record_kind", "kind", "is_active")
    lag_fields = ("lag_median_hours", "lag_p90_hours")
    change_form_template = "admin/ingestion/feed/change_form.html"
    audit_hidden_fields = ParameterNames()

    class Media:
        css = {"all": ("ingestion/wizard.css",)}

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Commands and addresses name the slug: it follows the name only until the first save.
        return {} if obj is not None else self.prepopulated_fields

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [*self.fields, *self.lag_fields, "silent_after_hours"]
        return [
            *self.fields,
            *parameter_names(obj.kind),
            *position_names(obj),
            *schedule_names(obj),
            *self.lag_fields,
            "silent_after_hours",
            "how_it_is_read",
        ]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change=change, form=feed_form(obj), **kwargs)

    def save_model(self, request: HttpRequest, obj: Feed, form: Any, change: bool) -> None:
        if isinstance(form, ParameterForm):
            form.apply(obj)
        super().save_model(request, obj, form, change)

    def response_add(
        self, request: HttpRequest, obj: Feed, post_url_continue: str | None = None
    ) -> HttpResponse:
        if "_addanother" in request.POST or "_popup" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        if is_pull(obj.kind):
            self.message_user(
                request, _("Feed “%(obj)s” is there. Now say where its rows are fetched.") % {"obj": obj}
            )
            return redirect("admin:ingestion_feed_change", obj.pk)
        if obj.kind == "push":
            self.message_user(
                request,
                _("Feed “%(obj)s” is there. Now make a key for the machine that sends its rows.")
                % {"obj": obj},
            )
            return redirect("admin:ingestion_feed_tokens", obj.pk)
        self.message_user(
            request,
            _("Feed “%(obj)s” is there. Now show it a file: its columns are mapped next.") % {"obj": obj},
        )
        return redirect("admin:ingestion_feed_upload", obj.pk)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The columns; those about health share one set of queries an agency, not one a row."""
        cache: Cache = {}
        bound = {name: _bound(getattr(self, name), cache) for name in SHARED}
        return [bound.get(name, name) for name in super().get_list_display(request)]

    @admin.display(description=gettext_lazy("health"))
    def health(self, feed: Feed, cache: Cache | None = None) -> str:
        row = _row_of(feed, cache)
        return format_html('<span class="feed-health feed-health--{}">{}</span>', row.tone, row.words)

    @admin.display(description=gettext_lazy("last run"))
    def last_run(self, feed: Feed, cache: Cache | None = None) -> str:
        """When, and what became of its rows: in one cell, for the list must fit a screen."""
        if (run := _row_of(feed, cache).last_run) is None:
            return _("never")
        words = {
            "received": _("in"),
            "inserted": _("new"),
            "updated": _("changed"),
            "quarantined": _("aside"),
            "refused": _("refused"),
        }
        told = [f"{run.counts[name]:,} {word}" for name, word in words.items() if run.counts.get(name)]
        url = reverse("admin:ingestion_importrun_change", args=[run.pk])
        return format_html(
            '<a href="{}">{}</a><span class="feed-counts">{}</span>',
            url,
            local(run.queued_at, feed.agency),
            ", ".join(told),
        )

    @admin.display(description=gettext_lazy("stored"))
    def stored(self, feed: Feed, cache: Cache | None = None) -> str:
        return f"{_row_of(feed, cache).stored:,}"

    @admin.display(description=gettext_lazy("kept aside"))
    def waiting(self, feed: Feed, cache: Cache | None = None) -> str:
        if not (number := _row_of(feed, cache).waiting):
            return "0"
        url = f"{reverse('admin:ingestion_quarantinedrow_changelist')}?feed__id__exact={feed.pk}&state=open"
        return format_html('<a href="{}">{}</a>', url, f"{number:,}")

    @admin.display(description="")
    def doors(self, feed: Feed) -> str:
        """Where to go from here: the next file or sample, the keys, the quality of what came."""
        url = reverse("admin:ingestion_feed_upload", args=[feed.pk])
        if is_pull(feed.kind) and feed_is_whole_file(feed.kind):
            url, words = reverse("admin:ingestion_feed_change", args=[feed.pk]), _("Address")
        elif is_pull(feed.kind):
            words = _("Go on with the sample") if feed.draft else _("Fetch a sample")
        else:
            words = _("Go on with the upload") if feed.draft else _("Upload a file")
        links = [(url, words), (reverse("admin:ingestion_feed_tokens", args=[feed.pk]), _("Keys"))]
        if feed.record_kind in FACT_KINDS:
            quality = reverse("ingestion:quality", args=[feed.agency.slug, feed.slug])
            links.append((quality, _("Data quality")))
        return format_html_join("", '<a class="feed-door" href="{}">{}</a>', links)

    @admin.display(description=gettext_lazy("how it is read"))
    def how_it_is_read(self, feed: Feed) -> str:
        """The mapping in words: which column is which field, formats, zone."""
        if feed.record_kind == RecordKind.POSITIONS:
            names = ", ".join(PositionMapping.from_json(feed.mapping or {}).columns.values())
            return _("Machines send %(names)s; nothing else of a row is read.") % {"names": names}
        if feed_is_whole_file(feed.kind):
            return _("As a whole: files of this kind say themselves what they hold, and nothing is mapped.")
        if not feed.mapping:
            if is_pull(feed.kind):
                return _("Not mapped yet: fetch a sample.")
            return _(
                "Not mapped yet: upload a file. Rows that machines push are read under the documented names."
            )
        try:
            mapping = FeedMapping.from_json(feed.mapping)
        except MappingError as exc:
            return _("The stored mapping cannot be used: %(exc)s") % {"exc": exc}
        rows = [
            (said(FIELDS[name].label), column) for name, column in mapping.columns.items() if name in FIELDS
        ]
        rows += [
            (said(FIELDS[name].label), _("always “%(value)s”") % {"value": value})
            for name, value in mapping.constants.items()
        ]
        rows += [
            (_("Dates look like"), dict(DATE_FORMATS).get(mapping.date_format, mapping.date_format)),
            (
                _("Time zone"),
                mapping.time_zone or _("the agency's (%(time_zone)s)") % {"time_zone": feed.agency.time_zone},
            ),
        ]
        if mapping.is_projected:
            rows.append((_("Coordinate system"), f"EPSG:{mapping.crs}"))
        if mapping.ignored_codes:
            rows.append((_("Ignored codes"), ", ".join(mapping.ignored_codes)))
        lines = format_html_join("", "<tr><th>{}</th><td>{}</td></tr>", rows)
        return format_html('<table class="wizard-table">{}</table>', lines)
