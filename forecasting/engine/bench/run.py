"""A whole backtest: files in, forecast, league and report out, going on where a killed run stopped."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from forecasting.engine.bench.checkpoint import Checkpoint, program_digest
from forecasting.engine.bench.contest import Makers, Setting, learnable, models_choose
from forecasting.engine.bench.coverage import coverage_digest, coverage_of_events, coverage_read
from forecasting.engine.bench.events import EventsFile, events_read
from forecasting.engine.bench.ground import (
    Ground,
    Layer,
    boundary_read,
    grid_from_boundary,
    grid_from_events,
)
from forecasting.engine.bench.league import CategoryLeague, league_csv, league_table, reliability_bands
from forecasting.engine.bench.offences import Screened, categories_choose, without_refused
from forecasting.engine.bench.outlook import Outlook, surroundings_of
from forecasting.engine.bench.problems import BenchProblem
from forecasting.engine.bench.protocol import Timetable, is_dated_only, timetable
from forecasting.engine.bench.replay import Choices, block_run, choices_make, outcomes_of
from forecasting.engine.bench.report import About, report_html
from forecasting.engine.grid import GridSpec, project
from forecasting.engine.parallel import TypePool, default_workers
from forecasting.engine.periods import MIN_PERIODS, days_since_epoch
from forecasting.engine.watch import watch_of
from ingestion.engine.tables import IncidentTable, WatchedArea
from missions_project.lib.progress import Progress, no_progress

_DAY = np.timedelta64(1, "D")
NEEDS_LAYERS = "risk_terrain"


@dataclass(frozen=True)
class Options:
    """What an analyst chooses. Days are datetime64[D], the last one not included. ``jobs`` changes no result."""

    events: Path
    out: Path
    test_from: np.datetime64
    test_to: np.datetime64
    horizon: str
    cell_size_m: float = 150.0
    boundary: Path | None = None
    coverage: Path | None = None
    categories: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    offences: Mapping[str, str] = field(default_factory=dict)
    refit_weeks: int = 4
    shift_hours: int = 8
    jobs: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Finished:
    """What a run found; ``before`` says that it had been finished earlier and nothing was done now."""

    leagues: tuple[CategoryLeague, ...]
    before: bool = False


def backtest(
    options: Options,
    layers: Sequence[Layer],
    classics: Makers,
    progress: Progress = no_progress,
    outlook: Sequence[Outlook] = (),
) -> Finished:
    """Replay the file and write ``<category>.npz``, grid.json, league.csv, league.json and report.html.

    Everything is checked before anything is forecast; whatever the analyst can mend raises ``BenchProblem``.
    """
    plan = timetable(
        horizon=options.horizon,
        test_from=options.test_from,
        test_to=options.test_to,
        refit_weeks=options.refit_weeks,
        shift_hours=options.shift_hours,
    )
    models, without = _models(options, layers, classics)
    progress(0, 1, "Reading events")
    events = events_read(options.events)
    chosen, screened = categories_choose(events, options.categories, options.offences)
    usable, refused = without_refused(events, screened)
    _check_window(usable, plan)
    grid = _grid(options, usable, plan)
    targets, incidents, unseen = _incidents(usable, grid, chosen, plan, named=bool(options.categories))
    incidents = replace(incidents, watched=_watched(options, usable, grid, plan, targets))
    ground = Ground(grid, layers, surroundings_of(outlook, grid.epsg))
    setting = Setting(ground, incidents, plan, targets, models, classics, options.seed)
    _check_history(setting)
    checkpoint = Checkpoint(options.out, _fingerprint(options, events, layers, outlook, grid, setting))
    if checkpoint.open():
        return Finished((), before=True)
    jobs = options.jobs or default_workers(len(targets))
    with TypePool(jobs) as pool:
        choices = checkpoint.choices()
        if choices is None:
            choices = choices_make(setting, pool, progress)
            checkpoint.choices_keep(choices)
        for number in range(len(plan.blocks)):
            if not checkpoint.has(number):
                checkpoint.keep(number, *block_run(setting, choices, number, pool, progress))
    progress(0, 1, "Writing forecast and report")
    leagues = _write(setting, choices, checkpoint, options)
    about = _about(options, setting, choices, events, screened, refused, layers, without, unseen, outlook)
    _put(options.out / "league.csv", league_csv(leagues))
    _put(options.out / "league.json", json.dumps(_league_json(about, leagues), indent=1))
    _put(options.out / "report.html", report_html(about, leagues))
    checkpoint.finish()
    progress(1, 1, "Writing forecast and report")
    return Finished(tuple(leagues))


def _models(
    options: Options, layers: Sequence[Layer], classics: Makers
) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """Who takes part, and who cannot and why."""
    try:
        models = models_choose(options.models, tuple(classics))
    except ValueError as exc:
        raise BenchProblem(str(exc), next_step="correct --models.") from exc
    if layers or NEEDS_LAYERS not in models:
        return models, []
    if NEEDS_LAYERS in options.models:
        raise BenchProblem(
            "Risk terrain explains crime by places, and no layer was given.", next_step="add --layers FILE."
        )
    left = [
        (NEEDS_LAYERS, "did not take part: it explains crime by places, and no layer was given (--layers)")
    ]
    return tuple(name for name in models if name != NEEDS_LAYERS), left


def _check_window(events: EventsFile, plan: Timetable) -> None:
    """The test must lie inside the data: an empty month would look like a quiet one."""
    begin, end = plan.test.from_utc[0], plan.ends
    first, last = events.occurred.min(), events.occurred.max()
    span = f"The events run from {first.astype('datetime64[D]')} to {last.astype('datetime64[D]')}"
    if begin <= first or begin > last:
        raise BenchProblem(
            f"{span}; the test begins on {begin.astype('datetime64[D]')}.",
            next_step="choose --test-from inside the data, with a year or more before it to learn from.",
        )
    typical = (last - first) / _DAY / max(len(events), 1)
    missing = float((end - last) / _DAY)
    if missing > max(3.0, 20.0 * float(typical)):
        raise BenchProblem(
            f"{span}, but the test goes on until {end.astype('datetime64[D]')}: its end would look free of crime.",
            next_step=f"use --test-to {(last.astype('datetime64[D]') + 1)} or earlier.",
        )
    if plan.horizon == "shift" and is_dated_only(events.occurred):
        raise BenchProblem(
            "Almost every event is at midnight: the file holds dates and no times, so shifts cannot be told apart.",
            next_step="use --horizon day, week or month.",
        )


def _before(events: EventsFile, plan: Timetable) -> EventsFile:
    """What was known before the test: all that the ground and the types may be taken from."""
    return events.take(np.flatnonzero(events.known < plan.test.from_utc[0]))


def _grid(options: Options, events: EventsFile, plan: Timetable) -> GridSpec:
    if not 0 < options.cell_size_m < np.inf:
        raise BenchProblem(
            f"A cell size of {options.cell_size_m:g} m is not a positive length.",
            next_step="give metres, e.g. --cell-size-m 150.",
        )
    before = _before(events, plan)
    if len(before) == 0:
        raise BenchProblem(
            "Nothing was known before the test begins.", next_step="choose a later --test-from."
        )
    if options.boundary is not None:
        return grid_from_boundary(boundary_read(options.boundary), before, options.cell_size_m)
    return grid_from_events(before, options.cell_size_m)


def _incidents(
    events: EventsFile, grid: GridSpec, chosen: tuple[str, ...], plan: Timetable, named: bool
) -> tuple[tuple[str, ...], IncidentTable, list[str]]:
    """(types that are forecast, the table with these first among its categories, chosen types left out).

    A type of which nothing was known before the test is no column: it would change every other type's forecast.
    """
    seen = {events.names[code] for code in np.unique(_before(events, plan).category)}
    unseen = [name for name in chosen if name not in seen]
    targets = tuple(name for name in chosen if name in seen)
    if (unseen and named) or not targets:
        raise BenchProblem(
            f"No event of {', '.join(unseen)} was known before the test.",
            next_step="choose a later --test-from, or leave it out of --categories.",
        )
    categories = (*targets, *sorted(seen - set(targets)))
    number = np.array(
        [categories.index(name) if name in categories else -1 for name in events.names], dtype=np.int16
    )
    code = number[events.category]
    x_m, y_m = project(events.lon, events.lat, grid.epsg)
    rows = np.flatnonzero(code >= 0)
    # Whole order fixed by values: the file's order of rows must not matter.
    rows = rows[np.lexsort((y_m[rows], x_m[rows], code[rows], events.known[rows], events.occurred[rows]))]
    table = IncidentTable(
        x_m=x_m[rows],
        y_m=y_m[rows],
        occurred_utc=events.occurred[rows],
        occurred_to_utc=events.occurred_to[rows],
        occurred_local=events.occurred[rows],
        known_utc=events.known[rows],
        category=code[rows],
        categories=categories,
    )
    return targets, table, unseen


def _watched(
    options: Options, events: EventsFile, grid: GridSpec, plan: Timetable, targets: tuple[str, ...]
) -> tuple[WatchedArea, ...]:
    """Where sensors reach: the file that was given, else the events' own column; nothing means everywhere."""
    begin = plan.test.from_utc[0]
    if options.coverage is None:
        return coverage_of_events(events, grid.epsg, begin, targets)
    areas = coverage_read(options.coverage, grid.epsg, targets)
    if not watch_of(grid, areas, targets).reaches_any(0, float(days_since_epoch(begin))):
        raise BenchProblem(
            f"{options.coverage.name} covers no cell when the test begins: everything would be unknown.",
            next_step="give the sensors' areas of the place that the events are from, in WGS84, valid before --test-from.",
        )
    return areas


def _check_history(setting: Setting) -> None:
    begin = setting.plan.test.from_utc[0]
    found = len(learnable(setting, begin))
    if found < MIN_PERIODS:
        raise BenchProblem(
            f"Only {found} {setting.plan.horizon}s to learn from lie before the test; {MIN_PERIODS} are needed.",
            next_step="choose a later --test-from, a shorter --horizon, or a file that goes further back.",
        )


def _fingerprint(
    options: Options,
    events: EventsFile,
    layers: Sequence[Layer],
    outlook: Sequence[Outlook],
    grid: GridSpec,
    setting: Setting,
) -> dict[str, Any]:
    """Everything that decides the result; a difference means that two runs must not be mixed."""
    return {
        "events": events.digest,
        "test_from": str(options.test_from),
        "test_to": str(options.test_to),
        "horizon": options.horizon,
        "shift_hours": options.shift_hours if options.horizon == "shift" else None,
        "cell_size_m": options.cell_size_m,
        "grid": grid.hash,
        "coverage": coverage_digest(options.coverage),
        "layers": [[one.slug, str(one.valid_from or ""), one.digest] for one in layers],
        "outlook": [[one.slug, one.digest] for one in outlook],
        "categories": list(setting.targets),
        "offences": dict(sorted(options.offences.items())),
        "models": list(setting.models),
        "refit_weeks": options.refit_weeks,
        "seed": options.seed,
        "program": program_digest(),
    }


def _write(
    setting: Setting, choices: Choices, checkpoint: Checkpoint, options: Options
) -> list[CategoryLeague]:
    """Write the forecast, one type at a time, and make its league from the same blocks."""
    plan, grid = setting.plan, setting.ground.grid
    blocks = [checkpoint.block(number) for number in range(len(plan.blocks))]
    leagues = []
    for target, name in enumerate(setting.targets):
        surfaces = np.concatenate([checkpoint.surfaces(number, target) for number in range(len(blocks))])
        part = options.out / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.part"
        with part.open("wb") as file:
            np.savez(
                file,
                cells=grid.cells,
                period_from=plan.test.from_utc,
                period_to=plan.test.to_utc,
                expected=surfaces,
            )
        os.replace(part, options.out / f"{name}.npz")
        bands = reliability_bands(surfaces, outcomes_of(setting, target))
        leagues.append(league_table(setting, choices, blocks, target, bands))
    sizes = ("epsg", "x0_m", "y0_m", "cell_size_m", "n_rows", "n_cols")
    _put(options.out / "grid.json", json.dumps({name: getattr(grid, name) for name in sizes}, indent=1))
    return leagues


def _put(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def _about(
    options: Options,
    setting: Setting,
    choices: Choices,
    events: EventsFile,
    screened: Screened,
    refused: Mapping[str, int],
    layers: Sequence[Layer],
    without: Sequence[tuple[str, str]],
    unseen: Sequence[str],
    outlook: Sequence[Outlook],
) -> About:
    plan, grid, before = setting.plan, setting.ground.grid, setting.plan.test.from_utc[0]
    cells = grid.locate(setting.incidents.x_m, setting.incidents.y_m)
    known = setting.incidents.known_utc < before
    ground = f"{options.boundary.name}, cells at least a quarter inside" if options.boundary else (
        "the convex hull of the events before the test, buffered by one cell (no --boundary was given: an area share means "
        "another area than with the true boundary)"
    )  # fmt: skip
    fits = len(plan.blocks)
    chosen_on = (
        f"on {choices.periods} periods before the test"
        if choices.periods
        else "not on data (too little history before the test): counts + kernel density stands in"
    )
    facts = [
        ("Events", f"{options.events.name}, {events.rows:,} rows, SHA-256 {events.digest[:16]}…"),
        ("Test", f"{len(plan.test)} {plan.horizon}s, {before.astype('datetime64[D]')} to {plan.ends.astype('datetime64[D]')}"),
        ("Fits", "one, on what was known at its origin" if fits == 1 else f"{fits}, each on what was known at its origin; anew every {plan.refit_weeks} weeks"),
        ("Jurisdiction", f"{ground}: {len(grid):,} cells of {grid.cell_size_m:g} m, EPSG:{grid.epsg}"),
        ("Best baseline chosen", chosen_on),
        ("Known when", "reported_at, where it is given" if events.has_reported else "as soon as it happened: the file has no reported_at"),
        ("Watched by sensors", _watched_text(setting)),
        ("Layers", ", ".join(_layer_text(one) for one in layers) or "none"),
        ("Events and weather", ", ".join(one.slug for one in outlook) or "none"),
        ("Other types used as features", ", ".join(setting.incidents.categories[len(setting.targets) :]) or "none"),
        ("Seed", str(options.seed)),
    ]  # fmt: skip
    left = [(reason, f"{count:,} rows") for reason, count in events.dropped.items()]
    left += [
        (f"category “{name}”", f"{count:,} rows. {screened.refused[name]}") for name, count in refused.items()
    ]
    left += [(f"category “{name}”", "nothing of it was known before the test") for name in unseen]
    if (cells < 0).any():
        left.append(
            (
                "outside every cell",
                f"{int(((cells < 0) & known).sum()):,} events before the test teach nothing; "
                "those in the test count as missed",
            )
        )
    if plan.left_over_days:
        left.append(("the end of the test", f"{plan.left_over_days} days make no whole {plan.horizon}"))
    left += list(without)
    title = f"Backtest: {', '.join(setting.targets)}, {plan.horizon} by {plan.horizon}"
    return About(title, facts, left, setting.written)


def _watched_text(setting: Setting) -> str:
    """How much of the grid the first type can be heard in when the test begins."""
    grid, incidents = setting.ground.grid, setting.incidents
    if not incidents.watched:
        return "everywhere (no coverage was given)"
    watch = watch_of(grid, incidents.watched, incidents.categories)
    begin = days_since_epoch(setting.plan.test.from_utc[:1])
    cells = int(watch.n_watched(0, begin, len(grid))[0])
    return f"{cells:,} of {len(grid):,} cells when the test begins; the others are unknown, and nothing is expected there"


def _layer_text(layer: Layer) -> str:
    return layer.slug + (f" (valid from {layer.valid_from})" if layer.valid_from is not None else "")


def _league_json(about: About, leagues: Sequence[CategoryLeague]) -> dict[str, Any]:
    return {
        "run": {"written": about.written, "facts": dict(about.facts), "left_out": [list(one) for one in about.left_out]},
        "categories": {league.category: league.as_dict() for league in leagues},
    }  # fmt: skip
