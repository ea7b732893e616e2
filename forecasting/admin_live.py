"""The live record in the admin, to read: what was sealed before each shift, and how it scored. Only services write it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from forecasting.models import ForecastSeal, LiveScore


@admin.register(ForecastSeal)
class ForecastSealAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    none_yet = _("Each forecast is sealed when it is finished: Forecast runs → Forecast next shift.")
    list_display = ("number", "shift", "on", "sealed_at", "in_time", "state", "fingerprint", "agency")
    list_filter = ("agency", "state", "is_late", "shift")
    list_select_related = ("agency", "shift")
    # The newest first; within an agency that is the end of its chain.
    ordering = ("-sealed_at", "-number")
    date_hierarchy = "on"
    fields = (
        *(
            "agency",
            "number",
            "run",
            "shift",
            "on",
            "period_from",
            "period_to",
            "sealed_at",
            "in_time",
            "state",
            "due_at",
        ),
        *("sealed_text", "previous", "hash"),
    )
    readonly_fields = ("in_time", "sealed_text")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).defer("agency__boundary")
        # A list needs no statement, which names every crime type's surfaces and models.
        match = request.resolver_match
        return rows.defer("statement") if match and str(match.url_name).endswith("_changelist") else rows

    @admin.display(description=_("sealed before the shift"), boolean=True, ordering="-is_late")
    def in_time(self, seal: ForecastSeal) -> bool:
        # "Late" with a green tick would say the opposite of what it means.
        return not seal.is_late

    @admin.display(description=_("statement"))
    def sealed_text(self, seal: ForecastSeal) -> str:
        """To the letter: the hash is of these very signs."""
        return format_html(
            '<details><summary>{}</summary><pre class="stored-text">{}</pre></details>',
            _("What was sealed, to the letter (JSON)"),
            seal.statement,
        )

    @admin.display(description=_("hash"))
    def fingerprint(self, seal: ForecastSeal) -> str:
        return seal.hash[:12]


@admin.register(LiveScore)
class LiveScoreAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    none_yet = _("A sealed forecast is scored when its shift is over and the reports of it are in.")
    list_display = (
        "crime_type", "shift", "on", "version_number", "expected_crimes", "crimes", "better_by", "final_crimes",
        "final_better_by", "agency",
    )  # fmt: skip
    list_filter = ("agency", "crime_type", "shift")
    list_select_related = ("agency", "crime_type", "shift")
    ordering = ("-period_from", "crime_type")
    date_hierarchy = "on"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("agency__boundary")

    @admin.display(description=_("expected"), ordering="expected")
    def expected_crimes(self, score: LiveScore) -> str:
        return f"{score.expected:.2f}"

    @admin.display(description=_("better than the plain count by (nats)"))
    def better_by(self, score: LiveScore) -> str:
        return _difference(score.log_score, score.plain_log_score)

    @admin.display(description=_("with late reports (nats)"))
    def final_better_by(self, score: LiveScore) -> str:
        return _difference(score.final_log_score, score.final_plain_log_score)


def _difference(score: float | None, plain: float | None) -> str:
    """Positive: the model's forecast was better. A dash where the plain count was itself in service, or not scored again yet."""
    return "–" if score is None or plain is None else f"{score - plain:+.3f}"
