"""How the admin shows a long action: status, a bar that moves, counts, log, error, and what it ran with."""

from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from missions_project.lib.run_words import count_said
from missions_project.lib.runs import AbstractRun, RunStatus
from missions_project.lib.sentences import said_again

TONES = {
    RunStatus.QUEUED: "waiting",
    RunStatus.RUNNING: "running",
    RunStatus.SUCCEEDED: "good",
    RunStatus.FAILED: "bad",
}
_BASE_NAMES = frozenset(field.name for field in AbstractRun._meta.get_fields())


def count_rows(counts: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return a run's counts as (label, text) in the order in which they were stored; nested ones by path.

    >>> count_rows({"inserted": 12500, "by_type": {"robbery": 3}})
    [('inserted', '12,500'), ('by type › robbery', '3')]
    """
    if not isinstance(counts, dict):
        return [(prefix or "value", _text(counts))] if counts else []
    rows: list[tuple[str, str]] = []
    for name, value in counts.items():
        label = f"{prefix} › {str(name).replace('_', ' ')}" if prefix else str(name).replace("_", " ")
        rows += count_rows(value, label) if isinstance(value, dict) else [(label, _text(value))]
    return rows


def _said(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(count_said(label), said_again(text) if text in ("yes", "no") else text) for label, text in rows]


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return str(intcomma(value))
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value[:12]) + (" …" if len(value) > 12 else "")
    return str(value)


class RunAdminMixin:
    """A run row's pages. Use as ``class XRunAdmin(RunAdminMixin, ReadOnlyAdminMixin, AgencyScopedAdmin)``.

    The change page holds the live part (``templates/agencies/run_live.html``), which asks for itself every
    second until the run has ended, then the model's own fields, then the configuration that was frozen.
    Override ``run_links`` for what to open afterwards and ``run_counts`` for other figures.
    """

    change_form_template: ClassVar[Any] = "admin/run_change_form.html"
    list_display: Any = (
        "__str__",
        "agency",
        "run_status",
        "run_progress",
        "queued_at",
        "run_duration",
    )
    list_display_links: ClassVar[Any] = ("__str__",)
    list_filter: ClassVar[Any] = ("status",)
    list_select_related: ClassVar[Any] = ("agency",)
    run_hidden_fields: ClassVar[tuple[str, ...]] = ()
    """Fields of the model that the page does not list. Binary ones never are."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.model._meta.app_label}_{self.model._meta.model_name}_progress"  # type: ignore[attr-defined]
        view = self.admin_site.admin_view(self.progress_view)  # type: ignore[attr-defined]
        # First, or the admin's catch-all <path:object_id> would swallow it.
        return [path("<path:object_id>/progress/", view, name=name), *super().get_urls()]  # type: ignore[misc]

    def progress_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The live part alone, for htmx. A finished run's part no longer asks for itself."""
        run = self.get_object(request, unquote(object_id))  # type: ignore[attr-defined]
        if run is None or not self.has_view_permission(request, run):  # type: ignore[attr-defined]
            raise Http404(_("No such run."))
        return render(request, "agencies/run_live.html", self.run_context(request, run))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        run = self.get_object(request, unquote(object_id))  # type: ignore[attr-defined]
        extra = dict(extra_context or {})
        if run is not None and self.has_view_permission(request, run):  # type: ignore[attr-defined]
            extra |= self.run_context(request, run)
        return super().change_view(request, object_id, form_url, extra)  # type: ignore[misc,no-any-return]

    def run_context(self, request: HttpRequest, run: Any) -> dict[str, Any]:
        """What the live part needs."""
        meta = run._meta
        return {
            "run": run,
            "tone": TONES[RunStatus(run.status)],
            "counts": _said(self.run_counts(request, run)),
            "links": self.run_links(request, run) if run.status == RunStatus.SUCCEEDED else [],
            "zone": ZoneInfo(run.agency.time_zone),
            "progress_url": reverse(
                f"{self.admin_site.name}:{meta.app_label}_{meta.model_name}_progress",  # type: ignore[attr-defined]
                args=[run.pk],
            ),
            "snapshot": _said(count_rows(run.config_snapshot)),
        }

    def run_counts(self, request: HttpRequest, run: Any) -> list[tuple[str, str]]:
        """The figures under the bar, as (label, text)."""
        return count_rows(run.counts)

    def run_links(self, request: HttpRequest, run: Any) -> list[tuple[str, str]]:
        """What to open when the run has succeeded, as (label, address)."""
        return []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        hidden = {*_BASE_NAMES, *self.run_hidden_fields, "id"}
        fields = self.model._meta.concrete_fields  # type: ignore[attr-defined]
        return [f.name for f in fields if f.name not in hidden and not isinstance(f, models.BinaryField)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.get_fields(request, obj)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def run_status(self, run: Any) -> str:
        return format_html(
            '<span class="run-badge run-badge--{}">{}</span>',
            TONES[RunStatus(run.status)],
            run.get_status_display(),
        )

    @admin.display(description=gettext_lazy("progress"))
    def run_progress(self, run: Any) -> str:
        if run.status == RunStatus.FAILED:
            return said_again(str(run.error))[:120]
        return f"{run.progress_percent} %" if run.status == RunStatus.RUNNING else ""

    @admin.display(description=gettext_lazy("duration"))
    def run_duration(self, run: Any) -> str:
        return str(run.lasted)
