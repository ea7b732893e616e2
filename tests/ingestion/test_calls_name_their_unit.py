"""The unit of a dispatch record: the agency's own call sign or nothing, whatever a file holds in that column."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from agencies.models import Agency, Unit
from ingestion.engine.coarsen import coarsen_chunk, without_older
from ingestion.engine.codes import CodeEntry, CodeTable
from ingestion.engine.context import NormaliseContext
from ingestion.engine.mapping import FeedMapping
from ingestion.engine.normalise import normalise_chunk
from ingestion.engine.profiles import pushed_mapping
from ingestion.engine.records import NormalisedChunk
from ingestion.engine.rows import RowChunk
from ingestion.engine.suggest import guess_mapping
from ingestion.models import CallForService, Feed, RecordKind
from ingestion.services.context import crime_type_keys, normalise_context
from ingestion.services.facts import incidents_upsert
from tests.factories import make_agency

NOW = dt.datetime(2026, 3, 20, tzinfo=dt.UTC)
CODES = CodeTable(crime_types={"burglary": "220"}, entries={"DP": CodeEntry(crime_type="")})
COLUMNS = {
    "external_id": "incident", "code": "nature", "occurred_from": "started", "occurred_to": "ended", "lon": "lon",
    "lat": "lat", "discovery": "how", "unit": "unit",
}  # fmt: skip
CALLS = FeedMapping(record_kind="calls", columns=COLUMNS)
CONTEXT = NormaliseContext("UTC", NOW, CODES, call_signs={"1a12": "1A12", "adam": "ADAM"})
HOSTILE = (
    "Roe, Jane", "1A12/1A14", "1A12; DROP TABLE units", "=HYPERLINK(1)", "jane.roe@city.gov", "+1 555 0100", "1A13",
    "<b>1A12</b>", "ĀDAM",
)  # fmt: skip


def read(*rows: dict[str, str], context: NormaliseContext = CONTEXT) -> NormalisedChunk:
    plain = {
        "nature": "DIRECTED PATROL", "started": "2026-03-01 18:00:00", "ended": "2026-03-01 18:12:00", "lon": "-87.6",
        "lat": "41.8", "how": "officer", "unit": "1A12",
    }  # fmt: skip
    full = [plain | {"incident": f"C{number}"} | row for number, row in enumerate(rows)]
    return normalise_chunk(
        RowChunk.from_rows(full, CALLS.column_names, list(range(1, len(full) + 1))), CALLS, context
    )


def units(chunk: NormalisedChunk) -> list[str]:
    assert chunk.unit is not None
    return list(chunk.unit.tolist())


def test_a_call_sign_of_the_agency_is_kept_in_its_own_spelling() -> None:
    assert units(read({"unit": "1A12"}, {"unit": " 1a12 "}, {"unit": "Adam"})) == ["1A12", "1A12", "ADAM"]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_else_in_that_column_is_ever_stored(text: str) -> None:
    chunk = read({"unit": text})
    assert units(chunk) == [""]
    assert len(chunk) == 1


def test_the_unit_that_came_to_a_callers_door_is_not_kept() -> None:
    assert units(read({"how": "caller"}, {"how": "officer"})) == ["", "1A12"]


def test_damaged_units_are_kept_aside_with_their_reason() -> None:
    chunk = read({"unit": "A\x00B"}, {"unit": "9" * 61})
    assert [value.rejection.code for value in chunk.quarantined] == ["nul_byte", "field_too_long"]
    assert {value.rejection.field for value in chunk.quarantined} == {"unit"}


def test_a_row_without_a_unit_has_the_content_it_always_had() -> None:
    bare = FeedMapping(record_kind="calls", columns={k: v for k, v in COLUMNS.items() if k != "unit"})
    rows = [{"incident": "C0", "nature": "DP", "started": "2026-03-01 18:00:00", "ended": "", "lon": "-87.6", "lat": "41.8",
             "how": "officer", "unit": ""}]  # fmt: skip
    without = normalise_chunk(RowChunk.from_rows(rows, bare.column_names, [1]), bare, CONTEXT)
    empty = normalise_chunk(RowChunk.from_rows(rows, CALLS.column_names, [1]), CALLS, CONTEXT)
    named = normalise_chunk(
        RowChunk.from_rows([rows[0] | {"unit": "1A12"}], CALLS.column_names, [1]), CALLS, CONTEXT
    )
    assert without.content_hash.tolist() == empty.content_hash.tolist() != named.content_hash.tolist()


def test_retention_takes_the_unit_with_the_minutes() -> None:
    chunk = read({}, {"started": "2026-01-01 18:00:00", "ended": "2026-01-01 18:10:00"})
    coarse = coarsen_chunk(chunk, np.datetime64("2026-02-01T00:00:00"))
    assert units(coarse) == ["1A12", ""]
    assert coarse.content_hash[0] == chunk.content_hash[0]
    kept = without_older(chunk, np.datetime64("2026-02-01T00:00:00"), "rule", "too old")
    assert (len(kept), units(kept)) == (1, ["1A12"])


def test_stages_keep_their_rows_when_older_alerts_are_left_out() -> None:
    mapping = pushed_mapping("gunfire")
    codes = CodeTable(crime_types={"gunfire": "gunfire"}, entries={})
    rows = [
        {"id": f"G{k}", "occurred_at": f"2026-0{k}-01T12:00:00Z", "lon": "-87.6", "lat": "41.8", "stage": stage,
         "stage_at": f"2026-0{k}-01T12:05:00Z"}
        for k, stage in ((1, "dismissed"), (3, "reviewed"))
    ]  # fmt: skip
    full = [{name: row.get(name, "") for name in mapping.column_names} for row in rows]
    chunk = normalise_chunk(
        RowChunk.from_rows(full, mapping.column_names, [1, 2]), mapping, NormaliseContext("UTC", NOW, codes)
    )
    kept = without_older(chunk, np.datetime64("2026-02-01T00:00:00"), "rule", "too old")
    assert kept.stage is not None
    assert (len(kept), kept.stage.tolist()) == (1, ["reviewed"])


def test_only_calls_may_map_a_unit_and_the_column_may_not_be_about_a_person() -> None:
    wrong = FeedMapping(record_kind="incidents", columns=COLUMNS)
    assert any(problem.setting == "unit" for problem in wrong.problems())
    person = FeedMapping(record_kind="calls", columns=COLUMNS | {"unit": "Officer Name"})
    assert any(problem.setting == "Officer Name" for problem in person.problems())
    assert not CALLS.problems()


def test_the_wizard_guesses_the_unit_of_calls_only() -> None:
    header = ["Incident Number", "Call Type", "Received", "Longitude", "Latitude", "Unit ID"]
    assert guess_mapping(header, [], "calls").mapping.columns["unit"] == "Unit ID"
    assert "unit" not in guess_mapping(header, [], "incidents").mapping.columns
    assert pushed_mapping("calls").columns["unit"] == "unit"


@pytest.mark.django_db
def test_a_stored_call_follows_the_agencys_units(agency: Agency) -> None:
    feed = Feed.objects.create(agency=agency, name="CAD", slug="cad", record_kind=RecordKind.CALLS)
    Unit.objects.filter(agency=agency).delete()
    Unit.objects.create(agency=make_agency("lakeside"), call_sign="1A12")

    def stored() -> str:
        context = normalise_context(agency, feed, NOW)
        bare = NormaliseContext("UTC", NOW, CODES, call_signs=context.call_signs)
        chunk = read({}, context=bare)
        incidents_upsert(feed=feed, chunk=chunk, crime_types=crime_type_keys(agency), now=NOW)
        return CallForService.objects.get(feed=feed).unit_code

    assert stored() == ""
    Unit.objects.create(agency=agency, call_sign="1A12")
    # The same file again: the row is another one now that the agency knows the unit.
    assert stored() == "1A12"
