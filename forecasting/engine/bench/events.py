"""A file of past events, read and checked: what happened, where and when, and when it could be known."""

import hashlib
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from forecasting.engine.bench.files import bytes_read, unpacked
from forecasting.engine.bench.problems import BenchProblem
from ingestion.engine.withheld import UNTAUGHT_DISCOVERIES

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]
Flags = npt.NDArray[np.bool_]

REQUIRED = ("id", "occurred_at", "category", "lat", "lon")
OPTIONAL = ("occurred_to", "reported_at", "discovery", "coverage")
_WRITE_DATES = "write dates as 2018-01-31 or 2018-01-31 14:30:00, local time, without a zone."

NO_PLACE = "no place (lat or lon empty, or 0, 0)"
NO_TIME = "no occurred_at"
NO_CATEGORY = "no category"
BY_OFFICERS = "found by officers themselves (discovery = officer_initiated)"
REPEATED = "an id that an earlier row has already"


@dataclass(frozen=True)
class EventsFile:
    """The usable events of a file; arrays [n], ascending by ``known`` and then ``occurred``, times datetime64[s].

    All times are the file's own wall clock: no zone is applied anywhere. ``category`` indexes ``names``.
    ``known`` is ``reported_at``, never before ``occurred``; equal to it where the file does not say.
    ``coverage`` names the sensor area that heard it, empty where there is none.
    ``dropped`` counts the rows left out by reason; ``rows`` are all rows; ``digest`` is the file's SHA-256.
    """

    lon: Floats = field(repr=False)
    lat: Floats = field(repr=False)
    occurred: Times = field(repr=False)
    occurred_to: Times = field(repr=False)
    known: Times = field(repr=False)
    category: npt.NDArray[np.int64] = field(repr=False)
    coverage: npt.NDArray[np.str_] = field(repr=False)
    names: tuple[str, ...]
    rows: int
    dropped: Mapping[str, int]
    has_reported: bool
    digest: str

    def __len__(self) -> int:
        return len(self.lon)

    def take(self, rows: npt.ArrayLike) -> "EventsFile":
        """These events, in this order."""
        at = np.asarray(rows)
        return EventsFile(
            self.lon[at],
            self.lat[at],
            self.occurred[at],
            self.occurred_to[at],
            self.known[at],
            self.category[at],
            self.coverage[at],
            self.names,
            self.rows,
            self.dropped,
            self.has_reported,
            self.digest,
        )


def events_read(path: Path) -> EventsFile:
    """Read events from CSV or Parquet (either may be gzipped), told apart by their content.

    Columns: id, occurred_at, category, lat, lon; optionally occurred_to, reported_at, discovery, coverage. Others are not
    read. Rows without a place, a time or a category, rows found by officers and repeated ids (the earliest known
    stays) are left out and counted. A missing column, a date or number that cannot be read, a time zone, places
    that are not on the globe or look swapped, an empty or foreign file raise ``BenchProblem``.
    """
    frame, digest = _frame(path)
    if len(frame) == 0:
        raise BenchProblem(f"{path.name} has a header and no rows.", next_step="export the events again.")
    occurred = _times(frame, "occurred_at")
    lat, lon = _numbers(frame, "lat"), _numbers(frame, "lon")
    nowhere = ~np.isfinite(lat) | ~np.isfinite(lon) | ((lat == 0) & (lon == 0))
    _check_globe(frame, lat, lon, ~nowhere)
    category = frame["category"].astype("string").str.strip().fillna("").to_numpy(dtype=object)
    coverage = np.full(len(frame), "", dtype=object)
    if "coverage" in frame:
        coverage = frame["coverage"].astype("string").str.strip().fillna("").to_numpy(dtype=object)
    coverage = coverage.astype(str)
    dropped: dict[str, int] = {}
    keep = np.ones(len(frame), dtype=bool)

    def leave_out(reason: str, flags: Flags) -> None:
        dropped[reason] = int((keep & flags).sum())
        keep[flags] = False

    if "discovery" in frame:
        found = frame["discovery"].astype("string").str.strip().str.lower().fillna("")
        leave_out(BY_OFFICERS, found.isin(list(UNTAUGHT_DISCOVERIES)).to_numpy(dtype=bool))
    leave_out(NO_TIME, np.isnat(occurred))
    leave_out(NO_PLACE, nowhere)
    leave_out(NO_CATEGORY, category == "")
    known = np.maximum(occurred, _filled(frame, "reported_at", occurred))
    until = np.maximum(occurred, _filled(frame, "occurred_to", occurred))
    ids = frame["id"].astype("string").str.strip().fillna("")
    rows = np.flatnonzero(keep)
    # The earliest known of equal ids stays: a row that arrives later must not take an older one's place.
    rows = rows[np.lexsort((rows, occurred[rows], known[rows]))]
    again = np.zeros(len(frame), dtype=bool)
    again[rows] = ids.iloc[rows].duplicated().to_numpy() & (ids.iloc[rows] != "").to_numpy(dtype=bool)
    leave_out(REPEATED, again)
    rows = rows[keep[rows]]
    if len(rows) == 0:
        why = "; ".join(f"{count:,} × {reason}" for reason, count in dropped.items() if count)
        raise BenchProblem(f"No row of {path.name} can be used: {why}.", next_step="mend the file.")
    names, codes = np.unique(category[rows].astype(str), return_inverse=True)
    return EventsFile(
        lon=lon[rows],
        lat=lat[rows],
        occurred=occurred[rows],
        occurred_to=until[rows],
        known=known[rows],
        category=codes.astype(np.int64),
        coverage=coverage[rows],
        names=tuple(str(name) for name in names),
        rows=len(frame),
        dropped={reason: count for reason, count in dropped.items() if count},
        has_reported="reported_at" in frame,
        digest=digest,
    )


def _frame(path: Path) -> tuple[pd.DataFrame, str]:
    """The file's known columns, as text (CSV) or as stored (Parquet), and its SHA-256."""
    stored = bytes_read(path)
    digest = hashlib.sha256(stored).hexdigest()
    data = unpacked(path, stored)
    if not data.strip():
        raise BenchProblem(f"{path.name} is empty.", next_step="export the events again.")
    if data[:4] == b"PAR1":
        return _parquet(path.name, data), digest
    if b"\x00" in data[:4096] or data[:2] == b"PK":
        raise BenchProblem(
            f"{path.name} is neither CSV nor Parquet (a workbook or a zip?).",
            next_step="save the events as CSV (UTF-8, commas) or Parquet.",
        )
    return _csv(path.name, data), digest


def _parquet(name: str, data: bytes) -> pd.DataFrame:
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        columns = _wanted(name, [str(column) for column in file.schema_arrow.names])
        frame: pd.DataFrame = file.read(columns=list(columns)).to_pandas()
    except (pa.ArrowException, OSError) as exc:
        raise BenchProblem(f"{name} cannot be read as Parquet ({exc}).", next_step="write it again.") from exc
    return frame.rename(columns=columns).reset_index(drop=True)


def _csv(name: str, data: bytes) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            # Looked at with all its columns: a field too many in every row would shift or cut them without a word.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            head = pd.read_csv(io.BytesIO(data), nrows=100, index_col=False, dtype=str, encoding="utf-8-sig")
        columns = _wanted(name, [str(column) for column in head.columns])
        frame = pd.read_csv(
            io.BytesIO(data),
            usecols=list(columns),
            index_col=False,
            dtype=str,
            encoding="utf-8-sig",
            keep_default_na=False,
            na_values=[""],
        )
    except UnicodeDecodeError as exc:
        raise BenchProblem(f"{name} is not UTF-8 text ({exc}).", next_step="save the CSV as UTF-8.") from exc
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as exc:
        raise BenchProblem(
            f"{name} cannot be read as CSV ({str(exc).strip()}).",
            next_step="mend that line: every row needs as many fields as the header, with commas between.",
        ) from exc
    return frame.rename(columns=columns)


def _wanted(name: str, header: list[str]) -> dict[str, str]:
    """The file's columns that are read: {as written: as known here}."""
    tidy = {column.strip().lower(): column for column in reversed(header)}
    missing = [column for column in REQUIRED if column not in tidy]
    if missing:
        shown = ", ".join(header[:12]) + (" …" if len(header) > 12 else "")
        one = len(header) == 1 and any(mark in header[0] for mark in ";\t|")
        raise BenchProblem(
            f"{name} has no column {', '.join(missing)}; its columns are: {shown}.",
            next_step="separate the fields with commas."
            if one
            else f"rename or add columns: {', '.join(REQUIRED)} are needed, {', '.join(OPTIONAL)} are optional.",
        )
    return {tidy[column]: column for column in (*REQUIRED, *OPTIONAL) if column in tidy}


def _times(frame: pd.DataFrame, column: str) -> Times:
    """A column as datetime64[s]; empty fields become NaT."""
    given = frame[column]
    if isinstance(given.dtype, pd.DatetimeTZDtype):
        raise BenchProblem(f"Column {column} carries a time zone ({given.dtype.tz}).", next_step=_WRITE_DATES)
    if pd.api.types.is_datetime64_dtype(given):
        return given.to_numpy().astype("datetime64[s]")
    if pd.api.types.is_numeric_dtype(given) and given.notna().any():
        raise BenchProblem(
            f"Column {column} holds numbers ({given.dropna().iloc[0]}), not dates.", next_step=_WRITE_DATES
        )
    text = given.astype("string").str.strip()
    text = text.mask(text == "")
    zoned = text.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", regex=True).fillna(False) & (text.str.len() > 10)
    parsed = pd.to_datetime(text.where(~zoned), format="ISO8601", errors="coerce")
    if zoned.any():
        _bad_value(frame, column, zoned.to_numpy(dtype=bool), "carries a time zone", _WRITE_DATES)
    _bad_value(
        frame, column, (parsed.isna() & text.notna()).to_numpy(dtype=bool), "is not a date", _WRITE_DATES
    )
    return parsed.to_numpy().astype("datetime64[s]")


def _filled(frame: pd.DataFrame, column: str, otherwise: Times) -> Times:
    if column not in frame:
        return otherwise
    found = _times(frame, column)
    filled: Times = np.where(np.isnat(found), otherwise, found)
    return filled


def _numbers(frame: pd.DataFrame, column: str) -> Floats:
    given = frame[column]
    parsed = pd.to_numeric(given, errors="coerce")
    unread = (parsed.isna() & given.notna()).to_numpy(dtype=bool)
    _bad_value(frame, column, unread, "is not a number", "write degrees with a decimal point, e.g. 41.8781.")
    return parsed.to_numpy(dtype=np.float64, na_value=np.nan)


def _bad_value(frame: pd.DataFrame, column: str, bad: Flags, what: str, next_step: str) -> None:
    if not bad.any():
        return
    row = int(np.flatnonzero(bad)[0])
    value = str(frame[column].iloc[row])[:60]
    others = f" ({int(bad.sum()):,} such rows)" if bad.sum() > 1 else ""
    raise BenchProblem(f"Row {row + 1}, column {column}: “{value}” {what}{others}.", next_step=next_step)


def _check_globe(frame: pd.DataFrame, lat: Floats, lon: Floats, placed: Flags) -> None:
    wrong = placed & ((np.abs(lat) > 90) | (np.abs(lon) > 180))
    if not wrong.any():
        return
    swapped = wrong & (np.abs(lon) <= 90) & (np.abs(lat) <= 180)
    if swapped.sum() > 0.5 * placed.sum():
        row = int(np.flatnonzero(swapped)[0])
        raise BenchProblem(
            f"Columns lat and lon look swapped: row {row + 1} has latitude {lat[row]:g}, longitude {lon[row]:g}.",
            next_step="swap the two column names.",
        )
    column = "lat" if (np.abs(lat[wrong]) > 90).any() else "lon"
    beyond = wrong & ((np.abs(lat) > 90) if column == "lat" else (np.abs(lon) > 180))
    _bad_value(
        frame,
        column,
        beyond,
        "is not on the globe",
        "write WGS84 degrees; metres or feet of a state plane must be converted first.",
    )
