"""An agency that has been at work for weeks, in the middle of its evening: for tests that look at pages with content on them."""

from __future__ import annotations

import datetime as dt
import sqlite3
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import numpy as np
from django.core.cache import cache
from django.db import connection
from django.http import QueryDict
from django.utils import timezone

from agencies.models import Agency, CrimeType, Membership, Shift, Unit, User
from forecasting.models import ForecastRun, ModelVersion
from forecasting.selectors import cell_beats, grid_spec
from ingestion.audit.models import AuditArea, AuditTable
from ingestion.models import (
    CallForService,
    CensusArea,
    Feed,
    GunfireAlert,
    ImportRun,
    Incident,
    RecordKind,
    ScheduledEvent,
)
from missions_project.demo.planted import Truth, history_plant
from patrols.models import Engagement, Mission, MissionPlan, PatrolPolicy, PlanSchedule, ShiftPlanning
from patrols.services import (
    area_suppress,
    engagement_arrive,
    hand_over_write,
    mission_add,
    plan_missions,
    plan_publish,
    plan_queue,
)
from patrols.services.decisions import gunfire_decide
from tactics import experiment_inputs
from tactics.curves import curve_choices
from tactics.experiment import experiment_choices
from tactics.models import (
    DemographicMeasure,
    ExposureFinding,
    ImpactStudy,
    Inquiry,
    ReportPolicy,
    Tactic,
    TacticUse,
    TransparencyPack,
    TransparencyPolicy,
)
from tactics.services import (
    hunch_answer,
    hunch_log,
    impact_report_execute,
    inquiry_answer,
    inquiry_ask,
    report_queue,
    rolling_study_ensure,
    starter_catalogue_create,
    study_cancel,
    study_create,
    study_freeze,
)
from tactics.services.draws import plan_tactics_draw
from tactics.services.notes import visit_note_record
from tactics.services.saved_reports import saved_report_set
from tactics.transparency.services import finding_answer, pack_make, pack_publish, pack_queue
from tests.factories import degrees, make_member, rectangle
from tests.forecasting import scenes
from tests.ingestion.files import COLUMNS, dirty_rows, good_row, plain_feed, run_import, write_rows
from tests.patrols.scenes import make_forecast

DAYS = 14
"""How long ago the agency's plans began."""
EVENING_HOUR = 18
"""Wherever the sun is: the agency's clock stands two hours into its evening."""
HEADER = (*COLUMNS, "description", "reported_at")
ROLES = ("admin", "supervisor", "analyst", "officer", "auditor")
ANSWER = "More burglaries were expected there; the agency lowers the weight and looks again in a month."


@dataclass
class RichTown:
    """The agency, its people, and what tests name: the plan that runs, the packs, the studies by their state."""

    agency: Agency
    people: dict[str, User]
    shift: Shift
    on: dt.date
    plan: MissionPlan
    visited: Mission
    """Where the officer is just now."""
    packs: list[TransparencyPack]
    studies: dict[str, ImpactStudy]

    @property
    def before(self) -> dt.date:
        """The day before: its shifts are over."""
        return self.on - dt.timedelta(days=1)

    @property
    def board(self) -> str:
        return f"/{self.agency.slug}/shifts/{self.on}/{self.shift.slug}/"


_town: RichTown | None = None
_rows: sqlite3.Connection | None = None


def rich_town(folder: Path) -> RichTown:
    """The same town for each test of a process that empties its database afterwards: made once, then copied back (SQLite)."""
    global _town, _rows
    cache.clear()
    if connection.vendor != "sqlite":
        return make_rich_town(folder)
    connection.ensure_connection()
    if _town is None or _rows is None:
        made, copy = make_rich_town(folder), sqlite3.connect(":memory:", check_same_thread=False)
        connection.connection.backup(copy)
        _town, _rows = made, copy
    else:
        _rows.backup(connection.connection)
    return _town


def evening_zone(now: dt.datetime) -> str:
    """A time zone in which it is between 18:00 and 19:00."""
    ahead = (EVENING_HOUR - now.hour + 12) % 24 - 12
    # POSIX counts westwards: five hours ahead of UTC is “Etc/GMT-5”.
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def make_rich_town(folder: Path, slug: str = "riverton") -> RichTown:
    """Three weeks of plans, visits and crimes, an evening under way, models, studies, packs, feeds. ``folder``: for files.

    Every row of the content is written by the product's own services where there is one.
    """
    now = timezone.now()
    zone = evening_zone(now)
    scene = scenes.make_scene(slug, time_zone=zone)
    agency, today = scene.agency, now.astimezone(ZoneInfo(zone)).date()
    PatrolPolicy.objects.create(agency=agency, visits_per_cell=1, replans_on_gunfire=True)
    PlanSchedule.objects.create(agency=agency)
    people = {
        role: make_member(
            agency, role, username=f"{role}.of.{slug}",
            unit=Unit.objects.get(agency=agency, beat__code="11") if role == "officer" else None,
        )
        for role in ROLES
    }  # fmt: skip
    starter_catalogue_create(agency=agency)
    types = list(CrimeType.objects.filter(agency=agency, slug__in=("robbery", "burglary")))
    first, last = today - dt.timedelta(days=DAYS), today - dt.timedelta(days=1)
    _past(agency, scene.grid.n_cells, first, last)
    _carried_out(agency)
    _record_of_models(scene)
    run = make_forecast(agency, scene.grid, scene.shift, today)
    plan, visit = _evening(agency, scene.shift, run, people, now)
    _feeds(agency, folder, now)
    packs = _packs(agency, people["admin"], first, last)
    studies = _studies(agency, people["admin"], types, first, last)
    _questions(agency, types, first, last)
    _kept(agency, people, now)
    return RichTown(agency, people, scene.shift, today, plan, visit.mission, packs, studies)


def _past(agency: Agency, n_cells: int, first: dt.date, last: dt.date) -> None:
    shape = np.linspace(0.2, 1.8, n_cells)
    shape *= 12.0 / shape.sum()
    shares = {"robbery": 0.3, "burglary": 0.5, "motor-vehicle-theft": 0.2}
    rates = {slug: np.tile(share * shape, (21, 1)) for slug, share in shares.items()}
    history_plant(agency=agency, rates=rates, first=first, last=last, seed=11, truth=Truth(), k=2)


def _carried_out(agency: Agency) -> None:
    """Visits by units to most missions of the past, with what was recommended and what was done."""
    rng = np.random.default_rng(3)
    missions = list(Mission.objects.filter(agency=agency).select_related("plan", "crime_type", "beat"))
    units = {unit.beat_id: unit for unit in Unit.objects.filter(agency=agency)}
    for plan in MissionPlan.objects.filter(agency=agency):
        plan_tactics_draw(plan=plan)
    visited = [mission for mission in missions if rng.random() < 0.6]
    visits = Engagement.objects.bulk_create(
        Engagement(
            agency=agency, mission=mission, unit=units[mission.beat_id], arrived_at=mission.starts_at,
            left_at=mission.starts_at + dt.timedelta(minutes=int(rng.integers(4, 20))),
        )
        for mission in visited
    )  # fmt: skip
    drawn = {
        mission.pk: mission.tactic_draw.tactic
        for mission in Mission.objects.filter(agency=agency, tactic_draw__isnull=False).select_related(
            "tactic_draw__tactic"
        )
    }
    other = Tactic.objects.filter(agency=agency).earliest("slug")
    uses = []
    for visit in visits:
        recommended = drawn.get(visit.mission_id, other)
        done = recommended if rng.random() < 0.7 else other
        uses.append(
            TacticUse(
                agency=agency, engagement=visit, tactic=done, was_recommended=done == recommended, used_at=visit.arrived_at
            )
        )  # fmt: skip
    TacticUse.objects.bulk_create(uses)


def _record_of_models(scene: scenes.Scene) -> None:
    """A newer version that waits, weeks of drift, and a live record."""
    # Here, and not above: pytest rewrites the asserts of test files that nobody has imported before it.
    from tests.forecasting.test_drift_is_measured import weeks
    from tests.forecasting.test_forecasts_are_sealed_and_scored import scored
    from tests.forecasting.test_model_governance import another

    another(scene.version(), 2, state=ModelVersion.State.TRAINED)
    weeks(scene.version(), [1.0, 1.2, 0.9, 1.6], gain=2.0)
    scored(scene, [0.6, 0.2] * 12)


def _evening(
    agency: Agency, shift: Shift, run: ForecastRun, people: dict[str, User], now: dt.datetime
) -> tuple[MissionPlan, Engagement]:
    """The published plan of the shift that is running, what people did with it, and a decision that waits after gunfire."""
    plan = plan_missions(plan=plan_queue(agency=agency, shift=shift, on=run.on, seed=7))
    plan_publish(plan=plan, actor=people["supervisor"])
    mine = plan.missions.filter(beat__code="11").order_by("number")
    visit = engagement_arrive(
        mission=mine[0], unit=mine[0].assignment.unit, officer=people["officer"], at=now - dt.timedelta(minutes=5)
    )  # fmt: skip
    visit_note_record(
        engagement=visit, text="The light behind the shop is out.", officer=people["officer"], at=now
    )
    north = plan.missions.filter(beat__code="22").order_by("number")
    taken = set(plan.missions.values_list("cell_id", flat=True))
    spec, beats = grid_spec(plan.grid), cell_beats(plan.grid)
    free = [
        cell
        for cell, beat in zip(spec.cells.tolist(), beats.tolist(), strict=True)
        if beat == north[0].beat_id
    ]
    mission_add(
        plan=plan, cell_id=next(cell for cell in free if cell not in taken), crime_type=north[0].crime_type,
        starts_at=now + dt.timedelta(hours=1), dose_minutes=12, reason="tip from the school", actor=people["supervisor"],
    )  # fmt: skip
    area_suppress(
        agency=agency, beat=None, geometry=rectangle(2100, 200, 2500, 600), reason="street fair",
        expires_at=now + dt.timedelta(days=2), actor=people["supervisor"],
    )  # fmt: skip
    hand_over_write(
        agency=agency,
        shift=shift,
        on=run.on,
        text="Watch the lot behind Market St.",
        actor=people["supervisor"],
    )
    feed = Feed.objects.create(agency=agency, name="Gunfire", slug="gunfire", record_kind=RecordKind.GUNFIRE)
    lon, lat = degrees(3000, 3000)
    GunfireAlert.objects.create(
        agency=agency, feed=feed, external_id="G1", occurred_from=now - dt.timedelta(minutes=3),
        occurred_to=now - dt.timedelta(minutes=3), content_hash=0, crime_type=agency.crimetype_set.all()[0],
        lon=lon, lat=lat,
    )  # fmt: skip
    if (decision := gunfire_decide(agency=agency, now=now)) is not None:
        plan_missions(plan=decision)
    return plan, visit


def _feeds(agency: Agency, folder: Path, now: dt.datetime) -> None:
    """A file with dirt of every kind, an import that failed, calls, and an event."""
    feed = plain_feed(agency, slug="records", header=HEADER)
    rows = dirty_rows() + [
        good_row(500 + n, code="HB", nibrs_code="", description="house break") for n in range(20)
    ]
    run_import(feed, write_rows(folder / "records.csv", rows, HEADER))
    ImportRun.objects.create(
        agency=agency, feed=feed, status="failed", file_name="tuesday.csv", error="The file is empty. Next step: send it anew.",
        started_at=now, finished_at=now,
    )  # fmt: skip
    # Rows came each day, and have stopped.
    rms = Feed.objects.get(agency=agency, slug="rms")
    for days in range(4, 14):
        at = now - dt.timedelta(days=days)
        ImportRun.objects.create(
            agency=agency, feed=rms, status="succeeded", file_name="rms.csv", queued_at=at, started_at=at, finished_at=at,
            counts={"received": 40, "inserted": 40},
        )  # fmt: skip
    calls = Feed.objects.create(agency=agency, name="Dispatch", slug="dispatch", record_kind=RecordKind.CALLS)
    rng = np.random.default_rng(4)
    CallForService.objects.bulk_create(
        _fact(CallForService, agency, calls, f"C{n}", now - dt.timedelta(hours=2 * n), rng)
        for n in range(200)
    )
    kind = agency.crimetype_set.get(slug="burglary")
    # A year before: what the last weeks are held against.
    Incident.objects.bulk_create(
        _fact(
            Incident, agency, feed, f"Y{n}", now - dt.timedelta(hours=24 * 75 + 12 * n), rng, crime_type=kind
        )
        for n in range(600)
    )
    ScheduledEvent.objects.create(
        agency=agency,
        name="Street festival",
        kind="festival",
        starts_at=now,
        ends_at=now + dt.timedelta(hours=4),
    )


def _fact(
    model: type[Any], agency: Agency, feed: Feed, number: str, at: dt.datetime, rng: np.random.Generator, **more: Any
) -> Any:  # fmt: skip
    lon, lat = degrees(float(rng.uniform(50, 3950)), float(rng.uniform(50, 3950)))
    return model(
        agency=agency, feed=feed, external_id=number, occurred_from=at, occurred_to=at, reported_at=at, lon=lon, lat=lat,
        content_hash=int(number[1:]), **more,
    )  # fmt: skip


def _packs(agency: Agency, admin: User, first: dt.date, last: dt.date) -> list[TransparencyPack]:
    """One published for everybody, its findings answered, and a draft whose own findings wait."""
    table = AuditTable.objects.create(
        agency=agency, name="ACS", source="made up", valid_from=dt.date(2025, 1, 1), columns=["all", "some"]
    )
    for column in range(4):
        for row in range(4):
            box = rectangle(column * 1000, row * 1000, column * 1000 + 1000, row * 1000 + 1000)
            people = 3000.0 if row < 2 else 300.0
            CensusArea.objects.create(
                agency=agency, geometry=box, population=people, valid_from=dt.date(2025, 1, 1), source="ACS"
            )
            AuditArea.objects.create(
                agency=agency,
                table=table,
                geometry=box,
                values={"all": people, "some": people * 0.1 * (row + 1)},
            )
    DemographicMeasure.objects.create(
        agency=agency, name="share of some group", table="ACS", column="some", total_column="all"
    )
    TransparencyPolicy.objects.create(agency=agency, is_public=True)
    ReportPolicy.objects.create(agency=agency, unit_activity=True)
    middle = first + (last - first) / 2
    published = pack_make(pack=pack_queue(agency=agency, first=first, last=middle))
    for finding in ExposureFinding.objects.filter(agency=agency):
        finding_answer(finding=finding, actor=admin, answer=ANSWER)
    pack_publish(pack=published, actor=admin)
    return [published, pack_make(pack=pack_queue(agency=agency, first=middle, last=last))]


def _studies(
    agency: Agency, actor: User, types: list[CrimeType], first: dt.date, last: dt.date
) -> dict[str, ImpactStudy]:
    """A rolling one and a registered one with their reports, one frozen that runs, a draft, and one that was cancelled."""

    def study(name: str, **changes: Any) -> ImpactStudy:
        values: dict[str, Any] = {
            "name": name, "question": "Do missions prevent crime?", "crime_types": [one.pk for one in types],
            "first": first, "last": last, "minimum_detectable": 0.1, "minimum_basis": "test", "draws": 99,
        }  # fmt: skip
        return study_create(agency=agency, actor=actor, **(values | changes))

    rolling = rolling_study_ensure(agency=agency)
    impact_report_execute(report=report_queue(study=rolling, today=last + dt.timedelta(days=14)))
    reported = study_freeze(study=study("Weeks behind us"), actor=actor)
    impact_report_execute(report=report_queue(study=reported, early=True))
    later = {"first": last + dt.timedelta(days=8), "last": last + dt.timedelta(days=99)}
    frozen = study_freeze(study=study("Spring", **later), actor=actor)
    cancelled = study_cancel(
        study=study("No officers", **later), actor=actor, reason="No officers left for it."
    )
    return {
        "rolling": rolling, "reported": reported, "frozen": frozen, "draft": study("Draft", **later),
        "cancelled": cancelled,
    }  # fmt: skip


def _questions(agency: Agency, types: list[CrimeType], first: dt.date, last: dt.date) -> None:
    """What the designer, the curves and Optimise are asked, answered."""
    known = list(CrimeType.objects.filter(agency=agency, is_active=True))
    empty = QueryDict("")
    policy = PatrolPolicy.objects.get(agency=agency, is_active=True)
    curves = curve_choices(empty, crime_types=known)
    designed = experiment_choices(empty, crime_types=known, policy=policy)
    for kind, choices in (
        (Inquiry.Kind.CURVES, curves.as_json()),
        (Inquiry.Kind.EXPERIMENT, designed.as_json()),
        (Inquiry.Kind.PROPOSALS, {}),
    ):
        # A sixth of the usual stretch: what is planned again is the same, in less time.
        with patch.object(experiment_inputs, "STRETCH_DAYS", DAYS):
            inquiry_answer(inquiry=inquiry_ask(agency=agency, kind=kind, choices=choices))


def _kept(agency: Agency, people: dict[str, User], now: dt.datetime) -> None:
    """Hunches, saved reports, and a shift that was to be planned and was not."""
    unit = Unit.objects.get(agency=agency, beat__code="11")
    for number, reason in enumerate(("lights out behind the station", "crowd on Saturdays at the corner")):
        lon, lat = degrees(3600 - 300 * number, 3600)
        hunch = hunch_log(
            agency=agency, number=uuid.uuid4(), officer=people["officer"], unit=unit, lon=lon, lat=lat,
            crime_type=agency.crimetype_set.get(slug="robbery"), days=7, reason=reason,
        )  # fmt: skip
    hunch_answer(hunch=hunch, status="followed", answer="Added to the plan.", actor=people["analyst"])
    for kind, name in (("crime-trends", "Monday staff meeting"), ("coverage", "Where we went")):
        saved_report_set(
            agency=agency, owner=people["analyst"], name=name, kind=kind, days=28, filters={}, is_shared=True, sends="weekly",
            recipients=[Membership.objects.get(user=people["supervisor"])],
        )  # fmt: skip
    day = Shift.objects.get(agency=agency, slug="day")
    ShiftPlanning.objects.create(
        agency=agency, shift=day, on=now.date(), due_at=now - dt.timedelta(minutes=45), state="failed",
        message="No unit is on duty.",
    )  # fmt: skip
