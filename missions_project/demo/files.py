"""Writing Riverton to a folder as an agency's files, and loading the truth back from it."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from missions_project.demo.city import City, build_city
from missions_project.demo.codes import OFFENCE_CODES
from missions_project.demo.events import draw_history
from missions_project.demo.feeds import calendar_rows, calls_for_service, gunfire_alerts, weather_rows
from missions_project.demo.intensity import CRIME_TYPES, Intensity, known_intensity, near_kernels
from missions_project.demo.layers import Feature, city_layers
from missions_project.demo.oracle import History, Oracle
from missions_project.demo.places import EPSG, Places, to_metres
from missions_project.demo.profiles import (
    TIME_ZONE,
    CalendarEvent,
    HourAxis,
    Weather,
    calendar,
    hour_axis,
    weather,
)
from missions_project.demo.records import incident_rows
from missions_project.lib.progress import Progress, no_progress

DEFAULT_SEED = 2026
THREE_YEARS_DAYS = 1_096
FORMAT = 1


@dataclass(frozen=True)
class CityFiles:
    """Where each file of the city is. `layers`: GeoJSON files by name, e.g. layers["beats"]."""

    folder: Path
    layers: dict[str, Path]
    incidents: Path
    calls_for_service: Path
    gunfire: Path
    weather: Path
    events: Path
    codes: Path
    truth: Path


@dataclass(frozen=True)
class TrueCity:
    """Riverton with everything known about it: places, intensity, true events, and the oracle over them."""

    seed: int
    places: Places
    intensity: Intensity
    history: History

    @property
    def crime_types(self) -> tuple[str, ...]:
        """Slugs of the crime types, in the order of type_index."""
        return CRIME_TYPES

    @property
    def epsg(self) -> int:
        """The projected coordinate system of the places."""
        return EPSG

    def oracle(self) -> Oracle:
        """Return the oracle: true expected counts for any period inside the span."""
        return Oracle(intensity=self.intensity, places=self.places, history=self.history)

    @staticmethod
    def load(folder: Path | str) -> TrueCity:
        """Read the truth that write_city left. Raises FileNotFoundError or ValueError that says what to run."""
        path = Path(folder) / "truth.npz"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} does not exist. Write the city first: write_city({str(folder)!r}, …)."
            )
        with np.load(path, allow_pickle=False) as stored:
            return _unpacked(stored, path)


@dataclass(frozen=True)
class Simulated:
    """One drawn Riverton in memory: the city, its weather, its truth and what happened."""

    city: City
    sky: Weather
    intensity: Intensity
    history: History

    def true_city(self) -> TrueCity:
        """Return the part that the oracle needs."""
        return TrueCity(self.city.seed, self.city.places, self.intensity, self.history)


def simulate(
    *,
    seed: int = DEFAULT_SEED,
    until: datetime,
    days: int = THREE_YEARS_DAYS,
    progress: Progress = no_progress,
) -> Simulated:
    """Build the city and draw everything that happened in the `days` days before `until`.

    until: an aware instant on a full hour; the span is exactly days x 24 hours.
    """
    if until.tzinfo is None:
        raise ValueError(
            "until has no time zone. Pass an aware datetime, e.g. datetime(2026, 3, 1, tzinfo=UTC)."
        )
    end_s = int(until.timestamp())
    if end_s % 3_600 or days < 1:
        raise ValueError(
            f"until must be a full hour and days at least 1; got {until.isoformat()} and {days}."
        )
    progress(0, 10, "Drawing the city")
    city = build_city(seed)
    progress(2, 10, "Writing down the truth")
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, 2]).spawn(4)]
    hours = hour_axis(end_s - days * 86_400, days * 24)
    sky = weather(streams[0], hours)
    known = known_intensity(streams[2], city=city, hours=hours, sky=sky, events=calendar(streams[1], hours))
    progress(3, 10, "Drawing what happened")
    return Simulated(city, sky, known, draw_history(streams[3], known))


def city_draw(folder: Path, *, seed: int, until: datetime, progress: Progress = no_progress) -> None:
    """Write the city's files, unless all of them are there. Needs no database: it can be done beside other work."""
    if (folder / "complete").exists():
        return
    write_city(folder, seed=seed, until=until, progress=progress)
    (folder / "complete").touch()


def write_city(
    out_dir: Path | str,
    seed: int,
    until: datetime,
    progress: Progress = no_progress,
    *,
    days: int = THREE_YEARS_DAYS,
) -> CityFiles:
    """Write every file that Riverton's police would have, and the truth beside them.

    The same seed, until and days give the same bytes. Each file is replaced whole, so that a killed run leaves no
    half-written one. Existing files of the same names are overwritten.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    world = simulate(seed=seed, until=until, days=days, progress=progress)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, 3]).spawn(4)]
    progress(4, 10, "Writing maps")
    layers = {
        name: _geojson(folder / f"{name}.geojson", features)
        for name, features in city_layers(world.city, streams[0]).items()
    }
    progress(5, 10, "Writing incidents")
    incidents = _csv(
        folder / "incidents.csv.gz",
        incident_rows(streams[1], city=world.city, intensity=world.intensity, history=world.history),
    )
    progress(7, 10, "Writing calls for service")
    calls = _csv(
        folder / "calls_for_service.csv",
        calls_for_service(streams[2], city=world.city, intensity=world.intensity, history=world.history),
    )
    progress(8, 10, "Writing sensors, weather and calendar")
    files = CityFiles(
        folder=folder,
        layers=layers,
        incidents=incidents,
        calls_for_service=calls,
        gunfire=_csv(
            folder / "gunfire.csv",
            gunfire_alerts(streams[3], city=world.city, intensity=world.intensity, history=world.history),
        ),
        weather=_csv(folder / "weather.csv", weather_rows(world.intensity.hours, world.sky)),
        events=_csv(folder / "events.csv", calendar_rows(world.city, world.intensity.events)),
        codes=_csv(folder / "codes.csv", _codes()),
        truth=_truth(folder / "truth.npz", world),
    )
    progress(10, 10, "The city is written")
    return files


def _codes() -> pd.DataFrame:
    return pd.DataFrame(
        [(c.code, c.description, c.nibrs_code, c.crime_type) for c in OFFENCE_CODES],
        columns=["code", "description", "nibrs_code", "crime_type"],
    )


def _replace(path: Path, content: bytes) -> Path:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)
    return path


def _csv(path: Path, frame: pd.DataFrame) -> Path:
    content = frame.to_csv(index=False, lineterminator="\n").encode()
    # mtime=0: a time stamp in the gzip header would make equal cities differ.
    return _replace(path, gzip.compress(content, 6, mtime=0) if path.suffix == ".gz" else content)


def _geojson(path: Path, features: list[Feature]) -> Path:
    collection = {"type": "FeatureCollection", "features": features}
    return _replace(path, (json.dumps(collection, separators=(",", ":")) + "\n").encode())


def _truth(path: Path, world: Simulated) -> Path:
    intensity, places = world.intensity, world.city.places
    head = {
        "format": FORMAT,
        "seed": world.city.seed,
        "epsg": EPSG,
        "time_zone": TIME_ZONE,
        "crime_types": CRIME_TYPES,
        "start": datetime.fromtimestamp(intensity.hours.start_utc_s, UTC).isoformat(),
        "n_hours": intensity.hours.n_hours,
        "events": [vars(event) for event in intensity.events],
    }
    arrays = {
        "head": np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
        "lon": places.lon,
        "lat": places.lat,
        "on_main": places.on_main,
        "street": places.street,
        "type_index": world.history.type_index.astype(np.int8),
        "place": world.history.place.astype(np.int32),
        "at_utc_s": world.history.at_utc_s,
        **{name: getattr(intensity, name) for name in _STORED},
    }
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return _replace(path, buffer.getvalue())


_STORED = (
    "surfaces",
    "rates",
    "type_of_component",
    "branching",
    "near_seconds",
    "child_hours",
    "venue_boost",
)


def _unpacked(stored: Any, path: Path) -> TrueCity:
    head = json.loads(stored["head"].tobytes())
    if head.get("format") != FORMAT or tuple(head["crime_types"]) != CRIME_TYPES:
        raise ValueError(f"{path} was written by another version. Write the city again with write_city.")
    lon, lat = stored["lon"], stored["lat"]
    x_m, y_m = to_metres(lon, lat)
    places = Places(x_m, y_m, lon, lat, stored["on_main"], stored["street"])
    hours: HourAxis = hour_axis(int(datetime.fromisoformat(head["start"]).timestamp()), int(head["n_hours"]))
    intensity = Intensity(
        hours=hours,
        kernels=near_kernels(places),
        events=tuple(CalendarEvent(**event) for event in head["events"]),
        **{name: stored[name] for name in _STORED},
    )
    history = History(
        stored["type_index"].astype(np.int64), stored["place"].astype(np.int64), stored["at_utc_s"]
    )
    return TrueCity(int(head["seed"]), places, intensity, history)
