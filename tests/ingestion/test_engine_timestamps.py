"""Times in any form become instants, with their precision, through both nights of the clock change."""

import numpy as np
import pytest

from ingestion.engine.suggest import guess_date_format
from ingestion.engine.timestamps import READ, TIME_PRECISIONS, UNREADABLE, format_problem, parse_times

PORTAL = "%m/%d/%Y %I:%M:%S %p"


def one(text: str, date_format: str = "iso", zone: str = "America/Chicago") -> tuple[str, str]:
    parsed = parse_times([text], date_format=date_format, zone=zone)
    if parsed.status[0] != READ:
        return ("unreadable" if parsed.status[0] == UNREADABLE else "empty", "")
    return (str(parsed.utc[0]), TIME_PRECISIONS[parsed.precision[0]])


@pytest.mark.parametrize(
    ("text", "date_format", "expected"),
    [
        ("2017-07-01T10:00:00", "iso", ("2017-07-01T15:00:00", "second")),
        ("2017-07-01 10:00", "iso", ("2017-07-01T15:00:00", "minute")),
        ("2017-07-01T10:00:00.999", "iso", ("2017-07-01T15:00:00", "second")),
        ("2017-07-01T10:00:00Z", "iso", ("2017-07-01T10:00:00", "second")),
        ("2017-07-01T10:00:00-5:00", "iso", ("2017-07-01T15:00:00", "second")),
        ("2017-07-01T10:00:00-05:00", "iso", ("2017-07-01T15:00:00", "second")),
        ("2017-07-01T10:00:00+0530", "iso", ("2017-07-01T04:30:00", "second")),
        ("2017-07-01T10:00:00 -5", "iso", ("2017-07-01T15:00:00", "second")),
        ("01/05/2017 11:59:59 PM", PORTAL, ("2017-01-06T05:59:59", "second")),
        ("1/5/2017 1:00:00 AM", PORTAL, ("2017-01-05T07:00:00", "second")),
        ("2017-01-05T10:00:00Z", PORTAL, ("2017-01-05T10:00:00", "second")),
        ("01/05/2017 22:00 -5:00", "%m/%d/%Y %H:%M %z", ("2017-01-06T03:00:00", "minute")),
        ("1483250400", "epoch", ("2017-01-01T06:00:00", "second")),
        ("1483250400500", "epoch_ms", ("2017-01-01T06:00:00", "second")),
    ],
)
def test_a_readable_time_is_an_instant(text: str, date_format: str, expected: tuple[str, str]) -> None:
    assert one(text, date_format) == expected


@pytest.mark.parametrize(
    "text",
    ["yesterday", "2017-02-30", "2017-13-01", "2017", "2017-1", "13/05/2017 10:00:00 AM", "2017-07-01T25:00", "1e99", "NaT",
     "2017-07-01T10:00:00+99:00", "٢٠١٧-٠٧-٠١", "nan", "0"],
)  # fmt: skip
def test_an_unreadable_time_is_a_status_and_no_exception(text: str) -> None:
    assert one(text, PORTAL)[0] == "unreadable"


def test_an_empty_time_is_empty() -> None:
    assert one("") == ("empty", "")


def test_the_repeated_hour_means_its_first_occurrence_and_says_so() -> None:
    assert one("2017-11-05T01:30:00") == ("2017-11-05T06:30:00", "ambiguous")
    assert one("2017-11-05T01:30:00-06:00") == ("2017-11-05T07:30:00", "second")


def test_a_wall_time_that_never_was_is_the_first_moment_after_the_gap_and_says_so() -> None:
    assert one("2017-03-12T02:30:00") == ("2017-03-12T08:00:00", "shifted")
    assert one("03/12/2017 02:30:00 AM", PORTAL) == ("2017-03-12T08:00:00", "shifted")


def test_a_date_alone_covers_its_day_also_when_that_has_25_hours() -> None:
    parsed = parse_times(["2017-11-05", "2017-07-01"], date_format="iso", zone="America/Chicago")
    assert [TIME_PRECISIONS[code] for code in parsed.precision] == ["day", "day"]
    assert (parsed.end_utc - parsed.utc).astype(int).tolist() == [25 * 3600 - 1, 24 * 3600 - 1]


def test_a_date_alone_among_full_times_keeps_the_declared_order() -> None:
    assert one("01/05/2017", PORTAL) == ("2017-01-05T06:00:00", "day")


def test_a_value_reads_alike_alone_and_among_others() -> None:
    texts = [
        "2017-07-01",
        "01/05/2017 10:00:00 PM",
        "junk",
        "",
        "2017-07-01T10:00:00-5:00",
        "03/12/2017 02:30:00 AM",
    ]
    together = parse_times(texts * 3, date_format=PORTAL, zone="America/Chicago")
    for index, text in enumerate(texts * 3):
        alone = parse_times([text], date_format=PORTAL, zone="America/Chicago")
        assert str(alone.utc[0]) == str(together.utc[index])
        assert alone.status[0] == together.status[index]
        if alone.status[0] == READ:
            assert alone.precision[0] == together.precision[index]


def test_no_values_give_no_times() -> None:
    assert len(parse_times([], date_format="iso", zone="UTC").utc) == 0


@pytest.mark.parametrize(
    ("date_format", "word"),
    [
        ("%H:%M", "year"),
        ("%Y-%m", "day"),
        ("%Y %d", "month"),
        ("%m/%d/%Y %I:%M", "%p"),
        ("%Y-%m-%d %Q", "%Q"),
    ],
)
def test_a_date_format_that_loses_something_is_named(date_format: str, word: str) -> None:
    assert word in format_problem(date_format)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["01/31/2017 10:00:00 AM"], (PORTAL, False)),
        (["31/01/2017 10:00"], ("%d/%m/%Y %H:%M", False)),
        (["01/02/2017 10:00"], ("%m/%d/%Y %H:%M", True)),
        (["2017-01-31T10:00:00Z", ""], ("iso", False)),
        (["20170131"], ("%Y%m%d", False)),
        (["1483250400"], ("epoch", False)),
        (["1483250400000"], ("epoch_ms", False)),
        (["soon"], ("", False)),
        ([], ("", False)),
    ],
)
def test_the_form_of_times_is_guessed_from_a_sample(texts: list[str], expected: tuple[str, bool]) -> None:
    assert guess_date_format(texts) == expected


def test_years_beyond_reason_do_not_overflow() -> None:
    parsed = parse_times(
        ["9999-12-31", "0001-01-01", "253402300800"], date_format="epoch", zone="America/Chicago"
    )
    assert parsed.status[2] == UNREADABLE
    assert np.isnat(parsed.utc[2])
