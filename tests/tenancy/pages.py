"""For each page that takes writing, what its own form would send in our agency: who sends it, and what it says."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from agencies.models import Beat, CrimeType, Membership, Shift
from forecasting.selectors import cell_beats
from ingestion.models import ContextLayer
from patrols.models import Addition, Suppression
from patrols.roster_page import STANDING
from patrols.services import engagement_arrive
from tactics.models import Hunch, ImpactStudy, Inquiry, PolicyProposal, SavedReport, Tactic
from tests.factories import rectangle
from tests.patrols.browsing import centre, free_cells
from tests.tenancy.towns import Town, mission_of

Body = dict[str, Any]


@dataclass(frozen=True)
class Write:
    """One page that takes writing: the role that may, what it sends, whether a row is then other than before."""

    role: str = "supervisor"
    body: Callable[[Town], Body] = lambda town: {}
    parts: Callable[[Town], Body] = lambda town: {}
    is_json: bool = False
    changes: bool = True
    first: Callable[[Town], object] = lambda town: None
    """What must have happened before."""


def reason(town: Town) -> Body:
    return {"reason": "shots near the station"}


def free_middle(town: Town) -> list[float]:
    """The middle of a box without a mission, in the beat of the unit's mission."""
    scene, mission = town.scene.scene, mission_of(town)
    beats = dict(zip(scene.spec.cells.tolist(), cell_beats(scene.grid).tolist(), strict=True))
    free = [cell for cell in free_cells(scene, town.scene.plan) if beats[cell] == mission.beat_id]
    lat, lon = centre(scene, free[0])
    return [lon, lat]


def place_free(town: Town) -> str:
    lon, lat = free_middle(town)
    return json.dumps({"type": "Point", "coordinates": [lon, lat]})


def arrived(town: Town) -> None:
    engagement_arrive(
        mission=mission_of(town), unit=town.unit, officer=town.people["officer"], at=timezone.now()
    )


def visited(town: Town) -> Body:
    return {"mission_id": town.scene.missions(engagements__isnull=False)[0].pk}


def pressed(town: Town, *, mission: int | None = None) -> Body:
    now = timezone.now().timestamp() * 1000
    at = mission or mission_of(town).pk
    press = {"uuid": str(uuid.uuid4()), "kind": "arrived", "mission": at, "device_at": now - 60_000}
    tick = press | {"uuid": str(uuid.uuid4()), "kind": "tactic", "tactic": town.first(Tactic).pk, "used": True, "device_at": now - 30_000}  # fmt: skip
    return {"device_now": now, "person": town.people["officer"].pk, "unit": town.unit.call_sign, "actions": [press, tick]}  # fmt: skip


def study_form(town: Town) -> Body:
    first = timezone.localdate() + dt.timedelta(days=9)
    return {
        "name": "Autumn", "question": "Do missions prevent crime?", "crime_types": [town.first(CrimeType).pk],
        "districts": [town.agency.district_set.all()[0].pk], "beats": [town.first(Beat).pk], "shifts": [town.first(Shift).pk],
        "first": first.isoformat(), "last": (first + dt.timedelta(days=90)).isoformat(), "window_hours": "8",
        "estimand": ImpactStudy.Estimand.values[0], "family": ImpactStudy.Family.values[0], "confidence": "0.95", "draws": "999", "settle_days": "14",
        "minimum_percent": "10",
    }  # fmt: skip


def roster_form(town: Town) -> Body:
    own = town.unit.pk
    as_always = {f"unit-{unit.pk}-where": STANDING for unit in town.agency.unit_set.all()}
    return as_always | {f"unit-{own}-where": str(town.first(Beat, code="21").pk), f"unit-{own}-missions": "2"}


def hunch_form(town: Town) -> Body:
    lon, lat = free_middle(town)
    return {
        "crime_type": town.first(CrimeType).pk, "number": str(uuid.uuid4()), "lon": lon, "lat": lat, "days": "7",
        "reason": "lights out at the school",
    }  # fmt: skip


def report_form(town: Town) -> Body:
    return {
        "name": "Tuesday", "days": "28", "district": ["S"], "beat": ["11"], "shift": [town.first(Shift).slug], "type": ["robbery"],
        "is_shared": "1", "sends": "weekly", "send_hour": "6",
        "recipient": [Membership.objects.get(user=town.people["supervisor"]).pk],
    }  # fmt: skip


AREA = json.dumps(rectangle(100, 100, 900, 900))
UNIT: Callable[[Town], Body] = lambda town: {"unit": town.unit.pk}  # noqa: E731 - as the forms below
WRITES: dict[str, Write] = {
    "patrols:board_plan": Write(changes=False),
    "patrols:decide": Write(body=lambda town: {"missions": 2, "beats": [town.first(Beat).pk]} | reason(town)),
    "patrols:dismiss": Write(changes=False),
    "patrols:notices": Write(body=lambda town: {"when_published": "on", "by_email": "on"}),
    "patrols:hand_over": Write(body=lambda town: {"text": "Watch the lot behind Market St."}),
    "patrols:suppress": Write(
        body=lambda town: {"kind": "beat", "beat": town.first(Beat).pk, "until": "1", "withdraw": "on"} | reason(town)
    ),
    "patrols:change_preview": Write(
        body=lambda town: {"change": "suppress", "kind": "beat", "beat": town.first(Beat).pk, "area": AREA,
                           "mission": mission_of(town).pk, "withdraw": "on"},
        changes=False,
    ),
    "patrols:suppression_stop": Write(parts=lambda town: {"row_id": town.first(Suppression).pk}),
    "patrols:addition_stop": Write(parts=lambda town: {"row_id": town.first(Addition).pk}),
    "patrols:publish": Write(changes=False),
    "patrols:mission_add": Write(
        body=lambda town: {
            "area": place_free(town), "crime_type": town.first(CrimeType).pk, "dose_minutes": 12, "until": "7",
            "start": timezone.now().astimezone(town.zone).strftime("%H:%M"), "tactic": town.first(Tactic).slug,
        } | reason(town)
    ),
    "patrols:assign": Write(body=lambda town: {"unit": town.agency.unit_set.order_by("-pk")[0].pk}),
    "patrols:withdraw": Write(body=reason),
    "patrols:move": Write(
        body=lambda town: {"start_0": (timezone.now() + dt.timedelta(hours=1)).astimezone(town.zone).strftime("%H:%M")}
        | reason(town)
    ),
    "patrols:swap": Write(body=lambda town: {"area": place_free(town)} | reason(town)),
    "patrols:roster": Write(body=roster_form),
    "patrols:roster_copy": Write(changes=False),
    "forecasting:risk_forecast": Write(
        body=lambda town: {"shift": town.scene.scene.shift.slug, "date": town.scene.scene.run.on.isoformat(), "type": "robbery"}
    ),
    "tactics:arrive": Write("officer"),
    "tactics:leave": Write("officer", first=arrived),
    "tactics:tactic": Write("officer", body=lambda town: {"tactic": town.first(Tactic).pk, "used": "1"}, first=arrived),
    "tactics:note": Write("officer", body=lambda town: {"text": "The light is out."}, first=arrived),
    "tactics:sync": Write("officer", body=pressed, is_json=True),
    "tactics:hunch": Write("officer", body=hunch_form),
    "tactics:practice_sync": Write("officer", body=lambda town: pressed(town, mission=1), is_json=True),
    "tactics:practice_again": Write("officer"),
    "tactics:practice_arrive": Write("officer"),
    "tactics:practice_leave": Write("officer"),
    "tactics:practice_tactic": Write("officer", body=lambda town: {"tactic": town.first(Tactic).pk, "used": "1"}),
    "tactics:practice_note": Write("officer", body=lambda town: {"text": "The light is out."}),
    "tactics:hunch_status": Write(
        "analyst", body=lambda town: {"status": "followed", "answer": "Added to the plan."},
        parts=lambda town: {"row_id": town.first(Hunch).pk},
    ),
    "tactics:design": Write("analyst", body=lambda town: {"types": ["robbery"], "k": "2"}),
    "tactics:curves": Write("analyst", body=lambda town: {"types": ["robbery"]}),
    "tactics:optimise": Write("analyst"),
    "tactics:proposal_decision": Write(
        "admin", body=lambda town: {"decision": "approve", "reason": "It pays."},
        parts=lambda town: {"proposal_id": town.first(PolicyProposal).pk},
    ),
    "tactics:report_save": Write(body=report_form),
    "tactics:report_forget": Write(parts=lambda town: {"saved_id": town.first(SavedReport).pk}),
    "tactics:study_new": Write("analyst", body=study_form),
    "tactics:study_edit": Write("analyst", body=study_form),
    "tactics:study_power": Write("analyst", changes=False),
    "tactics:study_freeze": Write("analyst"),
    "tactics:study_cancel": Write("analyst", body=reason),
    "tactics:study_run": Write("analyst", changes=False),
    "tactics:study_stop": Write("analyst"),
    "tactics:study_curves": Write("analyst"),
    "tactics:pack_new": Write("admin", body=lambda town: {"first": "2026-03-01", "last": "2026-03-31", "language": "en"}),
    "tactics:pack_decide": Write("admin", body=lambda town: {"decision": "discard"}),
    "ingestion:code_choose": Write(
        "analyst", body=lambda town: {"code": "ODD", "choice": "burglary", "description": "house break", "written_reason": "theft from a house"},
    ),
    "ingestion:replay": Write("analyst", body=lambda town: {"code": "unmapped_code"}),
}  # fmt: skip


def agency_addresses() -> Iterator[tuple[str, list[str]]]:
    """Each named address below <agency_slug>/, with the names of its further parts."""
    for resolver in get_resolver().url_patterns:
        if isinstance(resolver, URLResolver) and "agency_slug" in str(resolver.pattern):
            for entry in resolver.url_patterns:
                assert isinstance(entry, URLPattern), "an include within an app: walk it here too"
                yield f"{resolver.app_name}:{entry.name}", list(entry.pattern.converters)


def parts_of(town: Town, name: str, parts: list[str]) -> Body:
    """What stands in these places of the address where our own row is meant."""
    run, plan = town.scene.scene.run, town.scene.plan
    mission = mission_of(town) if "mission_id" in parts else None
    known = {
        "mission_id": mission.pk if mission else 0, "plan_id": plan.pk, "run_id": run.pk, "study_id": town.study.pk,
        "inquiry_id": town.first(Inquiry).pk, "proposal_id": town.first(PolicyProposal).pk, "row_id": town.first(Hunch).pk,
        "saved_id": town.first(SavedReport).pk, "on": run.on.isoformat(), "shift_slug": run.shift.slug,
        "feed_slug": town.feed.slug, "number": 1, "beside": 1, "slug": "burglary", "which": "fair", "chart": "weeks",
        "layer": "beats", "table": "cells", "document": "use-policy", "ending": "html",
    } | WRITES.get(name, Write()).parts(town)  # fmt: skip
    if name.startswith("forecasting:layer_") and "slug" in parts:
        known["slug"] = town.first(ContextLayer).slug
    if name.startswith("tactics:") and "slug" in parts:
        known["slug"] = "shifts"
    return {part: known[part] for part in parts}


def address_of(town: Town, name: str, parts: Body) -> str:
    return reverse(name, kwargs={"agency_slug": town.agency.slug} | parts)


def send(town: Town, name: str, parts: Body, body: Body) -> HttpResponse:
    """Post the form, and follow where the answer leads: what is told there is told, too."""
    write, address = WRITES[name], address_of(town, name, parts)
    client = town.client(write.role)
    how: Body = {"content_type": "application/json"} if write.is_json else {}
    data = json.dumps(body) if write.is_json else body
    answer: Any = client.post(address, data, follow=True, **how)
    return answer  # type: ignore[no-any-return]


def text_of(answer: Any) -> str:
    """Everything that an answer says: its body, and its head's lines."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode("utf-8", "replace") + str(dict(answer.headers))
