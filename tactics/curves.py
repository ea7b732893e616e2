"""Curves of the time until the next crime, worked out from published plans, visits and reported crimes. Descriptive."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from agencies.lookups import date_from_text
from agencies.models import Agency, CrimeType
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from missions_project.lib.sentences import Sentences
from patrols.models import Presence
from tactics.engine.survival import Curve, fair_curves, located, visit_curves, watch_of
from tactics.models import ImpactStudy
from tactics.studies.inputs import WINDOW_HOURS, StudyInputs, study_inputs

AT_MINUTES = np.array([0.0, 5.0, 10.0, 15.0, *np.arange(30.0, 481.0, 15.0)])
AFTER_VISIT_MINUTES = np.array([0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0])
TOLD_MINUTES = (15.0, 30.0, 60.0, 120.0, 240.0, 480.0)
"""Points of the table; Koper looked at the half hour."""
USUAL_DAYS = 91
LONGEST_DAYS = 731
NAMES = Sentences(
    (
        gettext_noop("drawn for a mission"),
        gettext_noop("like boxes, not drawn"),
        gettext_noop("under %(most)s min"),
        gettext_noop("%(least)s min and longer"),
        gettext_noop("%(least)s to %(most)s min"),
    )
)
"""What the engine calls its curves, and answers keep."""


@dataclass(frozen=True)
class CurveChoices:
    """Which plans and crimes: local dates of shifts, crime types' slugs, the window in hours; ``study`` where it is one's."""

    first: dt.date
    last: dt.date
    types: tuple[str, ...]
    hours: float = WINDOW_HOURS
    districts: tuple[int, ...] = ()
    shifts: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The same for an inquiry's row."""
        return {
            "first": self.first.isoformat(), "last": self.last.isoformat(), "types": list(self.types),
            "hours": self.hours, "districts": list(self.districts), "shifts": list(self.shifts),
        }  # fmt: skip

    @staticmethod
    def from_json(choices: Mapping[str, Any]) -> "CurveChoices":
        """Back from an inquiry's row."""
        return CurveChoices(
            dt.date.fromisoformat(choices["first"]),
            dt.date.fromisoformat(choices["last"]),
            tuple(choices["types"]),
            choices["hours"],
            tuple(choices["districts"]),
            tuple(choices["shifts"]),
        )

    @property
    def query(self) -> str:
        """The part of the address behind “?” that asks the same again."""
        return urlencode({"from": self.first, "to": self.last, "types": self.types}, doseq=True)


def curve_choices(query: QueryDict, *, crime_types: list[CrimeType]) -> CurveChoices:
    """Read the choices of an address: by default the last three months, all types. Raises ``MissionsError``. No query."""
    today = timezone.localdate()
    last = date_from_text(query.get("to") or today.isoformat())
    first = date_from_text(query.get("from") or (last - dt.timedelta(days=USUAL_DAYS)).isoformat())
    if last < first:
        raise MissionsError(_("The period ends before it starts."), next_step=_("swap “from” and “to”."))
    if (last - first).days > LONGEST_DAYS:
        raise MissionsError(_("That is more than two years."), next_step=_("choose a shorter period."))
    known = [row.slug for row in crime_types]
    asked = [slug for slug in query.getlist("types") if slug]
    if not known:
        raise MissionsError(
            _("The agency has no active crime type."), next_step=_("Admin → Crime types → Add.")
        )
    if unknown := sorted(set(asked) - set(known)):
        raise MissionsError(
            _("There is no active crime type “%(slug)s”.") % {"slug": unknown[0][:40]},
            next_step=_("choose among %(known)s.") % {"known": ", ".join(known)},
        )
    return CurveChoices(first, last, tuple(slug for slug in known if not asked or slug in asked))


def curve_choices_of_study(study: ImpactStudy) -> CurveChoices:
    """Return the same for a study's own period, types and window. One query."""
    types = CrimeType.objects.filter(agency=study.agency_id, pk__in=study.crime_types, is_active=True)
    last = study.last or timezone.localdate()
    return CurveChoices(
        study.first or last - dt.timedelta(days=USUAL_DAYS),
        last,
        tuple(row.slug for row in types),
        study.window_hours,
        tuple(study.districts),
        tuple(study.shifts),
    )


def curves_said(curves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An answer's curves, named in the reader's language."""
    return [curve | {"name": NAMES.said(curve["name"])} for curve in curves]


def curves_answer(
    agency: Agency, choices: Mapping[str, Any], progress: Progress = no_progress
) -> dict[str, Any]:
    """Work the curves out: both arms from the drawn start, and visits by how long they lasted.

    Queries as ``study_inputs``, and one for the visits. Raises ``MissionsError`` where there is no plan.
    """
    asked = CurveChoices.from_json(choices)
    types = list(CrimeType.objects.filter(agency=agency, slug__in=asked.types, is_active=True))
    if not types:
        raise MissionsError(_("None of these crime types is active any more."), next_step=_("choose others."))
    inputs = study_inputs(
        agency, crime_types=types, first=asked.first, last=asked.last, window_hours=asked.hours,
        districts=asked.districts or None, shifts=asked.shifts or None, progress=progress,
    )  # fmt: skip
    starts = np.array([row.starts_at_minute for row in inputs.rows])
    watch = watch_of(inputs.table, starts)
    where, when = located(inputs.grid, inputs.events), inputs.events.at_minute
    at = AT_MINUTES[asked.hours * 60.0 >= AT_MINUTES]
    drawn, others = fair_curves(watch, event_cell=where, event_at=when, at_minutes=at)
    visits = _visits(agency, inputs, asked)
    stays = (
        visit_curves(**visits, event_cell=where, event_at=when, at_minutes=AFTER_VISIT_MINUTES)
        if visits
        else ()
    )
    return {
        "fair": [_stored(drawn), _stored(others)],
        "stays": [_stored(one) for one in stays],
        "shifts": int(inputs.studied.sum()),
        "refused": len(inputs.refused),
        "hours": asked.hours,
    }


def _visits(agency: Agency, inputs: StudyInputs, asked: CurveChoices) -> dict[str, Any]:
    """Every counted presence at a mission's box in the period: cell, arrival, stay, end of the shift. One query."""
    ends = {(row.shift_id, row.on): row.period_to.timestamp() / 60.0 for row in inputs.rows}
    rows = Presence.objects.filter(
        agency=agency, account__on__range=(asked.first, asked.last), mission__isnull=False, minutes__gt=0
    ).values_list("cell_id", "arrived_at", "minutes", "account__shift_id", "account__on")
    found = [
        (cell, arrived.timestamp() / 60.0, minutes, ends[shift, on])
        for cell, arrived, minutes, shift, on in rows.iterator(chunk_size=10_000)
        if (shift, on) in ends
    ]
    if not found:
        return {}
    cells, arrived, stayed, closes = zip(*found, strict=True)
    return {
        "cell": inputs.grid.index_of(list(cells)),
        "arrived_at": np.array(arrived),
        "stayed_minutes": np.array(stayed, dtype=np.float64),
        "closes_at": np.array(closes),
    }


def _stored(curve: Curve) -> dict[str, Any]:
    return {
        "name": curve.name,
        "minutes": curve.minutes.tolist(),
        "share": np.round(curve.share, 6).tolist(),
        "low": np.round(curve.low, 6).tolist(),
        "high": np.round(curve.high, 6).tolist(),
        "boxes": curve.boxes,
        "crimes": curve.crimes,
    }


def curve_table(curves: list[dict[str, Any]], told: tuple[float, ...] = TOLD_MINUTES) -> list[dict[str, Any]]:
    """Lay curves out as rows: minutes, and each curve's share with its band there. No query."""
    if not curves:
        return []
    minutes = curves[0]["minutes"]
    at = [minutes.index(one) for one in told if one in minutes]
    return [
        {
            "minutes": minutes[place],
            "cells": [
                {name: 100 * curve[name][place] for name in ("share", "low", "high")} for curve in curves
            ],
        }
        for place in at
    ]
