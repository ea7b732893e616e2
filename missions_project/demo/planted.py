"""Past weeks of planned shifts with a known truth: forecasts, plans, visits and crimes that depend on the visits.

For walk-throughs and tests of studies: what missions truly do is chosen here, so that a report can be held against it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
from django.db import transaction

from agencies.models import Agency, Beat, CrimeType, Shift
from agencies.selectors import shift_instance_of
from forecasting.codec import surface_encode
from forecasting.models import ForecastRun, Grid, ModelVersion, RiskSurface, TrainingRun
from forecasting.selectors import cell_beats, grid_spec
from ingestion.models import Feed, Incident
from missions_project.lib.progress import Progress, no_progress
from missions_project.lib.runs import RunStatus
from patrols.engine.oversight import plan_oversight
from patrols.engine.plan import PlanDraw, design_digest, design_to_bytes, plan_draw
from patrols.models import Mission, MissionPlan, PatrolPolicy, Presence, PresenceAccount
from patrols.services.plans import CODE_VERSION
from tactics.engine.impact.outcomes import neighbours_of
from tactics.engine.impact.stored import Spent

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MINUTE = dt.timedelta(minutes=1)
SHIFTS_AT_ONCE = 21


@dataclass(frozen=True)
class Truth:
    """What missions truly do: ``prevented`` chance that a crime in a visited box, from the drawn start to the shift's end, does
    not happen, ``displaced`` share of these that happen next door instead, ``complied`` share of drawn missions carried out.

    ``forecast_error``: sd of the log of what the forecast gets wrong in each place, for good; ``surprise``: how much busier or
    quieter than expected (up to this share) each box is in a shift, which no forecast knows.
    """

    prevented: float = 0.5
    displaced: float = 0.3
    complied: float = 0.7
    forecast_error: float = 0.3
    surprise: float = 0.5


@dataclass
class Planted:
    """What was made, and the shares that a study should find: of the crime that missions' windows would have held."""

    plans: int = 0
    missions: int = 0
    crimes: int = 0
    expected_in_drawn: float = 0.0
    prevented_in_drawn: float = 0.0
    displaced: float = 0.0

    @property
    def contrast(self) -> float:
        """The true share of crime prevented in drawn boxes (carried out or not)."""
        return self.prevented_in_drawn / self.expected_in_drawn if self.expected_in_drawn else 0.0

    @property
    def net(self) -> float:
        """The same less what happened next door instead."""
        gone = self.prevented_in_drawn - self.displaced
        return gone / self.expected_in_drawn if self.expected_in_drawn else 0.0


def history_plant(
    *,
    agency: Agency,
    rates: Mapping[str, Floats],
    first: dt.date,
    last: dt.date,
    seed: int,
    truth: Truth | None = None,
    k: int = 2,
    progress: Progress = no_progress,
) -> Planted:
    """Make every shift from ``first`` to ``last``: forecast, published plan, visits with vehicle positions, crimes.

    ``rates`` by crime type's slug: crimes expected in each cell in each 8-hour third of the week, float64[21, N], Monday's
    first third first. ``k`` boxes a beat and shift. The agency needs an active grid, beats, shifts and crime types; plans are
    drawn by the product's own engine under its active policy, with rest and saturation from what was planned before.
    """
    maker = _Maker(agency, rates, np.random.default_rng(seed), truth or Truth(), k)
    days = [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
    instances = [
        (shift, day, *shift_instance_of(agency, shift, day))
        for day in days
        for shift in maker.shifts
        if day.weekday() in shift.weekday_numbers
    ]
    instances.sort(key=lambda one: one[2])
    for at in range(0, len(instances), SHIFTS_AT_ONCE):
        with transaction.atomic():
            maker.plant(instances[at : at + SHIFTS_AT_ONCE])
        progress(min(at + SHIFTS_AT_ONCE, len(instances)), len(instances), "Planting past shifts")
    return maker.made


class _Maker:
    """Carries the city from shift to shift."""

    def __init__(
        self,
        agency: Agency,
        rates: Mapping[str, Floats],
        rng: np.random.Generator,
        truth: Truth,
        k: int,
    ) -> None:
        self.agency, self.rates, self.rng, self.truth = agency, rates, rng, truth
        self.grid = Grid.objects.get(agency=agency, is_active=True)
        self.spec = grid_spec(self.grid)
        self.beat_of_cell = cell_beats(self.grid)
        self.beats = {beat.pk: beat for beat in Beat.objects.filter(agency=agency).defer("geometry")}
        sizes = {pk: int((self.beat_of_cell == pk).sum()) for pk in self.beats}
        self.beat_k = {pk: min(k, size // 3) for pk, size in sizes.items() if size >= 3}
        self.shifts = list(Shift.objects.filter(agency=agency))
        self.types = list(CrimeType.objects.filter(agency=agency, slug__in=list(rates)))
        policy, _ = PatrolPolicy.objects.get_or_create(agency=agency, is_active=True)
        self.policy = policy.as_design_policy()
        self.snapshot = {"policy": asdict(self.policy), "grid_hash": self.grid.hash, "planted": asdict(truth)}
        self.feed, _ = Feed.objects.get_or_create(
            agency=agency, slug="planted", defaults={"name": "Planted incidents"}
        )
        self.versions = {one.pk: self._version(one) for one in self.types}
        self.error = np.exp(truth.forecast_error * rng.standard_normal(len(self.spec)))
        self.ring = neighbours_of(self.spec)
        self.to_lonlat = pyproj.Transformer.from_crs(self.grid.epsg, 4326, always_xy=True)
        self.spent: list[Spent] = []
        self.made = Planted()

    def _version(self, crime_type: CrimeType) -> ModelVersion:
        known = ModelVersion.objects.filter(agency=self.agency, crime_type=crime_type).first()
        if known:
            return known
        start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        run, _ = TrainingRun.objects.get_or_create(
            agency=self.agency, status=RunStatus.SUCCEEDED, due_at=None
        )
        return ModelVersion.objects.create(
            agency=self.agency, crime_type=crime_type, number=1, run=run, grid=self.grid, champion="planted",
            beats_baseline=False, is_baseline=True, state=ModelVersion.State.LIVE, approved_at=start, artefact="",
            artefact_hash="", trained_from=start, trained_to=start, n_incidents=0, data_hash="",
        )  # fmt: skip

    def plant(self, instances: list[tuple[Shift, dt.date, dt.datetime, dt.datetime]]) -> None:
        """Make some shifts and write them."""
        drawn = [self._draw(*one) for one in instances]
        ForecastRun.objects.bulk_create([run for run, *_ in drawn])
        surfaces, plans = [], []
        for run, plan, _, forecast in drawn:
            for crime_type in self.types:
                values = forecast[crime_type.slug]
                surfaces.append(
                    RiskSurface(
                        agency=self.agency,
                        run=run,
                        crime_type=crime_type,
                        model_version=self.versions[crime_type.pk],
                        values=surface_encode(values),
                        grid_hash=self.grid.hash,
                        expected_total=float(values.sum()),
                    )
                )
            plan.forecast_run = run
            plans.append(plan)
        RiskSurface.objects.bulk_create(surfaces)
        MissionPlan.objects.bulk_create(plans)
        missions: list[Mission] = []
        accounts: list[PresenceAccount] = []
        for _, plan, draw, forecast in drawn:
            missions += self._missions(plan, draw, forecast)
            accounts.append(
                PresenceAccount(
                    agency=self.agency,
                    shift=plan.shift,
                    on=plan.on,
                    period_to=plan.period_to,
                    done_at=plan.period_to,
                    counts={"positions": 10_000},
                )
            )
        Mission.objects.bulk_create(missions)
        PresenceAccount.objects.bulk_create(accounts)
        by_plan: dict[int, list[Mission]] = {}
        for mission in missions:
            by_plan.setdefault(mission.plan_id, []).append(mission)
        presences: list[Presence] = []
        crimes: list[Incident] = []
        for (_, plan, draw, _), account in zip(drawn, accounts, strict=True):
            visited = self._visits(plan, draw, account, by_plan.get(plan.pk, []), presences)
            crimes += self._crimes(plan, draw, visited)
        Presence.objects.bulk_create(presences)
        Incident.objects.bulk_create(crimes, batch_size=2000)
        self.made.plans += len(plans)
        self.made.missions += len(missions)
        self.made.crimes += len(crimes)

    def _third(self, plan_or_on: dt.date, shift: Shift) -> int:
        return 3 * plan_or_on.weekday() + min(shift.start_minute // 480, 2)

    def _draw(
        self, shift: Shift, on: dt.date, begins: dt.datetime, ends: dt.datetime
    ) -> tuple[ForecastRun, MissionPlan, PlanDraw, dict[str, npt.NDArray[np.float32]]]:
        third, now = self._third(on, shift), begins - 2 * 60 * MINUTE
        forecast = {
            slug: (table[third] * self.error).astype(np.float32) for slug, table in self.rates.items()
        }
        harm = np.zeros(len(self.spec))
        for crime_type in self.types:
            harm += crime_type.weight * forecast[crime_type.slug]
        minutes, days = self._before(begins)
        x_m, y_m = self.spec.centres()
        seed = int(self.rng.integers(2**62))
        draw = plan_draw(
            harm=harm,
            beat_of_cell=np.where(np.isin(self.beat_of_cell, list(self.beat_k)), self.beat_of_cell, -1),
            beat_k=self.beat_k,
            suppressed=np.zeros(len(self.spec), dtype=np.bool_),
            planned_minutes=minutes,
            days_since_last=days,
            x_m=x_m,
            y_m=y_m,
            shift_minutes=shift.duration_minutes,
            policy=self.policy,
            seed=seed,
        )
        rows = draw.drawn_rows
        visits = (~np.isnan(draw.visit_start_minutes[rows])).sum(axis=1)
        self.spent.append(Spent(_day(begins), _day(ends), draw.cell[rows], draw.dose_minutes[rows] * visits))
        common: dict[str, Any] = {
            "agency": self.agency, "shift": shift, "on": on, "period_from": begins, "period_to": ends, "grid": self.grid,
            "status": RunStatus.SUCCEEDED, "queued_at": now, "started_at": now, "finished_at": now,
        }  # fmt: skip
        run = ForecastRun(as_of=now, **common)
        plan = MissionPlan(
            seed=seed, design=design_to_bytes(draw), design_hash=design_digest(draw), code_version=CODE_VERSION,
            state=MissionPlan.State.PUBLISHED, published_at=now, counts=asdict(plan_oversight(draw)), reasons_at=now,
            config_snapshot=self.snapshot, **common,
        )  # fmt: skip
        return run, plan, draw, forecast

    def _before(self, begins: dt.datetime) -> tuple[Floats, Floats]:
        """What was planned before: minutes in the window, days since the last mission; as ``planned_history`` reads it."""
        minutes, days = np.zeros(len(self.spec)), np.full(len(self.spec), np.inf)
        day = _day(begins)
        self.spent = [one for one in self.spent if day - one.ends < 120.0]
        for one in self.spent:
            ago = day - one.ends
            days[one.cell] = np.minimum(days[one.cell], max(ago, 0.0))
            if round(ago, 9) < self.policy.saturation_window_days:
                minutes[one.cell] += one.minutes
        return minutes, days

    def _missions(
        self, plan: MissionPlan, draw: PlanDraw, forecast: Mapping[str, npt.NDArray[np.float32]]
    ) -> list[Mission]:
        rows = draw.drawn_rows
        weighted = np.stack([one.weight * forecast[one.slug][draw.cell[rows]] for one in self.types])
        leading = weighted.argmax(axis=0)
        made = []
        for number, (at, row) in enumerate(enumerate(rows.tolist()), start=1):
            starts = [
                plan.period_from + int(minute) * MINUTE
                for minute in draw.visit_start_minutes[row]
                if not np.isnan(minute)
            ]
            crime_type = self.types[int(leading[at])]
            made.append(
                Mission(
                    agency=self.agency,
                    plan=plan,
                    beat=self.beats[int(draw.beat[row])],
                    number=number,
                    cell_id=int(self.spec.cells[draw.cell[row]]),
                    crime_type=crime_type,
                    visit_starts=[start.isoformat() for start in starts],
                    starts_at=starts[0],
                    dose_minutes=int(draw.dose_minutes[row]),
                    expected=float(forecast[crime_type.slug][draw.cell[row]]),
                    harm=float(draw.harm[row]),
                    probability=float(draw.pi[row]),
                )
            )
        return made

    def _visits(
        self,
        plan: MissionPlan,
        draw: PlanDraw,
        account: PresenceAccount,
        missions: list[Mission],
        presences: list[Presence],
    ) -> npt.NDArray[np.bool_]:
        """Which rows of the draw got a car; what the positions say of it is added to ``presences``."""
        visited = np.zeros(len(draw), dtype=np.bool_)
        for mission, row in zip(missions, draw.drawn_rows.tolist(), strict=True):
            if self.rng.random() >= self.truth.complied:
                continue
            visited[row] = True
            for text in mission.visit_starts:
                begins = dt.datetime.fromisoformat(text)
                presences.append(
                    Presence(
                        agency=self.agency,
                        account=account,
                        mission=mission,
                        plan=plan,
                        grid=self.grid,
                        beat=mission.beat,
                        cell_id=mission.cell_id,
                        arrived_at=begins,
                        left_at=begins + mission.dose_minutes * MINUTE,
                        source=Presence.Source.AVL,
                        minutes=float(mission.dose_minutes),
                    )
                )
        return visited

    def _crimes(self, plan: MissionPlan, draw: PlanDraw, visited: npt.NDArray[np.bool_]) -> list[Incident]:
        rng, truth, n = self.rng, self.truth, len(self.spec)
        third, length = self._third(plan.on, plan.shift), float(draw.shift_minutes)
        busy = np.where(rng.random(n) < 0.5, 1.0 + truth.surprise, 1.0 - truth.surprise)
        from_minute = np.full(n, np.inf)
        from_minute[draw.cell[visited]] = draw.visit_start_minutes[visited, 0]
        is_drawn = np.full(n, np.inf)
        is_drawn[draw.cell[draw.drawn]] = draw.visit_start_minutes[draw.drawn, 0]
        x0, y0 = self.spec.centres()
        half = self.spec.cell_size_m / 2.0
        made: list[Incident] = []
        for crime_type in self.types:
            counts = rng.poisson(self.rates[crime_type.slug][third] * busy)
            cell = np.repeat(np.arange(n), counts)
            minute = rng.random(len(cell)) * length
            in_window = minute >= is_drawn[cell]
            gone = (minute >= from_minute[cell]) & (rng.random(len(cell)) < truth.prevented)
            moves = gone & (rng.random(len(cell)) < truth.displaced)
            self.made.expected_in_drawn += float(in_window.sum())
            self.made.prevented_in_drawn += float(gone.sum())
            self.made.displaced += float(moves.sum())
            for at in np.flatnonzero(moves).tolist():
                around = self.ring[cell[at]]
                cell[at] = rng.choice(around[around >= 0])
            keep = ~gone | moves
            cell, minute = cell[keep], np.floor(minute[keep])
            offset = rng.uniform(-half, half, size=(2, len(cell)))
            lon, lat = self.to_lonlat.transform(x0[cell] + offset[0], y0[cell] + offset[1])
            made += [
                self._incident(plan, crime_type, number, at, x, y)
                for number, (at, x, y) in enumerate(
                    zip(minute.tolist(), lon.tolist(), lat.tolist(), strict=True)
                )
            ]
        return made

    def _incident(
        self, plan: MissionPlan, crime_type: CrimeType, number: int, minute: float, lon: float, lat: float
    ) -> Incident:
        at = plan.period_from + minute * MINUTE
        key = f"{plan.on:%Y%m%d}-{plan.shift.slug}-{crime_type.slug}-{number}"
        mark = int.from_bytes(hashlib.blake2b(f"{key}|{at}|{lon}|{lat}".encode(), digest_size=7).digest())
        return Incident(
            agency=self.agency, feed=self.feed, external_id=key, crime_type=crime_type, code=crime_type.slug,
            occurred_from=at, occurred_to=at, reported_at=at + 60 * MINUTE, lon=lon, lat=lat, content_hash=mark,
        )  # fmt: skip


def _day(at: dt.datetime) -> float:
    return at.timestamp() / 86_400.0
