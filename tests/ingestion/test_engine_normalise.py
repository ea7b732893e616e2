"""Rows of text become incidents, and every row that does not is accounted for once."""

from datetime import UTC, datetime

import numpy as np
import pytest

from ingestion.engine.codes import CodeEntry, CodeTable, Refusal
from ingestion.engine.context import NormaliseContext
from ingestion.engine.mapping import FeedMapping
from ingestion.engine.normalise import NormalisedChunk, NormalisedIncident, normalise, normalise_chunk
from ingestion.engine.places import Boundary
from ingestion.engine.profiles import HUNCHLAB_EVENTS, PLAIN, SOCRATA_CITY
from ingestion.engine.rejections import Rejection
from ingestion.engine.rows import RowChunk, RowRejection

NOW = datetime(2018, 1, 1, 12, tzinfo=UTC)
CITY = Boundary.from_bbox((-87.95, 41.64, -87.52, 42.03))
CODES = CodeTable({"burglary": "220", "gunfire": "gunfire"}, {"B": CodeEntry(crime_type="burglary")})
CONTEXT = NormaliseContext("America/Chicago", NOW, CODES, CITY)
PORTAL = SOCRATA_CITY.mapping
PORTAL_ROW = {
    "ID": "1",
    "Date": "01/01/2017 12:30:00 AM",
    "IUCR": "0610",
    "Primary Type": "BURGLARY",
    "FBI Code": "05",
    "Latitude": "41.759884442",
    "Longitude": "-87.5972422",
}
FULL = PLAIN.mapping_for(
    ["id", "occurred_at", "code", "lat", "lon", "occurred_to", "reported_at", "last_updated", "discovery"]
)
ROW = {
    "id": "1",
    "occurred_at": "2017-06-01T20:00:00",
    "occurred_to": "2017-06-01T23:00:00",
    "reported_at": "2017-06-02T08:00:00",
    "last_updated": "2017-06-03T08:00:00",
    "code": "B",
    "lat": "41.9",
    "lon": "-87.6",
    "discovery": "",
}


def incident(changes: dict[str, str] | None = None, mapping: FeedMapping = FULL) -> NormalisedIncident:
    result = normalise({**ROW, **(changes or {})}, mapping, CONTEXT)
    assert isinstance(result, NormalisedIncident), result
    return result


def rejection(changes: dict[str, str], mapping: FeedMapping = FULL) -> tuple[str, str]:
    result = normalise({**ROW, **changes}, mapping, CONTEXT)
    assert isinstance(result, Rejection), result
    assert result.message
    return result.code, result.field


def chunk(rows: list[dict[str, str]], mapping: FeedMapping = FULL) -> NormalisedChunk:
    return normalise_chunk(RowChunk.from_rows(rows, mapping.column_names), mapping, CONTEXT)


def test_a_portal_row_is_read_in_the_agencys_zone() -> None:
    result = normalise(PORTAL_ROW, PORTAL, CONTEXT)
    assert isinstance(result, NormalisedIncident)
    assert (result.external_id, result.crime_type, result.code) == ("1", "burglary", "0610")
    assert result.occurred_from == result.occurred_to == np.datetime64("2017-01-01T06:30:00")
    assert np.isnat(result.reported_at)
    assert (result.lon, result.lat) == (-87.5972422, 41.7598844)
    assert (result.discovery, result.time_precision) == ("reported", "second")


def test_a_full_row_keeps_its_interval_and_its_report() -> None:
    result = incident()
    assert str(result.occurred_from) == "2017-06-02T01:00:00"
    assert str(result.occurred_to) == "2017-06-02T04:00:00"
    assert str(result.reported_at) == "2017-06-02T13:00:00"
    assert str(result.last_updated) == "2017-06-03T13:00:00"


def test_a_hunchlab_row_is_keyed_by_source_and_id_and_read_in_its_srid() -> None:
    mapping = HUNCHLAB_EVENTS.mapping_for(
        [
            "datasource",
            "id",
            "class",
            "datetimefrom",
            "datetimeto",
            "report_time",
            "pointx",
            "pointy",
            "address",
            "last_updated",
        ]
    ).replaced(crs=3435)
    row = {
        "datasource": "rms/east",
        "id": "7",
        "class": "X|B",
        "datetimefrom": "2017-06-01T20:00:00-5:00",
        "datetimeto": "",
        "report_time": "2017-06-01T21:00:00-5:00",
        "pointx": "1176000",
        "pointy": "1900000",
        "address": "1 Main St",
        "last_updated": "2017-06-01T22:00:00-5:00",
    }
    result = normalise(row, mapping, CONTEXT)
    assert isinstance(result, NormalisedIncident)
    assert result.external_id == "rms%2Feast/7"
    assert result.crime_type == "burglary"
    assert result.occurred_to == result.occurred_from == np.datetime64("2017-06-02T01:00:00")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"id": "  "}, "missing_id", "external_id"),
        ({"id": "1\x002"}, "nul_byte", "external_id"),
        ({"code": "B\x00"}, "nul_byte", "code"),
        ({"id": "caf\udce9"}, "bad_encoding", "external_id"),
        ({"id": "9" * 101}, "field_too_long", "external_id"),
        ({"code": ""}, "missing_code", "code"),
        ({"code": "NEW"}, "unmapped_code", "code"),
        ({"occurred_at": ""}, "missing_timestamp", "occurred_from"),
        ({"occurred_at": "soon"}, "bad_timestamp", "occurred_from"),
        ({"reported_at": "soon"}, "bad_timestamp", "reported_at"),
        ({"occurred_at": "2018-01-01T13:00:00", "occurred_to": ""}, "future_timestamp", "occurred_from"),
        ({"occurred_at": "2999-01-01T13:00:00"}, "future_timestamp", "occurred_from"),
        ({"last_updated": "2030-01-01"}, "future_timestamp", "last_updated"),
        ({"occurred_at": "1900-01-01"}, "implausible_past", "occurred_from"),
        ({"occurred_to": "2017-06-01T19:59:59"}, "end_before_start", "occurred_to"),
        ({"lat": ""}, "missing_coordinates", "lon"),
        ({"lat": "x"}, "bad_coordinates", "lon"),
        ({"lat": "0", "lon": "0"}, "zero_coordinates", "lon"),
        ({"lat": "-87.6", "lon": "41.9"}, "swapped_coordinates", "lon"),
        ({"lat": "45", "lon": "-87.6"}, "outside_boundary", "lon"),
        ({"lat": "1900000", "lon": "1176000"}, "coordinates_out_of_range", "lon"),
        ({"discovery": "rumour"}, "unknown_discovery", "discovery"),
    ],
)
def test_each_bad_value_is_quarantined_under_its_code(changes: dict[str, str], code: str, field: str) -> None:
    assert rejection(changes) == (code, field)


def test_a_clock_that_is_minutes_ahead_is_no_future() -> None:
    assert incident(
        {"occurred_at": "2018-01-01T06:10:00", "occurred_to": "", "reported_at": "", "last_updated": ""}
    )


def test_a_report_of_today_without_a_time_is_known_at_the_days_end() -> None:
    result = incident({"reported_at": "2018-01-01"})
    assert str(result.reported_at) == "2018-01-02T05:59:59"


def test_a_date_alone_is_an_interval_of_its_whole_day() -> None:
    result = incident({"occurred_at": "2017-06-01", "occurred_to": ""})
    assert str(result.occurred_from) == "2017-06-01T05:00:00"
    assert str(result.occurred_to) == "2017-06-02T04:59:59"
    assert result.time_precision == "day"


def test_an_interval_in_the_repeated_hour_ends_at_the_second_occurrence() -> None:
    result = incident({"occurred_at": "2017-11-05T01:50:00", "occurred_to": "2017-11-05T01:10:00"})
    assert str(result.occurred_from) == "2017-11-05T06:50:00"
    assert str(result.occurred_to) == "2017-11-05T07:10:00"
    assert result.time_precision == "ambiguous"


def test_the_feeds_zone_goes_before_the_agencys() -> None:
    result = incident(mapping=FULL.replaced(time_zone="UTC"))
    assert str(result.occurred_from) == "2017-06-01T20:00:00"


@pytest.mark.parametrize(
    ("word", "ours"),
    [("", "reported"), ("Officer Initiated", "officer_initiated"), ("911", "reported"), ("SENSOR", "sensor")],
)
def test_how_it_became_known_is_read_in_common_words(word: str, ours: str) -> None:
    assert incident({"discovery": word}).discovery == ours


def test_the_feeds_own_words_of_discovery_are_mapped() -> None:
    mapping = FULL.replaced(discovery_values={"OV": "officer_initiated"})
    assert incident({"discovery": "ov"}, mapping).discovery == "officer_initiated"


def test_a_refused_offence_is_refused_whatever_else_is_wrong_and_nothing_of_it_is_kept() -> None:
    rows = [
        {**PORTAL_ROW, "FBI Code": "18", "Latitude": ""},
        {**PORTAL_ROW, "FBI Code": "18", "ID": ""},
        {**PORTAL_ROW, "FBI Code": "08B", "Date": "soon"},
        {**PORTAL_ROW, "FBI Code": "1\x008"},
    ]
    result = chunk(rows, PORTAL)
    assert dict(result.refused) == {("drugs", "18"): 3, ("simple_assault", "08B"): 1}
    assert set(result.refusal_messages) == set(result.refused)
    assert len(result) == len(result.quarantined) == 0


def test_a_national_code_refuses_a_row_whose_local_code_is_mapped() -> None:
    context = NormaliseContext(
        "UTC", NOW, CodeTable({"burglary": "220"}, {"0610": CodeEntry(crime_type="burglary")})
    )
    result = normalise({**PORTAL_ROW, "FBI Code": "26"}, PORTAL, context)
    assert isinstance(result, Refusal)
    assert result.rule == "group_b"


def test_quarantined_rows_keep_the_mapped_columns_only() -> None:
    row = {**PORTAL_ROW, "Latitude": "", "Victim Name": "Jane Doe", "Arrest": "true"}
    result = chunk([row], PORTAL)
    (kept,) = result.quarantined
    assert set(kept.values) == set(PORTAL.column_names)
    assert "Jane" not in repr(result)
    assert (kept.row_number, kept.external_id, kept.rejection.code) == (1, "1", "missing_coordinates")


def test_quarantined_text_can_be_stored_by_any_database() -> None:
    result = chunk([{**ROW, "id": "a\x00\udce9" + "x" * 900}])
    (kept,) = result.quarantined
    for value in (kept.external_id, kept.rejection.value_excerpt, *kept.values.values()):
        assert "\x00" not in value
        value.encode("utf-8")
    assert len(kept.external_id) <= 120


def test_a_quarantined_row_can_be_replayed_after_its_code_is_mapped() -> None:
    (kept,) = chunk([{**ROW, "code": "NEW"}]).quarantined
    mended = NormaliseContext(
        "America/Chicago",
        NOW,
        CodeTable({"burglary": "220"}, {"NEW": CodeEntry(crime_type="burglary")}),
        CITY,
    )
    assert isinstance(normalise(kept.values, FULL, mended), NormalisedIncident)


def test_of_two_versions_the_newer_update_counts_and_of_equals_the_later_row() -> None:
    rows = [
        {**ROW, "lat": "41.90"},
        {**ROW, "lat": "41.91", "last_updated": "2017-06-05"},
        {**ROW, "lat": "41.92"},
        {**ROW, "id": "2", "lat": "41.93"},
        {**ROW, "id": "2", "lat": "41.94"},
    ]
    result = chunk(rows)
    assert result.external_id.tolist() == ["1", "2"]
    assert result.lat.tolist() == [41.91, 41.94]
    assert result.superseded.tolist() == [1, 3, 4]


def test_rows_without_columns_are_quarantined_without_their_text() -> None:
    ragged = RowChunk(
        np.zeros(0, np.int64),
        {name: [] for name in FULL.column_names},
        (RowRejection(7, Rejection("wrong_column_count")),),
    )
    result = normalise_chunk(ragged, FULL, CONTEXT)
    assert result.received == 1
    assert [(kept.row_number, dict(kept.values)) for kept in result.quarantined] == [(7, {})]


def test_an_empty_chunk_gives_an_empty_chunk() -> None:
    result = chunk([])
    assert (result.received, len(result), result.content_hash.dtype) == (0, 0, np.int64)


def test_the_content_hash_is_the_same_everywhere_and_changes_with_each_field() -> None:
    base = incident()
    assert base.content_hash == incident().content_hash == -2921722435803860802
    changes = [
        {"occurred_at": "2017-06-01T20:00:01"}, {"occurred_to": "2017-06-01T23:00:01"}, {"reported_at": ""}, {"last_updated": ""},
        {"lat": "41.9000001"}, {"lon": "-87.6000001"}, {"discovery": "sensor"}, {"occurred_at": "2017-06-01T20:00"},
    ]  # fmt: skip
    hashes = {incident(change).content_hash for change in changes}
    assert len(hashes) == len(changes)
    assert base.content_hash not in hashes


def test_gunfire_alerts_and_calls_come_through_the_same_door() -> None:
    columns = {"external_id": "id", "occurred_from": "occurred_at", "lon": "lon", "lat": "lat"}
    alert = normalise(ROW, FeedMapping("gunfire", columns), CONTEXT)
    assert isinstance(alert, NormalisedIncident)
    assert (alert.crime_type, alert.discovery) == ("gunfire", "sensor")
    call = normalise({**ROW, "code": "ALARM"}, FeedMapping("calls", {**columns, "code": "code"}), CONTEXT)
    assert isinstance(call, NormalisedIncident)
    assert (call.crime_type, call.code) == ("", "ALARM")


def test_a_naive_moment_of_reading_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        NormaliseContext("UTC", NOW.replace(tzinfo=None), CODES)
