"""The design matrix of one crime type: which columns there are, what family each belongs to, who uses which."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from forecasting.engine.features import RATES, RECENT_DAYS, rate_index
from forecasting.engine.periods import Periods, ShiftWindow, weekday_of

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

OTHER_RATES = (
    rate_index(45.0, 200.0),
    rate_index(450.0, 0.0),
    rate_index(450.0, 200.0),
    rate_index(math.inf, 0.0),
    rate_index(math.inf, 400.0),
    rate_index(450.0, 200.0, True),
)
PRIOR_STRENGTHS = (0.5, 2.0, 8.0)
CALENDAR = ("slot", "weekday", "start_hour_sin", "start_hour_cos", "season_sin", "season_cos")
FAMILIES = (
    "recent_here",
    "recent_nearby",
    "long_run_here",
    "long_run_nearby",
    "time_of_day",
    "other_types",
    "context",
    "events",
    "weather",
    "calendar",
)
"""Every column belongs to one of these. ``events`` and ``weather`` have columns only where an agency feeds them."""
_PREFIXES = {"event:": "events", "weather:": "weather"}
_KIND = {"context": "context", "events": "event", "weather": "weather"}
_RADIUS = re.compile(r"_(?:\d+(?:\.\d+)?m|nearest)$")


def context_family(name: str) -> str:
    """The family of a column of the context block, by the start of its name.

    >>> context_family("event:stadium_400m"), context_family("weather:rain"), context_family("bars_150m")
    ('events', 'weather', 'context')
    """
    return next((family for prefix, family in _PREFIXES.items() if name.startswith(prefix)), "context")


def context_layer(name: str) -> str:
    """The layer that a column of the context block tells of: its name without family and radius.

    >>> context_layer("bars_150m"), context_layer("event:stadium_400m"), context_layer("weather:rain")
    ('bars', 'stadium', 'rain')
    """
    return _RADIUS.sub("", name.split(":", 1)[1] if context_family(name) != "context" else name)


def context_part(name: str) -> str:
    """The part of an explanation that a column of the context block belongs to, such as ``context:bars``."""
    return f"{_KIND[context_family(name)]}:{context_layer(name)}"


def part_family(part: str) -> str:
    """The family that a part of an explanation belongs to: ``other:robbery`` → ``other_types``."""
    kind = part.split(":", 1)[0] if ":" in part else part
    return {"other": "other_types", "event": "events"}.get(kind, kind)


def _family(half_life_days: float, bandwidth_m: float, same_shift: bool) -> str:
    if same_shift:
        return "time_of_day"
    when = "recent" if half_life_days <= RECENT_DAYS else "long_run"
    return f"{when}_{'nearby' if bandwidth_m else 'here'}"


@dataclass(frozen=True)
class Layout:
    """Names and places of the columns for one crime type (``source`` among ``sources``) on ``n_cells`` cells.

    Order: own rates, other sources' rates, shrunk rates (towards the neighbourhood and towards the context),
    the context's own rate, calendar, static context columns, what passes (events near a cell, weather).
    """

    source: int
    sources: tuple[str, ...]
    context_names: tuple[str, ...]
    n_cells: int
    passing_names: tuple[str, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self._columns)

    @cached_property
    def families(self) -> tuple[str, ...]:
        return tuple(family for _, family in self._columns)

    @cached_property
    def _columns(self) -> tuple[tuple[str, str], ...]:
        own = [(rate.name, _family(rate.half_life_days, rate.bandwidth_m, rate.same_shift)) for rate in RATES]
        others = [
            (f"{self.sources[other]}:{RATES[rate].name}", "other_types")
            for other in self.others
            for rate in OTHER_RATES
        ]
        shrunk = [(f"shrunk_{strength:g}", "long_run_here") for strength in PRIOR_STRENGTHS]
        if self.context_names:
            shrunk += [(f"context_shrunk_{strength:g}", "context") for strength in PRIOR_STRENGTHS]
            shrunk += [("context_rate", "context")]
        calendar = [(name, "calendar") for name in CALENDAR]
        static = [(f"context:{name}", context_family(name)) for name in self.context_names]
        passing = [(name, context_family(name)) for name in self.passing_names]
        return tuple(own + others + shrunk + calendar + static + passing)

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """What each column says in an explanation: its family, one other crime type, or one layer by name.

        Empty for the columns that are worked out from others (``derive``): they speak for those.
        """
        parts = list(self.families[: len(RATES)])
        parts += [f"other:{self.sources[other]}" for other in self.others for _ in OTHER_RATES]
        parts += [""] * (self.n_rates - len(parts)) + ["calendar"] * len(CALENDAR)
        return (*parts, *(context_part(name) for name in (*self.context_names, *self.passing_names)))

    @cached_property
    def part_names(self) -> tuple[str, ...]:
        """Every part once, families in the order of ``FAMILIES``."""
        names = dict.fromkeys(part for part in self.parts if part)
        return tuple(sorted(names, key=lambda part: FAMILIES.index(part_family(part))))

    @property
    def others(self) -> tuple[int, ...]:
        return tuple(other for other in range(len(self.sources)) if other != self.source)

    def find(self, *names: str) -> tuple[int, ...]:
        return tuple(self.names.index(name) for name in names)

    @cached_property
    def n_rates(self) -> int:
        """Rates come first: every column before the calendar is relative and not negative."""
        return self.names.index(CALENDAR[0])

    @property
    def static(self) -> slice:
        """The static context columns."""
        first = self.n_rates + len(CALENDAR)
        return slice(first, first + len(self.context_names))

    @property
    def passing(self) -> slice:
        """The columns of what passes, the last ones. The log effect of each event that is on; the weather as it is."""
        return slice(self.static.stop, self.static.stop + len(self.passing_names))

    @cached_property
    def event_columns(self) -> tuple[int, ...]:
        """Columns that hold the log effect of events near a cell, known from the comparison of places with themselves."""
        names = enumerate(self.passing_names, self.static.stop)
        return tuple(column for column, name in names if context_family(name) == "events")

    @cached_property
    def mean_one(self) -> tuple[int, ...]:
        """Columns whose mean over all cells is exactly one in every period."""
        return tuple(range(len(RATES) + len(self.others) * len(OTHER_RATES)))

    @cached_property
    def tree_columns(self) -> tuple[int, ...]:
        """A short list for the trees: their time goes with the number of columns, their skill hardly does."""
        own = (
            *("45d_here", "450d_here", "all_here"),
            *(f"{memory}_{width}m" for width in (200, 400) for memory in ("12d", "45d", "450d", "all")),
            *("12d_900m", "150d_900m"),
            *("450d_200m_same_shift", "all_400m_same_shift"),
            *("shrunk_2", "slot", "weekday", "season_sin", "season_cos"),
        )
        others = tuple(
            f"{self.sources[other]}:{name}"
            for other in self.others
            # Counts in the cell itself tell a shopping street from a housing block: worth 0.01 to 0.02 nats an event.
            for name in ("450d_here", "all_here", "450d_200m", "all_400m")
        )
        context = ("context_rate", "context_shrunk_2", *(f"context:{name}" for name in self.context_names))
        weather = tuple(name for name in self.passing_names if context_family(name) == "weather")
        return self.find(*own, *others, *(context if self.context_names else ()), *weather)

    @cached_property
    def tree_ratios(self) -> tuple[tuple[int, int], ...]:
        pairs = (
            ("45d_400m", "450d_400m"),
            ("12d_900m", "450d_900m"),
            ("3d_400m", "450d_400m"),
            ("450d_200m_same_shift", "450d_200m"),
            ("all_400m_same_shift", "all_400m"),
            ("450d_here", "450d_200m"),
        )
        return tuple((self.names.index(a), self.names.index(b)) for a, b in pairs)

    def matrix(
        self,
        rates: Floats32,
        all_time_total: npt.ArrayLike,
        calendar: Floats32,
        context_rate: Floats32 | None,
        context: Floats32 | None,
        passing: Floats32 | None = None,
    ) -> Floats32:
        """Lay the columns side by side, [m, columns], float32.

        ``rates`` [m, sources, rates]; ``all_time_total`` the city's count so far (one for all rows or [m]);
        ``calendar`` [m, 6]; ``context_rate`` [m] relative; ``context`` [m, C] standardised; ``passing`` [m, P].
        """
        m = len(rates)
        out = np.empty((m, len(self.names)), dtype=np.float32)
        own = rates[:, self.source, :]
        out[:, : len(RATES)] = own
        column = len(RATES)
        for other in self.others:
            out[:, column : column + len(OTHER_RATES)] = rates[:, other, :][:, list(OTHER_RATES)]
            column += len(OTHER_RATES)
        out[:, self.n_rates : self.n_rates + len(CALENDAR)] = calendar
        if self.context_names:
            # Without the block an average place: whatever lies in fresh memory would pass for a rate.
            out[:, self.n_rates - 1] = 1 if context_rate is None else context_rate
            out[:, self.static] = 0 if context is None else context
        if self.passing_names:
            out[:, self.passing] = 0 if passing is None else passing
        self.derive(out, all_time_total)
        return out

    def derive(self, X: Floats32, all_time_total: npt.ArrayLike) -> None:
        """Work out the shrunk rates from the other columns, in place.

        They must follow whenever a column that they are made of is changed: a row whose shrunk rate contradicts its
        own count exists nowhere.
        """
        total = np.asarray(all_time_total, dtype=np.float32)
        n_cells = np.float32(self.n_cells)
        # Undo the relative scale: incidents in this cell so far, and what the prior expected there.
        count = np.maximum((X[:, rate_index(math.inf, 0.0)] * (total + 1) - 1) / n_cells, 0)
        column = len(self.mean_one)
        priors = [X[:, rate_index(math.inf, 400.0)]]
        if self.context_names:
            priors.append(X[:, self.n_rates - 1])
        for prior in priors:
            for strength in PRIOR_STRENGTHS:
                X[:, column] = prior * (strength + count) / (strength + prior * total / n_cells)
                column += 1


def calendar_columns(periods: Periods, shifts: tuple[ShiftWindow, ...]) -> Floats32:
    """Slot, weekday, hour of day and season of each period: [S, 6]."""
    local = periods.local_from.astype("datetime64[s]")
    hour = np.array([shift.start_minute for shift in shifts], dtype=np.float64)[periods.slot] / 1440.0
    year = (local - local.astype("datetime64[Y]")) / np.timedelta64(1, "s") / (365.25 * 86_400)
    columns: Sequence[Floats | Ints] = (
        periods.slot.astype(np.int64),
        weekday_of(local),
        np.sin(2 * np.pi * hour),
        np.cos(2 * np.pi * hour),
        np.sin(2 * np.pi * year),
        np.cos(2 * np.pi * year),
    )
    return np.stack(columns, axis=1).astype(np.float32)
