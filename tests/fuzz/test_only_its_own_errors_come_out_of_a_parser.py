"""Each parser on some hundred damaged files, the same each time. `make fuzz` feeds each for a minute, guided by coverage."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingestion.sources import source_kinds, whole_file_class
from ingestion.sources.base import is_pull
from tests.fuzz.mutations import mutated
from tests.fuzz.parsers import TABLES, WHOLE, Parser, parsers

PARSERS = list(parsers())
MUTATIONS = 60


def said(parser: Parser, data: bytes) -> None:
    fault = parser.fault(data)
    if fault is not None:
        raise AssertionError(f"{parser.name} on {data[:300]!r}") from fault


def test_every_reader_of_files_is_among_them() -> None:
    kinds = {source.kind for source in source_kinds() if not is_pull(source.kind) and hasattr(source, "open")}
    assert {kind for kind in kinds if whole_file_class(kind)} - set(WHOLE) == set()
    assert kinds - set(WHOLE) - set(TABLES) - {"push"} == set()


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_its_examples_are_read(parser: Parser) -> None:
    parser.read(parser.examples()[0])
    for example in parser.examples():
        said(parser, example)


@pytest.mark.slow
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_damaged_files_are_refused_in_its_own_words(parser: Parser) -> None:
    rng, examples = random.Random(8), parser.examples()
    for _ in range(MUTATIONS):
        said(parser, mutated(rng, examples))


@pytest.mark.slow
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_arbitrary_bytes_and_texts_are_refused_in_its_own_words(parser: Parser) -> None:
    kinds = st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    )
    start = st.sampled_from([b"", *(example[:40] for example in parser.examples())])

    @hypothesis_settings(
        max_examples=25,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(start, kinds)
    def reads(head: bytes, rest: bytes) -> None:
        said(parser, head + rest)

    reads()


def test_a_fault_is_one_and_a_refusal_is_none() -> None:
    parser = Parser("x", lambda: [b""], lambda data: {}[data], lambda: (IndexError,))
    assert isinstance(parser.fault(b"a"), KeyError)
    assert Parser("x", lambda: [b""], lambda data: {}[data], lambda: (KeyError,)).fault(b"a") is None


def test_the_same_seed_damages_alike() -> None:
    example = next(parser for parser in PARSERS if parser.name == "excel_file").examples()
    one, other, third = ([mutated(random.Random(seed), example) for _ in range(5)] for seed in (1, 1, 2))
    assert one == other != third
