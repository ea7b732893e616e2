"""Riverton's other feeds: calls for service, gunfire sensors, the weather gauge and the event calendar."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from missions_project.demo.city import City
from missions_project.demo.codes import CALL_NATURES, REPORT_NATURE
from missions_project.demo.intensity import CRIME_TYPES, GUNFIRE, Intensity, covariates
from missions_project.demo.oracle import History
from missions_project.demo.places import to_lonlat
from missions_project.demo.profiles import (
    DAY_S,
    HOUR_S,
    CalendarEvent,
    HourAxis,
    Weather,
    hour_of_week_profile,
)
from missions_project.demo.records import local_text
from missions_project.demo.terrain import Floats

_CALLED_IN = {
    "burglary": 0.7,
    "robbery": 0.9,
    "motor_vehicle_theft": 0.8,
    "theft": 0.45,
    "aggravated_assault": 0.85,
    "homicide": 1.0,
    "gunfire": 0.30,
}


def calls_for_service(
    rng: np.random.Generator, *, city: City, intensity: Intensity, history: History
) -> pd.DataFrame:
    """Return the dispatch log: calls about crimes, calls about nuisance, and what officers logged themselves.

    Columns: id, received_at (wall clock), nature, discovery (reported, officer_initiated), lat, lon.
    """
    hours = intensity.hours
    x = covariates(city)
    at_s: list[Floats] = []
    place: list[npt.NDArray[np.int64]] = []
    label: list[npt.NDArray[np.object_]] = []
    share = np.array([_CALLED_IN[name] for name in CRIME_TYPES])[history.type_index]
    called = np.flatnonzero(rng.random(len(history.place)) < share)
    delay_s = 60.0 * np.exp(rng.normal(1.6, 0.9, len(called)))
    at_s.append(history.at_utc_s[called] + delay_s)
    place.append(history.place[called])
    natures = np.array([f"{REPORT_NATURE[name]}|reported" for name in CRIME_TYPES], dtype=object)
    label.append(natures[history.type_index[called]])
    for kind in CALL_NATURES:
        n = int(rng.poisson(kind.a_year * hours.n_hours / (365.25 * 24)))
        surface = np.exp(
            sum(w * x[name] for name, w in kind.weights.items()) + rng.normal(0, 0.8, len(city.places))
        )
        rate = hour_of_week_profile(kind.hours)[hours.hour_of_week]
        hour = rng.choice(hours.n_hours, size=n, p=rate / rate.sum())
        at_s.append(hours.start_utc_s + HOUR_S * (hour + rng.random(n)))
        place.append(rng.choice(len(surface), size=n, p=surface / surface.sum()))
        label.append(np.full(n, f"{kind.nature}|{kind.discovery}", dtype=object))
    every_s, every_place, every_label = np.concatenate(at_s), np.concatenate(place), np.concatenate(label)
    known = np.flatnonzero(every_s < hours.end_utc_s)
    order = known[np.argsort(every_s[known], kind="stable")]
    words = [text.split("|") for text in every_label[order]]
    return pd.DataFrame(
        {
            "id": [f"C{k:07d}" for k in range(1, len(order) + 1)],
            "received_at": local_text(every_s[order]),
            "nature": [w[0] for w in words],
            "discovery": [w[1] for w in words],
            "lat": np.char.mod("%.5f", city.places.lat[every_place[order]]),
            "lon": np.char.mod("%.5f", city.places.lon[every_place[order]]),
        }
    )


def gunfire_alerts(
    rng: np.random.Generator, *, city: City, intensity: Intensity, history: History
) -> pd.DataFrame:
    """Return the acoustic sensors' alerts inside their coverage area; they miss one shot in ten and hear fireworks.

    Columns: id, detected_at (wall clock to the second is not kept: minutes), rounds, stage, lat, lon.
    stage: confirmed, probable (one or two rounds, not certain), dismissed (fireworks, after review).
    """
    places = city.places
    shapely.prepare(city.gunfire_coverage)
    covered = shapely.contains_xy(city.gunfire_coverage, places.x_m, places.y_m)
    shots = np.flatnonzero((history.type_index == GUNFIRE) & covered[history.place])
    shots = shots[rng.random(len(shots)) < 0.90]
    n_false = int(rng.poisson(0.06 * len(shots)))
    hours = intensity.hours
    july = np.exp(-(((hours.day_of_year - 185.0) / 6.0) ** 2)) + 0.02
    rate = july * hour_of_week_profile("evening")[hours.hour_of_week]
    false_s = hours.start_utc_s + HOUR_S * (
        rng.choice(hours.n_hours, size=n_false, p=rate / rate.sum()) + rng.random(n_false)
    )
    false_place = rng.choice(np.flatnonzero(covered), size=n_false)
    at_s = np.concatenate([history.at_utc_s[shots], false_s])
    place = np.concatenate([history.place[shots], false_place])
    rounds = np.minimum(rng.geometric(0.24, len(at_s)), 40)
    stage = np.where((rounds <= 2) & (rng.random(len(at_s)) < 0.35), "probable", "confirmed").astype(object)
    stage[len(shots) :] = "dismissed"
    # The array locates a shot to a few metres; the true place stays the nearest address.
    lon, lat = to_lonlat(
        places.x_m[place] + rng.normal(0, 4.0, len(place)), places.y_m[place] + rng.normal(0, 4.0, len(place))
    )
    order = np.argsort(at_s, kind="stable")
    return pd.DataFrame(
        {
            "id": [f"G{k:06d}" for k in range(1, len(order) + 1)],
            "detected_at": local_text(at_s[order]),
            "rounds": rounds[order],
            "stage": stage[order],
            "lat": np.char.mod("%.5f", lat[order]),
            "lon": np.char.mod("%.5f", lon[order]),
        }
    )


def weather_rows(hours: HourAxis, sky: Weather) -> pd.DataFrame:
    """Return the gauge's hourly file. observed_at is UTC, so that the repeated hour of autumn is two rows."""
    at = (hours.start_utc_s + HOUR_S * np.arange(hours.n_hours)).astype("datetime64[s]")
    return pd.DataFrame(
        {
            "observed_at": [f"{text}Z" for text in np.datetime_as_string(at, unit="s")],
            "temperature_c": np.char.mod("%.1f", sky.temperature_c),
            "rain_mm": np.char.mod("%.1f", sky.rain_mm),
            "wind_ms": np.char.mod("%.1f", sky.wind_ms),
        }
    )


def calendar_rows(city: City, events: tuple[CalendarEvent, ...]) -> pd.DataFrame:
    """Return the city's event calendar: id, name, kind, venue, starts_at, ends_at (wall clock), attendance, lat, lon."""
    venues = [city.venues[e.venue] for e in events]
    lon, lat = to_lonlat([v.x_m for v in venues], [v.y_m for v in venues])
    return pd.DataFrame(
        {
            "id": [f"E{e.from_utc_s // DAY_S:05d}-{e.venue}" for e in events],
            "name": [e.name for e in events],
            "kind": [e.kind for e in events],
            "venue": [v.name for v in venues],
            "starts_at": local_text(np.array([e.from_utc_s for e in events], dtype=np.float64)),
            "ends_at": local_text(np.array([e.to_utc_s for e in events], dtype=np.float64)),
            "attendance": [e.attendance for e in events],
            "lat": np.char.mod("%.5f", lat),
            "lon": np.char.mod("%.5f", lon),
        }
    )
