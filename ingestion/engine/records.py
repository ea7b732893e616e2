"""What comes out of reading rows: usable records, rows kept aside, and the account of all of them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingestion.engine.rejections import Rejection

Ints = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]


@dataclass(frozen=True)
class QuarantinedValue:
    """A row kept aside: why, and its mapped columns (as they can be stored), for a later replay."""

    row_number: int
    rejection: Rejection
    external_id: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class NormalisedIncident:
    """One usable record. Times are UTC ``datetime64[s]`` (NaT: not given); ``crime_type`` is empty for a call."""

    row_number: int
    external_id: str
    crime_type: str
    code: str
    occurred_from: np.datetime64
    occurred_to: np.datetime64
    reported_at: np.datetime64
    last_updated: np.datetime64
    lon: float
    lat: float
    discovery: str
    time_precision: str
    content_hash: int


@dataclass(frozen=True)
class NormalisedChunk:
    """The usable records of a chunk as columns, and the account of the others.

    ``received == len(chunk) + len(superseded) + len(quarantined) + sum(refused.values())``, always.
    ``superseded`` holds the row numbers of older versions of records that the file holds again. ``refused`` counts by
    (rule, code); ``refusal_messages`` has one message for each of its keys.
    """

    received: int
    row_number: Ints
    external_id: Objects
    crime_type: Objects
    code: Objects
    occurred_from: Times
    occurred_to: Times
    reported_at: Times
    last_updated: Times
    lon: Floats
    lat: Floats
    discovery: Objects
    time_precision: Objects
    content_hash: Ints
    superseded: Ints
    place_precision_m: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Metres between places that the source can tell apart; 0, or no element at all, where nobody knows."""
    quarantined: tuple[QuarantinedValue, ...] = ()
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusal_messages: Mapping[tuple[str, str], str] = field(default_factory=dict)
    refused_numbers: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    refused_reasons: tuple[Ints, Sequence[tuple[str, str]]] = (np.zeros(0, dtype=np.int64), ())
    """Row numbers of the refused rows; for each of them an index into the (rule, code) that follow."""
    stage: Objects | None = None
    stage_at: Times | None = None
    is_gunfire: npt.NDArray[np.bool_] | None = None
    """The three are there for feeds of gunfire alerts that tell of stages, and for those only."""
    unit: Objects | None = None
    """The call sign, or nothing; there for feeds of calls that tell of units, and for those only."""

    def __len__(self) -> int:
        return len(self.row_number)

    @property
    def refused_rows(self) -> list[tuple[int, str, str]]:
        """(row number, rule, code) of each refused row; nothing else of it is kept. For few rows: a push tells of each."""
        index, reasons = self.refused_reasons
        numbers = self.refused_numbers.tolist()
        return [(number, *reasons[one]) for number, one in zip(numbers, index.tolist(), strict=True)]

    def incidents(self) -> Iterator[NormalisedIncident]:
        """The usable records one by one; for few rows (tests, push), the columns are for many."""
        for i in range(len(self)):
            yield NormalisedIncident(
                row_number=int(self.row_number[i]),
                external_id=self.external_id[i],
                crime_type=self.crime_type[i],
                code=self.code[i],
                occurred_from=self.occurred_from[i],
                occurred_to=self.occurred_to[i],
                reported_at=self.reported_at[i],
                last_updated=self.last_updated[i],
                lon=float(self.lon[i]),
                lat=float(self.lat[i]),
                discovery=self.discovery[i],
                time_precision=self.time_precision[i],
                content_hash=int(self.content_hash[i]),
            )
