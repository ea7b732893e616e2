"""Times of one fixed form are read as strptime reads them, or left to it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.engine.fixed_times import read_fixed

# ruff: noqa: DTZ001, DTZ007 - these are wall clocks: the zone is applied later
FORMATS = (
    "%m/%d/%Y %I:%M:%S %p",
    "%d.%m.%Y %H:%M",
    "%Y%m%d",
    "%Y-%m-%d %H:%M:%S",
    "%H:%M %d/%m/%Y",
)


@given(st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)), st.sampled_from(FORMATS))
def test_what_strftime_writes_is_read(moment: dt.datetime, date_format: str) -> None:
    # Python's own leaves the zeros out before the year 1000.
    text = moment.strftime(date_format.replace("%Y", f"{moment.year:04d}"))
    (read,) = read_fixed([text], date_format)
    assert read.astype(object) == dt.datetime.strptime(text, date_format)


@given(
    st.lists(st.text(st.sampled_from("0123459/ :APM"), min_size=20, max_size=23), min_size=1, max_size=5)
    | st.lists(
        st.builds(
            "{:02d}/{:02d}/{:04d} {:02d}:{:02d}:{:02d} {}".format,
            *[st.integers(0, high) for high in (14, 33, 9999, 25, 61, 61)],
            st.sampled_from(["AM", "PM", "am", "XM", "A"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_nothing_is_read_that_strptime_does_not_read_alike(texts: list[str]) -> None:
    date_format = "%m/%d/%Y %I:%M:%S %p"
    for text, read in zip(texts, read_fixed(texts, date_format), strict=True):
        if not np.isnat(read):
            assert read.astype(object) == dt.datetime.strptime(text, date_format)


@pytest.mark.parametrize(
    ("text", "date_format"),
    [
        ("02/29/2017", "%m/%d/%Y"),
        ("00/01/2017", "%m/%d/%Y"),
        ("01/01/0000", "%m/%d/%Y"),
        ("01/01/20177", "%m/%d/%Y"),
        ("1/01/2017", "%m/%d/%Y"),
        ("01/01/2017 13:00 PM", "%m/%d/%Y %I:%M %p"),
        ("01/01/2017 24:00", "%m/%d/%Y %H:%M"),
        ("٠١/٠١/٢٠١٧", "%m/%d/%Y"),
        ("", "%m/%d/%Y"),
        ("01 Jan 2017", "%d %b %Y"),
        ("2017-01-01 10:00", "%Y-%m-%d %I:%M"),
    ],
)
def test_what_is_no_time_of_this_form_is_not_read(text: str, date_format: str) -> None:
    assert np.isnat(read_fixed([text], date_format)).all()


def test_no_texts_are_no_times() -> None:
    assert read_fixed([], "%m/%d/%Y").tolist() == []
