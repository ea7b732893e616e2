"""The league table of a backtest: every model's figures with intervals, beside the best plain count."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from forecasting.engine.bench.contest import Setting
from forecasting.engine.bench.protocol import bootstrap_blocks
from forecasting.engine.bench.replay import Block, Choices
from forecasting.engine.candidates import BASELINES
from forecasting.engine.metrics import (
    Estimate,
    Scores,
    area_cells,
    area_scores,
    bootstrap_weeks,
    ratio_estimate,
)
from missions_project.lib.cells import PlainWriter

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]

RISK_BANDS = 10
CSV_COLUMNS = (
    *("category", "model", "is_baseline", "is_best_baseline", "is_written"),
    *("area", "cells", "hit_rate", "hit_rate_low", "hit_rate_high", "pai", "pai_low", "pai_high"),
    *("pei_star", "pei_star_low", "pei_star_high", "lift", "lift_low", "lift_high"),
    *("log_score", "log_score_low", "log_score_high", "log_gain", "log_gain_low", "log_gain_high"),
    *("log_skill", "log_skill_low", "log_skill_high"),
    *("against_written", "against_written_low", "against_written_high"),
    *("calibration", "calibration_low", "calibration_high"),
    *("calibration_gap", "calibration_gap_low", "calibration_gap_high"),
    *("fit_seconds", "fit_seconds_low", "fit_seconds_high"),
    *("forecast_seconds", "forecast_seconds_low", "forecast_seconds_high"),
    *("fits", "stood_in_fits", "events", "outside_cells", "periods"),
)


@dataclass(frozen=True)
class AreaFigures:
    """What a model reaches when this many cells are flagged; ``lift`` is against the area's best baseline.

    PAI is the hit rate times N / k, a constant, so its interval is the hit rate's times the same. The lift is the paired
    comparison of all three: N / k cancels in PAI's ratio, the best possible count in that of PEI*.
    """

    area: str
    cells: int
    hit_rate: Estimate
    pai: Estimate
    pei_star: Estimate
    lift: Estimate

    def as_dict(self) -> dict[str, Any]:
        figures = {name: getattr(self, name).as_dict() for name in ("hit_rate", "pai", "pei_star", "lift")}
        return {"area": self.area, "cells": self.cells, **figures}


@dataclass(frozen=True)
class ModelFigures:
    """One model's record. ``log_score`` is the mean per cell and period, ``log_gain`` its difference to the best baseline's,
    ``log_skill`` the same difference in nats per event, ``against_written`` against the model whose forecast is
    written. ``calibration_gap`` is expected / observed minus the best baseline's. Seconds are those of all fits
    together; their intervals draw whole fits, and do not exist where there was one."""

    name: str
    is_baseline: bool
    is_best_baseline: bool
    is_written: bool
    areas: tuple[AreaFigures, ...]
    log_score: Estimate
    log_gain: Estimate
    log_skill: Estimate
    against_written: Estimate
    calibration: Estimate
    calibration_gap: Estimate
    fit_seconds: Estimate
    forecast_seconds: Estimate
    fits: int
    stood_in_fits: int

    def as_dict(self) -> dict[str, Any]:
        plain = ("name", "is_baseline", "is_best_baseline", "is_written", "fits", "stood_in_fits")
        return {
            **{name: getattr(self, name) for name in plain},
            **{name: getattr(self, name).as_dict() for name in _ESTIMATES},
            "areas": [area.as_dict() for area in self.areas],
        }


_ESTIMATES = (
    *("log_score", "log_gain", "log_skill", "against_written", "calibration", "calibration_gap"),
    *("fit_seconds", "forecast_seconds"),
)
"""In the order of ``CSV_COLUMNS``."""


@dataclass(frozen=True)
class CategoryLeague:
    """One crime type: models best first by log score, what was observed, and the written forecast's reliability.

    ``blocks`` are the bootstrap's blocks (weeks, or periods as long as a week), with expected and observed
    events of the written forecast. ``reliability`` are ten bands of equal expected counts, riskiest cells first.
    """

    category: str
    events: int
    outside_cells: int
    cells: int
    periods: int
    models: tuple[ModelFigures, ...]
    best_by_area: Mapping[str, str]
    even_shares: Mapping[str, float]
    blocks: tuple[Mapping[str, Any], ...]
    reliability: tuple[Mapping[str, float], ...]

    def model(self, name: str) -> ModelFigures:
        return next(model for model in self.models if model.name == name)

    @property
    def written(self) -> ModelFigures:
        return next(model for model in self.models if model.is_written)

    @property
    def best_baseline(self) -> ModelFigures:
        return next(model for model in self.models if model.is_best_baseline)

    def as_dict(self) -> dict[str, Any]:
        return {
            "events": self.events,
            "outside_cells": self.outside_cells,
            "cells": self.cells,
            "periods": self.periods,
            "best_baseline": self.best_baseline.name,
            "best_baseline_by_area": dict(self.best_by_area),
            "even_shares": dict(self.even_shares),
            "models": [model.as_dict() for model in self.models],
            "expected_and_observed": [dict(block) for block in self.blocks],
            "reliability": [dict(band) for band in self.reliability],
        }


def blocks_joined(blocks: Sequence[Block]) -> Block:
    """The scores of all origins as one, along the periods; seconds add up, stand-ins become "in any"."""
    along = {"hits": 2, "ideal": 1, "log_scores": 2, "expected": 2, "inside": 1, "outside": 1}
    joined = {
        name: np.concatenate([getattr(block, name) for block in blocks], axis=axis)
        for name, axis in along.items()
    }
    sums = {
        name: sum(getattr(block, name) for block in blocks) for name in ("fit_seconds", "forecast_seconds")
    }
    return Block(
        **joined,
        **sums,
        stand_in=np.any([block.stand_in for block in blocks], axis=0),
        walk_seconds=sum(block.walk_seconds for block in blocks),
    )


def league_table(
    setting: Setting, choices: Choices, blocks: Sequence[Block], target: int, reliability: Floats
) -> CategoryLeague:
    """Every model's figures for one type, all from the same bootstrap draws. ``reliability`` [bands, 2].

    Events beyond the cells count in hit rates, PAI, lift and calibration, where they can only be missed; PEI* and
    the log score are about the cells.
    """
    grid, plan = setting.ground.grid, setting.plan
    areas = area_cells(len(grid), grid.cell_size_m)
    all_of = blocks_joined(blocks)
    blocks_of = bootstrap_blocks(plan.test)
    draws = bootstrap_weeks(blocks_of, setting.rng(2))
    inside, outside = all_of.inside[target], all_of.outside[target]
    observed = inside + outside
    reference = int(choices.by_log[target])
    cells = np.full(len(plan.test), float(len(grid)))
    fit_draws = bootstrap_weeks(np.arange(len(blocks)), setting.rng(3))
    best_hits = np.stack(
        [all_of.hits[target, best, :, column] for column, best in enumerate(choices.by_area[target])], axis=1
    )
    models = []
    written = setting.models.index(setting.written)
    for number, name in enumerate(setting.models):
        scores = Scores(
            hits=all_of.hits[target, number],
            ideal=all_of.ideal[target],
            log_scores=all_of.log_scores[target, number],
            expected=all_of.expected[target, number],
            observed=observed,
        )
        gain = scores.log_scores - all_of.log_scores[target, reference]
        figures = []
        for column, one in enumerate(area_scores(scores, best_hits, areas, len(grid), blocks_of, draws)):
            pei = ratio_estimate(scores.hits[:, column], scores.ideal[:, column], blocks_of, draws)
            pai = _scaled(one.hit_rate, len(grid) / one.cells)
            figures.append(AreaFigures(one.area, one.cells, one.hit_rate, pai, pei, one.lift))
        models.append(
            ModelFigures(
                name=name,
                is_baseline=name in BASELINES,
                is_best_baseline=number == reference,
                is_written=name == setting.written,
                areas=tuple(figures),
                log_score=ratio_estimate(scores.log_scores, cells, blocks_of, draws),
                log_gain=ratio_estimate(gain, cells, blocks_of, draws),
                log_skill=ratio_estimate(gain, inside, blocks_of, draws),
                against_written=ratio_estimate(
                    scores.log_scores - all_of.log_scores[target, written], inside, blocks_of, draws
                ),
                calibration=ratio_estimate(scores.expected, observed, blocks_of, draws),
                calibration_gap=ratio_estimate(
                    scores.expected - all_of.expected[target, reference], observed, blocks_of, draws
                ),
                fit_seconds=seconds_estimate(
                    [block.fit_seconds[target, number] for block in blocks], [1.0] * len(blocks), fit_draws
                ),
                forecast_seconds=seconds_estimate(
                    [block.forecast_seconds[target, number] for block in blocks],
                    [block.inside.shape[1] for block in blocks],
                    fit_draws,
                ),
                fits=len(blocks),
                stood_in_fits=sum(int(block.stand_in[target, number]) for block in blocks),
            )
        )
    models.sort(key=lambda model: -model.log_score.value)
    return CategoryLeague(
        category=setting.targets[target],
        events=int(observed.sum()),
        outside_cells=int(outside.sum()),
        cells=len(grid),
        periods=len(plan.test),
        models=tuple(models),
        best_by_area={
            label: BASELINES[int(best)] for label, best in zip(areas, choices.by_area[target], strict=True)
        },
        even_shares={
            name: float(choices.even[target, number])
            for number, name in enumerate(setting.models)
            if name in setting.classics
        },
        blocks=tuple(
            {
                "from": str(plan.test.from_utc[blocks_of == block][0].astype("datetime64[D]")),
                "expected": float(all_of.expected[target, written][blocks_of == block].sum()),
                "observed": int(observed[blocks_of == block].sum()),
            }
            for block in np.unique(blocks_of)
        ),
        reliability=tuple({"expected": float(a), "observed": float(b)} for a, b in reliability),
    )


def seconds_estimate(
    seconds: Sequence[float], work: Sequence[float], draws: npt.NDArray[np.int64]
) -> Estimate:
    """Seconds of all fits together, with an interval from drawing whole fits: ``draws`` [draws, fits].

    ``seconds`` and ``work`` (fits, or periods forecast) have one value for each fit; the interval is that of the seconds
    for each piece of work, times all the work, so that a short last block counts as short. One fit has no interval.

    >>> seconds_estimate([2.0], [1.0], np.zeros((10, 1), dtype=np.int64))
    Estimate(value=2.0, low=nan, high=nan)
    """
    taken, done = np.asarray(seconds, np.float64), np.asarray(work, np.float64)
    return _scaled(ratio_estimate(taken, done, np.arange(len(taken)), draws), float(done.sum()))


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(estimate.value * factor, estimate.low * factor, estimate.high * factor)


def reliability_bands(surfaces: Floats32, events: Sequence[tuple[npt.NDArray[np.int64], Floats]]) -> Floats:
    """Expected and observed events in ten bands of equal expected counts, riskiest cells first: [10, 2].

    ``surfaces`` [S, N]; ``events`` each period's distinct cells with their counts.
    """
    bands = np.zeros((RISK_BANDS, 2))
    for surface, (cells, counts) in zip(surfaces, events, strict=True):
        wide = surface.astype(np.float64)
        order = np.argsort(-wide, kind="stable")
        before = np.concatenate([[0.0], np.cumsum(wide[order])[:-1]])
        total = max(float(wide.sum()), 1e-300)
        band = np.empty(len(wide), dtype=np.int64)
        band[order] = np.minimum((RISK_BANDS * before / total).astype(np.int64), RISK_BANDS - 1)
        bands[:, 0] += np.bincount(band, wide, RISK_BANDS)
        bands[:, 1] += np.bincount(band[cells], counts, RISK_BANDS)
    return bands


def league_csv(leagues: Sequence[CategoryLeague]) -> str:
    """One row for each category, model and area; numbers that do not exist are empty."""
    out = io.StringIO()
    writer = PlainWriter(out, line_end="\n")
    writer.row(CSV_COLUMNS)
    for league in leagues:
        for model in league.models:
            flags = (model.is_baseline, model.is_best_baseline, model.is_written)
            for area in model.areas:
                estimates = (area.hit_rate, area.pai, area.pei_star, area.lift)
                row: list[Any] = [league.category, model.name, *(int(flag) for flag in flags)]
                row += [area.area, area.cells, *(value for one in estimates for value in _three(one))]
                row += [value for name in _ESTIMATES for value in _three(getattr(model, name))]
                row += [model.fits, model.stood_in_fits]
                writer.row([*row, league.events, league.outside_cells, league.periods])
    return out.getvalue()


def _three(estimate: Estimate) -> tuple[str, str, str]:
    return _number(estimate.value), _number(estimate.low), _number(estimate.high)


def _number(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else ""
