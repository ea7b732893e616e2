"""What the engine remembers between shifts: kept in one file, carried forward, read in well under a second.

A ``ForecastState`` holds the decayed counts of every crime type as they stood at one instant. Nothing has to be
counted from the beginning for the next shift, and one new gunfire alert changes only what lies within its reach.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from forecasting.engine.checks import check_trained
from forecasting.engine.design import calendar_columns
from forecasting.engine.features import BANDWIDTHS_M, MEMORIES_DAYS, SLOT_MEMORIES_DAYS, events_of
from forecasting.engine.grid import GridSpec
from forecasting.engine.lag import ReportingLag
from forecasting.engine.live import LiveHistory
from forecasting.engine.parallel import TypePool, default_workers, rows_shared
from forecasting.engine.periods import Periods, ShiftWindow, days_since_epoch
from forecasting.engine.predict import lags_live, passing_of, shift_surface
from forecasting.engine.surroundings import Surroundings
from forecasting.engine.trained import TrainedType
from forecasting.engine.watch import Watch, watch_of
from ingestion.engine.tables import IncidentTable, WatchedArea
from missions_project.lib.progress import Progress, no_progress

Floats32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Lags = tuple[ReportingLag, ...]

MAGIC = b"Forecast state\n"
VERSION = b"0001"
_DIGEST_BYTES = 32
REBUILD = "Build the state again from the incidents."


class StateError(ValueError):
    """The saved state cannot be used; the message says why and what to do."""


class ForecastState:
    """All decayed counts at one instant, without the incidents that they came from.

    Built once from the incidents, then only advanced with what became known since. An incident that happened long
    ago and is known only now is an ordinary advance. One that was *edited or deleted*, or that turns up with a report
    time before ``as_of_utc``, cannot be taken back out of a sum: the state therefore carries ``data_hash``, whatever
    fingerprint of the incidents known before ``as_of_utc`` the caller gave it, and a caller whose fingerprint is
    another one builds anew (``check`` and ``load`` refuse it). Surfaces equal those of ``train.forecast`` from the
    same knowledge bit for bit: see ``DecayedCounts``. What is not reported yet is made up for as there.

    Not for several threads at a time.
    """

    def __init__(
        self,
        grid: GridSpec,
        shifts: tuple[ShiftWindow, ...],
        categories: tuple[str, ...],
        as_of_utc: np.datetime64,
        data_hash: str = "",
    ) -> None:
        self.grid = grid
        self.shifts = shifts
        self.categories = categories
        self.as_of_utc = as_of_utc.astype("datetime64[s]")
        self.data_hash = data_hash
        self.n_events = 0
        self._history = LiveHistory(grid, len(categories), len(shifts))
        self._history.move_to(_days(self.as_of_utc), _days(self.as_of_utc))
        self._rates: tuple[tuple[int, float, Lags], Floats32] | None = None
        self._watched: tuple[WatchedArea, ...] = ()

    @classmethod
    def build(
        cls,
        *,
        grid: GridSpec,
        incidents: IncidentTable,
        shifts: tuple[ShiftWindow, ...],
        as_of_utc: np.datetime64,
        data_hash: str = "",
    ) -> Self:
        """Count everything that was known before this instant, from scratch."""
        state = cls(grid, shifts, incidents.categories, as_of_utc, data_hash)
        state._history.watch = watch_of(grid, incidents.watched, incidents.categories)
        state._watched = incidents.watched
        state._take_in(incidents.known_before(state.as_of_utc))
        return state

    def advance(self, incidents: IncidentTable, as_of_utc: np.datetime64, data_hash: str = "") -> int:
        """Move to a later instant with the incidents that became known on the way; returns how many count.

        Of ``incidents`` (the whole table or only the new part of it) the rows known in [old instant, new instant) are
        taken. Going back, or a table of other crime types or of other watched areas, raises ``StateError``; one that names
        no watched area speaks of none.
        """
        as_of_utc = as_of_utc.astype("datetime64[s]")
        if as_of_utc < self.as_of_utc:
            raise StateError(
                f"The state stands at {self.as_of_utc} and cannot go back to {as_of_utc}. {REBUILD}"
            )
        if incidents.categories != self.categories:
            raise StateError(f"The state knows other crime types or feeds. {REBUILD}")
        self._check_watched(incidents.watched)
        known = incidents.known_utc
        new = incidents.take(np.flatnonzero((known >= self.as_of_utc) & (known < as_of_utc)))
        self._history.move_to(_days(as_of_utc), _days(as_of_utc))
        self.as_of_utc, self.data_hash = as_of_utc, data_hash
        # Even what gained no incident is raised by less: the time between the issue and the shift is shorter.
        self._rates = None
        return self._take_in(new)

    def _check_watched(self, watched: tuple[WatchedArea, ...]) -> None:
        # The same areas as last time, as a rule: laying them over the grid takes longer than an alert may.
        if not watched or watched is self._watched:
            return
        if not watch_of(self.grid, watched, self.categories).same_as(self._history.watch):
            raise StateError(f"The state knows another reach of the sensors. {REBUILD}")
        self._watched = watched

    def _take_in(self, incidents: IncidentTable) -> int:
        events = events_of(self.grid, incidents, self.shifts)
        n = len(events.cell)
        self.n_events += n
        if n:
            self._history.take_in(events, slice(0, n))
        return n

    def forecast(
        self,
        *,
        trained: Mapping[str, TrainedType],
        period: Periods,
        context: Floats32 | None = None,
        context_names: tuple[str, ...] = (),
        targets: Sequence[str] | None = None,
        under_way: bool = False,
        workers: int | None = None,
        progress: Progress = no_progress,
        lag: Mapping[str, ReportingLag] | None = None,
        surroundings: Surroundings | None = None,
    ) -> dict[str, Floats32]:
        """Expected incidents per cell in one shift instance, for these trained types (all if None): float32 [N].

        The same surfaces as ``train.forecast`` gives from the incidents known before ``as_of_utc``. A shift that began
        before ``as_of_utc`` raises ``StateError``, because the state knows what its start did not; with ``under_way``
        it is forecast as things stand at ``as_of_utc`` (never judge accuracy by such a surface).
        """
        start = period.from_utc[0].astype("datetime64[s]")
        if self.as_of_utc > start and not under_way:
            raise StateError(
                f"The shift began at {start}, but the state knows everything up to {self.as_of_utc}. "
                "Ask for a later shift, or for this one as under way."
            )
        chosen = {slug: trained[slug] for slug in (trained if targets is None else targets)}
        check_trained(chosen, self.grid, _no_incidents(self.categories), self.shifts, context_names, period)
        at_days = max(_days(start), _days(self.as_of_utc))
        with TypePool(default_workers(max(len(chosen), 2)) if workers is None else workers) as pool:
            lags = lags_live(trained, self.categories, lag)
            with rows_shared(pool):
                rates = self._rates_at(int(period.slot[0]), at_days, lags)
            seen = self._history.seen_at(at_days, lags)
            totals = seen.totals()
            calendar = calendar_columns(period, self.shifts)[0]
            passing = passing_of(chosen, surroundings, self.grid, period, self.as_of_utc)
            scaled: dict[int, Floats32] = {}
            for one in chosen.values():
                scaler = one.model.shape.scaler
                if context is not None and scaler is not None and id(scaler) not in scaled:
                    scaled[id(scaler)] = scaler.transform(context)
            done = iter(range(1, len(chosen) + 1))

            def surface_of(one: TrainedType) -> Floats32:
                z = scaled.get(id(one.model.shape.scaler))
                watched = seen.watched(one.model.shape.layout.source)
                around = passing.get(one.model.shape.names)
                found = shift_surface(one.model, rates, totals, period, calendar, z, watched, around)
                progress(next(done), len(chosen), "Forecasting")
                return found

            if len(chosen) == 1:
                with rows_shared(pool):
                    return {slug: surface_of(one) for slug, one in chosen.items()}
            return dict(zip(chosen, pool.map(surface_of, chosen.values()), strict=True))

    def surface_after(
        self,
        incidents: IncidentTable,
        *,
        trained: Mapping[str, TrainedType],
        period: Periods,
        context: Floats32 | None = None,
        context_names: tuple[str, ...] = (),
        targets: Sequence[str] | None = None,
        under_way: bool = False,
        lag: Mapping[str, ReportingLag] | None = None,
        surroundings: Surroundings | None = None,
    ) -> dict[str, Floats32]:
        """Take in new alerts and forecast again, for their own crime types (or ``targets``).

        The state moves to one second after the newest report. The other types see the alert only through their
        columns of other types; ask for them too where that matters. No alert at all leaves everything as it was.
        """
        mine = sorted({self.categories[code] for code in incidents.category.tolist() if code >= 0})
        wanted = [slug for slug in mine if slug in trained] if targets is None else list(targets)
        if len(incidents):
            self.advance(incidents, incidents.known_utc.max() + np.timedelta64(1, "s"))
        if not wanted:
            return {}
        return self.forecast(
            trained=trained,
            period=period,
            context=context,
            context_names=context_names,
            targets=wanted,
            under_way=under_way,
            lag=lag,
            surroundings=surroundings,
        )

    def _rates_at(self, slot: int, at_days: float, lags: Lags) -> Floats32:
        if self._rates is None or self._rates[0] != (slot, at_days, lags):
            self._rates = (slot, at_days, lags), self._history.seen_at(at_days, lags).rates(slot)
        return self._rates[1]

    def check(
        self,
        *,
        grid: GridSpec | None = None,
        shifts: tuple[ShiftWindow, ...] | None = None,
        categories: tuple[str, ...] | None = None,
        data_hash: str | None = None,
    ) -> None:
        """Refuse a state that was made for something else: ``StateError`` names what differs. None is not checked."""
        pairs: tuple[tuple[str, Any, Any], ...] = (
            ("another grid", grid and grid.hash, self.grid.hash),
            ("other shifts", shifts, self.shifts),
            ("other crime types or feeds", categories, self.categories),
            ("incidents that were edited, deleted or reported late since", data_hash, self.data_hash),
        )
        for what, wanted, mine in pairs:
            if wanted is not None and wanted != mine:
                raise StateError(f"The saved state was made for {what}. {REBUILD}")

    def save(self, path: Path) -> None:
        """Write everything to one file; a reader sees the old file or the new one, never half of one."""
        header = self._terms() | {
            "as_of_utc": str(self.as_of_utc),
            "data_hash": self.data_hash,
            "n_events": self.n_events,
        }
        arrays = {
            "header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8),
            "grid": np.frombuffer(self.grid.to_bytes(), dtype=np.uint8),
            "first_days": self._history.first_days,
        }
        arrays |= {f"watched.{source}": since for source, since in self._history.watch.since_days.items()}
        for name, state in self._history.states.items():
            arrays |= {f"{name}.{part}": column for part, column in state.to_arrays().items()}
        packed = BytesIO()
        np.savez(packed, allow_pickle=False, **arrays)
        data = packed.getbuffer()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False)  # noqa: SIM115 - closed below
        try:
            with handle:
                handle.write(MAGIC + VERSION + _digest(data))
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            os.replace(handle.name, path)
        except BaseException:
            Path(handle.name).unlink(missing_ok=True)
            raise

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        grid: GridSpec | None = None,
        shifts: tuple[ShiftWindow, ...] | None = None,
        categories: tuple[str, ...] | None = None,
        data_hash: str | None = None,
    ) -> Self:
        """Read what ``save`` wrote, and ``check`` it. A missing, damaged or foreign file raises ``StateError``.

        Nothing in the file is executed (no pickles). The fingerprint of the whole is compared before any of it is read:
        an archive with one wrong byte can ask for any amount of memory.
        """
        try:
            content = memoryview(path.read_bytes())
        except OSError as error:
            raise StateError(
                f"The saved state cannot be read ({error.strerror or error}). {REBUILD}"
            ) from error
        start = len(MAGIC) + len(VERSION)
        if content[: len(MAGIC)] != MAGIC:
            raise StateError(f"{path.name} is not a saved forecast state. {REBUILD}")
        if content[len(MAGIC) : start] != VERSION:
            raise StateError(f"{path.name} was saved by another version of this program. {REBUILD}")
        data = content[start + _DIGEST_BYTES :]
        if content[start : start + _DIGEST_BYTES] != _digest(data):
            raise StateError(f"The saved state {path.name} is damaged or cut short. {REBUILD}")
        with np.load(BytesIO(data), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        state = cls._from_parts(json.loads(arrays["header"].tobytes()), arrays)
        state.check(grid=grid, shifts=shifts, categories=categories, data_hash=data_hash)
        return state

    @classmethod
    def _from_parts(cls, header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Self:
        shifts = tuple(
            ShiftWindow(slug, start, minutes, tuple(days)) for slug, start, minutes, days in header["shifts"]
        )
        state = cls(
            GridSpec.from_bytes(arrays["grid"].tobytes()),
            shifts,
            tuple(header["categories"]),
            np.datetime64(header["as_of_utc"], "s"),
            str(header["data_hash"]),
        )
        mine = state._terms()
        different = [name for name, value in mine.items() if header[name] != value]
        if different:
            raise StateError(f"The saved state has another {different[0].replace('_', ' ')}. {REBUILD}")
        state.n_events = int(header["n_events"])
        state._history.first_days = np.array(arrays["first_days"])
        state._history.watch = Watch(
            {int(name[8:]): since for name, since in arrays.items() if name.startswith("watched.")}
        )
        for name, counts in state._history.states.items():
            counts.from_arrays({part: arrays[f"{name}.{part}"] for part in counts.to_arrays()})
        return state

    def _terms(self) -> dict[str, Any]:
        """What a reader must agree on, made of JSON's own types only."""
        return {
            "grid_hash": self.grid.hash,
            "categories": list(self.categories),
            "shifts": [[s.slug, s.start_minute, s.duration_minutes, list(s.weekdays)] for s in self.shifts],
            # As text: JSON has no infinity.
            "memories": [str(days) for days in (*MEMORIES_DAYS, *SLOT_MEMORIES_DAYS)],
            "bandwidths": [str(metres) for metres in BANDWIDTHS_M],
        }


def _digest(data: memoryview) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


def _days(instant: np.datetime64) -> float:
    return float(days_since_epoch(instant))


def _no_incidents(categories: tuple[str, ...]) -> IncidentTable:
    nowhere, never = np.zeros(0), np.zeros(0, dtype="datetime64[s]")
    return IncidentTable(
        nowhere, nowhere, never, never, never, never, np.zeros(0, dtype=np.int16), categories
    )
