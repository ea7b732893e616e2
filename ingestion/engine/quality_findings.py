"""What the figures of a feed's quality mean, in words, worst first: what is wrong, what it does to forecasts, what to do."""

from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.engine.quality import Quality

GEOCODING_GOOD = 0.85
"""The share of rows that must have a place so that maps of crime are not misleading (Ratcliffe 2004)."""
HEAPED_HOUR = 0.10
HEAPED_POINT = 0.01
HEAPED_ROWS = 20
"""Fewer at one minute of the day may be chance in a small feed."""
DRIFT_SHARE = 0.2
NOT_GEOCODED = ("missing_coordinates", "zero_coordinates", "bad_coordinates")
PLACE_CODES = (*NOT_GEOCODED, "swapped_coordinates", "coordinates_out_of_range", "outside_boundary")
TONES = ("bad", "warn", "good")


@dataclass(frozen=True)
class Finding:
    """One sentence about a feed's data. ``tone`` is bad, warn or good."""

    tone: str
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Geocoding:
    """How many rows have a usable place. Rates are None where no row has been judged."""

    placed: int
    not_geocoded: int
    unusable: int
    """Geocoded to somewhere that cannot be: swapped, another coordinate system, outside the boundary."""

    @property
    def rate(self) -> float | None:
        """Rows that came with coordinates, of all that are stored or kept aside for their place."""
        whole = self.placed + self.not_geocoded + self.unusable
        return (self.placed + self.unusable) / whole if whole else None

    @property
    def percent(self) -> float | None:
        """The rate in per cent."""
        return None if self.rate is None else 100 * self.rate


def geocoding(stored: int, waiting: Mapping[str, int]) -> Geocoding:
    """Count from what is stored and what is kept aside, by code.

    >>> geocoding(85, {"missing_coordinates": 10, "outside_boundary": 5}).rate
    0.9
    """
    not_geocoded = sum(waiting.get(code, 0) for code in NOT_GEOCODED)
    return Geocoding(stored, not_geocoded, sum(waiting.get(code, 0) for code in PLACE_CODES) - not_geocoded)


def findings(quality: Quality, *, waiting: Mapping[str, int]) -> list[Finding]:
    """Everything that a person should know, bad before warn; one good sentence where there is nothing to say."""
    if not quality.rows and not waiting:
        return [Finding("warn", "Nothing is stored yet.", "Import a file.")]
    found = [
        *_places(quality, geocoding(quality.rows, waiting)),
        *_clocks(quality),
        *_reports(quality),
        *_volume(quality),
    ]
    if unmapped := waiting.get("unmapped_code", 0):
        found.append(
            Finding(
                "bad",
                f"{unmapped:,} rows wait because nobody has said what their code means.",
                "Map the codes below.",
            )
        )
    found.sort(key=lambda finding: TONES.index(finding.tone))
    return found or [Finding("good", "Nothing stands out.")]


def _places(quality: Quality, coded: Geocoding) -> list[Finding]:
    found = []
    if coded.rate is not None and coded.rate < GEOCODING_GOOD:
        found.append(
            Finding(
                "bad",
                f"Only {100 * coded.rate:.1f} % of the rows have coordinates; below {100 * GEOCODING_GOOD:.0f} % maps of crime mislead.",
                "Geocode the rest at the source: what has no place is missing from every forecast.",
            )
        )
    for pile in quality.pile_ups:
        if pile.kind in ("default", "centre"):
            what = "the middle of the area" if pile.kind == "centre" else "a stand-in address"
            found.append(
                Finding(
                    "bad",
                    f"{pile.rows:,} rows ({100 * pile.share:.1f} %) lie on one point that looks like {what}: {pile.lat:.5f}, {pile.lon:.5f}.",
                    "Ask who geocodes: rows without a known place should come without coordinates, or missions go there.",
                )
            )
    coarse = quality.place_precision.get("coarser", 0) + quality.place_precision.get("111 metres", 0)
    if quality.rows and coarse / quality.rows > HEAPED_HOUR:
        found.append(
            Finding(
                "warn",
                f"{100 * coarse / quality.rows:.0f} % of the places are rounded to about 100 metres or more: they fall into the wrong cells.",
                "Ask the source for more decimals (five are a metre).",
            )
        )
    return found


def _clocks(quality: Quality) -> list[Finding]:
    found = []
    heaping = quality.heaping
    for name, share in (("00:00", heaping.midnight), ("12:00", heaping.noon)):
        if share > HEAPED_POINT and share * heaping.rows >= HEAPED_ROWS:
            found.append(
                Finding(
                    "warn",
                    f"{100 * share:.1f} % of the times are exactly {name}; evenly spread it would be 0.07 %.",
                    "It usually stands for “unknown”: send such rows as a date alone, or their shift is over-counted.",
                )
            )
    days_only = quality.time_precision.get("day", 0)
    if quality.rows and days_only / quality.rows > HEAPED_HOUR:
        found.append(
            Finding(
                "warn",
                f"{100 * days_only / quality.rows:.0f} % of the rows say the day and no time: they count for the whole day.",
                "Map the time's own column, if the source has one.",
            )
        )
    return found


def _reports(quality: Quality) -> list[Finding]:
    lag = quality.lag
    if not lag.rows:
        return (
            [
                Finding(
                    "warn",
                    "No row says when it was reported: tests of the forecast take everything as known at once.",
                    "Map the report time, or set the feed's reporting lag (Admin → Feeds).",
                )
            ]
            if quality.rows
            else []
        )
    if lag.before_start / lag.rows > HEAPED_POINT:
        return [
            Finding(
                "bad",
                f"{lag.before_start:,} rows were reported before they began.",
                "Check that the two columns are not exchanged, and the time zone.",
            )
        ]
    return []


def _volume(quality: Quality) -> list[Finding]:
    found = []
    days = quality.days
    if days.gaps:
        gap = days.gaps[0]
        when = f"on {gap.first}" if gap.days == 1 else f"from {gap.first} to {gap.last}"
        found.append(
            Finding(
                "bad",
                f"{days.gap_days:,} days are missing, the latest {when} (usually {gap.expected:,.0f} rows a day).",
                "Export those days again: the forecast takes them for quiet.",
            )
        )
    if days.thin_days:
        found.append(
            Finding(
                "warn",
                f"{days.thin_days:,} days hold less than a third of what is usual, the latest on {days.thin[0]}.",
                "Export those days again.",
            )
        )
    whole = quality.drift.whole
    if whole is None or whole.ratio is None or whole.low is None or whole.high is None:
        return found
    if whole.low > 1 + DRIFT_SHARE or whole.high < 1 - DRIFT_SHARE:
        found.append(
            Finding(
                "warn",
                f"The volume is {whole.ratio:.2f} times last year's (95 % interval {whole.low:.2f} – {whole.high:.2f}).",
                "Find out whether crime changed or recording did: a new system, new codes, another export.",
            )
        )
    return found
