"""What it gains to know how late incidents are reported: forecasts that ignore the lag against ones that correct it.

    python benchmarks/bench_lag.py [--weeks 12] [--out benchmarks/results/lag.json]

A made-up city with hot places that come and go and a level that drifts; reports arrive log-normally late (half within
two days, nine in ten within ten). Two kinds of feed: one that tells when each incident was reported, and one that does
not, so that the history looks complete while the last days never are; there the analyst sets the lag. The last row asks
what a lag costs that was set wrongly. Every shift of the held-out weeks is forecast from what the agency had in hand
when it began; scored against all that happened, paired by week. No database, no data files.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from forecasting.engine import train as engine  # noqa: E402 - the path must be set first
from forecasting.engine import workshop  # noqa: E402
from forecasting.engine.features import events_of  # noqa: E402
from forecasting.engine.grid import grid_build  # noqa: E402
from forecasting.engine.lag import ReportingLag  # noqa: E402
from forecasting.engine.metrics import bootstrap_weeks, hits_at, log_score, ratio_estimate, week_blocks  # noqa: E402
from forecasting.engine.periods import days_since_epoch  # noqa: E402
from forecasting.engine.train import Periods, ShiftWindow  # noqa: E402
from ingestion.engine.tables import IncidentTable  # noqa: E402

SHIFTS = (ShiftWindow("night", 0, 480), ShiftWindow("day", 480, 480), ShiftWindow("evening", 960, 480))
BEGIN = np.datetime64("2021-01-04T00:00:00", "s")
TYPES = ("burglary", "robbery")
WORKSHOP: Any = workshop
"""Where the engine measures lags: exchanged, to see what it would do without."""
SIDE_M, CELL_M = 8_000.0, 200.0
MEDIAN_HOURS, P90_HOURS = 48.0, 240.0


def city(days: int, rng: np.random.Generator) -> IncidentTable:
    """Lasting hot places, hot places of some weeks, a season and a drift; every report late."""
    parts = []
    t = np.arange(days)
    drift = np.cumsum(rng.normal(0, 0.035, days))
    level = np.exp(0.25 * np.sin(2 * np.pi * t / 365.25) + 0.5 * np.tanh(drift))
    for number, per_day in enumerate((22.0, 14.0)):
        n = rng.poisson(per_day * level)
        day = np.repeat(t, n)
        kind = rng.random(len(day))
        lasting = rng.uniform(500, SIDE_M - 500, (25, 2))
        place = lasting[rng.integers(0, 25, len(day))] + rng.normal(0, 150, (len(day), 2))
        # Three places at a time are hot for about three weeks each, then others are.
        passing = rng.uniform(500, SIDE_M - 500, (days // 21 + 2, 3, 2))
        brief = passing[(day + 7 * rng.integers(0, 2, len(day))) // 21, rng.integers(0, 3, len(day))]
        place = np.where((kind < 0.3)[:, None], brief + rng.normal(0, 120, (len(day), 2)), place)
        place = np.where((kind > 0.7)[:, None], rng.uniform(0, SIDE_M, (len(day), 2)), place)
        second = (rng.beta(3, 2, len(day)) * 86_399).astype(np.int64)
        parts.append(
            (place, BEGIN + (day * 86_400 + second).astype("timedelta64[s]"), np.full(len(day), number))
        )
    xy, at, category = (np.concatenate(column) for column in zip(*parts, strict=True))
    width = math.log(P90_HOURS / MEDIAN_HOURS) / 1.2815515655
    hours = MEDIAN_HOURS * np.exp(rng.normal(0, width, len(at)))
    known = at + (hours * 3600).astype("timedelta64[s]")
    made = IncidentTable(xy[:, 0], xy[:, 1], at, at, at, known, category.astype(np.int16), TYPES)
    return made.take(np.argsort(at, kind="stable"))


def shift_instances(first_day: int, end_day: int) -> Periods:
    at = BEGIN + np.arange(first_day * 3, end_day * 3) * np.timedelta64(8, "h")
    return Periods(at, at + np.timedelta64(8, "h"), at, (np.arange(len(at)) % 3).astype(np.int16))


class Ignoring:
    """Inside, the engine does not correct what it reads; unless ``outcomes``, nor what it learns from."""

    def __init__(self, outcomes: bool) -> None:
        self.outcomes = outcomes

    def __enter__(self) -> None:
        self._kept = WORKSHOP.lag_measure, WORKSHOP.lags_measured
        if not self.outcomes:
            WORKSHOP.lag_measure = lambda *columns: ReportingLag.none()
        WORKSHOP.lags_measured = lambda *columns: tuple(ReportingLag.none() for _ in range(columns[4]))

    def __exit__(self, *error: object) -> None:
        WORKSHOP.lag_measure, WORKSHOP.lags_measured = self._kept


def in_hand(incidents: IncidentTable, at: np.datetime64, report_times: bool) -> IncidentTable:
    """What the agency has stored at an instant; without report times all of it looks known at once."""
    stored = incidents.known_before(at)
    return stored if report_times else replace(stored, known_utc=stored.occurred_utc)


def scored(
    incidents: IncidentTable,
    weeks: int,
    days: int,
    report_times: bool,
    said: Mapping[str, ReportingLag],
    seed: int,
) -> dict[str, np.ndarray]:
    """Log score, expected, observed and hits at 1 % for each held-out shift and type: arrays [shifts, types]."""
    grid = grid_build(shapely.box(0, 0, SIDE_M, SIDE_M), CELL_M, 32616)
    out: dict[str, list[np.ndarray]] = {name: [] for name in ("log_score", "expected", "observed", "hits")}
    truth = events_of(grid, replace(incidents, known_utc=incidents.occurred_utc), SHIFTS)
    begin = days - 7 * weeks
    area = {"1%": max(1, round(0.01 * len(grid)))}
    trained: dict[str, Any] = {}
    for day in range(begin, days):
        tests = shift_instances(day, day + 1)
        if (day - begin) % 28 == 0:
            at = tests.from_utc[0]
            trained = engine.train(
                grid=grid,
                incidents=in_hand(incidents, at, report_times),
                periods=shift_instances(0, day),
                shifts=SHIFTS,
                targets=TYPES,
                as_of_utc=at,
                rng=np.random.default_rng(seed),
                workers=1,
                lag=said,
            )
            print(day, {slug: one.champion for slug, one in trained.items()}, flush=True)
        for number in range(len(tests)):
            at, one = tests.from_utc[number], tests.take([number])
            surfaces = engine.forecast(
                trained=trained,
                grid=grid,
                incidents=in_hand(incidents, at, report_times),
                period=one,
                shifts=SHIFTS,
                as_of_utc=at,
            )
            low, high = (float(days_since_epoch(edge)) for edge in (at, one.to_utc[0]))
            rows: list[list[float]] = []
            for source, slug in enumerate(TYPES):
                mine = (truth.source == source) & (truth.occurred_days >= low) & (truth.occurred_days < high)
                cells, counts = np.unique(truth.cell[mine], return_counts=True)
                y, values = counts.astype(float), surfaces[slug].astype(float)
                hits = float(hits_at(values, cells, y, area)[0])
                rows.append([log_score(values, cells, y), values.sum(), y.sum(), hits])
            for name, column in zip(out, zip(*rows, strict=True), strict=True):
                out[name].append(np.array(column))
    return {name: np.stack(rows) for name, rows in out.items()}


def compared(plain: dict[str, np.ndarray], other: dict[str, np.ndarray], periods: Periods) -> dict[str, Any]:
    """Figures of one way against ignoring the lag, both types together, with 95 % intervals over weeks."""
    blocks = week_blocks(periods)
    draws = bootstrap_weeks(blocks, np.random.default_rng(0), 2_000)
    one, base = ({name: rows.sum(axis=1) for name, rows in both.items()} for both in (other, plain))

    def figure(top: np.ndarray, bottom: np.ndarray) -> dict[str, float | None]:
        return ratio_estimate(top, bottom, blocks, draws).as_dict()

    return {
        "log_skill_nats_per_event": figure(one["log_score"] - base["log_score"], one["observed"]),
        "expected_over_observed": figure(one["expected"], one["observed"]),
        "hit_rate_1pct": figure(one["hits"], one["observed"]),
        "hits_lift_1pct": figure(one["hits"], base["hits"]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--weeks", type=int, default=12, help="held-out weeks, at the end of the history")
    parser.add_argument("--days", type=int, default=700, help="length of the made-up history")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "lag.json")
    options = parser.parse_args()

    incidents = city(options.days, np.random.default_rng(options.seed))
    tests = shift_instances(options.days - 7 * options.weeks, options.days)
    right = ReportingLag.from_quantiles(MEDIAN_HOURS, P90_HOURS)
    wrong = ReportingLag.from_quantiles(2 * MEDIAN_HOURS, 1.5 * P90_HOURS)
    table: dict[str, Any] = {}
    for feed, report_times in (("with report times", True), ("without report times", False)):
        started = time.monotonic()
        with Ignoring(outcomes=False):
            plain = scored(incidents, options.weeks, options.days, report_times, {}, options.seed)
        ways: dict[str, ReportingLag | None] = (
            {"lag measured": None} if report_times else {"lag set": right, "lag set twice too long": wrong}
        )
        table[f"{feed}: lag ignored"] = compared(plain, plain, tests)
        if report_times:
            with Ignoring(outcomes=True):
                half = scored(incidents, options.weeks, options.days, report_times, {}, options.seed)
            table[f"{feed}: known to the outcomes only"] = compared(plain, half, tests)
        for name, lag in ways.items():
            said = dict.fromkeys(TYPES, lag) if lag else {}
            other = scored(incidents, options.weeks, options.days, report_times, said, options.seed)
            table[f"{feed}: {name}"] = compared(plain, other, tests)
        print(f"{feed}: {time.monotonic() - started:.0f} s", flush=True)
    result = {
        "benchmark": "lag",
        "incidents": len(incidents),
        "held_out_weeks": options.weeks,
        "held_out_incidents": int((incidents.occurred_utc >= tests.from_utc[0]).sum()),
        "lag_median_hours": MEDIAN_HOURS,
        "lag_p90_hours": P90_HOURS,
        "ways": table,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")

    print(
        f"{len(incidents):,} incidents, {result['held_out_incidents']:,} of them in {options.weeks} held-out weeks"
    )
    print(
        f"{'':46} {'log skill (nats/event)':>28} {'expected / observed':>24} {'hit rate 1 %':>14} {'lift':>22}"
    )
    for name, row in table.items():
        skill, ratio, rate, lift = row.values()
        print(
            f"{name:46} {skill['value']:+9.4f} [{skill['low']:+.4f}, {skill['high']:+.4f}] "
            f"{ratio['value']:8.3f} [{ratio['low']:.3f}, {ratio['high']:.3f}] {rate['value']:14.4f} "
            f"{lift['value']:8.3f} [{lift['low']:.3f}, {lift['high']:.3f}]"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
