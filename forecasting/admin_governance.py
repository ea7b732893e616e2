"""Model versions and the policy about them in the admin: look, approve, refuse, roll back."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin, administered_agencies
from agencies.admin_clock import local
from agencies.lookups import date_from_text, pk_from_text
from agencies.models import User
from forecasting.model_words import model_label
from forecasting.models import ModelPolicy, ModelVersion
from forecasting.selectors import alarms_of, live_version, refits_of, why_not_live
from forecasting.services import (
    drift_acknowledge,
    model_approve,
    model_policy_ensure,
    model_refuse,
    model_roll_back,
)
from missions_project.lib.errors import MissionsError
from missions_project.lib.sentences import said_again

State = ModelVersion.State


def person_of(request: HttpRequest) -> User:
    """The administrator or operator who is signed in."""
    assert isinstance(request.user, User)  # the admin lets nobody else in
    return request.user


def version_name(version: ModelVersion) -> str:
    """A version as a reader knows it: "Theft v1 (Boosted mixture)". Its own name keeps the code's word, for the audit log."""
    return f"{version.crime_type} v{version.number} ({model_label(version.champion)})"


@admin.register(ModelPolicy)
class ModelPolicyAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("__str__", "agency", "go_live", "refit_days", "refit_time", "next_refit")
    list_select_related = ("agency",)
    fieldsets = (
        (None, {"fields": ("agency", "go_live")}),
        (
            gettext_lazy("Training by schedule"),
            {
                "fields": ("refit_days", "refit_time", "next_refit"),
                "description": gettext_lazy(
                    "A worker with its scheduler, or cron with manage.py train --due, trains when it is due."
                ),
            },
        ),
        (
            gettext_lazy("Drift alarm"),
            {
                "fields": ("settle_days", "departure_percent", "tolerated_percent", "false_alarm_percent"),
                "description": gettext_lazy(
                    "Each week the forecasts are compared with what became known. Three sums are watched: more "
                    "crime than expected, less, and a plain count that forecasts better."
                ),
            },
        ),
    )

    readonly_fields = ("next_refit",)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        found = refits_of(changelist.result_list, now=timezone.now())
        for row in changelist.result_list:
            row.refit = found[row.agency_id]
        return changelist

    @admin.display(description=gettext_lazy("next training"))
    def next_refit(self, policy: ModelPolicy) -> str:
        if not policy.pk or not policy.refit_days:
            return _("by hand only")
        refit = getattr(policy, "refit", None) or refits_of([policy], now=timezone.now())[policy.agency_id]
        if refit.due_at:
            return _("now: it is due")
        if refit.next_at is None:
            return _("after the first training by hand")
        return local(refit.next_at, policy.agency)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Every agency has its one.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        for agency in administered_agencies(request).filter(modelpolicy=None):
            model_policy_ensure(agency=agency)
        return super().changelist_view(request, extra_context)


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    change_form_template: ClassVar[Any] = "forecasting/admin/version_change.html"
    none_yet = gettext_lazy("A training makes them: Training runs → Train now.")
    list_display = (
        "named",
        "agency",
        "state",
        "beside",
        "drift",
        "beats_baseline",
        "approved",
        "made",
    )
    list_filter = ("agency", "state", "crime_type", "beats_baseline")
    list_select_related = ("agency", "crime_type")
    fields = (
        "agency", "crime_type", "number", "state", "approved_by", "approved_at", "note", "retired_at", "verdict",
        "league", "card", "trained_from", "trained_to", "n_incidents", "grid", "run", "data_hash", "artefact",
        "artefact_hash", "created_at",
    )  # fmt: skip
    readonly_fields = ("note", "verdict", "league", "card")

    class Media:
        css = {"all": ("forecasting/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = (
            super().get_queryset(request).select_related("agency", "crime_type", "grid").defer("grid__spec")
        )
        match = request.resolver_match
        # A card is 50 kB: a list of a hundred versions must not read them.
        return rows.defer("summary") if match and str(match.url_name).endswith("_changelist") else rows

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        found = alarms_of([row for row in changelist.result_list if row.is_live])
        for row in changelist.result_list:
            row.alarms = found.get(row.pk, ())
        return changelist

    @admin.display(description=gettext_lazy("drift"))
    def drift(self, version: ModelVersion) -> str:
        alarms = getattr(version, "alarms", ())
        if not alarms:
            return _("no alarm") if version.is_live else "–"
        is_open = any(alarm.is_open for alarm in alarms)
        return format_html(
            '<span class="{}" title="{}">{}</span>',
            "drift-alarm" if is_open else "drift-acknowledged",
            " ".join(alarm.text for alarm in alarms),
            _("Alarm") if is_open else _("Alarm, acknowledged"),
        )

    def get_urls(self) -> list[URLPattern]:
        def named(route: str, decide: Callable[[HttpRequest, ModelVersion], str], name: str) -> URLPattern:
            def view(request: HttpRequest, object_id: str) -> HttpResponse:
                return self.decision_view(request, object_id, decide)

            return path(
                f"<path:object_id>/{route}/",
                self.admin_site.admin_view(view),
                name=f"forecasting_modelversion_{name}",
            )

        return [
            named("approve", self._approve, "approve"),
            named("roll-back", self._roll_back, "roll_back"),
            named("refuse", self._refuse, "refuse"),
            named("acknowledge", self._acknowledge, "acknowledge"),
            *super().get_urls(),
        ]

    def decision_view(
        self, request: HttpRequest, object_id: str, decide: Callable[[HttpRequest, ModelVersion], str]
    ) -> HttpResponse:
        """One button's POST: decide, say what came of it, and show the version again."""
        version = self.get_object(request, unquote(object_id))
        if version is None or not self.has_view_permission(request, version) or request.method != "POST":
            raise Http404(_("No such model version."))
        try:
            messages.success(request, decide(request, version))
        except MissionsError as exc:
            messages.error(request, str(exc))
        return redirect("admin:forecasting_modelversion_change", version.pk)

    def _replaces(self, request: HttpRequest, version: ModelVersion) -> ModelVersion | None:
        """The version that the page showed as live; the service refuses if it is another one by now."""
        pk = pk_from_text(request.POST.get("replaces"))
        return ModelVersion.objects.filter(crime_type_id=version.crime_type_id, pk=pk).first()

    def _approve(self, request: HttpRequest, version: ModelVersion) -> str:
        model_approve(
            version=version,
            actor=person_of(request),
            note=request.POST.get("note", ""),
            replaces=self._replaces(request, version),
        )
        return _("%(version)s is live now. Forecasts from here on use it.") % {"version": version}

    def _roll_back(self, request: HttpRequest, version: ModelVersion) -> str:
        model_roll_back(
            version=version,
            actor=person_of(request),
            note=request.POST.get("note", ""),
            replaces=self._replaces(request, version),
        )
        return _("Rolled back: %(version)s is live again.") % {"version": version}

    def _refuse(self, request: HttpRequest, version: ModelVersion) -> str:
        model_refuse(version=version, actor=person_of(request), note=request.POST.get("note", ""))
        return _("%(version)s is refused and stays out of service.") % {"version": version}

    def _acknowledge(self, request: HttpRequest, version: ModelVersion) -> str:
        try:
            seen = date_from_text(request.POST.get("through_week", ""))
        except MissionsError:
            seen = None
        drift_acknowledge(
            version=version,
            rule=request.POST.get("rule", ""),
            through_week=seen,
            reason=request.POST.get("note", ""),
            actor=person_of(request),
        )
        return _("The alarm is acknowledged. Weeks after those that you saw can raise it anew.")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        version = self.get_object(request, unquote(object_id))
        extra = dict(extra_context or {})
        if version is not None and self.has_view_permission(request, version):
            extra |= {
                "version": version,
                "subtitle": version_name(version),
                "live": live_version(version.crime_type),
                "why_not": None if version.is_live else why_not_live(version),
                "alarms": alarms_of([version]).get(version.pk, ()),
            }
        return super().change_view(request, object_id, form_url, extra)

    @admin.display(description=gettext_lazy("model version"))
    def named(self, version: ModelVersion) -> str:
        return version_name(version)

    @admin.display(description=gettext_lazy("approved"), ordering="approved_at")
    def approved(self, version: ModelVersion) -> str:
        return local(version.approved_at, version.agency)

    @admin.display(description=gettext_lazy("made"), ordering="created_at")
    def made(self, version: ModelVersion) -> str:
        return local(version.created_at, version.agency)

    @admin.display(description=gettext_lazy("compare"))
    def beside(self, version: ModelVersion) -> str:
        if version.is_live:
            return "–"
        words = [version.agency.slug, version.crime_type.slug, version.number]
        return format_html(
            '<a href="{}">{}</a>', reverse("forecasting:model_compare", args=words), _("Side by side")
        )

    @admin.display(description=gettext_lazy("approval note"))
    def note(self, version: ModelVersion) -> str:
        return said_again(version.approval_note)

    @admin.display(description=gettext_lazy("verdict"))
    def verdict(self, version: ModelVersion) -> str:
        if version.beats_baseline:
            return format_html(
                '<span class="league-verdict">{}</span>',
                _("%(model)s beats the best plain count.") % {"model": model_label(version.champion)},
            )
        if version.is_baseline:
            return format_html(
                '<span class="league-verdict">{}</span>',
                _("Nothing beats the baseline: the baseline (%(model)s) is the champion.")
                % {"model": model_label(version.champion)},
            )
        return format_html(
            '<span class="league-verdict">{}</span>',
            _("%(model)s lost to the best plain count: it cannot go live.")
            % {"model": model_label(version.champion)},
        )

    @admin.display(description=gettext_lazy("league"))
    def league(self, version: ModelVersion) -> str:
        rows = format_html_join(
            "", "{}", ((_league_row(row, version.champion),) for row in version.summary.get("league", []))
        )
        head = format_html(
            '<tr><th>{}</th><th class="num">{}</th><th class="num">95 %</th><th class="num">PAI</th>'
            '<th class="num">{}</th><th class="num">{}</th></tr>',
            _("Model"), _("Hit rate at 1 %"), _("Log skill"), _("Expected / observed"),
        )  # fmt: skip
        return format_html(
            '<table class="league-table"><thead>{}</thead><tbody>{}</tbody></table>', head, rows
        )

    @admin.display(description=gettext_lazy("model card"))
    def card(self, version: ModelVersion) -> str:
        url = reverse("forecasting:model", args=[version.agency.slug, version.crime_type.slug])
        return format_html('<a href="{}?v={}">{}</a>', url, version.number, _("Open the model card"))


def _league_row(row: dict[str, Any], champion: str) -> SafeString:
    area = next((item for item in row["areas"] if item["area"] == "1%"), None)
    rate = area["hit_rate"] if area else {"value": None, "low": None, "high": None}
    return format_html(
        '<tr class="{}"><td>{}{}</td><td class="num">{}</td><td class="num">{} – {}</td><td class="num">{}</td>'
        '<td class="num">{}</td><td class="num">{}</td></tr>',
        "league-table__champion" if row["name"] == champion else "",
        model_label(row["name"]),
        _(" (plain count)") if row["is_baseline"] else "",
        _percent(rate["value"]),
        _percent(rate["low"]),
        _percent(rate["high"]),
        _fixed(area["pai"] if area else None, 1),
        _fixed(row["log_skill"]["value"], 3),
        _fixed(row["calibration"]["value"], 2),
    )


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f} %"


def _fixed(value: float | None, digits: int) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"
