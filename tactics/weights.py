"""Which tactics' weights might be worth changing: what their own draws show, rule by rule. Reads only."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Min
from django.utils.translation import gettext_noop

from agencies.models import Agency
from missions_project.lib.progress import Progress, no_progress
from tactics.engine.optimise import Allocation, Change, Finding, weights_change
from tactics.engine.trials import FEW_CRIMES, Comparison, Floats, Ints, TacticTrial, compare, plain_trial
from tactics.models import DrawMethod, TacticDraw, TacticPolicy, TacticRule
from tactics.rules import allowed_tactics
from tactics.trial_inputs import WINDOW_HOURS, TrialInputs, trial_inputs

SETTLE = dt.timedelta(days=7)
"""Reports come in late: missions of the last week are not compared yet."""
HEAVIEST = 10.0
"""No rule may weigh more."""
DAYS_A_YEAR = 365.0


@dataclass
class _Drawn:
    """The missions at which one rule decides and something else might have been drawn: rows, and today's weights there."""

    rule: TacticRule
    rows: list[int] = field(default_factory=list)
    weights: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class WeightsFound:
    """What was looked at: the changes that could be made, a row of facts for each rule (by its key), and about them all."""

    changes: list[Change]
    rows: dict[int, dict[str, Any]]
    about: dict[str, Any]


def weight_changes(
    agency: Agency,
    *,
    now: Allocation,
    crimes_a_year: float,
    until: dt.datetime,
    progress: Progress = no_progress,
) -> WeightsFound:
    """Set each rule's tactic against the others that might have been drawn, and work out one step of its weight.

    All drawn missions count, from the first one on: intervals that may be read whenever somebody looks are valid from a
    fixed beginning only. Each rule's interval is always valid at 5 % divided by the number of rules, so that all of them
    hold together. Under adaptive draws there is nothing to propose: chances do not follow the weights. Up to fifteen queries.
    """
    policy = TacticPolicy.objects.filter(agency=agency, is_active=True).first()
    hours = float(policy.window_hours) if policy else WINDOW_HOURS
    about: dict[str, Any] = {
        "method": policy.method if policy else DrawMethod.WEIGHTS,
        "missions": 0,
        "rules": 0,
    }
    first = TacticDraw.objects.filter(agency=agency).aggregate(at=Min("mission__plan__on"))["at"]
    if first is None or about["method"] == DrawMethod.ADAPTIVE:
        return WeightsFound([], {}, about)
    inputs = trial_inputs(agency, first=first, last=until.date(), window_hours=hours, until=until - SETTLE)
    groups = _by_rule(agency, inputs)
    about |= {
        "missions": len(inputs.trial), "rules": len(groups), "window_hours": hours, "first": inputs.first.isoformat(),
        "crimes": float(inputs.trial.crimes.sum()), "confidence": 1.0 - 0.05 / max(len(groups), 1), "few": FEW_CRIMES,
    }  # fmt: skip
    changes: list[Change] = []
    rows: dict[int, dict[str, Any]] = {}
    for at, group in enumerate(groups):
        progress(at, len(groups), "Comparing tactics")
        found, change, facts = _looked_at(group, inputs, now, crimes_a_year, about["confidence"])
        rows[group.rule.pk] = facts | {
            "rule": group.rule.pk, "label": rule_label(group.rule), "weight": group.rule.preference,
            "value_to": change.value_to if change else None, "found": _found_json(found),
        }  # fmt: skip
        if change is not None:
            changes.append(change)
    return WeightsFound(changes, rows, about)


def rule_label(rule: TacticRule) -> str:
    """A rule's weight in words, in English: it is kept, and said in the reader's language later. Needs tactic, crime type and shift."""
    parts = [str(rule.shift)] if rule.shift_id else []
    if rule.context:
        parts.append(str(rule.get_context_display()).lower())
    told = {"tactic": rule.tactic, "crime_type": rule.crime_type, "only": ", ".join(parts)}
    if parts:
        return gettext_noop("Weight of “%(tactic)s” for %(crime_type)s (%(only)s)") % told
    return gettext_noop("Weight of “%(tactic)s” for %(crime_type)s") % told


def _by_rule(agency: Agency, inputs: TrialInputs) -> list[_Drawn]:
    """For each rule that decides somewhere, the missions where today's weights leave its tactic and another in the draw.

    A mission whose drawn tactic would not be drawn today says nothing about today's choice, and is left out.
    """
    of_type: dict[str, list[TacticRule]] = defaultdict(list)
    rules = TacticRule.objects.filter(agency=agency).select_related("tactic", "crime_type", "shift")
    for rule in rules.order_by("pk"):
        of_type[rule.crime_type.slug].append(rule)
    zone = ZoneInfo(agency.time_zone)
    known: dict[tuple[str, int, dt.time, tuple[str, ...]], dict[str, TacticRule]] = {}
    groups: dict[int, _Drawn] = {}
    trial = inputs.trial
    for n, setting in enumerate(inputs.settings):
        kind = inputs.kinds[int(trial.kind[n])]
        key = (kind, setting.shift_id, setting.starts_at.astimezone(zone).time(), setting.near)
        if key not in known:
            known[key] = _deciding(of_type[kind], *key[1:])
        here = {
            slug: known[key][slug]
            for a, slug in enumerate(inputs.slugs)
            if trial.chance[n, a] > 0 and slug in known[key]
        }
        if len(here) < 2 or inputs.slugs[int(trial.arm[n])] not in here:
            continue
        weights = {slug: rule.preference for slug, rule in here.items()}
        for rule in here.values():
            group = groups.setdefault(rule.pk, _Drawn(rule))
            group.rows.append(n)
            group.weights.append(weights)
    return [groups[pk] for pk in sorted(groups)]


def _deciding(
    rules: Iterable[TacticRule], shift_id: int, starts: dt.time, near: tuple[str, ...]
) -> dict[str, TacticRule]:
    # What a box was near is known from its draw; what no layer told of then cannot speak against it now.
    rows = allowed_tactics(rules, shift_id=shift_id, starts=starts, near=near)
    return {row.rule.tactic.slug: row.rule for row in rows}


def _looked_at(
    group: _Drawn, inputs: TrialInputs, now: Allocation, crimes_a_year: float, confidence: float
) -> tuple[Comparison, Change | None, dict[str, Any]]:
    rows = np.array(group.rows, dtype=np.int64)
    slugs = tuple(sorted({slug for own in group.weights for slug in own}))
    column = {slug: at for at, slug in enumerate(slugs)}
    weights = np.zeros((len(rows), len(slugs)))
    for n, own in enumerate(group.weights):
        for slug, value in own.items():
            weights[n, column[slug]] = value
    tactic = column[group.rule.tactic.slug]
    trial = against_the_rest(
        inputs.trial, rows, [inputs.slugs.index(slug) for slug in slugs], weights, tactic
    )
    found = compare(trial, 0, 1, confidence=confidence)
    better_by = Finding(1.0 - found.ratio, 1.0 - found.high, 1.0 - found.low, confidence)
    chance = weights[:, tactic] / weights.sum(axis=1)
    facts: dict[str, Any] = {"chance_from": float(chance.mean()), "chance_to": None}
    if not np.isfinite(found.ratio) or crimes_a_year <= 0:
        return found, None, facts
    expected, crimes = float(inputs.trial.expected.sum()), float(inputs.trial.crimes.sum())
    starts = [setting.starts_at for setting in inputs.settings]
    days = (max(starts) - min(starts)).days + 1
    a_year = inputs.trial.expected[rows] * (crimes / expected) * DAYS_A_YEAR / days
    change = weights_change(
        better_by, a_year / crimes_a_year, weights, tactic=tactic, now=now, field="preference",
        value_from=group.rule.preference, at_most=HEAVIEST,
    )  # fmt: skip
    if change is None:
        return found, None, facts
    raised = weights.copy()
    raised[:, tactic] *= change.value_to / change.value_from
    facts["chance_to"] = float((raised[:, tactic] / raised.sum(axis=1)).mean())
    return found, replace(change, subject=group.rule.pk), facts


def against_the_rest(
    trial: TacticTrial, rows: Ints, columns: list[int], weights: Floats, tactic: int
) -> TacticTrial:
    """One tactic against all the others of its draws, these in the mix that ``weights`` give: a trial of two.

    ``rows`` int64[n]: missions; ``columns`` [T]: of the tactics in ``trial``, in the order of ``weights`` float64[n, T];
    ``tactic``: the one of these. A mission that drew another counts by that one's part of the mix over the chance that it
    had. Every mission's drawn tactic has a weight.
    """
    n = len(rows)
    place = {a: at for at, a in enumerate(columns)}
    drew = np.array([place[int(a)] for a in trial.arm[rows]], dtype=np.int64)
    in_mix = weights > 0
    chance = np.where(in_mix, trial.chance[rows][:, columns], 0.0)
    # Given that one of these was drawn.
    chance = chance / chance.sum(axis=1, keepdims=True)
    others = weights.copy()
    others[:, tactic] = 0.0
    mix = others / others.sum(axis=1, keepdims=True)
    is_own = drew == tactic
    two = np.ones((n, 2))
    two[:, 0] = chance[:, tactic]
    at = np.arange(n)
    two[~is_own, 1] = (chance[at, drew] / np.where(is_own, 1.0, mix[at, drew]))[~is_own]
    return plain_trial(
        (trial.names[columns[tactic]], "the others"), np.where(is_own, 0, 1).astype(np.int64), two,
        trial.crimes[rows], trial.expected[rows], trial.week[rows],
    )  # fmt: skip


def _found_json(found: Comparison) -> dict[str, Any]:
    """What the page says of a comparison: shares of crimes fewer after the tactic; None where not known."""
    fewer = {"estimate": 1.0 - found.ratio, "low": 1.0 - found.high, "high": 1.0 - found.low}
    return {name: float(value) if np.isfinite(value) else None for name, value in fewer.items()} | {
        "missions": found.missions, "crimes_own": found.crimes_a, "crimes_others": found.crimes_b, "shows": found.shows,
    }  # fmt: skip
