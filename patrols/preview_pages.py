"""Policy what-if for those who plan: turn the dials, see the effect at once, and hand the proposal on. Changes nothing."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agencies.access import SEES_PLANS, Access, agency_page
from agencies.lookups import pk_from_text
from agencies.selectors import leaflet_settings
from patrols.dials import GROUPS, LABELS, DialsForm, dial_words, dials_changed, dials_form, dials_query
from patrols.models import PatrolPolicy
from patrols.preview import preview_runs, tried_context
from patrols.selectors import active_policy


@require_GET
@agency_page(SEES_PLANS)
def policy_preview(request: HttpRequest, access: Access) -> HttpResponse:
    """The dials, as the active policy has them or as a proposal's address says. At most twelve queries."""
    saved = active_policy(access.agency)
    asked = pk_from_text(request.GET.get("preview_run"))
    context: dict[str, Any] = {
        "tab": "shift",
        "access": access,
        "saved": saved,
        "runs": preview_runs(access.agency),
        "asked": asked,
        "groups": _groups(dials_form(access.agency, saved, request.GET), saved),
        "leaflet": leaflet_settings(request, access.agency),
    }
    return render(request, "patrols/policy_preview.html", context)


@require_GET
@agency_page(SEES_PLANS)
def policy_figures(request: HttpRequest, access: Access) -> HttpResponse:
    """What the dials would do, and the proposal in words. Forty queries at most, however large the city."""
    context = tried_context(access.agency, request.GET) | {"access": access}
    if "tried" not in context:
        return render(request, "patrols/_policy_try.html", context)
    changed = dials_changed(context["saved"], context["form"].instance)
    page = reverse("patrols:policy_preview", args=[access.agency.slug])
    newest = context["run"] == context["runs"][0]
    link = page + dials_query(changed | ({} if newest else {"preview_run": context["run"].pk}))
    context |= {
        "changed": changed,
        "link": link,
        "admin_link": _admin_link(access, context["saved"], changed),
    }
    context["proposal"] = _words(request, context) if changed else ""
    response = render(request, "patrols/_policy_try.html", context)
    # The address bar always holds what is shown: copied or bookmarked, it opens the same dials.
    response["HX-Replace-Url"] = link
    return response


def _groups(form: DialsForm, saved: PatrolPolicy | None) -> list[dict[str, Any]]:
    """The form's fields by group, each with what the active policy says."""
    return [
        {
            "title": title,
            "words": words,
            "fields": [
                (form[name], dial_words(saved, name) if saved else "", getattr(saved, name, ""))
                for name in names
            ],
        }
        for title, names, words in GROUPS
    ]


def _admin_link(access: Access, saved: PatrolPolicy | None, changed: dict[str, Any]) -> str:
    """Where somebody who may change the policy saves these dials; empty for everybody else."""
    if not access.may["configure"]:
        return ""
    row = (
        reverse("admin:patrols_patrolpolicy_change", args=[saved.pk])
        if saved
        else reverse("admin:patrols_patrolpolicy_add")
    )
    return row + dials_query(changed if saved else changed | {"agency": access.agency.pk})


def _words(request: HttpRequest, context: dict[str, Any]) -> str:
    """The proposal as plain text, for a mail or a memo: settings, effect, address."""
    agency, run, saved = context["access"].agency, context["run"], context["saved"]
    tried = context["form"].instance
    known = saved or PatrolPolicy(agency=agency)
    return "\n".join(
        [
            _("Proposal for the patrol policy “%(policy)s” of %(agency)s")
            % {"policy": saved.name, "agency": agency.name}
            if saved
            else _("Proposal for the patrol policy of %(agency)s") % {"agency": agency.name},
            "",
            _("Settings (now → proposed)"),
            *(
                f"  {LABELS[name]}: {dial_words(known, name)} → {dial_words(tried, name)}"
                for name in context["changed"]
            ),
            "",
            _("Effect on %(shift)s, %(on)s %(day)s %(on_2)s (now → proposed)")
            % {
                "shift": run.shift.name,
                "on": date_format(run.on, "D"),
                "day": run.on.day,
                "on_2": date_format(run.on, "M Y"),
            },
            *(f"  {row.label}: {row.saved} → {row.tried}" for row in context["figures"]),
            "",
            _("Try it: %(address)s") % {"address": request.build_absolute_uri(context["link"])},
        ]
    )
