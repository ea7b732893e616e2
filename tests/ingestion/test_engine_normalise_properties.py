"""Laws of normalising: each row counted once, one row reads as many do, order and company do not matter."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.engine.codes import CodeEntry, CodeTable, Refusal
from ingestion.engine.context import NormaliseContext
from ingestion.engine.normalise import NormalisedChunk, NormalisedIncident, normalise, normalise_chunk
from ingestion.engine.places import Boundary
from ingestion.engine.profiles import PLAIN
from ingestion.engine.rejections import REJECTION_CODES, Rejection
from ingestion.engine.rows import RowChunk

MAPPING = PLAIN.mapping_for(
    [
        "id",
        "occurred_at",
        "code",
        "lat",
        "lon",
        "occurred_to",
        "reported_at",
        "last_updated",
        "discovery",
        "nibrs_code",
        "description",
    ]
)
CONTEXT = NormaliseContext(
    "America/Chicago",
    datetime(2018, 1, 1, tzinfo=UTC),
    CodeTable(
        {"burglary": "220", "robbery": "120"},
        {"B": CodeEntry(crime_type="burglary"), "I": CodeEntry(is_ignored=True)},
    ),
    Boundary.from_bbox((-87.95, 41.64, -87.52, 42.03)),
)
TIMES = [
    "2017-06-01T20:00:00",
    "2017-06-01",
    "2017-11-05T01:30",
    "2017-03-12T02:30:00",
    "2017-06-01T20:00:00-5:00",
    "",
    "soon",
    "2999-01-01",
    "1900-01-01",
]
NUMBERS = ["41.9", "-87.6", "0", "", "x", "nan", "1e9", "41.8000000001"]
DIRT = st.text(st.characters(codec=None, exclude_characters=""), max_size=4)
ROWS = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["1", "2", "3", " 3 ", "", "x" * 200]) | DIRT,
        "occurred_at": st.sampled_from(TIMES),
        "occurred_to": st.sampled_from(TIMES),
        "reported_at": st.sampled_from(TIMES),
        "last_updated": st.sampled_from(TIMES),
        "code": st.sampled_from(["B", "I", "X", "", "5"]) | DIRT,
        "nibrs_code": st.sampled_from(["220", "120", "35A", "13B", "", "240", "?"]),
        "description": st.sampled_from(["Burglary", "Robbery of a drug store", "Loitering", ""]),
        "lat": st.sampled_from(NUMBERS),
        "lon": st.sampled_from(NUMBERS),
        "discovery": st.sampled_from(["", "sensor", "officer_initiated", "rumour"]),
    }
)
GOOD = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["1", "2", "3"]),
        "occurred_at": st.sampled_from(TIMES[:5]),
        "last_updated": st.sampled_from(["", "2017-07-01", "2017-08-01"]),
        "code": st.just("B"),
        "lat": st.sampled_from(["41.9", "41.8"]),
        "lon": st.just("-87.6"),
    }
)


def run(rows: list[dict[str, str]]) -> NormalisedChunk:
    return normalise_chunk(RowChunk.from_rows(rows, MAPPING.column_names), MAPPING, CONTEXT)


@settings(max_examples=80, deadline=None)
@given(st.lists(ROWS | GOOD, max_size=12))
def test_each_received_row_is_counted_exactly_once(rows: list[dict[str, str]]) -> None:
    result = run(rows)
    assert result.received == len(rows)
    assert result.received == len(result) + len(result.superseded) + len(result.quarantined) + sum(
        result.refused.values()
    )
    numbers = [
        *result.row_number.tolist(),
        *result.superseded.tolist(),
        *(kept.row_number for kept in result.quarantined),
    ]
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) <= set(range(1, len(rows) + 1))
    assert all(kept.rejection.code in REJECTION_CODES for kept in result.quarantined)
    assert set(result.external_id) == {*result.external_id}
    assert len(set(result.external_id)) == len(result)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=8))
def test_one_row_reads_as_it_does_among_others(rows: list[dict[str, str]]) -> None:
    rows = [{**row, "id": f"{i}-{row['id']}" if row["id"].strip() else ""} for i, row in enumerate(rows)]
    together = run(rows)
    incidents = {item.row_number: item for item in together.incidents()}
    rejections = {kept.row_number: kept.rejection for kept in together.quarantined}
    for number, row in enumerate(rows, start=1):
        alone = normalise(row, MAPPING, CONTEXT, number)
        if isinstance(alone, NormalisedIncident):
            assert repr(incidents[number]) == repr(alone)
        elif isinstance(alone, Rejection):
            assert rejections[number] == alone
        else:
            assert isinstance(alone, Refusal)
            assert number not in incidents
            assert number not in rejections
            assert (alone.rule, alone.code) in together.refused


@settings(max_examples=40, deadline=None)
@given(st.lists(GOOD, max_size=10), st.randoms())
def test_order_matters_only_among_versions_with_the_same_update(
    rows: list[dict[str, str]], random: object
) -> None:
    unique = list({(row["id"], row["last_updated"]): row for row in rows}.values())
    shuffled = unique[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first = {item.external_id: item.content_hash for item in run(unique).incidents()}
    second = {item.external_id: item.content_hash for item in run(shuffled).incidents()}
    assert first == second


@settings(max_examples=40, deadline=None)
@given(st.lists(GOOD, max_size=10))
def test_reading_the_same_rows_twice_gives_the_same_content(rows: list[dict[str, str]]) -> None:
    assert run(rows).content_hash.tolist() == run(rows).content_hash.tolist()
