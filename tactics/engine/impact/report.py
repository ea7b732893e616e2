"""The whole analysis of a study in one call: what was found, how sure it is, and whether the checks let it be said."""

from dataclasses import dataclass, replace

import numpy as np

from missions_project.lib.progress import Progress, no_progress
from tactics.engine.impact.displacement import Displacement, displacement
from tactics.engine.impact.dose import DoseResponse, PerMinutes, complier_effect, dose_response
from tactics.engine.impact.estimators import (
    FEW_EVENTS,
    Effect,
    clustered,
    critical,
    expected_treated_events,
    ratio_effect,
    score_test,
    spread,
)
from tactics.engine.impact.fisher import (
    MANY_PLANS,
    FisherResult,
    fisher_test,
    inverted_interval,
    recorded_test,
)
from tactics.engine.impact.groups import PartEffect, holm, part_effects
from tactics.engine.impact.power import study_precision
from tactics.engine.impact.replays import PlanHistory, redraws
from tactics.engine.impact.sparse import positive
from tactics.engine.impact.study import Study, StudyError
from tactics.engine.impact.sums import PlanSums, plan_sums, type_sums

ALPHA = 0.05
POWERFUL = 2.8
"""Standard errors that an effect must span to be shown by 80 % of studies at 5 %: 1.96 + 0.84."""


@dataclass(frozen=True)
class NegativeControl:
    """An outcome that missions cannot have changed; an "effect" on it (adjusted p below 0.05) withholds the verdict."""

    name: str
    effect: Effect
    adjusted_p: float

    @property
    def fails(self) -> bool:
        return self.adjusted_p < ALPHA


@dataclass(frozen=True)
class DisplacementDifference:
    """The second view: crimes fewer (negative) in visited boxes and rings than in others, change from before the start."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Checks:
    """What the estimates rest on: drawn against planned missions, balance of the forecast (difference of arms over its
    standard error), share of missions carried out (NaN: not measured), shares of plans and rows that could be used."""

    plans: int
    rows: int
    missions: int
    missions_planned: float
    balance_z: float
    carried_out: float
    visited_undrawn: float
    smallest_pi: float
    largest_pi: float
    includes_later_policy: bool


@dataclass(frozen=True)
class ImpactReport:
    """What missions did, and how far that can be said. Effects are shares of crime expected without missions.

    ``sentence`` is the plain summary; ``withheld`` why there is no verdict (empty: there is one). ``primary`` is weighted by
    missions as designed; ``overlap`` has the shortest intervals; ``plain`` only on request. ``detectable`` is the smallest
    effect in the boxes that 80 % of such studies would show, ``net_detectable`` the smallest net effect; ``times_longer``
    how many times as many shifts it would take to show a net effect of the size estimated.
    """

    sentence: str
    withheld: str
    detectable: float
    net_detectable: float
    overdispersion: float
    times_longer: float
    primary: Effect
    hajek: Effect
    overlap: Effect
    plain: Effect | None
    displacement: Displacement
    displacement_difference: DisplacementDifference
    per_ten_minutes: PerMinutes | None
    dose: DoseResponse | None
    controls: tuple[NegativeControl, ...]
    fisher: FisherResult | None
    by_type: tuple[PartEffect, ...]
    by_district: tuple[PartEffect, ...]
    checks: Checks
    notes: tuple[str, ...]


def analyse(
    study: Study,
    *,
    history: PlanHistory | None = None,
    rng: np.random.Generator | None = None,
    draws: int = 199,
    plain: bool = False,
    confidence: float = 0.95,
    progress: Progress = no_progress,
) -> ImpactReport:
    """Analyse a study in full. Without ``history`` (the plans to re-draw) and ``rng`` there is no Fisher test.

    With fewer than 100 expected crimes in visited boxes the primary interval comes from re-drawing alone; without a
    history there is then none. Up to 50,000 plans the test replays them one after another, above it is approximate.
    Raises ``StudyError`` for a table that cannot be analysed.
    """
    problems = study.problems()
    if problems:
        raise StudyError(" ".join(problems))
    sums = plan_sums(study, ("missions", "overlap", "plain") if plain else ("missions", "overlap"), progress)
    main = sums["missions"]
    precision = study_precision(main)
    notes: list[str] = []
    effects = {
        "primary": ratio_effect(main, name="missions as designed", confidence=confidence),
        "hajek": ratio_effect(main, name="missions as designed", method="hajek", confidence=confidence),
        "overlap": ratio_effect(sums["overlap"], name="overlap-weighted", confidence=confidence),
    }
    if plain:
        effects["plain"] = ratio_effect(sums["plain"], name="plain average", confidence=confidence)
    # A large year's totals under each weighting take 75 MB; from here on only the missions' are read.
    sums.clear()
    moved = displacement(main, confidence)
    # A count of zero has no logarithm: then, too, only re-drawing gives an interval.
    few = expected_treated_events(main) < FEW_EVENTS or effects["primary"].interval == "none"
    fisher = None
    if history is not None and rng is not None:
        fisher = _fisher(study, history, rng, draws, progress)
    if few:
        notes.append(
            f"Fewer than {FEW_EVENTS} crimes were expected, or none was seen, in visited boxes: no normal interval is given, only one by re-drawing."
        )
        primary = effects["primary"]
        effects = {name: _without_interval(one) for name, one in effects.items()}
        moved = Displacement(*(_without_interval(one) for one in (moved.direct, moved.moved, moved.net)))
        if (
            history is not None
            and rng is not None
            and study.plans <= MANY_PLANS
            and np.isfinite(primary.estimate)
        ):
            again = redraws(study, history, draws=draws, rng=rng)
            effects["primary"] = replace(
                inverted_interval(
                    study, again, name=primary.name, estimate=primary.estimate, confidence=confidence
                ),
                treated_events=primary.treated_events,
            )
    controls = negative_controls(main, confidence)
    if study.includes_later_policy:
        notes.append("Windows run past the cells' next draw: read every estimate as including later policy.")
    if fisher is not None and fisher.approximate:
        notes.append(
            f"{study.plans:,} plans are too many to replay one after another: the test is approximate, at the recorded "
            "probabilities."
        )
    types = study.type_names if study.has_types else ()
    by_type = ((name, type_sums(study, main, at)) for at, name in enumerate(types))
    districts = np.unique(main.district)
    effect = main.effect_only()
    by_district = ((str(one), effect.take(np.flatnonzero(main.district == one))) for one in districts)
    primary = effects["primary"]
    detectable = precision.detectable()
    # A net effect is a difference: what is detectable is a multiple of its standard error.
    net_detectable = min(POWERFUL * moved.net.se_log, 1.0) if np.isfinite(moved.net.se_log) else 1.0
    times_longer = (POWERFUL * moved.net.se_log / moved.net.estimate) ** 2 if moved.net.estimate else np.inf
    if few:
        times_longer = (
            precision.times_longer(abs(primary.estimate)) if np.isfinite(primary.estimate) else np.inf
        )
    lead, smallest = (primary, detectable) if few else (moved.net, net_detectable)
    withheld = _withheld(controls, lead, smallest, float(times_longer))
    return ImpactReport(
        sentence=_sentence(moved.net, primary, withheld, few),
        withheld=withheld,
        detectable=detectable,
        net_detectable=float(net_detectable),
        overdispersion=precision.overdispersion,
        times_longer=float(times_longer),
        primary=primary,
        hajek=effects["hajek"],
        overlap=effects["overlap"],
        plain=effects.get("plain"),
        displacement=moved,
        displacement_difference=_difference(main, confidence),
        per_ten_minutes=complier_effect(main, confidence) if study.delivered_minutes is not None else None,
        dose=dose_response(study, main, confidence=confidence),
        controls=controls,
        fisher=fisher,
        by_type=part_effects(by_type, confidence) if len(types) > 1 else (),
        by_district=part_effects(by_district, confidence) if len(districts) > 1 else (),
        checks=_checks(study, main),
        notes=tuple(notes),
    )


def _fisher(
    study: Study, history: PlanHistory, rng: np.random.Generator, draws: int, progress: Progress
) -> FisherResult:
    if study.plans > MANY_PLANS:
        return recorded_test(
            study,
            history.layout,
            rng=rng,
            draws=draws,
            local_pivotal_share=history.policy.local_pivotal_share,
            progress=progress,
        )
    return fisher_test(study, history, rng=rng, draws=draws, progress=progress)


def _without_interval(effect: Effect) -> Effect:
    return replace(effect, low=np.nan, high=np.nan, p_value=1.0, interval="none")


def negative_controls(sums: PlanSums, confidence: float = 0.95) -> tuple[NegativeControl, ...]:
    """Hold the draw against crimes that it cannot have changed: before the drawn start, and in the week before the shift."""
    found = [
        ratio_effect(
            sums, name="same shift, before the drawn start", outcome="before", forecast="before_forecast",
            confidence=confidence,
        ),
        ratio_effect(
            sums, name="the preceding week", outcome="week_before", forecast="forecast", confidence=confidence
        ),
    ]  # fmt: skip
    # Tested by the score, not the interval: a control that lost every crime in visited boxes must fail, too.
    tested = [
        score_test(sums, outcome="before", forecast="before_forecast"),
        score_test(sums, outcome="week_before", forecast="forecast"),
    ]
    found = [replace(one, p_value=p) for one, p in zip(found, tested, strict=True)]
    adjusted = holm(np.array(tested))
    return tuple(NegativeControl(one.name, one, float(p)) for one, p in zip(found, adjusted, strict=True))


def _difference(sums: PlanSums, confidence: float) -> DisplacementDifference:
    """Change from before the start to after it, visited less others, boxes and rings together; scores by shift."""
    change = np.zeros(len(sums.shift))
    for name, sign in (("outcome", 1.0), ("before", -1.0), ("ring_outcome", 1.0), ("ring_before", -1.0)):
        treated, control = sums.arm(name)
        change += sign * (treated - control)
    by_shift = clustered(change, sums.shift)
    total = float(by_shift.sum())
    half = critical(len(by_shift), confidence) * spread(by_shift - by_shift.mean())
    return DisplacementDifference(total, total - half, total + half)


def _checks(study: Study, sums: PlanSums) -> Checks:
    one1 = float(sums.arm("one")[0].sum())
    m1, m0 = sums.arm("forecast")
    balance = spread(m1 - m0)
    visited = None if study.delivered_minutes is None else positive(study.delivered_minutes)
    pi = np.asarray(study.pi)
    return Checks(
        study.plans,
        len(study),
        int(study.drawn.sum()),
        float(sums.size.sum()),
        float((m1 - m0).sum() / balance) if balance > 0 else 0.0,
        float(visited[study.drawn].mean()) if visited is not None and one1 > 0 else np.nan,
        float(visited[~study.drawn].mean()) if visited is not None else np.nan,
        float(pi.min()),
        float(pi.max()),
        study.includes_later_policy,
    )


def _withheld(
    controls: tuple[NegativeControl, ...], lead: Effect, detectable: float, times_longer: float
) -> str:
    for control in controls:
        if control.fails:
            return (
                f"A check failed: crime in {control.name} differs between drawn and other boxes (adjusted p "
                f"{control.adjusted_p:.3f}), which missions cannot have caused. Find out why before reading any effect."
            )
    if lead.interval == "none" or not np.isfinite(lead.low):
        return "There are too few crimes for an interval. Run the study for longer or pool more crime types."
    if not lead.shows and abs(lead.estimate) < detectable:
        longer = (
            f"about {times_longer:.1f} times as many shifts"
            if np.isfinite(times_longer)
            else "many more shifts"
        )
        return (
            f"The estimate is below what this study could show ({100 * detectable:.0f} %); it would take {longer} to show an "
            "effect of the size estimated."
        )
    return ""


def _sentence(net: Effect, primary: Effect, withheld: str, few: bool) -> str:
    """One sentence for a council: the net effect leads; "not shown" is never "no effect"."""
    # The net effect is the headline; without an interval of its own, the boxes alone, said so.
    lead, what = (primary, "in visited boxes") if few else (net, "in visited boxes and around them")
    if not np.isfinite(lead.estimate):
        return "Not shown: too little crime fell into the study to estimate an effect."
    if not np.isfinite(lead.low):
        return "Not shown: there is no interval for the effect."
    span = (
        f"{100 * lead.estimate:+.0f} % prevented {what} ({100 * lead.low:+.0f} to {100 * lead.high:+.0f} %)"
    )
    if withheld and "check failed" in withheld:
        return "No verdict: a check on crimes that missions cannot have changed failed."
    if lead.low > 0:
        return f"Missions prevented crime: {span}."
    if lead.high < 0:
        return f"There was more crime with missions: {span}."
    return f"An effect is not shown: {span}."
