"""What a study would show, asked with a few choices: read from an address, worked out from the agency's past, told in words."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agencies.models import Agency, CrimeType
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from patrols.models import PatrolPolicy
from tactics.engine.experiment import ExperimentOption, experiment
from tactics.experiment_inputs import experiment_inputs

LENGTHS_DAYS = (28, 91, 182, 364)
WIDE_DOSE = (5, 25)
"""The doses of a dose study (DOMAIN §4): wide enough for a slope."""
MOST_PER_BEAT = 8
PLANNED_OVERDISPERSION = 1.1
"""Crimes vary a little more than by chance, and forecasts are wrong in places. Until the agency's own plans tell how much."""
ENOUGH, HALF = 0.8, 0.3
"""Chances named in the sentence: four of five studies, and three of ten."""


@dataclass(frozen=True)
class ExperimentChoices:
    """One experiment to ask about. ``types`` are slugs, pooled; ``carried_out`` the per cent of missions carried out."""

    k: int
    days: int
    types: tuple[str, ...]
    dose_min: int
    dose_max: int
    carried_out: int

    def as_json(self) -> dict[str, Any]:
        """The same for an inquiry's row."""
        return {
            "k": self.k, "days": self.days, "types": list(self.types), "dose_min": self.dose_min,
            "dose_max": self.dose_max, "carried_out": self.carried_out,
        }  # fmt: skip

    @staticmethod
    def from_json(choices: Mapping[str, Any]) -> "ExperimentChoices":
        """Back from an inquiry's row."""
        return ExperimentChoices(**{**choices, "types": tuple(choices["types"])})

    @property
    def query(self) -> str:
        """The part of the address behind “?” that asks the same again."""
        return urlencode(self.as_json(), doseq=True)


def experiment_choices(
    query: QueryDict, *, crime_types: list[CrimeType], policy: PatrolPolicy | None
) -> ExperimentChoices:
    """Read the choices of an address; what it does not say is as usual: all types, two per beat, the policy's doses. No query.

    Raises ``MissionsError`` for what makes no sense.
    """
    policy = policy or PatrolPolicy()
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
    choices = ExperimentChoices(
        k=_whole(query, "k", 2, 1, MOST_PER_BEAT, _("missions per beat and shift")),
        days=_whole(query, "days", 91, 7, 1096, "days"),
        # In the agency's order, so that the same choice has one address.
        types=tuple(slug for slug in known if not asked or slug in asked),
        dose_min=_whole(query, "dose_min", policy.dose_min_minutes, 5, 60, "minutes"),
        dose_max=_whole(query, "dose_max", policy.dose_max_minutes, 5, 60, "minutes"),
        carried_out=_whole(query, "carried_out", 80, 5, 100, _("per cent of missions carried out")),
    )
    if choices.dose_max < choices.dose_min:
        raise MissionsError(
            _("The longest visit is shorter than the shortest one."), next_step=_("swap the two doses.")
        )
    return choices


def _whole(query: QueryDict, name: str, usual: int, low: int, high: int, what: str) -> int:
    text = query.get(name) or ""
    if not text:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) < 9 and low <= int(text) <= high):
        raise MissionsError(
            _("“%(asked)s” %(what)s cannot be asked about.") % {"asked": text[:20], "what": what},
            next_step=_("enter a whole number from %(low)s to %(high)s.") % {"low": low, "high": high},
        )
    return int(text)


def experiment_answer(
    agency: Agency,
    choices: Mapping[str, Any],
    *,
    overdispersion: float | None = None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Work out what such studies would show, with a few numbers of boxes and lengths beside the one asked for.

    Same history, same choices, same answer: chance is seeded by the choices. ``overdispersion``: measured by a study of
    the agency's own plans, if there is one. Raises ``MissionsError`` naming what is missing.
    """
    asked = ExperimentChoices.from_json(choices)
    types = [
        row for row in CrimeType.objects.filter(agency=agency, is_active=True) if row.slug in asked.types
    ]
    if not types:
        raise MissionsError(_("None of these crime types is active any more."), next_step=_("choose others."))
    inputs = experiment_inputs(
        agency, crime_types=types, progress=lambda done, total, label: progress(done, 20, label)
    )
    pool = tuple(row.slug for row in types)
    pools = (pool, *((slug,) for slug in pool if len(pool) > 1))
    dose, wide = (asked.dose_min, asked.dose_max), WIDE_DOSE
    digest = hashlib.sha256(f"{agency.pk}|{asked.query}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    ks = tuple(
        sorted(
            {max(asked.k - 1, 1), asked.k, min(asked.k + 1, MOST_PER_BEAT), min(asked.k + 2, MOST_PER_BEAT)}
        )
    )
    common: dict[str, Any] = {
        "crime": inputs.crime, "shift_minutes": inputs.shift_minutes, "compliance": asked.carried_out / 100.0,
        "overdispersion": overdispersion or PLANNED_OVERDISPERSION, "rng": rng,
    }  # fmt: skip
    days = tuple(sorted({*LENGTHS_DAYS, asked.days}))
    found = experiment(
        inputs.history, inputs.grid, ks=ks, days=days, pools=pools, doses=(dose,),
        progress=lambda done, total, label: progress(4 + 12 * done // total, 20, label), **common,
    )  # fmt: skip
    if dose != wide:
        found += experiment(
            inputs.history, inputs.grid, ks=(asked.k,), days=(asked.days,), pools=(pool,), doses=(wide,),
            progress=lambda done, total, label: progress(16 + 4 * done // total, 20, label), **common,
        )  # fmt: skip
    if not found:
        raise MissionsError(
            _("The policy cannot have these doses."),
            next_step=_("raise its saturation limit, or ask for shorter visits."),
        )
    return {
        "first": inputs.first.isoformat(),
        "last": inputs.last.isoformat(),
        "shifts": len(inputs.history.day),
        "forecasts": inputs.forecasts,
        "crimes": inputs.crimes,
        "beats": len(inputs.history.layout.beat_id),
        "overdispersion": common["overdispersion"],
        "measured": overdispersion is not None,
        "options": [_stored(one) for one in found],
    }


def _stored(one: ExperimentOption) -> dict[str, Any]:
    contrast = one.contrast
    return {
        "k": contrast.k,
        "days": contrast.days,
        "types": list(contrast.types),
        "dose_min": contrast.dose_min_minutes,
        "dose_max": contrast.dose_max_minutes,
        "expected": round(contrast.expected_events, 2),
        "detectable": round(contrast.detectable, 4),
        "dose_slope": round(contrast.dose_slope, 4) if np.isfinite(contrast.dose_slope) else None,
        "curve": [[effect, round(power, 4)] for effect, power in contrast.curve],
        "net_detectable": round(one.net_detectable, 4),
        "net_curve": [[effect, round(power, 4)] for effect, power in one.net_curve],
    }


@dataclass(frozen=True)
class ExperimentShown:
    """An answer laid out for the page: the option asked for, and those to compare it with."""

    choices: ExperimentChoices
    asked: dict[str, Any]
    by_k: list[dict[str, Any]]
    by_days: list[dict[str, Any]]
    by_pool: list[dict[str, Any]]
    by_dose: list[dict[str, Any]]
    answer: Mapping[str, Any]

    @property
    def first(self) -> dt.date:
        return dt.date.fromisoformat(self.answer["first"])

    @property
    def last(self) -> dt.date:
        return dt.date.fromisoformat(self.answer["last"])

    @property
    def crimes(self) -> int:
        """Crimes of the chosen types in the stretch that was planned again."""
        return sum(self.answer["crimes"].values())


def experiment_shown(choices: ExperimentChoices, answer: Mapping[str, Any]) -> ExperimentShown:
    """Lay an answer out: each comparison changes one thing and leaves the others as asked. No query."""
    pool, dose = list(choices.types), [choices.dose_min, choices.dose_max]
    rows = answer["options"]

    def where(**wanted: Any) -> list[dict[str, Any]]:
        asked = {"k": choices.k, "days": choices.days, "types": pool, "dose": dose} | wanted
        return [
            row for row in rows
            if all(value is None or _of(row, name) == value for name, value in asked.items())
        ]  # fmt: skip

    pool = next((row["types"] for row in rows if set(row["types"]) <= set(choices.types)), pool)
    return ExperimentShown(
        choices,
        where()[0],
        where(k=None),
        where(days=None),
        where(types=None),
        where(dose=None),
        answer,
    )


def _of(row: dict[str, Any], name: str) -> Any:
    return [row["dose_min"], row["dose_max"]] if name == "dose" else row[name]


def experiment_sentences(shown: ExperimentShown) -> list[str]:
    """Say in plain words what the experiment asked for would show: the contrast in the boxes, then the net effect."""
    choices, row = shown.choices, shown.asked
    contrast, net = _shown_words(row["curve"]), _shown_words(row["net_curve"])
    if contrast:
        first = ngettext(
            "With %(boxes)s box per beat and shift and %(days)s you would show a fall of %(contrast)s (the contrast: visited "
            "boxes against like boxes left alone).",
            "With %(boxes)s boxes per beat and shift and %(days)s you would show a fall of %(contrast)s (the contrast: visited "
            "boxes against like boxes left alone).",
            choices.k,
        )
    else:
        first = ngettext(
            "With %(boxes)s box per beat and shift and %(days)s you would show no fall in visited boxes reliably, not even by half. "
            "Pool more crime types, visit more boxes, or run it for longer.",
            "With %(boxes)s boxes per beat and shift and %(days)s you would show no fall in visited boxes reliably, not even by half. "
            "Pool more crime types, visit more boxes, or run it for longer.",
            choices.k,
        )
    first %= {"boxes": choices.k, "days": duration_words(choices.days), "contrast": contrast}
    second = (
        _("The net effect, boxes and the eight around them together: a fall of %(net)s.") % {"net": net}
        if net
        else _(
            "The net effect, boxes and the eight around them together, would not be shown reliably even if half of the crime "
            "were prevented: plan for longer before you promise it."
        )
    )
    return [first, second]


def _shown_words(curve: list[list[float]]) -> str:
    """The smallest fall shown in four of five studies, and one that is shown in few; empty where none is."""
    enough = next(((effect, power) for effect, power in curve if power >= ENOUGH), None)
    if enough is None:
        best = max(curve, key=lambda point: point[1])
        return (
            _("%(share)s %% in %(studies)s")
            % {"share": f"{100 * best[0]:.0f}", "studies": tenths_words(best[1])}
            if best[1] >= HALF
            else ""
        )
    text = _("%(share)s %% in %(studies)s") % {
        "share": f"{100 * enough[0]:.0f}",
        "studies": tenths_words(enough[1]),
    }
    smaller = [point for point in curve if point[0] < enough[0] and point[1] < 0.65]
    return (
        _("%(text)s, %(share)s %% only in %(studies)s")
        % {"text": text, "share": f"{100 * smaller[-1][0]:.0f}", "studies": tenths_words(smaller[-1][1])}
        if smaller
        else text
    )


def tenths_words(power: float) -> str:
    """A chance as so many studies of ten.

    >>> tenths_words(0.81), tenths_words(0.31), tenths_words(0.999)
    ('8 of 10 studies', '3 of 10 studies', 'nearly every study')
    """
    if power >= 0.95:
        return _("nearly every study")
    if power < 0.08:
        return _("fewer than 1 of 10 studies")
    return _("%(power)s of 10 studies") % {"power": round(10 * power)}


def duration_words(days: int) -> str:
    """A length in the words that people plan in.

    >>> duration_words(91), duration_words(28), duration_words(364), duration_words(30), duration_words(182)
    ('three months', 'four weeks', 'a year', '30 days', 'six months')
    """
    known = {
        28: _("four weeks"),
        91: _("three months"),
        182: _("six months"),
        364: _("a year"),
        365: _("a year"),
        728: _("two years"),
    }
    return known.get(days, _("%(days)s days") % {"days": days})
