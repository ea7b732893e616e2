"""Scheduled events, typed in or imported, and the weather that was imported."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.admin_clock import local
from ingestion.models import ScheduledEvent, WeatherHour
from ingestion.services.context_facts import FORMER


@admin.register(ScheduledEvent)
class ScheduledEventAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("name", "agency", "kind", "starts", "place", "attendance", "origin", "is_on")
    list_filter = ("agency", "kind", "feed")
    list_select_related = ("agency", "feed")
    search_fields = ("name", "kind")
    date_hierarchy = "starts_at"
    fields = (
        *("agency", "name", "kind", "starts_at", "ends_at", "announced_at"),
        *("lon", "lat", "attendance", "cancelled_at"),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The next import would undo it: what comes from a calendar is changed in the calendar.
        return super().has_change_permission(request, obj) and (obj is None or obj.feed_id is None)

    @admin.display(description=gettext_lazy("starts"), ordering="starts_at")
    def starts(self, event: ScheduledEvent) -> str:
        return local(event.starts_at, event.agency)

    @admin.display(description=gettext_lazy("place"))
    def place(self, event: ScheduledEvent) -> str:
        return _("whole city") if event.lon is None else f"{event.lat:.5f}, {event.lon:.5f}"

    @admin.display(description=gettext_lazy("from"))
    def origin(self, event: ScheduledEvent) -> str:
        if event.external_id.startswith(FORMER):
            return _("%(feed)s, before it was changed") % {"feed": event.feed}
        return str(event.feed) if event.feed else _("typed in")

    @admin.display(description=gettext_lazy("takes place"), boolean=True)
    def is_on(self, event: ScheduledEvent) -> bool:
        return event.cancelled_at is None


@admin.register(WeatherHour)
class WeatherHourAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    none_yet = gettext_lazy("Weather comes through a feed of that kind: Feeds → Add feed.")
    list_display = (
        *("begins", "agency", "length_hours", "temperature_c", "precipitation_mm", "snow_cm", "wind_ms"),
        *("is_forecast", "issued", "feed"),
    )
    list_filter = ("agency", "feed", "is_forecast")
    list_select_related = ("agency", "feed")
    date_hierarchy = "valid_at"

    @admin.display(description=gettext_lazy("begins"), ordering="valid_at")
    def begins(self, hour: WeatherHour) -> str:
        return local(hour.valid_at, hour.agency)

    @admin.display(description=gettext_lazy("issued"), ordering="issued_at")
    def issued(self, hour: WeatherHour) -> str:
        return local(hour.issued_at, hour.agency)
