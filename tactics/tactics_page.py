"""What the Tactics page shows: the catalogue with its evidence, what was done, and which tactic was followed by fewer crimes."""

import datetime as dt
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from django.core.cache import cache
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum
from django.utils.translation import gettext as _
from scipy import stats

from agencies.models import Agency
from patrols.models import Engagement, MissionPlan
from tactics.engine.trial_replays import compare_all, pair_scores
from tactics.engine.trials import (
    FEW_CRIMES,
    Comparison,
    TacticRate,
    detectable_ratio,
    holm,
    separation,
    tactic_rates,
    times_longer,
)
from tactics.models import Tactic, TacticDraw, TacticPolicy, TacticUpdate, TacticUse
from tactics.surroundings import kinds_without_layer
from tactics.trial_inputs import WINDOW_HOURS, TrialInputs, trial_inputs

COMPARED_AT_MOST = 40_000
"""Drawn missions that the page compares, the newest ones: a person waits for it. A study reads as many as there are."""
REPLAYED_AT_MOST = 20_000
"""Missions above which the page does not draw again, which would take seconds: its p-values are then approximate."""
DRAWS = 199
SETTLE = dt.timedelta(days=7)
"""Reports come in late: missions of the last week are not compared yet."""
CACHED_SECONDS = 600
HOPED_FOR = 0.8
"""A fifth fewer crimes: the difference for which "how many more shifts" is reckoned."""


@dataclass(frozen=True)
class TacticLine:
    """One tactic: what is known of it, how often it was recommended and done, and for how many minutes."""

    tactic: Tactic
    crime_types: list[str]
    drawn: int = 0
    visited: int = 0
    followed: int = 0
    visits: int = 0
    minutes: float = 0.0
    rate: TacticRate | None = None

    @property
    def share_followed(self) -> float | None:
        """Of the visited missions for which it was drawn, the share at which it was ticked, in per cent."""
        return 100.0 * self.followed / self.visited if self.visited else None


@dataclass(frozen=True)
class PairLine:
    """Two tactics set against each other, in words that promise no more than the crimes allow."""

    first: str
    second: str
    found: Comparison
    detectable: float
    more_shifts: int | None

    @property
    def fewer_percent(self) -> float:
        """By how many per cent crimes after the first lay below those after the second; negative: above."""
        return 100.0 * (1.0 - self.found.ratio)

    @property
    def limits(self) -> tuple[float, float] | None:
        """The always-valid limits of ``fewer_percent``; None below a few crimes."""
        if np.isnan(self.found.low):
            return None
        return 100.0 * (1.0 - self.found.high), 100.0 * (1.0 - self.found.low)

    @property
    def verdict(self) -> str:
        """What may be said. Never "no effect": an interval that holds 1 reads "not shown"."""
        if np.isnan(self.found.low):
            return _("Too few crimes: each tactic needs %(few)s.") % {"few": FEW_CRIMES}
        if self.found.shows:
            fewer = self.found.high < 1.0
            return (
                _("Fewer crimes after %(tactic)s: shown.")
                if fewer
                else _("More crimes after %(tactic)s: shown.")
            ) % {"tactic": self.first.lower()}
        return _("Not shown.")


@dataclass(frozen=True)
class TacticsReport:
    """Everything on the page. ``pairs`` is empty where no two tactics were ever in one draw."""

    first: dt.date
    last: dt.date
    lines: list[TacticLine]
    policy: TacticPolicy | None
    update: TacticUpdate | None
    unknown_places: list[str]
    missions_drawn: int
    missions_visited: int
    missions_followed: int
    since: dt.date
    """From when missions are compared: crimes are rare, four weeks of them tell nothing."""
    pairs: list[PairLine] = field(default_factory=list)
    compared: int = 0
    compared_from: dt.date | None = None
    shifts: int = 0
    crimes: float = 0.0
    left_out: int = 0
    window_hours: float = WINDOW_HOURS
    is_replayed: bool = True

    @cached_property
    def share_followed(self) -> float | None:
        """Of the visited missions with a drawn tactic, the share at which that tactic was ticked, in per cent."""
        return 100.0 * self.missions_followed / self.missions_visited if self.missions_visited else None

    @property
    def is_shortened(self) -> bool:
        """Whether older missions are not compared because there are too many."""
        return self.compared_from is not None and self.compared_from > self.since

    @property
    def draws(self) -> int:
        return DRAWS


def tactics_report(
    agency: Agency, first: dt.date, last: dt.date, *, now: dt.datetime, since: dt.date | None = None
) -> TacticsReport:
    """Return the catalogue and what its use in shifts that started on these local dates tells. At most 24 queries.

    ``since``: missions are compared from then on, earlier than they are counted. The comparison is kept for ten minutes, or until there are other draws or incidents to compare.
    """
    tactics = list(
        Tactic.objects.filter(agency=agency)
        .prefetch_related("tacticrule_set__crime_type")
        .order_by("-is_active", "is_enforcement", "name")
    )
    # Named one by one: asked for by their days, the database reads the missions, visits and draws of every year there is.
    plans = list(
        MissionPlan.objects.filter(agency=agency, on__range=(first, last)).values_list("pk", "state")
    )
    drawn = _drawn(agency, [pk for pk, state in plans if state == MissionPlan.State.PUBLISHED])
    done, minutes = _done(agency, [pk for pk, _state in plans])
    policy = TacticPolicy.objects.filter(agency=agency, is_active=True).first()
    hours = float(policy.window_hours) if policy else WINDOW_HOURS
    lines = [
        TacticLine(
            tactic,
            sorted({rule.crime_type.name for rule in tactic.tacticrule_set.all() if rule.preference > 0}),
            *drawn.get(tactic.pk, (0, 0)),
            *done.get(tactic.pk, (0, 0)),
            minutes.get(tactic.pk, 0.0),
        )
        for tactic in tactics
    ]
    report = TacticsReport(
        first,
        last,
        lines,
        policy,
        TacticUpdate.objects.filter(agency=agency).first(),
        kinds_without_layer(agency),
        missions_drawn=sum(line.drawn for line in lines),
        missions_visited=sum(line.visited for line in lines),
        missions_followed=sum(line.followed for line in lines),
        since=since or first,
        window_hours=hours,
    )
    return _compared(agency, report, now)


def _drawn(agency: Agency, plans: list[int]) -> dict[int, tuple[int, int]]:
    """By tactic: missions of these plans that drew it, of those visited. One query."""
    visits = Engagement.objects.filter(mission=OuterRef("mission"))
    rows = (
        TacticDraw.objects.filter(agency=agency, mission__plan__in=plans)
        .annotate(is_visited=Exists(visits))
        .order_by()
        .values("tactic")
        .annotate(n=Count("pk"), visited=Count("pk", filter=Q(is_visited=True)))
    )
    return {row["tactic"]: (row["n"], row["visited"]) for row in rows}


def _done(agency: Agency, plans: list[int]) -> tuple[dict[int, tuple[int, int]], dict[int, float]]:
    """By tactic: missions that drew it and had it ticked, visits at which it was ticked, their minutes. One query.

    A visit with two tactics counts for both.
    """
    is_drawn = Q(
        engagement__mission__tactic_draw__tactic=F("tactic"),
        engagement__mission__tactic_draw__agency=agency,
        engagement__mission__plan__state=MissionPlan.State.PUBLISHED,
    )
    rows = list(
        TacticUse.objects.filter(agency=agency, engagement__mission__plan__in=plans)
        .order_by()
        .values("tactic")
        .annotate(
            n=Count("pk"),
            spent=Sum(F("engagement__left_at") - F("engagement__arrived_at")),
            # From the ticks to the draws: to look for a tick of every draw takes three times as long.
            followed=Count("engagement__mission", distinct=True, filter=is_drawn),
        )
    )
    return (
        {row["tactic"]: (row["followed"], row["n"]) for row in rows},
        {row["tactic"]: (row["spent"] or dt.timedelta()).total_seconds() / 60 for row in rows},
    )


def _compared(agency: Agency, report: TacticsReport, now: dt.datetime) -> TacticsReport:
    own = TacticDraw.objects.filter(agency=agency)
    # By their index: to count them, the database would read all.
    newest = own.order_by("-drawn_at").values_list("pk", "drawn_at").first()
    if newest is None:
        return report
    since = min(max(report.since, _earliest(own) or report.since), report.last)
    key = ":".join(
        map(
            str,
            (
                "tactics",
                agency.pk,
                since,
                report.last,
                report.window_hours,
                newest[0],
                newest[1].isoformat(),
            ),
        )
    )
    found = cache.get(key)
    if found is None:
        inputs = trial_inputs(
            agency, first=since, last=report.last, window_hours=report.window_hours, until=now - SETTLE
        )
        found = _comparison(inputs, report)
        cache.set(key, found, CACHED_SECONDS)
    pairs, rates, facts = found
    names = {line.tactic.slug: line.tactic.name for line in report.lines}
    return replace(
        report,
        lines=[replace(line, rate=rates.get(line.tactic.slug)) for line in report.lines],
        pairs=[
            PairLine(names.get(a, a), names.get(b, b), pair, detectable, more)
            for a, b, pair, detectable, more in pairs
        ],
        **facts,
    )


def _earliest(own: QuerySet[TacticDraw]) -> dt.date | None:
    """The day after the shift of the newest draw that is one too many to compare; None while there are fewer. Two queries."""
    # In two: the plans of all that are passed over would be read, too.
    beyond = own.order_by("-drawn_at").values_list("pk", flat=True)[COMPARED_AT_MOST:].first()
    if beyond is None:
        return None
    on: dt.date = own.values_list("mission__plan__on", flat=True).get(pk=beyond)
    return on + dt.timedelta(days=1)


Pair = tuple[str, str, Comparison, float, int | None]


def _comparison(
    inputs: TrialInputs, report: TacticsReport
) -> tuple[list[Pair], dict[str, TacticRate], dict[str, object]]:
    trial, slugs = inputs.trial, inputs.slugs
    facts: dict[str, object] = {
        "compared": len(trial),
        "compared_from": inputs.first if inputs.first != report.since else None,
        "shifts": inputs.shifts,
        "crimes": float(trial.crimes.sum()),
        "left_out": inputs.left_out,
        "is_replayed": len(trial) <= REPLAYED_AT_MOST,
    }
    if not len(trial):
        return [], {}, facts
    # The same page twice shows the same p-values.
    rng = np.random.default_rng(len(trial)) if facts["is_replayed"] else None
    found = compare_all(trial, draws=DRAWS, rng=rng)
    if rng is None:
        score = pair_scores(trial, trial.arm[None], trial.drawn_chance[None], trial.residual())[0]
        alone = np.array([2.0 * stats.norm.sf(abs(score[pair.a, pair.b])) for pair in found])
        found = tuple(
            replace(pair, p_value=float(one), p_holm=float(all_of))
            for pair, one, all_of in zip(found, alone, holm(alone), strict=True)
        )
    total = float(trial.expected.sum())
    level = float(trial.crimes.sum()) / total if total > 0 else 1.0
    pairs = []
    for pair in found:
        apart = separation(trial.chance, trial.expected, pair.a, pair.b, HOPED_FOR, level=level)
        longer = times_longer(apart)
        more = max(int(np.ceil((longer - 1.0) * inputs.shifts)), 0) if np.isfinite(longer) else None
        detectable = detectable_ratio(trial.chance, trial.expected, pair.a, pair.b, level=level)
        pairs.append((slugs[pair.a], slugs[pair.b], pair, 100.0 * (1.0 - detectable), more))
    rates = dict(zip(slugs, tactic_rates(trial), strict=True))
    return (
        sorted(pairs, key=lambda row: (np.nan_to_num(row[2].p_value, nan=2.0), row[0], row[1])),
        rates,
        facts,
    )
