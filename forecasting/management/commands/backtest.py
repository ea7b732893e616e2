"""``manage.py backtest``: replay every method on a file of past events. Needs no database."""

from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import CommandParser

from agencies.lookups import date_from_text
from forecasting.engine.bench.league import CategoryLeague
from forecasting.engine.bench.problems import BenchProblem
from forecasting.engine.bench.protocol import HORIZONS
from forecasting.engine.bench.report import FEW_BLOCKS
from forecasting.engine.bench.run import Options, backtest
from forecasting.engine.classics import CLASSICS
from forecasting.engine.drawing import model_label
from forecasting.engine.metrics import MAIN_AREA, Estimate
from forecasting.services.backtests import backtest_layers_read
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError


class Command(MissionsCommand):
    help = (
        "Replay every forecasting method on a file of past events, and write forecasts, league table and report. "
        "Needs no database. A killed run goes on where it stopped."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add(
            "events",
            type=Path,
            metavar="EVENTS",
            help="CSV or Parquet: id, occurred_at, category, lat, lon",
        )
        add("--test-from", required=True, metavar="YYYY-MM-DD", help="the first day that is forecast")
        add(
            "--test-to",
            required=True,
            metavar="YYYY-MM-DD",
            help="the day after the last one that is forecast",
        )
        add("--horizon", required=True, choices=HORIZONS, help="how long a forecast period is")
        add(
            "--out",
            required=True,
            type=Path,
            metavar="DIR",
            help="the folder to write; a new one for each run",
        )
        add(
            "--cell-size-m",
            type=float,
            default=150.0,
            metavar="METRES",
            help="side of a cell (150 if absent)",
        )
        add(
            "--boundary",
            type=Path,
            metavar="FILE",
            help="the jurisdiction, GeoJSON in WGS84; else the events' hull",
        )
        add(
            "--coverage",
            type=Path,
            metavar="FILE",
            help="where sensors reach, GeoJSON with an optional valid_from a feature; else the events' column coverage, "
            "else everywhere",
        )
        add(
            "--layers",
            nargs="+",
            action="extend",
            default=[],
            metavar="[KIND=]FILE[@YYYY-MM-DD]",
            help="what shapes risk: places (GeoJSON, GeoPackage, zipped Shapefile, or CSV with lat and lon; after @ the day "
            "from which forecasts may see them), census=FILE:population, events=CSV, weather=CSV",
        )
        add(
            "--categories",
            default="",
            metavar="A,B",
            help="which to forecast; all that may be forecast if absent",
        )
        add(
            "--offence",
            nargs="+",
            action="extend",
            default=[],
            metavar="NAME=CODE",
            help="what a category is whose name says too little, as a NIBRS code or class: assault=13A",
        )
        add(
            "--models",
            default="",
            metavar="A,B",
            help="which to run beside the four baselines; all if absent",
        )
        add(
            "--refit-weeks",
            type=int,
            default=4,
            metavar="N",
            help="fit anew every N weeks (4 if absent; 0: once)",
        )
        add(
            "--shift-hours",
            type=int,
            default=8,
            metavar="N",
            help="length of a shift from midnight (8 if absent)",
        )
        add(
            "--jobs",
            type=int,
            metavar="N",
            help="crime types at a time; one per core, at most four, if absent",
        )
        add(
            "--seed",
            type=int,
            default=0,
            help="the same seed gives the same forecast, bit for bit (0 if absent)",
        )

    def work(self, **options: Any) -> str:
        try:
            chosen, seen = options_from(options), backtest_layers_read(values=options["layers"])
            done = backtest(chosen, seen.layers, CLASSICS, self.progress, seen.outlook)
        except BenchProblem as exc:
            raise MissionsError(exc.message, next_step=exc.next_step) from exc
        self.progress.close()
        if done.before:
            return f"This run was finished before; its results are in {options['out']}."
        for league in done.leagues:
            self.show(league)
        return f"\nForecast, league.csv, league.json and report.html are in {options['out']}."

    def show(self, league: CategoryLeague) -> None:
        """Print one category's league, best first."""
        self.stdout.write(
            f"\n{league.category}: {league.events:,} events ({league.outside_cells:,} outside every cell), "
            f"{league.cells:,} cells, {league.periods:,} periods"
        )
        if len(league.blocks) < FEW_BLOCKS:
            self.stdout.write(
                f"  Weeks (or longer periods): {len(league.blocks)}; intervals from so few are far too narrow."
            )
        self.stdout.write(
            f"  {'model':<24} {'hit rate at 1 %':>22} {'PAI':>6} {'PEI*':>6} {'log skill':>25} {'exp/obs':>8} "
            f"{'fit s':>7} {'fc. s':>7}"
        )
        for model in league.models:
            area = next((one for one in model.areas if one.area == MAIN_AREA), None)
            mark = " written" if model.is_written else " best baseline" if model.is_best_baseline else ""
            self.stdout.write(
                f"  {model_label(model.name):<24} {interval(area.hit_rate if area else None, 1, 100):>22} "
                f"{number(area.pai if area else None, 1):>6} {number(area.pei_star if area else None, 2):>6} "
                f"{interval(model.log_skill, 3):>25} {number(model.calibration, 2):>8} "
                f"{model.fit_seconds.value:>7.1f} {model.forecast_seconds.value:>7.1f}{mark}"
            )


def options_from(options: dict[str, Any]) -> Options:
    """The command's words as the bench takes them."""
    for name in ("refit_weeks", "seed"):
        if options[name] < 0:
            raise MissionsError(f"--{name.replace('_', '-')} is negative.", next_step="use 0 or more.")
    if options["jobs"] is not None and options["jobs"] < 1:
        raise MissionsError("--jobs is less than one.", next_step="use 1 or more.")
    offences = {}
    for text in options["offence"]:
        name, mark, code = text.partition("=")
        if not (mark and name and code):
            raise MissionsError(
                f"--offence {text} names no code.", next_step="write NAME=CODE, e.g. assault=13A."
            )
        offences[name] = code
    return Options(
        events=options["events"],
        out=options["out"],
        test_from=np.datetime64(date_from_text(options["test_from"])),
        test_to=np.datetime64(date_from_text(options["test_to"])),
        horizon=options["horizon"],
        cell_size_m=options["cell_size_m"],
        boundary=options["boundary"],
        coverage=options["coverage"],
        categories=words(options["categories"]),
        models=words(options["models"]),
        offences=offences,
        refit_weeks=options["refit_weeks"],
        shift_hours=options["shift_hours"],
        jobs=options["jobs"],
        seed=options["seed"],
    )


def words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def interval(estimate: Estimate | None, digits: int, factor: float = 1.0) -> str:
    if estimate is None or not np.isfinite(estimate.value):
        return "n/a"
    value, low, high = (
        f"{factor * part:.{digits}f}" for part in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} [{low}, {high}]"


def number(estimate: Estimate | None, digits: int) -> str:
    return "n/a" if estimate is None or not np.isfinite(estimate.value) else f"{estimate.value:.{digits}f}"
