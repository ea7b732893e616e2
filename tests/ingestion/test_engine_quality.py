"""What is measured of a feed: planted faults are found, and sound data raises none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.engine.quality import (
    LAG_BINS,
    QualityColumns,
    measure,
    pile_ups,
    report_lag,
    time_heaping,
)
from ingestion.engine.quality_days import daily_volume, volume_drift
from ingestion.engine.quality_findings import findings, geocoding

FIRST = np.datetime64("2023-01-01T00:00:00", "s")
TODAY = np.datetime64("2025-01-01", "D")
PRECISIONS = ("second", "minute", "day", "hour")


def sound(n: int = 20_000, seed: int = 3) -> QualityColumns:
    """Two years of rows without a fault, about 27 a day."""
    rng = np.random.default_rng(seed)
    occurred = np.sort(FIRST + rng.integers(0, 731 * 86_400, n).astype("timedelta64[s]"))
    return QualityColumns(
        lon=-87.7 + 0.1 * rng.random(n),
        lat=41.8 + 0.1 * rng.random(n),
        occurred=occurred,
        ended=occurred,
        reported=occurred + rng.exponential(20_000, n).astype("timedelta64[s]"),
        category=rng.integers(0, 3, n),
        time_precision=np.zeros(n, np.int64),
        time_precisions=PRECISIONS,
        place_precision_m=np.ones(n, np.int64),
    )


def tones(columns: QualityColumns, **waiting: int) -> list[str]:
    measured = measure(columns, zone="UTC", today=TODAY)
    return [f"{one.tone}: {one.text}" for one in findings(measured, waiting=waiting)]


def test_sound_data_raises_nothing():
    assert tones(sound()) == ["good: Nothing stands out."]


def test_a_stand_in_address_is_told_from_a_mall():
    columns = sound()
    lon, lat, category = columns.lon.copy(), columns.lat.copy(), columns.category.copy()
    lon[:2_000:2], lat[:2_000:2] = -87.65, 41.85  # every kind of crime
    lon[1:2_000:2], lat[1:2_000:2], category[1:2_000:2] = -87.66, 41.86, 2
    piles, places = pile_ups(lon, lat, category)
    assert [(pile.rows, pile.kind) for pile in piles[:2]] == [(1_000, "busy"), (1_000, "default")]
    assert piles[0].lon < piles[1].lon, "ties: west first"
    assert places == len(lon) - 1_998
    assert piles[2].rows < 5
    centred, _ = pile_ups(lon, lat, category, centre=(-87.6501, 41.8501))
    assert [pile.kind for pile in centred[:2]] == ["busy", "centre"]


def test_one_type_alone_makes_no_point_a_stand_in():
    lon = np.full(200, -87.0)
    piles, _ = pile_ups(lon, np.full(200, 41.0), np.zeros(200, np.int64))
    assert piles[0].kind == "busy"


def test_rounded_and_coarse_places_are_no_pile_up():
    columns = replace(sound(), place_precision_m=np.full(20_000, 111))
    measured = measure(columns, zone="UTC", today=TODAY)
    assert measured.pile_ups == []
    assert measured.place_precision == {"111 metres": 20_000}
    assert any("rounded to about 100 metres" in text for text in tones(columns))


def test_midnight_noon_and_full_hours_are_counted_by_the_wall_clock():
    local = np.array(
        ["2024-01-01T00:00:00", "2024-01-01T12:00:30", "2024-01-02T15:00:00", "2024-01-02T15:01:00"], "M8[s]"
    )
    heaping = time_heaping(local)
    assert (heaping.midnight, heaping.noon, heaping.full_hour) == (0.25, 0.25, 0.75)
    assert heaping.by_hour[15] == 2
    assert sum(heaping.by_minute) == 4
    columns = sound()
    occurred = columns.occurred.copy()
    occurred[::20] = occurred[::20].astype("M8[D]").astype("M8[s]") + np.timedelta64(6, "h")
    measured = measure(
        replace(columns, occurred=occurred, ended=occurred), zone="America/Chicago", today=TODAY
    )
    assert measured.heaping.midnight > 0.015, "six in the morning UTC is midnight there in winter"


def test_dates_alone_and_coarse_times_do_not_heap():
    columns = sound()
    kinds = np.where(np.arange(20_000) < 6_000, 2, np.where(np.arange(20_000) < 12_000, 3, 0))
    measured = measure(replace(columns, time_precision=kinds), zone="UTC", today=TODAY)
    assert measured.heaping.rows == 8_000
    assert measured.time_precision == {"second": 8_000, "day": 6_000, "hour": 6_000}


def test_the_lag_of_reports_has_quantiles_bins_and_impossible_ones():
    start = np.full(4, FIRST)
    end = start + np.timedelta64(1, "h")
    reported = np.array([FIRST - 5, end[1] + 1_800, end[2] + 36_000, np.datetime64("NaT")], "M8[s]")
    lag = report_lag(start, end, reported)
    assert (lag.rows, lag.before_start, lag.share_with_report) == (3, 1, 0.75)
    assert lag.quantiles_hours["p50"] == 0.5
    assert lag.bins[:3] == [2, 0, 1]
    assert sum(lag.bins) == 3
    assert len(lag.bins) == len(LAG_BINS)


def test_missing_days_and_thin_days_are_found_and_quiet_ones_are_not():
    columns = sound()
    day = columns.occurred.astype("M8[D]")
    lost = (day >= np.datetime64("2024-03-04")) & (day <= np.datetime64("2024-03-06"))
    thin = (day == np.datetime64("2024-07-01")) & (np.arange(len(day)) % 20 > 0)
    volume = daily_volume(day[~lost & ~thin], today=TODAY)
    assert [(gap.first, gap.last, gap.days) for gap in volume.gaps] == [("2024-03-04", "2024-03-06", 3)]
    assert volume.thin == ["2024-07-01"]
    assert volume.silent_days == 0
    assert len(volume.counts) == 731
    assert volume.counts[-1] > 0


def test_a_single_row_of_long_ago_is_no_gap_and_a_rare_feed_has_none():
    day = sound().occurred.astype("M8[D]")
    assert daily_volume(np.append(day, np.datetime64("1985-06-01")), today=TODAY).gaps == []
    rng = np.random.default_rng(1)
    rare = FIRST.astype("M8[D]") + rng.integers(0, 700, 200)
    assert daily_volume(rare, today=TODAY).gaps == []


def test_rows_of_today_are_left_out_and_silence_is_counted_in_days():
    day = np.array(["2024-12-20", "2024-12-21", "2025-01-01"], "M8[D]")
    volume = daily_volume(day, today=TODAY)
    assert (volume.newest, volume.silent_days, sum(volume.counts)) == ("2024-12-21", 10, 2)


def test_a_volume_that_halved_is_outside_its_interval():
    day = sound().occurred.astype("M8[D]")
    late = day >= np.datetime64("2024-01-03")
    halved = day[~late | (np.arange(len(day)) % 2 == 0)]
    drift = volume_drift(halved)
    assert len(drift.periods) == 13
    assert drift.whole is not None
    assert drift.whole.high < 0.6
    assert drift.whole.ratio == pytest.approx(0.5, abs=0.03)
    steady = volume_drift(day).whole
    assert steady is not None
    assert steady.low < 1 < steady.high


def test_the_interval_is_that_of_the_textbook():
    """20 against 10: conditional on 30, Clopper-Pearson's limits of 20/30 are 0.4719 and 0.8271."""
    from ingestion.engine.quality_days import _ratio

    one = _ratio("2024-01-01", 20, 10)
    assert one.low == pytest.approx(0.4719 / 0.5281, rel=1e-3)
    assert one.high == pytest.approx(0.8271 / 0.1729, rel=1e-3)
    assert _ratio("2024-01-01", 5, 0).ratio is None
    assert _ratio("2024-01-01", 0, 5).low == 0


def test_less_than_a_year_and_a_period_compares_nothing():
    day = FIRST.astype("M8[D]") + np.arange(380)
    assert volume_drift(day).periods == []
    assert len(volume_drift(FIRST.astype("M8[D]") + np.arange(364 + 28)).periods) == 1


def test_no_rows_give_zeros():
    empty = measure(
        QualityColumns(*[np.zeros(0)] * 2, *[np.zeros(0, "M8[s]")] * 3, *[np.zeros(0, np.int64)] * 2, PRECISIONS, np.zeros(0, np.int64)),
        zone="UTC",
        today=TODAY,
    )  # fmt: skip
    assert (empty.rows, empty.pile_ups, empty.days.counts, empty.drift.whole) == (0, [], [], None)
    assert findings(empty, waiting={})[0].text == "Nothing is stored yet."


def test_few_places_are_a_bad_finding_with_the_next_step():
    coded = geocoding(80, {"missing_coordinates": 15, "swapped_coordinates": 5})
    assert (coded.rate, coded.unusable) == (0.85, 5)
    assert any("Only 80.0 %" in text for text in tones(sound(), missing_coordinates=5_000))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=200), st.integers(0, 2**32 - 1))
def test_counts_are_conserved_and_the_order_of_rows_does_not_matter(days: list[int], seed: int):
    day = FIRST.astype("M8[D]") + np.array(days)
    volume = daily_volume(day, today=TODAY)
    assert sum(volume.counts) == len(days)
    assert daily_volume(np.random.default_rng(seed).permutation(day), today=TODAY) == volume
