"""What rows are read against."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from ingestion.engine.codes import CodeTable
from ingestion.engine.places import Boundary

# Clocks of two systems differ by minutes; a quarter of an hour ahead is a clock, a day ahead is an error.
CLOCK_TOLERANCE = timedelta(minutes=15)


@dataclass(frozen=True)
class NormaliseContext:
    """What a row is read against: the agency's zone, the moment of reading, its boundary and its code table."""

    zone: str
    now: datetime
    codes: CodeTable
    boundary: Boundary | None = None
    coarsen_before: np.datetime64 | None = None
    """Records from before are made coarse at the door: a file read again must not bring back what retention took away."""
    delete_before: np.datetime64 | None = None
    """Records from before are refused."""
    call_signs: Mapping[str, str] = field(default_factory=dict)
    """The agency's call signs by their small letters: a column of units may hold anything, names of officers too."""

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            raise ValueError("The moment of reading must carry its zone: pass an aware UTC datetime.")

    @property
    def latest(self) -> np.datetime64:
        """The newest time that is believed."""
        return np.datetime64(int((self.now + CLOCK_TOLERANCE).timestamp()), "s")
