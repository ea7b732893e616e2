"""Every odd time and place that the issue of real feeds brings: what is stored, under which code, and that it is documented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from pyproj import Transformer

from ingestion.engine.places import place_precision_m
from ingestion.engine.rejections import REJECTION_CODES
from ingestion.models import Incident, QuarantinedRow
from ingestion.selectors.quality import TIME_PRECISIONS
from tests.factories import degrees
from tests.ingestion.files import COLUMNS, good_row, plain_feed, run_import, write_rows

HEADER = (*COLUMNS, "occurred_to")
ZONE = "America/New_York"


@pytest.fixture
def imported(agency, tmp_path):
    """A function: rows by name, imported by a feed in New York; each as (from, to, precision) or its rejection code."""
    agency.time_zone = "America/Chicago"
    agency.save()
    feed = plain_feed(agency, header=HEADER)
    feed.mapping = {**feed.mapping, "time_zone": ZONE}
    feed.save()

    def read(rows: dict[str, dict[str, str]]) -> dict[str, object]:
        written = [
            good_row(n, occurred_to="") | {"id": name} | row for n, (name, row) in enumerate(rows.items())
        ]
        run_import(feed, write_rows(tmp_path / "t.csv", written, HEADER))
        found: dict[str, object] = dict(QuarantinedRow.objects.values_list("external_id", "code"))
        for row in Incident.objects.all():
            found[row.external_id] = (
                f"{row.occurred_from:%m-%dT%H:%M:%S}", f"{row.occurred_to:%m-%dT%H:%M:%S}", row.time_precision
            )  # fmt: skip
        return found

    return read


def test_each_kind_of_time_is_stored_as_an_instant_with_how_it_was_told(imported):
    found = imported({
        "naive": {"occurred_at": "2024-07-01T10:00:00"},
        "minute": {"occurred_at": "2024-07-01 10:00"},
        "offset": {"occurred_at": "2024-07-01T10:00:00-5:00"},
        "zulu": {"occurred_at": "2024-07-01T10:00:00Z"},
        "fold": {"occurred_at": "2024-11-03T01:30:00"},
        "fold told": {"occurred_at": "2024-11-03T01:30:00-05:00"},
        "gap": {"occurred_at": "2024-03-10T02:30:00"},
        "day": {"occurred_at": "2024-07-01"},
        "longest day": {"occurred_at": "2024-11-03"},
        "interval": {"occurred_at": "2024-07-01T22:00:00", "occurred_to": "2024-07-02T06:00:00"},
        "days": {"occurred_at": "2024-07-01", "occurred_to": "2024-07-03"},
    })  # fmt: skip
    assert found == {
        "naive": ("07-01T14:00:00", "07-01T14:00:00", "second"),
        "minute": ("07-01T14:00:00", "07-01T14:00:00", "minute"),
        "offset": ("07-01T15:00:00", "07-01T15:00:00", "second"),
        "zulu": ("07-01T10:00:00", "07-01T10:00:00", "second"),
        "fold": ("11-03T05:30:00", "11-03T05:30:00", "ambiguous"),
        "fold told": ("11-03T06:30:00", "11-03T06:30:00", "second"),
        "gap": ("03-10T07:00:00", "03-10T07:00:00", "shifted"),
        "day": ("07-01T04:00:00", "07-02T03:59:59", "day"),
        "longest day": ("11-03T04:00:00", "11-04T04:59:59", "day"),
        "interval": ("07-02T02:00:00", "07-02T10:00:00", "second"),
        "days": ("07-01T04:00:00", "07-04T03:59:59", "day"),
    }


def test_each_impossible_time_and_place_is_kept_aside_under_its_code(imported):
    lon, lat = degrees(1_000, 1_000)
    found = imported({
        "end first": {"occurred_at": "2024-07-02T10:00:00", "occurred_to": "2024-07-02T09:00:00"},
        "future": {"occurred_at": "2999-01-01T00:00:00"},
        "end in the future": {"occurred_at": "2024-07-02T10:00:00", "occurred_to": "2999-01-01T00:00:00"},
        "default date": {"occurred_at": "1900-01-01"},
        "no time": {"occurred_at": ""},
        "words": {"occurred_at": "last night"},
        "no such day": {"occurred_at": "2023-02-29"},
        "impossible offset": {"occurred_at": "2024-07-01T10:00:00+25:00"},
        "nowhere": {"lat": "", "lon": ""},
        "null island": {"lat": "0", "lon": "0.000"},
        "exchanged": {"lat": str(lon), "lon": str(lat)},
        "far away": {"lat": "48.2", "lon": "16.37"},
        "metres": {"lat": "4638000", "lon": "448000"},
        "text": {"lat": "41°52'", "lon": "-87°37'"},
        **{f"good {n}": {} for n in range(10)},
    })  # fmt: skip
    assert {name: code for name, code in found.items() if not name.startswith("good")} == {
        "end first": "end_before_start",
        "future": "future_timestamp",
        "end in the future": "future_timestamp",
        "default date": "implausible_past",
        "no time": "missing_timestamp",
        "words": "bad_timestamp",
        "no such day": "bad_timestamp",
        "impossible offset": "bad_timestamp",
        "nowhere": "missing_coordinates",
        "null island": "zero_coordinates",
        "exchanged": "swapped_coordinates",
        "far away": "outside_boundary",
        "metres": "coordinates_out_of_range",
        "text": "bad_coordinates",
    }


@pytest.mark.parametrize("epsg", [3857, 26916, 3435])
def test_a_feed_may_come_in_another_coordinate_system(agency, tmp_path, epsg):
    lon, lat = degrees(1_234, 2_345)
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    feed = plain_feed(agency)
    columns = {**feed.mapping["columns"], "x": "lon", "y": "lat"}
    feed.mapping = {
        **feed.mapping,
        "crs": epsg,
        "columns": {k: v for k, v in columns.items() if k not in ("lon", "lat")},
    }
    feed.save()
    rows = [good_row(1, lon=f"{x:.2f}", lat=f"{y:.2f}"), good_row(2, lon=f"{y:.2f}", lat=f"{x:.2f}")]
    run_import(feed, write_rows(tmp_path / "x.csv", rows))
    (stored,) = Incident.objects.all()
    assert (stored.lon, stored.lat) == pytest.approx((lon, lat), abs=1e-6)
    assert stored.place_precision_m == 1
    assert QuarantinedRow.objects.get().code == "swapped_coordinates"


def test_the_precision_of_a_place_is_kept_and_a_row_with_few_decimals_is_used(agency, tmp_path):
    lon, lat = degrees(2_000, 2_000)
    rows = [good_row(digits, lon=f"{lon:.{digits}f}", lat=f"{lat:.{digits}f}") for digits in (2, 3, 4, 5, 6)]
    run_import(plain_feed(agency), write_rows(tmp_path / "p.csv", rows))
    kept = dict(Incident.objects.values_list("external_id", "place_precision_m"))
    assert kept == {"R00002": 1113, "R00003": 111, "R00004": 11, "R00005": 1, "R00006": 1}


@pytest.mark.parametrize(
    ("x", "y", "epsg", "metres"),
    [
        ("-87", "41", 4326, 111_320),
        ("-87.6", "41", 4326, 11_132),
        ("-87.60000", "41.8", 4326, 1),
        ("-8.76e1", "41.8", 4326, 11_132),
        ("-8.76e1", "4e1", 4326, 0),
        ("1176000", "1900000", 3435, 1),
        ("448000.5", "4638000", 26916, 1),
        ("", "", 4326, 0),
    ],
)
def test_decimals_say_how_fine_a_place_is(x: str, y: str, epsg: int, metres: int) -> None:
    assert place_precision_m([x], [y], epsg=epsg).tolist() == [metres]


def test_every_code_is_documented() -> None:
    docs = Path(settings.BASE_DIR) / "docs"
    quality = (docs / "data-quality.md").read_text()
    for name in TIME_PRECISIONS[:-1]:
        assert f"`{name}`" in quality, name
    rejections = (docs / "rejections.md").read_text()
    for code in REJECTION_CODES:
        assert f"## {code}\n" in rejections, code


def test_coarse_places_stay_where_they_are_and_move_at_most_seventy_metres() -> None:
    from ingestion.engine.coarsen import coarse_places

    rng = np.random.default_rng(2)
    lon, lat = rng.uniform(-180, 180, 5_000), rng.uniform(-75, 75, 5_000)
    coarse_lon, coarse_lat = coarse_places(lon, lat)
    again = coarse_places(coarse_lon, coarse_lat)
    assert np.array_equal(again[0], coarse_lon)
    assert np.array_equal(again[1], coarse_lat)
    east = (coarse_lon - lon) * 111_320 * np.cos(np.radians(lat))
    north = (coarse_lat - lat) * 111_320
    assert np.hypot(east, north).max() < 72
