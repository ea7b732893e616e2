"""Read times that are all written in one form of fixed width, such as 01/31/2017 09:05:00 PM, a column at once."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.datetime64]
Ints = npt.NDArray[np.int64]

_WIDTHS = {"Y": 4, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2, "p": 2}
_TOKEN = re.compile(r"%(.)|([^%])", re.DOTALL)


def read_fixed(texts: Sequence[str], date_format: str) -> Times:
    """The wall-clock times of those texts that have the format's exact form with every digit written; NaT for all others.

    A time that is not read may well be one: leading zeros left out, small letters, a leap second. ``strptime`` can tell.
    Formats with names of months or days, zones or parts of a second are not read at all.

    >>> read_fixed(["01/31/2017 09:05:00 PM", "1/31/2017 9:05:00 PM"], "%m/%d/%Y %I:%M:%S %p").astype(str).tolist()
    ['2017-01-31T21:05:00', 'NaT']
    """
    nothing = np.full(len(texts), np.datetime64("NaT", "s"))
    tokens = _TOKEN.findall(date_format)
    names = [name for name, _ in tokens if name]
    if len(set(names)) != len(names) or not {"Y", "m", "d"} <= set(names) <= _WIDTHS.keys() or not len(texts):
        return nothing
    if ("I" in names) != ("p" in names) or ("I" in names and "H" in names):
        return nothing
    width = sum(_WIDTHS[name] if name else 1 for name, _ in tokens)
    # One more: a longer text shows a letter there.
    letters = np.array(texts, dtype=f"U{width + 1}").view(np.uint32).reshape(len(texts), width + 1)
    good = letters[:, width] == 0
    parts: dict[str, Ints] = {}
    at = 0
    for name, literal in tokens:
        if literal:
            good &= letters[:, at] == ord(literal)
            at += 1
            continue
        here = letters[:, at : at + _WIDTHS[name]].astype(np.int64)
        at += _WIDTHS[name]
        if name == "p":
            parts[name] = np.where(here[:, 0] == ord("P"), 12, 0)
            good &= np.isin(here[:, 0], [ord("A"), ord("P")]) & (here[:, 1] == ord("M"))
            continue
        digits = here - ord("0")
        good &= ((digits >= 0) & (digits <= 9)).all(axis=1)
        parts[name] = digits @ 10 ** np.arange(_WIDTHS[name])[::-1]
    return np.where(good, *_assembled(parts, nothing))


def _assembled(parts: dict[str, Ints], nothing: Times) -> tuple[Times, Times]:
    """The times of these parts, NaT where they are none; and NaT throughout."""
    zero = np.zeros(len(nothing), dtype=np.int64)
    hour = parts.get("H", zero)
    possible = (parts["Y"] >= 1) & (parts["m"] >= 1) & (parts["m"] <= 12) & (parts["d"] >= 1)
    if "I" in parts:
        possible &= (parts["I"] >= 1) & (parts["I"] <= 12)
        hour = parts["I"] % 12 + parts["p"]
    minute, second = parts.get("M", zero), parts.get("S", zero)
    possible &= (hour < 24) & (minute < 60) & (second < 60)
    month = np.where(possible, (parts["Y"] - 1970) * 12 + parts["m"] - 1, 0).astype("datetime64[M]")
    first, following = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
    possible &= parts["d"] <= (following - first).astype(np.int64)
    seconds = np.where(possible, (parts["d"] - 1) * 86_400 + hour * 3_600 + minute * 60 + second, 0)
    times: Times = first.astype("datetime64[s]") + seconds.astype("timedelta64[s]")
    return np.where(possible, times, nothing), nothing
