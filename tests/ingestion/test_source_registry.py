"""Feed kinds are registered classes that declare their parameters, and stored parameters are checked."""

from dataclasses import dataclass

import pytest

from ingestion import sources
from ingestion.sources import SourceError, parameter_infos, register, source_class, source_from, source_kinds


def test_the_csv_file_is_a_registered_kind_with_parameters_that_a_form_can_show() -> None:
    assert source_class("csv_file") in source_kinds()
    infos = parameter_infos("csv_file")
    assert [info.name for info in infos] == ["max_unpacked_mb", "max_ratio"]
    assert all(info.label and info.help and info.type is int for info in infos)


def test_stored_parameters_make_a_source() -> None:
    source = source_from("csv_file", {"max_unpacked_mb": 10})
    assert isinstance(source, sources.CsvFileSource)
    assert source.parameters.max_unpacked_mb == 10


@pytest.mark.parametrize(
    ("kind", "params", "word"),
    [
        ("carrier_pigeon", {}, "carrier_pigeon"),
        ("csv_file", {"colour": 1}, "colour"),
        ("csv_file", {"max_ratio": "200"}, "max_ratio"),
        ("csv_file", {"max_ratio": True}, "max_ratio"),
        ("csv_file", {"max_ratio": 0}, "max_ratio"),
    ],
)
def test_parameters_that_do_not_fit_are_named(kind: str, params: dict[str, object], word: str) -> None:
    with pytest.raises(SourceError, match=word):
        source_from(kind, params)


def test_two_kinds_of_one_name_are_a_programming_error() -> None:
    @dataclass(frozen=True)
    class Again(sources.CsvFileSource):
        kind = "csv_file"

    with pytest.raises(ValueError, match="twice"):
        register(Again)
