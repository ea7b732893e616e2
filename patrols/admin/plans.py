"""Plans in the admin: make the next one, watch it, publish it, prove it."""

import datetime as dt
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin, administered_agencies
from agencies.admin_clock import local
from agencies.admin_runs import TONES, RunAdminMixin
from agencies.lookups import date_from_text, pk_from_text
from agencies.models import Agency, Shift
from agencies.selectors import current_or_next_shift_instance
from agencies.services import audit_record
from forecasting.models import ForecastRun
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.models import MissionPlan
from patrols.replays import plan_differences
from patrols.services import plan_publish, plan_queue, plan_summary
from patrols.tasks import plan_task, run_shift_task

MAX_DIFFERENCES_SHOWN = 5


@admin.register(MissionPlan)
class MissionPlanAdmin(RunAdminMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):
    change_form_template: ClassVar[Any] = "admin/patrols/plan_change_form.html"
    change_list_template = "admin/patrols/plan_change_list.html"
    none_yet = gettext_lazy(
        "“Plan next shift” above makes the first, once a model is live and a policy is active."
    )
    list_display = (
        "__str__",
        "agency",
        "state",
        "what",
        "run_status",
        "run_progress",
        "missions",
        "queued",
        "run_duration",
    )
    list_filter = ("agency", "state", "trigger", "shift", "status")
    list_select_related = ("agency", "shift")
    date_hierarchy = "on"
    actions = ["publish_chosen"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[MissionPlan]:
        # A city's design is half a megabyte: a list of a hundred plans must not read them.
        return super().get_queryset(request).defer("design")

    def get_urls(self) -> list[URLPattern]:
        def named(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"patrols_missionplan_{name}")

        return [
            named("plan-next/", self.plan_next_view, "plan_next"),
            named("draw-next/", self.draw_next_view, "draw_next"),
            named("line/<int:agency_id>/<int:shift_id>/<str:on>/", self.line_view, "line"),
            named("<int:plan_id>/publish/", self.publish_view, "publish"),
            named("<int:plan_id>/replay/", self.replay_view, "replay"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        extra = {"own_agencies": administered_agencies(request)} | (extra_context or {})
        return super().changelist_view(request, extra)

    def run_counts(self, request: HttpRequest, run: MissionPlan) -> list[tuple[str, str]]:
        return [(name, str(value)) for name, value in plan_summary(run).items()] if run.counts else []

    def run_links(self, request: HttpRequest, run: MissionPlan) -> list[tuple[str, str]]:
        board = reverse("patrols:board", args=[run.agency.slug, run.on.isoformat(), run.shift.slug])
        return [(_("Open the shift map"), board)]

    @admin.display(description=gettext_lazy("missions"))
    def missions(self, plan: MissionPlan) -> str:
        return str((plan.counts or {}).get("missions", ""))

    @admin.display(description=gettext_lazy("decision"), ordering="decision")
    def what(self, plan: MissionPlan) -> str:
        which = (
            _("decision %(decision)s") % {"decision": plan.decision}
            if plan.decision
            else _("the shift's plan")
        )
        return f"{which}, {plan.get_trigger_display().lower()}"

    @admin.display(description=gettext_lazy("queued"), ordering="queued_at")
    def queued(self, plan: MissionPlan) -> str:
        return local(plan.queued_at, plan.agency)

    def plan_next_view(self, request: HttpRequest) -> HttpResponse:
        """Queue forecast and plan of the agency's next shift, then show how far they are."""
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:patrols_missionplan_changelist"))
        agency = _own_agency(request, request.POST.get("agency", ""))
        try:
            shift, on = current_or_next_shift_instance(agency, timezone.now(), include_current=False)
        except MissionsError as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:patrols_missionplan_changelist"))
        since = timezone.now()
        run_shift_task.delay_on_commit(agency.pk, shift.pk, on.isoformat(), request.user.pk)
        address = reverse("admin:patrols_missionplan_line", args=[agency.pk, shift.pk, on.isoformat()])
        return HttpResponseRedirect(f"{address}?since={since.timestamp():.3f}")

    def draw_next_view(self, request: HttpRequest) -> HttpResponse:
        """Queue a plan of the agency's next shift from the forecast that is there, then show its run."""
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:patrols_missionplan_changelist"))
        agency = _own_agency(request, request.POST.get("agency", ""))
        try:
            shift, on = current_or_next_shift_instance(agency, timezone.now(), include_current=False)
            plan = plan_queue(agency=agency, shift=shift, on=on, requested_by=request.user)  # type: ignore[arg-type]
        except MissionsError as exc:
            self.message_user(request, str(exc), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:patrols_missionplan_changelist"))
        plan_task.delay_on_commit(plan.pk)
        return HttpResponseRedirect(reverse("admin:patrols_missionplan_change", args=[plan.pk]))

    def line_view(self, request: HttpRequest, agency_id: int, shift_id: int, on: str) -> HttpResponse:
        """Forecast and plan of one shift instance as they advance; htmx gets the moving part alone."""
        agency = _own_agency(request, str(agency_id))
        shift = get_object_or_404(Shift, pk=shift_id, agency=agency)
        context = self.admin_site.each_context(request) | {
            "title": f"{shift} {on}",
            "opts": self.model._meta,
            "steps": _line_steps(agency, shift, on, request.GET.get("since", "")),
            "address": request.get_full_path(),
        }
        steps = context["steps"]
        context["is_open"] = not (
            any(step["failed"] for step in steps) or all(step["done"] for step in steps)
        )
        fragment = bool(request.htmx)  # type: ignore[attr-defined]  # django-htmx's middleware
        return render(request, f"admin/patrols/{'_line' if fragment else 'line'}.html", context)

    def publish_view(self, request: HttpRequest, plan_id: int) -> HttpResponse:
        plan = self._posted_plan(request, plan_id)
        self._publish(request, plan)
        return HttpResponseRedirect(reverse("admin:patrols_missionplan_change", args=[plan.pk]))

    @admin.action(description=gettext_lazy("Publish"), permissions=["view"])
    def publish_chosen(self, request: HttpRequest, queryset: QuerySet[MissionPlan]) -> None:
        for plan in queryset.select_related("agency", "shift"):
            self._publish(request, plan)

    def _publish(self, request: HttpRequest, plan: MissionPlan) -> None:
        try:
            plan_publish(plan=plan, actor=request.user)  # type: ignore[arg-type]  # the admin lets nobody anonymous in
        except MissionsError as exc:
            self.message_user(request, f"{plan}: {exc}", messages.ERROR)
        else:
            self.message_user(
                request, _("%(plan)s is published: officers see it now.") % {"plan": plan}, messages.SUCCESS
            )

    def replay_view(self, request: HttpRequest, plan_id: int) -> HttpResponse:
        """Draw the plan again from its seed and say whether anything differs; the answer is kept in the audit log."""
        plan = self._posted_plan(request, plan_id)
        try:
            differences = plan_differences(plan)
        except MissionsError as exc:
            self.message_user(request, str(exc), messages.ERROR)
        else:
            audit_record(
                agency=plan.agency,
                actor=request.user,  # type: ignore[arg-type]  # the admin lets nobody anonymous in
                action="plan replayed",
                subject=plan,
                detail={"id": plan.pk, "identical": not differences, "differences": differences[:50]},
            )
            self._tell_replay(request, plan, differences)
        return HttpResponseRedirect(reverse("admin:patrols_missionplan_change", args=[plan.pk]))

    def _tell_replay(self, request: HttpRequest, plan: MissionPlan, differences: list[str]) -> None:
        if not differences:
            self.message_user(
                request,
                _(
                    "Drawn again from seed %(seed)s: every probability, draw, start time and dose is the same, and the missions are those drawn."
                )
                % {"seed": plan.seed},
                messages.SUCCESS,
            )
            return
        self.message_user(
            request,
            _(
                "This plan is not what its seed gives: %(count)s difference(s). Keep a copy of the database and tell your auditor."
            )
            % {"count": len(differences)},
            messages.ERROR,
        )
        for line in differences[:MAX_DIFFERENCES_SHOWN]:
            self.message_user(request, line, messages.ERROR)

    def _posted_plan(self, request: HttpRequest, plan_id: int) -> MissionPlan:
        plan = self.get_object(request, str(plan_id))
        if request.method != "POST" or plan is None or not self.has_view_permission(request, plan):
            raise Http404(_("No such plan."))
        found: MissionPlan = plan
        return found


def _own_agency(request: HttpRequest, pk: str) -> Agency:
    return get_object_or_404(administered_agencies(request), pk=pk_from_text(pk))


def _line_steps(agency: Agency, shift: Shift, on: str, since: str) -> list[dict[str, Any]]:
    """The two run rows of the line, as far as they exist: forecast, then plan."""
    try:
        date, from_instant = date_from_text(on), dt.datetime.fromtimestamp(float(since or 0), dt.UTC)
    except (MissionsError, ValueError, OverflowError, OSError) as exc:
        raise Http404(_("No such shift.")) from exc
    found: list[tuple[str, ForecastRun | MissionPlan | None]] = [
        (
            _("Forecast"),
            ForecastRun.objects.filter(agency=agency, shift=shift, on=date, queued_at__gte=from_instant)
            .order_by("queued_at")
            .last(),
        ),
        (
            _("Missions"),
            MissionPlan.objects.filter(
                agency=agency, shift=shift, on=date, decision=0, queued_at__gte=from_instant
            )
            .defer("design")
            .order_by("queued_at")
            .last(),
        ),
    ]
    return [
        {
            "label": label,
            "run": run,
            "tone": TONES[RunStatus(run.status)] if run else "waiting",
            "done": bool(run and run.status == RunStatus.SUCCEEDED),
            "failed": bool(run and run.status == RunStatus.FAILED),
            "plan": run if isinstance(run, MissionPlan) else None,
        }
        for label, run in found
    ]
