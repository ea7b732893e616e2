"""The audit log: read, never written here."""

import json
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.admin_clock import local
from agencies.audit_words import action_words, subject_words
from agencies.configuration import sections
from agencies.history import changes_of
from agencies.models import AuditEvent

ABOUT_MANY_ROWS = (
    *("districts.uploaded", "beats.uploaded", "boundary.set"),
    *("agency.created", "agency.configuration_imported", "tactic.starter_set_added"),
)
"""Changes of the configuration that are about no single row."""


class RowKindFilter(admin.SimpleListFilter):
    """Changes of the configuration, or of one of its tables."""

    title = gettext_lazy("what was changed")
    parameter_name = "of"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        tables = [section.model._meta for section in sections()]
        named = sorted((str(meta.verbose_name_plural).capitalize(), meta.label_lower) for meta in tables)
        return [("configuration", _("The configuration")), *((label, words) for words, label in named)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        if self.value() == "configuration":
            labels = [section.model._meta.label_lower for section in sections()]
            rows = Q(model__in=[*labels, "agencies.agency"])
            return queryset.filter(rows | Q(action__in=ABOUT_MANY_ROWS))
        return queryset.filter(model=self.value()) if self.value() else queryset


class ActionFilter(admin.AllValuesFieldListFilter):
    """What was done, in the reader's words."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield choice | {"display": action_words(str(choice["display"]))}


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    list_display = ("when", "agency", "who", "about", "changes", "why")
    list_filter = ("agency", RowKindFilter, "at", "actor", ("action", ActionFilter))
    search_fields = ("subject", "action", "why")
    list_select_related = ("agency", "actor")
    date_hierarchy = "at"
    fields = ("at", "agency", "who", "about", "why", "changes", "what")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    @admin.display(description=gettext_lazy("time"), ordering="at")
    def when(self, event: AuditEvent) -> str:
        """By the agency's clock; of the installation's own events in UTC."""
        return local(event.at, event.agency) if event.agency else date_format(event.at, "j M Y H:i") + " UTC"

    @admin.display(description=gettext_lazy("who"))
    def who(self, event: AuditEvent) -> str:
        # Not called like the row's own column: Django would show that one, and nothing where a command did it.
        # A person who is no longer there is known by the name that was kept.
        return str(event.actor or event.actor_name or _("a command or the worker"))

    @admin.display(description=gettext_lazy("subject"), ordering="subject")
    def about(self, event: AuditEvent) -> str:
        return subject_words(event.action, event.subject)

    @admin.display(description=gettext_lazy("what"))
    def changes(self, event: AuditEvent) -> str:
        """Each column with what it was and became."""
        return render_to_string(
            "admin/agencies/_changes.html", {"event": event, "changes": changes_of(event)}
        )

    @admin.display(description=gettext_lazy("as recorded"))
    def what(self, event: AuditEvent) -> str:
        return format_html("<pre>{}</pre>", json.dumps(event.detail, indent=2, ensure_ascii=False))
