"""The incident file as a records system exports it: the true events, late, doubled, misplaced and mixed with others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from missions_project.demo.city import City
from missions_project.demo.codes import OFFENCE_CODES, OffenceCode
from missions_project.demo.intensity import CRIME_TYPES, GUNFIRE, Intensity
from missions_project.demo.oracle import History
from missions_project.demo.profiles import DAY_S, HOUR_S, hour_of_week_profile, utc_s_to_local
from missions_project.demo.terrain import Floats

Ints = npt.NDArray[np.int64]
Strings = npt.NDArray[np.object_]


@dataclass(frozen=True)
class DirtRates:
    """How dirty the incident file is; shares of the clean rows unless said otherwise."""

    refused: float = 0.15  # extra rows of offences that the product never forecasts
    officer_initiated: float = 0.012  # extra rows of forecast offences that officers came upon
    doubled: float = 0.015  # a second row, later, with the same id
    no_coordinates: float = 0.010
    at_zero: float = 0.003
    swapped: float = 0.002
    bad_date: float = 0.0006


DIRT = DirtRates()
_BAD_DATES = ("UNKNOWN", "2024-02-30T10:00:00", "13/45/2023", "0000-00-00T00:00:00", "yesterday")
_INTERVAL: dict[str, tuple[float, float]] = {
    # share of events found later, median hours between the earliest and the latest they can have happened
    "burglary": (0.60, 6.0),
    "motor_vehicle_theft": (0.65, 8.0),
    "theft": (0.35, 3.0),
}
_LAG_HOURS = {"robbery": 0.5, "aggravated_assault": 0.4, "homicide": 0.2}


@dataclass(frozen=True)
class _Rows:
    """Incident rows before they are written; times in seconds since 1970."""

    code: Strings
    description: Strings
    nibrs: Strings
    discovery: Strings
    place: Ints
    from_s: Floats
    to_s: Floats
    reported_s: Floats

    def take(self, at: Ints) -> _Rows:
        return _Rows(*(column[at] for column in vars(self).values()))


def incident_rows(
    rng: np.random.Generator, *, city: City, intensity: Intensity, history: History, dirt: DirtRates = DIRT
) -> pd.DataFrame:
    """Return the incident file: what the records system holds at the span's end, in the order it came in.

    Every true event but gunfire becomes one row if it was reported before the end. occurred_at is the true
    time to the minute; for crimes found later, occurred_to is the latest that they can have happened.
    Columns: id, occurred_at, occurred_to, reported_at, last_updated, code, description, nibrs_code, discovery,
    lat, lon. Times are Riverton's wall clock without offset.
    """
    true = np.flatnonzero(history.type_index != GUNFIRE)
    parts = [_of_types(rng, history.type_index[true], history.place[true], history.at_utc_s[true])]
    parts.append(_refused(rng, city, intensity, round(len(true) * dirt.refused)))
    come_upon = rng.choice(true, size=round(len(true) * dirt.officer_initiated), replace=False)
    parts.append(_come_upon(rng, intensity, history, come_upon))
    rows = _Rows(*(np.concatenate(column) for column in zip(*(vars(p).values() for p in parts), strict=True)))
    known = np.flatnonzero(rows.reported_s < intensity.hours.end_utc_s)
    rows = rows.take(known[np.argsort(rows.reported_s[known], kind="stable")])
    return _written(rng, city, rows, float(intensity.hours.end_utc_s), dirt)


def _coded(rng: np.random.Generator, codes: list[OffenceCode], n: int) -> tuple[Strings, Strings, Strings]:
    share = np.array([code.share for code in codes])
    pick = rng.choice(len(codes), size=n, p=share / share.sum())
    columns = [
        np.array([getattr(c, name) for c in codes], dtype=object)
        for name in ("code", "description", "nibrs_code")
    ]
    return columns[0][pick], columns[1][pick], columns[2][pick]


def _of_types(rng: np.random.Generator, type_index: Ints, place: Ints, at_s: Floats) -> _Rows:
    n = len(type_index)
    code, description, nibrs = (np.empty(n, dtype=object) for _ in range(3))
    to_s, lag_s = at_s.copy(), np.zeros(n)
    for k, name in enumerate(CRIME_TYPES):
        mine = np.flatnonzero(type_index == k)
        if not len(mine):
            continue
        codes = [c for c in OFFENCE_CODES if c.crime_type == name]
        code[mine], description[mine], nibrs[mine] = _coded(rng, codes, len(mine))
        share, hours = _INTERVAL.get(name, (0.0, 1.0))
        later = rng.random(len(mine)) < share
        to_s[mine] += later * HOUR_S * np.minimum(hours * rng.lognormal(0.0, 0.7, len(mine)), 72.0)
        lag_s[mine] = HOUR_S * _LAG_HOURS.get(name, 1.8) * rng.lognormal(0.0, 1.1, len(mine))
    # One in fifty comes in weeks later: insurance claims, people back from holidays.
    late = rng.random(n) < 0.02
    lag_s += late * rng.exponential(14 * DAY_S, n)
    discovery = np.full(n, "reported", dtype=object)
    return _Rows(code, description, nibrs, discovery, place, at_s, to_s, to_s + lag_s)


def _refused(rng: np.random.Generator, city: City, intensity: Intensity, n: int) -> _Rows:
    """Return rows of offences that follow patrol more than harm: most of them officer-initiated."""
    hours = intensity.hours
    weight = (
        np.exp(0.9 * city.hardship)
        * np.where(city.places.on_main, 1.6, 1.0)
        * rng.lognormal(0.0, 1.2, len(city.places))
    )
    place = rng.choice(len(city.places), size=n, p=weight / weight.sum())
    rate = hour_of_week_profile("evening")[hours.hour_of_week]
    hour = rng.choice(hours.n_hours, size=n, p=rate / rate.sum())
    at_s = np.floor(hours.start_utc_s + HOUR_S * (hour + rng.random(n)))
    code, description, nibrs = _coded(rng, [c for c in OFFENCE_CODES if not c.crime_type], n)
    by_officer = (rng.random(n) < 0.72) & (code != "X-290")
    discovery = np.where(by_officer, "officer_initiated", "reported").astype(object)
    return _Rows(code, description, nibrs, discovery, place, at_s, at_s, at_s + 60.0 * rng.integers(1, 40, n))


def _come_upon(rng: np.random.Generator, intensity: Intensity, history: History, like: Ints) -> _Rows:
    """Return extra rows where officers came upon a crime themselves, on a day of their own near known ones."""
    hours = intensity.hours
    at_s = history.at_utc_s[like] + rng.integers(-20, 21, len(like)) * DAY_S
    at_s = np.clip(at_s, hours.start_utc_s, hours.end_utc_s - 1)
    rows = _of_types(rng, history.type_index[like], history.place[like], at_s)
    discovery = np.full(len(like), "officer_initiated", dtype=object)
    return _Rows(rows.code, rows.description, rows.nibrs, discovery, rows.place, at_s, at_s, at_s + 300.0)


def local_text(utc_s: Floats) -> Strings:
    """Return wall-clock times as 2025-03-01T14:30:00, to the minute (downwards: never past a shift's end)."""
    whole = np.floor(np.asarray(utc_s) / 60.0).astype(np.int64) * 60
    return np.datetime_as_string(utc_s_to_local(whole), unit="s").astype(object)


def _written(
    rng: np.random.Generator, city: City, rows: _Rows, end_s: float, dirt: DirtRates
) -> pd.DataFrame:
    n = len(rows.place)
    lat = np.char.mod("%.5f", city.places.lat[rows.place]).astype(object)
    lon = np.char.mod("%.5f", city.places.lon[rows.place]).astype(object)
    draw = rng.random(n)
    edges = np.cumsum([dirt.no_coordinates, dirt.at_zero, dirt.swapped])
    missing, zero = draw < edges[0], (draw >= edges[0]) & (draw < edges[1])
    swapped = (draw >= edges[1]) & (draw < edges[2])
    lat, lon = np.where(swapped, lon, lat), np.where(swapped, lat, lon)
    lat, lon = (
        np.where(zero, "0.0", np.where(missing, "", lat)),
        np.where(zero, "0.0", np.where(missing, "", lon)),
    )
    occurred = local_text(rows.from_s)
    bad = np.flatnonzero(rng.random(n) < dirt.bad_date)
    occurred[bad] = np.array(_BAD_DATES, dtype=object)[rng.integers(0, len(_BAD_DATES), len(bad))]
    # A moment is written with an empty end as often as with the same one.
    moment = (rows.to_s - rows.from_s < 60.0) & (rng.random(n) < 0.5)
    year = pd.DatetimeIndex(utc_s_to_local(np.floor(rows.reported_s))).year.to_numpy()
    serial = np.empty(n, dtype=np.int64)
    for value in np.unique(year):
        serial[year == value] = np.arange(1, int((year == value).sum()) + 1)
    frame = pd.DataFrame(
        {
            "id": [f"RV{y % 100:02d}-{s:06d}" for y, s in zip(year, serial, strict=True)],
            "occurred_at": occurred,
            "occurred_to": np.where(moment, "", local_text(rows.to_s)),
            "reported_at": local_text(rows.reported_s),
            "last_updated": local_text(rows.reported_s + 120.0),
            "code": rows.code,
            "description": rows.description,
            "nibrs_code": rows.nibrs,
            "discovery": rows.discovery,
            "lat": lat,
            "lon": lon,
        }
    )
    return _with_updates(rng, frame, rows.reported_s, end_s, dirt)


def _with_updates(
    rng: np.random.Generator, frame: pd.DataFrame, reported_s: Floats, end_s: float, dirt: DirtRates
) -> pd.DataFrame:
    """Add later versions of some rows; the last version is the true one, the first was entered in haste."""
    updated_s = reported_s + DAY_S * rng.exponential(6.0, len(frame)) + 3_600.0
    again = np.flatnonzero((rng.random(len(frame)) < dirt.doubled) & (updated_s < end_s))
    second = frame.iloc[again].copy()
    second["last_updated"] = local_text(updated_s[again])
    first = frame.copy()
    kind = rng.integers(0, 3, len(again))
    # Classed as theft until the detective read it; refused offences stay refused.
    theft = again[(kind == 0) & frame["code"].iloc[again].str.contains("^[BRVT]").to_numpy()]
    for name, value in (
        ("code", "T-410"),
        ("description", "THEFT - BICYCLE AND OTHER"),
        ("nibrs_code", "23H"),
    ):
        first.loc[theft, name] = value
    first.loc[again[kind == 1], "occurred_to"] = ""
    order = np.argsort(np.concatenate([reported_s, updated_s[again]]), kind="stable")
    return pd.concat([first, second], ignore_index=True).iloc[order].reset_index(drop=True)
