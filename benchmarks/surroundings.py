"""What a forecast gains by seeing more than incidents: one input at a time against none, on the same shifts.

Chicago, 1 May to 14 June 2018, eight-hour shifts, 250 m cells, models fitted anew every four weeks: a window that is not
the one on which the published figures are measured. Games once more in winter, when the file says where they were. Part of `bench_accuracy.py --only surroundings`.
"""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

FIRST, LAST = "2018-05-01", "2018-06-15"
EVENTS = "chicago/events_2013_2018.parquet"
BOUNDARY = "chicago/districts.geojson"
OPTIONS = (
    *("--test-from", FIRST, "--test-to", LAST, "--horizon", "shift", "--cell-size-m", "250"),
    *("--refit-weeks", "4", "--models", "blend"),
)
# Basketball, ice hockey and football: leagues whose park is known, in the months in which they play.
WINTER = (
    *("--test-from", "2017-11-01", "--test-to", "2018-02-01", "--horizon", "shift", "--cell-size-m", "250"),
    *("--refit-weeks", "0", "--models", "blend", "--categories", "theft"),
)
# The public file says on which days a league played at home, not which of the city's two baseball teams: a game counts at
# both parks. The coordinates are those that any public map gives for the parks.
HOMES = {
    "mlb": (("Wrigley Field", 41.9484, -87.6553), ("Guaranteed Rate Field", 41.8299, -87.6338)),
    "nfl": (("Soldier Field", 41.8623, -87.6167),),
    "nba": (("United Center", 41.8807, -87.6742),),
    "nhl": (("United Center", 41.8807, -87.6742),),
}
ANNOUNCED_DAYS = 30
"""Schedules are out months ahead."""
FORESEEN_HOURS = 6
"""A perfect forecast is issued at 18:00 the day before."""
DRAWS = 2_000


def inputs_write(data: pathlib.Path, folder: pathlib.Path) -> dict[str, tuple[str, ...]]:
    """Make the files that the public data lack, beside the results: what each variant is told with ``--layers``."""
    folder.mkdir(parents=True, exist_ok=True)
    chicago = data / "chicago"
    days = pd.read_csv(chicago / "home_games_2010_2018.csv")
    rows = [
        (lat, lon, f"{day} 12:00", f"{day} 22:30", league, _earlier(day, hours=24 * ANNOUNCED_DAYS))
        for league, homes in HOMES.items()
        for day in days.date[days[league]]
        for _, lat, lon in homes
    ]
    columns = ["lat", "lon", "from", "to", "kind", "announced"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "games.csv", index=False)
    weather = pd.read_csv(chicago / "weather_daily_2010_2018.csv")
    weather["issued"] = [_earlier(day, hours=FORESEEN_HOURS) for day in weather.date]
    weather.to_csv(folder / "weather_foreseen.csv", index=False)
    # The complaints carry addresses, which a backtest refuses: only their places are kept.
    complaints = pd.read_csv(
        chicago / "311_sanitation_code_complaints.csv.gz", usecols=["Latitude", "Longitude"]
    ).dropna()
    complaints.columns = ["lat", "lon"]
    complaints.to_csv(folder / "sanitation.csv", index=False)
    places = (str(chicago / "liquor_places.geojson"), f"places={folder / 'sanitation.csv'}")
    people = f"census={chicago / 'community_areas_acs2014.geojson'}:population"
    games = f"events={folder / 'games.csv'}"
    observed = f"weather={chicago / 'weather_daily_2010_2018.csv'}"
    return {
        "nothing": (),
        "places": places,
        "people": (people,),
        "games": (games,),
        "weather": (observed,),
        "weather, perfectly forecast": (f"weather={folder / 'weather_foreseen.csv'}",),
        "all": (*places, people, games, observed),
    }


def _earlier(day: str, *, hours: int) -> str:
    return (pd.Timestamp(day) - pd.Timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M")


def run(
    data: pathlib.Path,
    results: pathlib.Path,
    replay: Callable[[str, tuple[str, ...]], tuple[pathlib.Path, float]],
) -> dict[str, Any]:
    """Replay each variant and compare it with the one that sees nothing but incidents: log score and hits at 1 %."""
    variants = inputs_write(data, results / "inputs")
    found = _window(data, replay, variants, OPTIONS, "")
    winter = {name: variants[name] for name in ("nothing", "games")}
    return {**found, "winter": _window(data, replay, winter, WINTER, "winter ")}


def _window(
    data: pathlib.Path,
    replay: Callable[[str, tuple[str, ...]], tuple[pathlib.Path, float]],
    variants: dict[str, tuple[str, ...]],
    options: tuple[str, ...],
    when: str,
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    events = pd.read_parquet(data / EVENTS)
    plain = pathlib.Path()
    for name, layers in variants.items():
        slug = f"surroundings_{when}{name}".replace(", ", "_").replace(" ", "_")
        out, seconds = replay(slug, (*options, *(("--layers", *layers) if layers else ())))
        if name == "nothing":
            plain = out
            continue
        found[name] = {"backtest_seconds": round(seconds, 1)}
        for category in sorted(path.stem for path in out.glob("*.npz")):
            found[name][category] = one = compared(events, plain, out, category)
            gain, hits = one["log_score_gain_per_event"], one["hit_rate_gain_at_1_percent"]
            print(
                f"{when + name:28} {category:20} {one['events']:6,} events  log score {_text(gain, 4)}  "
                f"hit rate at 1 % {100 * one['hit_rate_at_1_percent']:.2f} % {_text(hits, 4)}"
            )
    return found


def compared(events: pd.DataFrame, plain: pathlib.Path, out: pathlib.Path, category: str) -> dict[str, Any]:
    """Two written forecasts of the same shifts, paired: what the second gains, with intervals over whole weeks."""
    mine = events[(events.category == category).to_numpy()]
    scores = [_scores(mine, folder, category) for folder in (plain, out)]
    (before, hits_before, counts, weeks), (after, hits_after, _, _) = scores
    draws = np.random.default_rng(0).integers(0, weeks.max() + 1, (DRAWS, weeks.max() + 1))

    def gain(value: Floats) -> dict[str, float]:
        by_week, of = np.bincount(weeks, value), np.bincount(weeks, counts)
        low, high = np.quantile(by_week[draws].sum(axis=1) / of[draws].sum(axis=1), [0.025, 0.975])
        return {"value": float(by_week.sum() / of.sum()), "low": float(low), "high": float(high)}

    return {
        "events": int(counts.sum()),
        "log_score_gain_per_event": gain(after - before),
        "hit_rate_at_1_percent": float(hits_after.sum() / counts.sum()),
        "hit_rate_gain_at_1_percent": gain(hits_after - hits_before),
    }


def _scores(
    events: pd.DataFrame, folder: pathlib.Path, category: str
) -> tuple[Floats, Floats, Floats, npt.NDArray[np.int64]]:
    """By shift: Poisson log score, hits in the highest 1 % of the cells (ties against us), events in cells; its week."""
    from forecasting.engine.bench.protocol import bootstrap_blocks
    from forecasting.engine.grid import project
    from forecasting.engine.metrics import hits_at, log_score
    from forecasting.engine.periods import Periods

    grid = json.loads((folder / "grid.json").read_text())
    x_m, y_m = project(events.lon.to_numpy(), events.lat.to_numpy(), grid["epsg"])
    size = grid["cell_size_m"]
    row, col = ((at - start) // size for at, start in ((y_m, grid["y0_m"]), (x_m, grid["x0_m"])))
    number = (row * grid["n_cols"] + col).astype(np.int64)
    at = events.occurred_at.to_numpy().astype("datetime64[s]")
    with np.load(folder / f"{category}.npz") as stored:
        cells, begin, end = stored["cells"], stored["period_from"], stored["period_to"]
        expected = stored["expected"]
    place = np.minimum(np.searchsorted(cells, number), len(cells) - 1)
    inside = cells[place] == number
    n = len(begin)
    log, hits, counts = np.zeros(n), np.zeros(n), np.zeros(n)
    for period in range(n):
        now = inside & (at >= begin[period]) & (at < end[period])
        here, times = np.unique(place[now], return_counts=True)
        wide = expected[period].astype(np.float64)
        log[period] = log_score(wide, here, times.astype(np.float64))
        hits[period] = hits_at(
            wide, here, times.astype(np.float64), {"1%": max(round(0.01 * len(cells)), 1)}
        )[0]
        counts[period] = times.sum()
    weeks = bootstrap_blocks(Periods(begin, end, begin, np.zeros(n, dtype=np.int16)))
    return log, hits, counts, weeks


def _text(estimate: dict[str, float], digits: int) -> str:
    return f"{estimate['value']:+.{digits}f} [{estimate['low']:+.{digits}f}, {estimate['high']:+.{digits}f}]"
