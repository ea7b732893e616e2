"""Small incident files for tests, in the product's plain CSV form."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agencies.models import Agency
from ingestion.engine.profiles import PLAIN
from ingestion.models import Feed, ImportRun
from ingestion.services import import_run_execute, import_run_queue
from tests.factories import degrees

COLUMNS = ("id", "occurred_at", "code", "nibrs_code", "lat", "lon")


def place(number: int) -> tuple[float, float]:
    """A point inside the test agency, another one for each number: (lon, lat)."""
    lon, lat = degrees(200 + (number * 37) % 3_600, 200 + (number * 91) % 3_600)
    return round(lon, 6), round(lat, 6)


def good_row(number: int, **changes: Any) -> dict[str, Any]:
    """A burglary that can be used; ``changes`` by column."""
    lon, lat = place(number)
    row = {
        "id": f"R{number:05d}",
        "occurred_at": f"2025-{1 + number % 9:02d}-{1 + number % 28:02d}T{number % 24:02d}:15:00",
        "code": "B-1",
        "nibrs_code": "220",
        "lat": lat,
        "lon": lon,
    }
    return {**row, **changes}


def write_rows(path: Path, rows: Iterable[dict[str, Any]], columns: Iterable[str] = COLUMNS) -> Path:
    """A CSV file of the rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def plain_feed(agency: Agency, slug: str = "rms", header: Iterable[str] = COLUMNS, **fields: Any) -> Feed:
    """A feed that reads the plain CSV form."""
    mapping = PLAIN.mapping_for(list(header)).replaced(record_kind=fields.get("record_kind", "incidents"))
    feed = Feed(agency=agency, slug=slug, name=slug.upper(), mapping=mapping.to_json(), **fields)
    feed.full_clean()
    feed.save()
    return feed


def run_import(feed: Feed, path: Path) -> ImportRun:
    """The file, imported."""
    return import_run_execute(run=import_run_queue(feed=feed, path=path))


def dirty_rows(n: int = 200) -> list[dict[str, Any]]:
    """Mostly good rows with every kind of dirt among them, deterministic."""
    rows = [good_row(number) for number in range(n)]
    for number in range(0, n, 10):
        rows[number] |= {"nibrs_code": "35A", "code": "D-1"}
    for number in range(3, n, 20):
        rows[number] |= {"lat": "", "lon": ""}
    for number in range(5, n, 40):
        rows[number] |= {"occurred_at": "yesterday"}
    for number in range(7, n, 40):
        rows[number] |= {"nibrs_code": "", "code": "ODD", "description": ""}
    for number in range(9, n, 40):
        rows[number] |= {"lat": 0, "lon": 0}
    for number in range(11, n, 40):
        rows[number] |= {"id": f"R{number - 9:05d}"}
    return rows
