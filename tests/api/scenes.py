"""A running shift with a published plan, people of every role, and keys: what the API's tests ask about."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from agencies.models import Agency, Beat, CrimeType, Membership, Shift, Unit, User
from agencies.selectors import current_or_next_shift_instance
from forecasting.services import grid_build
from ingestion.services.agency_keys import agency_key_create
from patrols.models import Addition, Duty, Engagement, Mission, MissionPlan, PatrolPolicy, Suppression
from patrols.services import engagement_arrive, mission_assign
from tests.factories import make_agency, make_member, rectangle
from tests.patrols.scenes import Scene, make_forecast


@dataclass
class ApiScene:
    """One agency in the middle of a shift."""

    scene: Scene
    plan: MissionPlan
    people: dict[str, User]
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def agency(self) -> Agency:
        return self.scene.agency

    @property
    def root(self) -> str:
        return f"/api/v1/{self.agency.slug}/"

    @property
    def unit(self) -> Unit:
        """The officer's unit."""
        return Unit.objects.get(agency=self.agency, call_sign__endswith="11")

    def missions(self, **filters: Any) -> list[Mission]:
        return list(self.plan.missions.filter(**filters).order_by("number"))

    def client(self, who: str) -> Client:
        """A client that is signed in as somebody, or holds a key; “nobody” is neither."""
        if who == "nobody":
            return Client()
        if who in self.keys:
            return Client(headers={"authorization": f"Token {self.keys[who]}"})
        client = Client()
        client.force_login(self.people[who], backend=settings.AUTHENTICATION_BACKENDS[0])
        return client

    def get(self, who: str, path: str, **headers: str) -> HttpResponse:
        return self.client(who).get(self.root + path, headers={**headers})

    def send(
        self, who: str, path: str, body: Any = None, *, method: str = "post", **headers: str
    ) -> HttpResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        text = json.dumps({} if body is None else body)
        return self.client(who).generic(
            method.upper(), self.root + path, text, content_type="application/json", headers=named
        )


def _begun_two_hours_ago(agency: Agency) -> None:
    """The agency's shifts around the clock, the running one two hours old: at no time of day does it end within the test."""
    local = (
        timezone.now().astimezone(ZoneInfo(agency.time_zone)).replace(second=0, microsecond=0, tzinfo=None)
    )
    rows = list(Shift.objects.filter(agency=agency).order_by("starts_at"))
    for number, row in enumerate(rows):
        begins = local - dt.timedelta(hours=2) + dt.timedelta(minutes=1440 * number / len(rows))
        Shift.objects.filter(pk=row.pk).update(starts_at=begins.time(), duration_minutes=1440 // len(rows))


def make_api_scene(slug: str = "riverton") -> ApiScene:
    """A shift that runs now, its forecast and published plan, a beat suppressed, a place added, a duty, a visit."""
    agency = make_agency(slug)
    _begun_two_hours_ago(agency)
    grid = grid_build(agency=agency)
    shift, on = current_or_next_shift_instance(agency, timezone.now())
    policy = PatrolPolicy.objects.create(agency=agency, visits_per_cell=1)
    scene = Scene(agency, grid, make_forecast(agency, grid, shift, on), shift, policy)
    owner = make_member(agency, "admin")
    plan = scene.plan(publish=True, actor=owner)
    unit = Unit.objects.get(agency=agency, call_sign__endswith="11")
    people = {
        "admin": owner,
        "officer": make_member(agency, "officer", unit=unit),
        "supervisor": make_member(agency, "supervisor"),
        "analyst": make_member(agency, "analyst"),
        "auditor": make_member(agency, "auditor"),
    }
    southern = make_member(agency, "supervisor")
    Membership.objects.get(user=southern).districts.set(agency.district_set.filter(code="S"))
    people["southern supervisor"] = southern
    keys = {
        f"{scope} key": agency_key_create(
            agency=agency, made_by=owner, scope=scope, name=f"{scope} machine", days=30
        )[1]
        for scope in ("read", "patrols")
    }
    beat = Beat.objects.get(agency=agency, code="22")
    until = timezone.now() + dt.timedelta(days=3)
    Suppression.objects.create(agency=agency, beat=beat, reason="Street fair", expires_at=until, author=owner)
    robbery = CrimeType.objects.get(agency=agency, slug="robbery")
    Addition.objects.create(
        agency=agency, geometry=rectangle(100, 100, 300, 300), crime_type=robbery, reason="Robberies at the station",
        expires_at=until, author=owner,
    )  # fmt: skip
    Duty.objects.create(agency=agency, unit=unit, shift=shift, on=on, beat=beat, missions=2, author=owner)
    own = [row for row in plan.missions.order_by("number") if row.beat.code == "11"]
    for mission in own:
        mission_assign(mission=mission, unit=unit, actor=owner)
    visit = engagement_arrive(mission=own[0], unit=unit, officer=people["officer"], at=timezone.now())
    Engagement.objects.filter(pk=visit.pk).update(left_at=timezone.now())
    return ApiScene(scene, plan, people, keys)
