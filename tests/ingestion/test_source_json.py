"""JSON lines and arrays are read value by value; what is ambiguous or broken is kept aside or refused, never guessed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.rows import RowChunk
from ingestion.models import QuarantinedRow
from ingestion.sources import JsonFile, SourceError, source_from
from tests.ingestion.files import good_row, plain_feed, run_import

MAPPING = FeedMapping(columns={"external_id": "id", "occurred_from": "at", "code": "code"})


def file(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def opened(path: Path, mapping: FeedMapping | None = None, **params: Any) -> JsonFile:
    return source_from("json_lines_file", params).open(path, mapping=mapping)


def chunk(path: Path, mapping: FeedMapping = MAPPING, **params: Any) -> RowChunk:
    (one,) = opened(path, mapping, **params).chunks(mapping)
    return one


ONE = '{"id": 1, "at": "x", "code": "B"}'
FORMS = {
    "lines": f"{ONE}\n{ONE}\n",
    "without a last line end": f"{ONE}\n{ONE}",
    "windows": f"\ufeff{ONE}\r\n\r\n{ONE}\r\n",
    "array": f"[{ONE},{ONE}]",
    "pretty array": json.dumps([json.loads(ONE)] * 2, indent=4),
    "sequence": f"\x1e{ONE}\n\x1e{ONE}\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_way_of_writing_gives_the_same_rows(form, tmp_path):
    read = chunk(file(tmp_path, FORMS[form]))
    assert read.columns == {"id": ("1",), "at": ("x",), "code": ("B",)}
    assert len(read.superseded_row_numbers) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_and_compression_are_understood(encoding, tmp_path):
    path = file(tmp_path, gzip.compress(f"{ONE}\n".encode(encoding)))
    assert opened(path).sample() == [{"id": "1", "at": "x", "code": "B"}]


def test_nested_keys_are_joined_and_the_parts_of_short_lists_numbered(tmp_path):
    row = {"id": "1", "where": {"point": {"coordinates": [-87.6, 41.8]}}, "flag": True, "none": None}
    assert opened(file(tmp_path, json.dumps(row))).sample() == [
        {
            "id": "1",
            "where.point.coordinates.0": "-87.6",
            "where.point.coordinates.1": "41.8",
            "flag": "true",
            "none": "",
        }
    ]


def test_numbers_keep_every_digit(tmp_path):
    text = '{"id": 12345678901234567890123, "x": -87.62980000000001234, "e": 1E+2}'
    assert list(opened(file(tmp_path, text)).sample()[0].values()) == [
        "12345678901234567890123",
        "-87.62980000000001234",
        "1E+2",
    ]


@pytest.mark.parametrize(
    ("line", "code", "field"),
    [
        ('{"id": 1, "at": "x", "id": 2}', "repeated_field", "external_id"),
        ('{"id": {"a": 1}, "at": "x"}', "not_one_value", "external_id"),
        ('{"id": 1, "at": ["x", "y"]}', "not_one_value", "occurred_from"),
        ('{"id": NaN}', "bad_json", ""),
        ('{"id": 1', "bad_json", ""),
        ("[1, 2]", "bad_json", ""),
        ('"text"', "bad_json", ""),
        ("nonsense", "bad_json", ""),
        ("{" + '"a":{' * 5_000 + "}" * 5_001, "bad_json", ""),
    ],
)
def test_a_bad_line_is_kept_aside_by_its_number_and_the_others_are_read(line, code, field, tmp_path):
    read = chunk(file(tmp_path, f"{ONE}\n\n{line}\n" + ONE.replace("1", "2") + "\n"))
    assert read.columns["id"] == ("1", "2")
    (kept,) = read.rejections
    assert (kept.row_number, kept.rejection.code, kept.rejection.field) == (3, code, field)


def test_a_key_twice_with_the_same_value_or_in_a_column_that_is_not_mapped_harms_nobody(tmp_path):
    line = '{"id": 1, "id": 1, "at": "x", "code": "B", "note": 1, "note": 2, "list": [{}]}'
    assert chunk(file(tmp_path, line)).columns["id"] == ("1",)


def test_mixed_types_of_one_column_are_all_texts(tmp_path):
    lines = "\n".join(json.dumps({"id": v, "at": "x", "code": "B"}) for v in (1, "1b", 1.5, True, None))
    assert chunk(file(tmp_path, lines)).columns["id"] == ("1", "1b", "1.5", "true", "")


def test_columns_may_come_late_or_never(tmp_path):
    lines = [json.dumps({"id": n, "at": "x"}) for n in range(1_500)]
    late = [*lines, json.dumps({"id": "z", "at": "x", "code": "B"})]
    assert "code" in opened(file(tmp_path, "\n".join(late)), MAPPING).header
    survey = opened(file(tmp_path, "\n".join(lines)), MAPPING).survey(MAPPING)
    assert "'code'" in survey.warnings[0]
    never = opened(file(tmp_path, '{"other": 1}'), MAPPING)
    with pytest.raises(SourceError, match="'id'"):
        never.survey(MAPPING)


def test_keys_that_carry_data_are_refused(tmp_path):
    lines = "\n".join(json.dumps({f"case-{n}": 1}) for n in range(600))
    with pytest.raises(SourceError, match="their keys carry data"):
        opened(file(tmp_path, lines))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"[{ONE},{ONE}", "cut off"),
        (f'[{ONE},{{"id": 1, "at": "lo', "cut off"),
        (f"{ONE}\n" + ONE[:20], "cut off"),
        (f"[{ONE},{{id: 1}},{ONE}]", "Element 2"),
        (f"[{ONE}] {ONE}", "after the end"),
        ('{\n "rows": [\n' + ONE + "\n]}", "not one complete JSON object"),
        ("[]", "no JSON objects"),
        ("[1, 2]", "no JSON objects"),
    ],
)
def test_a_file_that_is_broken_as_a_whole_is_refused_with_words(text, words, tmp_path):
    with pytest.raises(SourceError, match=words):
        opened(file(tmp_path, text)).survey()


def test_the_rows_of_one_object_are_found_by_their_key(tmp_path):
    features = [
        {"type": "Feature", "properties": {"id": n}, "geometry": {"coordinates": [1.5, 2.5]}} for n in (1, 2)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, indent=1)
    sample = opened(file(tmp_path, text), rows_key="features").sample()
    assert [row["properties.id"] for row in sample] == ["1", "2"]
    assert sample[0]["geometry.coordinates.1"] == "2.5"
    with pytest.raises(SourceError, match="no key 'data'"):
        opened(file(tmp_path, text), rows_key="data")


def test_an_array_larger_than_what_is_read_at_once_is_read_whole(tmp_path):
    rows = [{"id": n, "at": "x" * (n % 97), "code": 'ü[]{}\\"'} for n in range(5_000)]
    for text in (json.dumps(rows), json.dumps(rows, ensure_ascii=False, indent=1)):
        read = chunk(file(tmp_path, text))
        assert read.columns["id"] == tuple(str(n) for n in range(5_000))
        assert read.row_numbers.tolist() == list(range(1, 5_001))


def test_a_bad_byte_and_a_nul_quarantine_their_row_only(agency, tmp_path):
    rows = [json.dumps(good_row(n)) for n in range(4)]
    rows[1] = rows[1].replace("B-1", "B-\\u0000")
    content = "\n".join(rows).encode().replace(b'"R00002"', b'"R\xff2"')
    run = run_import(plain_feed(agency, kind="json_lines_file"), file(tmp_path, content))
    assert run.rejections == {"nul_byte": 1, "bad_encoding": 1}
    assert sorted(QuarantinedRow.objects.values_list("row_number", flat=True)) == [2, 3]


def test_a_line_without_an_end_is_refused(tmp_path):
    with pytest.raises(SourceError, match="Line 2 is longer"):
        opened(file(tmp_path, f"{ONE}\n" + '{"id": "' + "x" * (9 * 1024 * 1024))).survey()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(rows=st.lists(st.dictionaries(st.sampled_from(["id", "at", "code", "a.b"]), VALUES), max_size=12))
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_values_every_object_is_accounted_for_alike_in_both_forms(rows, tmp_path):
    rows = [{"id": "1", "at": "2"}, *rows]
    lines = chunk(file(tmp_path, "\n".join(map(json.dumps, rows))))
    array = chunk(file(tmp_path, json.dumps(rows)))
    assert lines.received == array.received == len(rows)
    assert lines.columns == array.columns
    assert lines.rejections == array.rejections


@given(
    content=st.binary(max_size=300), start=st.sampled_from([b"", b"{", b"[", b'[{"id":1},', b'{"id":1}\n'])
)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_make_the_reader_fail_otherwise_than_in_words(content, start, tmp_path):
    path = file(tmp_path, start + content)
    try:
        received = sum(c.received for c in opened(path, MAPPING).chunks(MAPPING))
    except SourceError as error:
        received, words = 1, error.next_step
    else:
        words = "read"
    assert received >= 1
    assert words
