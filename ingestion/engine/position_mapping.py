"""Which columns of a sender's rows are the unit, the instant and the place of a vehicle, and how its times are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from ingestion.engine.positions import COLUMNS
from ingestion.engine.privacy import screen_columns

RECORD_KIND = "positions"
MAX_NAME = 100
LABELS = {"unit": "the unit's call sign", "at": "the instant", "lon": "the longitude", "lat": "the latitude"}


@dataclass(frozen=True)
class PositionMapping:
    """The sender's own names for the four things that are read of a position. Nothing else of a row is ever read.

    ``date_format`` is "iso", "epoch", "epoch_ms" or a strptime format; ``time_zone`` empty means the agency's.
    """

    columns: Mapping[str, str] = field(default_factory=lambda: {name: name for name in COLUMNS})
    date_format: str = "iso"
    time_zone: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "PositionMapping":
        """The stored mapping; the documented names where nothing is stored.

        >>> PositionMapping.from_json({"columns": {"unit": "VehicleID"}}).columns["unit"]
        'VehicleID'
        """
        stored = data.get("columns")
        given: Mapping[str, Any] = stored if isinstance(stored, Mapping) else {}
        return cls(
            columns={name: str(given.get(name) or name) for name in COLUMNS},
            date_format=str(data.get("date_format") or "iso"),
            time_zone=str(data.get("time_zone") or ""),
        )

    def to_json(self) -> dict[str, Any]:
        """As it is stored on the feed; nothing where it says what is documented anyway."""
        if self == PositionMapping():
            return {}
        return {
            "record_kind": RECORD_KIND,
            "columns": dict(self.columns),
            "date_format": self.date_format,
            "time_zone": self.time_zone,
        }

    def problems(self) -> dict[str, str]:
        """What is wrong, by the column's or setting's name. Columns about persons are refused here as everywhere."""
        found: dict[str, str] = {}
        seen: dict[str, str] = {}
        for name, column in self.columns.items():
            if len(column) > MAX_NAME:
                found[name] = f"A column's name has at most {MAX_NAME} characters."
            elif column in seen:
                found[name] = f"“{column}” is already {LABELS[seen[column]]}."
            elif name == "unit" and (violations := screen_columns([column])):
                found[name] = violations[0].message
            seen.setdefault(column, name)
        if self.time_zone:
            try:
                ZoneInfo(self.time_zone)
            except (ValueError, OSError, KeyError):
                found["time_zone"] = (
                    f"“{self.time_zone}” is no time zone. Use a name such as America/Chicago."
                )
        if self.date_format not in ("iso", "epoch", "epoch_ms") and "%" not in self.date_format:
            found["date_format"] = (
                "Write iso, epoch (seconds), epoch_ms, or a format such as %m/%d/%Y %H:%M:%S."
            )
        return found
