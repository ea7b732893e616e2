"""Whichever reader splits a block of lines, the rows are those of Python's own CSV reader."""

from __future__ import annotations

import csv
import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.sources import csv_pieces
from ingestion.sources.csv_pieces import CsvPieces, KeptPieces, Piece, plain_bytes

WIDTH = 3
COLUMNS = {"a": 0, "c": 2}


def pieces(text: str, block: int = 4_000_000) -> list[Piece]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_pieces, "BLOCK_CHARACTERS", block)
        reader = CsvPieces(io.StringIO(text, newline=""), delimiter=",", width=WIDTH, indices=COLUMNS)
        return list(reader.pieces())


def rows_of(found: list[Piece]) -> tuple[list[tuple[int, str, str]], list[tuple[int, int]]]:
    good: list[tuple[int, str, str]] = []
    ragged: list[tuple[int, int]] = []
    for piece in found:
        texts = [
            column if isinstance(column, list) else column.to_pylist() for column in piece.columns.values()
        ]
        good += zip(piece.numbers.tolist(), *texts, strict=True)
        ragged += piece.ragged
    return good, ragged


def expected(text: str) -> tuple[list[tuple[int, str, str]], list[tuple[int, int]]]:
    numbered = list(enumerate(csv.reader(io.StringIO(text, newline="")), 1))
    header = next((place for place, (_, row) in enumerate(numbered, 1) if row), len(numbered))
    good = [(number, row[0], row[2]) for number, row in numbered[header:] if len(row) == WIDTH]
    return good, [(number, len(row)) for number, row in numbered[header:] if row and len(row) != WIDTH]


CELLS = st.one_of(
    st.text(st.sampled_from('ab ,"\n\ré\x00\u2028\x0b\udce9'), max_size=4),
    st.sampled_from(['"x"', '"x,y"', '"x""y"', '""', "NA", "null", " ", '"x\ny"', 'x"y', '"x"y', '"x" ']),
)
LINES = st.tuples(
    st.lists(CELLS, min_size=1, max_size=4), st.sampled_from(["\n", "\r\n", "\n", "\r", "\n\n"])
)


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=12), st.sampled_from([7, 20, 4_000_000]))
def test_any_text_is_split_as_python_splits_it(lines: list[tuple[list[str], str]], block: int) -> None:
    text = "h,i,j\n" + "".join(",".join(cells) + end for cells, end in lines)
    assert rows_of(pieces(text, block)) == expected(text)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\n\r\x00"), max_size=5),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_program_writes_is_split_fast_and_alike(table: list[list[str]], end: str) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator=end).writerows([["h", "i", "j"], *table])
    text = written.getvalue()
    assert rows_of(pieces(text)) == expected(text)
    body = text[len("h,i,j" + end) :]
    has_odd_start = body[0] in "\ufeff"
    assert (plain_bytes(body, ",") is None) == has_odd_start, "a usual file must not take the slow way"


@pytest.mark.parametrize(
    "odd",
    [
        '1,x"y,3\n',
        '1,"x"y,3\n',
        '1,"x\ny",3\n',
        "\n1,2,3\n",
        "1,2,3\n\n",
        "1,2\r3\n",
        "1,\x00,3\n",
        "1,\udce9,3\n",
    ],
)
def test_a_block_on_which_readers_differ_is_left_to_pythons(odd: str) -> None:
    assert plain_bytes("1,2,3\n" + odd, ",") is None


def test_rows_of_another_length_are_told_by_number_and_width() -> None:
    good, ragged = rows_of(pieces("h,i,j\n1,2,3\n1,2\n\n1,2,3,4\n4,5,6\n"))
    assert good == [(2, "1", "3"), (6, "4", "6")]
    assert ragged == [(3, 2), (5, 4)]


def test_a_line_without_an_end_is_not_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_pieces, "MAX_LINE_CHARACTERS", 1_000)
    reader = CsvPieces(io.StringIO("h,i,j\n" + "x" * 5_000), delimiter=",", width=WIDTH, indices=COLUMNS)
    monkeypatch.setattr(csv_pieces, "BLOCK_CHARACTERS", 100)
    with pytest.raises(csv.Error, match="field limit"):
        list(reader.pieces())
    assert 1_000 <= sum(map(len, reader.record)) < 2_000


def test_pieces_are_kept_up_to_a_limit_and_serve_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = pieces("h,i,j\n" + "1,2,3\n" * 50, 60)
    kept = KeptPieces(("a", "c"))
    for piece in found:
        kept.add(piece)
    assert kept.serves(("a", "c"))
    assert not kept.serves(("a",))
    assert [piece.first for piece in kept.taken()] == [piece.first for piece in found]
    monkeypatch.setattr(KeptPieces, "MAX_BYTES", 100)
    small = KeptPieces(("a", "c"))
    for piece in found:
        small.add(piece)
    assert not small.serves(("a", "c"))
    assert list(small.taken()) == [], "memory must not grow with the file"


def test_marks_of_undecodable_bytes_are_not_kept_as_arrow_cannot_hold_them() -> None:
    (piece,) = pieces("h,i,j\n1,2,\udce9\n")
    assert piece.byte_count is None
    assert rows_of([piece])[0] == [(2, "1", "\udce9")]


def test_row_numbers_go_on_over_fast_and_slow_blocks() -> None:
    text = "h,i,j\n" + "1,2,3\n" * 30 + '4,"5\n5",6\n' + "7,8,9\n" * 30
    found = pieces(text, 50)
    assert len(found) > 3
    assert np.concatenate([piece.numbers for piece in found]).tolist() == list(range(2, 63))
    assert [(piece.first, piece.end) for piece in found[1:]] == [
        (before.end, piece.end) for before, piece in pairwise(found)
    ]
