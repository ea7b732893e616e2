"""The first steps of an agency's set-up, for the checklist on the start page."""

from django.urls import reverse
from django.utils.translation import gettext as _

from agencies import checklist
from agencies.checklist import ChecklistItem
from agencies.models import (
    Agency,
    BaseMap,
    Beat,
    CrimeType,
    District,
    DistrictPriority,
    Membership,
    Shift,
    Unit,
)


def _list(model: str, agency: Agency) -> str:
    return f"{reverse(f'admin:agencies_{model}_changelist')}?agency__id__exact={agency.pk}"


def agency_items(agency: Agency) -> list[ChecklistItem]:
    """Time zone, boundary, districts, beats, shifts, crime types, units, people. Nine short queries."""
    page = reverse("admin:agencies_agency_change", args=[agency.pk])
    districts = District.objects.filter(agency=agency).count()
    beats = Beat.objects.filter(agency=agency).count()
    shifts = Shift.objects.filter(agency=agency).count()
    types = CrimeType.objects.filter(agency=agency, is_active=True).count()
    units = Unit.objects.filter(agency=agency, is_active=True).count()
    people = Membership.objects.filter(agency=agency).count()
    maps = BaseMap.objects.filter(agency=agency).count()
    priorities = DistrictPriority.objects.filter(agency=agency).count()
    boundary = _("drawn or uploaded") if agency.boundary else _("derived from the beats") if beats else ""
    return [
        ChecklistItem(
            _("Time zone"), bool(agency.time_zone), _("Shifts start by this clock."), page, agency.time_zone
        ),
        ChecklistItem(
            _("Districts"),
            districts > 0,
            _("Beats lie in districts; priorities and supervisors may be limited to some."),
            _list("district", agency),
            f"{districts:,}" if districts else "",
        ),
        ChecklistItem(
            _("Beats"),
            beats > 0,
            _("Missions are drawn beat by beat: without beats there is no plan."),
            _list("beat", agency),
            f"{beats:,}" if beats else "",
        ),
        ChecklistItem(
            _("Boundary"),
            bool(boundary),
            _("Only cells inside it are forecast. Without one the beats decide."),
            page,
            boundary,
        ),
        ChecklistItem(
            _("Shifts"),
            shifts > 0,
            _("Forecasts and plans are made for one shift at a time."),
            _list("shift", agency),
            f"{shifts:,}" if shifts else "",
        ),
        ChecklistItem(
            _("Crime types"),
            types > 0,
            _("What is forecast, and how much each type counts."),
            _list("crimetype", agency),
            _("%(types)s active") % {"types": f"{types:,}"} if types else "",
        ),
        ChecklistItem(
            _("Units"),
            units > 0,
            _("A beat gets as many missions as its units can carry out."),
            _list("unit", agency),
            _("%(units)s active") % {"units": f"{units:,}"} if units else "",
        ),
        ChecklistItem(
            _("People"),
            people > 1,
            _("Supervisors publish plans, officers carry them out."),
            reverse("admin:agencies_user_changelist"),
            f"{people:,}",
        ),
        ChecklistItem(
            _("Base map and priorities (optional)"),
            maps > 0 or priorities > 0,
            _("Background tiles, and districts where a type counts more. Maps work without."),
            _list("basemap", agency),
            ", ".join(
                text
                for count, text in (
                    (maps, _("%(maps)s base maps") % {"maps": maps}),
                    (priorities, _("%(priorities)s priorities") % {"priorities": priorities}),
                )
                if count
            ),
        ),
    ]


checklist.register(agency_items, order=10)
