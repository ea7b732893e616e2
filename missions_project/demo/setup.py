"""Riverton as an agency of this installation: configured, imported, trained and planned through the product's own doors.

Every step looks at what is there first, so that a set-up killed half-way goes on where it stopped.
"""

import datetime as dt
import secrets
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from agencies.models import (
    Agency,
    Beat,
    CrimeType,
    District,
    DistrictPriority,
    Membership,
    Role,
    Unit,
    User,
)
from agencies.selectors import current_or_next_shift_instance
from agencies.services import beats_upsert, boundary_set, districts_upsert
from forecasting.engine.parallel import default_workers
from forecasting.models import Grid, ModelPolicy, ModelVersion
from forecasting.services import (
    grid_build,
    model_policy_ensure,
    training_run_execute,
    training_run_queue,
)
from ingestion.models import ContextLayer, Feed, ImportRun
from ingestion.services import (
    codes_import,
    context_layer_import,
    feed_ensure,
    import_run_execute,
    import_run_queue,
)
from missions_project.demo.files import city_draw
from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy
from missions_project.lib.progress import Progress
from missions_project.lib.runs import RunStatus
from patrols.models import MissionPlan, PlanSchedule
from patrols.services import shift_line_run
from tactics.defaults import agency_defaults_create

CITY_SEED = 2026
SLUG = "riverton"
LAYERS = (
    # file stem, name, what it is for
    ("bars", "Bars", ContextLayer.Kind.RISK),
    ("transit", "Transit stops", ContextLayer.Kind.RISK),
    ("vacant_parcels", "Vacant parcels", ContextLayer.Kind.RISK),
    ("schools", "Schools", ContextLayer.Kind.RISK),
    ("streets", "Streets", ContextLayer.Kind.REFERENCE),
    ("river", "River", ContextLayer.Kind.REFERENCE),
    ("parks", "Parks", ContextLayer.Kind.REFERENCE),
    ("gunfire_coverage", "Gunfire sensors", ContextLayer.Kind.COVERAGE),
)
PEOPLE = (
    ("admin", Role.ADMIN, gettext_lazy("Agency administrator: the admin, all pages")),
    (
        "supervisor",
        Role.SUPERVISOR,
        gettext_lazy("Supervisor: shift map, publish, assign, print"),
    ),
    ("analyst", Role.ANALYST, gettext_lazy("Analyst: risk map, exports")),
    ("officer", Role.OFFICER, gettext_lazy("Officer: the phone page, unit 11A")),
    ("auditor", Role.AUDITOR, gettext_lazy("Auditor: reads everything, changes nothing")),
)


@dataclass(frozen=True)
class SignIn:
    username: str
    password: str
    what: str


def sign_ins() -> list[SignIn]:
    """The demo's people with this installation's own password: one in the repository would open every exposed demo."""
    path = settings.VAR_DIR / "demo_password"
    if not path.exists():
        path.write_text(secrets.token_urlsafe(12))
        path.chmod(0o600)
    password = path.read_text().strip()
    people = [SignIn(name, password, what) for name, _, what in PEOPLE]
    return [*people, SignIn("operator", password, _("Operator: every agency of this installation"))]


def _city_folder() -> Path:
    return Path(settings.VAR_DIR) / "demo-city"


def _full_hour(now: dt.datetime) -> dt.datetime:
    return now.replace(minute=0, second=0, microsecond=0)


@contextmanager
def city_drawn_beside(*, now: dt.datetime, seed: int) -> Iterator[None]:
    """Draw the city in a process of its own while this block does something else; ends when both are done."""
    folder = _city_folder()
    if (folder / "complete").exists() or default_workers(2) < 2:
        yield
        return
    # Spawned: a fork would take over this process's database connection.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        drawn = pool.submit(city_draw, folder, seed=seed, until=_full_hour(now))
        yield
        # Whatever went wrong is told by the next one who draws it.
        wait([drawn])


def city_ensure(*, now: dt.datetime, seed: int, progress: Progress) -> Agency:
    """Return the demo agency, trained; build whatever of it is missing."""
    agency = Agency.objects.filter(slug=SLUG).first()
    if agency and not agency.is_demo:
        # Somebody's real agency has this name: the demo must not touch it.
        raise MissionsError(
            f"An agency “{SLUG}” exists and is not the demo.",
            next_step="use another database for the demo: make demo DATABASE_URL=sqlite:///var/demo.sqlite3",
        )
    if agency and ModelVersion.objects.live().filter(agency=agency).exists():
        people_ensure(agency)
        return agency
    folder = _city_folder()
    city_draw(folder, seed=seed, until=_full_hour(now), progress=progress)
    agency = agency or Agency.objects.create(
        slug=SLUG, name="Riverton Police Department", time_zone="America/Chicago", is_demo=True
    )
    geography_ensure(agency, folder)
    configuration_ensure(agency)
    people_ensure(agency)
    imports_ensure(agency, folder, progress)
    if not Grid.objects.filter(agency=agency, is_active=True).exists():
        grid_build(agency=agency)
    # By hand only: the demo's incidents end when it is made, and a demo that is started again after a week should serve its
    # pages, not train for minutes.
    model_policy_ensure(agency=agency)
    ModelPolicy.objects.filter(agency=agency).update(refit_days=0)
    training_run_execute(run=training_run_queue(agency=agency), progress=progress)
    return agency


def current_shift_ensure(*, agency: Agency, now: dt.datetime, progress: Progress) -> MissionPlan:
    """Return the published plan of the shift that is running; forecast, draw and publish one if there is none."""
    shift, on = current_or_next_shift_instance(agency, now)
    plan = MissionPlan.objects.filter(
        agency=agency, shift=shift, on=on, decision=0, state=MissionPlan.State.PUBLISHED
    ).first()
    return plan or shift_line_run(agency=agency, shift=shift, on=on, publish=True, progress=progress)


@transaction.atomic
def geography_ensure(agency: Agency, folder: Path) -> None:
    if Beat.objects.filter(agency=agency).exists():
        return
    boundary_set(agency=agency, path=folder / "boundary.geojson")
    districts_upsert(
        agency=agency, path=folder / "districts.geojson", code_property="code", name_property="name"
    )
    beats_upsert(
        agency=agency, path=folder / "beats.geojson", code_property="code", district_property="district"
    )


@transaction.atomic
def configuration_ensure(agency: Agency) -> None:
    agency_defaults_create(agency=agency, units_per_beat=2, missions_per_shift=2)
    # Published by itself: whoever opens the demo after hours finds missions in the shift that runs then.
    PlanSchedule.objects.get_or_create(agency=agency, shift=None, defaults={"publishes": True})
    district = District.objects.filter(agency=agency).first()
    if district and not DistrictPriority.objects.filter(agency=agency).exists():
        robbery = CrimeType.objects.get(agency=agency, slug="robbery")
        DistrictPriority.objects.create(agency=agency, district=district, crime_type=robbery, multiplier=1.5)


@transaction.atomic
def people_ensure(agency: Agency) -> None:
    known = {person.username: person.password for person in sign_ins()}
    first_unit = Unit.objects.filter(agency=agency).order_by("call_sign").first()
    foreign = User.objects.filter(username__in=[name for name, *_ in PEOPLE]).exclude(
        memberships__agency=agency
    )
    if foreign.exists():
        # Somebody's own account of that name must not be let into the demo, nor get its printed password.
        raise MissionsError(
            f"Accounts of other people have the demo's user names: {', '.join(map(str, foreign))}.",
            next_step="use another database for the demo: make demo DATABASE_URL=sqlite:///var/demo.sqlite3",
        )
    for name, role, __ in PEOPLE:
        user, is_new = User.objects.get_or_create(
            username=name, defaults={"email": f"{name}@riverton.example"}
        )
        if is_new:
            user.set_password(known[name])
            user.save()
        Membership.objects.get_or_create(
            agency=agency,
            user=user,
            defaults={"role": role, "unit": first_unit if role == Role.OFFICER else None},
        )
    if not User.objects.filter(username="operator").exists():
        User.objects.create_superuser("operator", "operator@riverton.example", known["operator"])


def imports_ensure(agency: Agency, folder: Path, progress: Progress) -> None:
    """Load codes, incidents, calls, gunfire and layers through the same services as an upload in the admin."""
    for slug, name, kind, file_name in (
        ("rms-incidents", "RMS incidents", "incidents", "incidents.csv.gz"),
        ("cad-calls", "CAD calls for service", "calls", "calls_for_service.csv"),
        ("gunfire", "Gunfire detections", "gunfire", "gunfire.csv"),
    ):
        feed: Feed = feed_ensure(
            agency=agency, slug=slug, name=name, record_kind=kind, sample=folder / file_name
        )
        if kind == "incidents":
            codes_import(feed=feed, path=folder / "codes.csv")
        if not ImportRun.objects.filter(feed=feed, status=RunStatus.SUCCEEDED).exists():
            import_run_execute(run=import_run_queue(feed=feed, path=folder / file_name), progress=progress)
    for stem, name, layer_kind in LAYERS:
        if not ContextLayer.objects.filter(agency=agency, slug=stem).exists():
            context_layer_import(
                agency=agency, slug=stem, name=name, path=folder / f"{stem}.geojson", kind=layer_kind
            )
