"""The API is asked for everything that its description allows, and for what it does not, by made-up clients.

Schemathesis draws requests from the description itself, good and bad ones; each answer must be one of those described,
in the shape described, and never a 5xx. In-process, with so many requests an operation as ``API_FUZZ_EXAMPLES`` says:
a number, not a time, so that a slow machine asks the same.
"""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.utils import timezone

from ingestion.models import ImportRun
from missions_project.lib.rest.paging import cursor_to_text
from tests.api.scenes import ApiScene, make_api_scene
from tests.factories import rectangle
from tests.ingestion.pushing import make_token, push_feed

schemathesis = pytest.importorskip(
    "schemathesis", reason="schemathesis is not installed. To run it: pip install -r requirements-dev.txt"
)
from hypothesis import HealthCheck, Phase, given, seed  # noqa: E402 - after the line that may skip the file
from hypothesis import settings as hypothesis_settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi import checks as openapi  # noqa: E402

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
EXAMPLES = int(os.environ.get("API_FUZZ_EXAMPLES", "12"))
WHO = ("patrols key", "officer")


@pytest.fixture(autouse=True)
def _open_connection() -> Iterator[None]:
    """As Django's own test client does: the end of a request must not close the test's connection."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


CHECKS = [
    not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
    openapi.response_headers_conformance,
    # What is outside the description must be refused, never half understood. Not the reverse: that a request is well
    # formed does not mean that the shift, the mission and the reason allow it.
    openapi.negative_data_rejection,
]
RUNS = hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


PUSHED = {
    "/api/v1/incidents/": "incidents",
    "/api/v1/calls/": "calls",
    "/api/v1/gunfire/": "gunfire",
    "/api/v1/positions/": "positions",
}


class _Undone(Exception):
    """Ends a transaction that must leave nothing."""


def known_places(scene: ApiScene) -> dict[str, list[Any]]:
    """Path arguments that exist, so that requests come further than the first 404."""
    missions = scene.missions()
    feed = scene.agency.feed_set.filter(record_kind="incidents").first() or push_feed(scene.agency)
    job = ImportRun.objects.create(agency=scene.agency, feed=feed, job_id=uuid.uuid4())
    return {
        "agency_slug": [scene.agency.slug],
        "mission_id": [mission.pk for mission in missions if mission.beat.code == "11"],
        "plan_id": [scene.plan.pk],
        "forecast_id": [scene.scene.run.pk],
        "surface": ["harm", "robbery"],
        "on": [scene.plan.on.isoformat()],
        "shift_slug": [scene.scene.shift.slug],
        "call_sign": [scene.unit.call_sign],
        "suppression_id": list(scene.agency.suppression_set.values_list("pk", flat=True)),
        "job_id": [str(job.job_id)],
        "addition_id": list(scene.agency.addition_set.values_list("pk", flat=True)),
    }


def known_bodies(scene: ApiScene) -> dict[str, list[Any]]:
    """Fields of bodies and parameters that exist."""
    now = timezone.now()
    return {
        "unit": [scene.unit.call_sign],
        "beat": ["11"],
        "district": ["S"],
        "crime_type": ["robbery"],
        "shift": [scene.scene.shift.slug],
        "plan": [scene.plan.pk],
        "mission": [scene.missions(beat__code="11")[0].pk],
        "cell_id": scene.scene.spec.cells[:40].tolist(),
        "starts_at": [(scene.plan.period_to - dt.timedelta(minutes=30)).isoformat()],
        "starts": [[(scene.plan.period_to - dt.timedelta(minutes=30)).isoformat()]],
        "expires_at": [(now + dt.timedelta(days=2)).isoformat()],
        "arrived_at": [(now - dt.timedelta(hours=2)).isoformat()],
        "left_at": [(now - dt.timedelta(hours=1)).isoformat(), None],
        "at": [now.isoformat()],
        "geometry": [rectangle(100, 100, 700, 700)],
        "reason": ["Broken lamps"],
        "from": [(scene.plan.on - dt.timedelta(days=1)).isoformat()],
        "to": [scene.plan.on.isoformat()],
        "cursor": [cursor_to_text([now, 1])],
    }


@dataclass(frozen=True)
class Credentials:
    """What somebody sends with each request."""

    headers: dict[str, str]
    cookies: dict[str, str] = field(default_factory=dict)


def credentials(scene: ApiScene, who: str, path: str) -> Credentials:
    """A feed's key where a feed is asked, else the agency's key, or a session with the word that writes need."""
    kind = PUSHED.get(path, "incidents" if path.startswith("/api/dataservice") else "")
    if kind:
        feed = scene.agency.feed_set.filter(record_kind=kind).first() or push_feed(scene.agency, kind)
        return Credentials({"Authorization": f"Token {make_token(feed, user=scene.people['admin'])}"})
    if who in scene.keys or not path.startswith("/api/v1/"):
        key = scene.keys.get(who, scene.keys["read key"])
        return Credentials({"Authorization": f"Token {key}"})
    session = scene.client(who).cookies[settings.SESSION_COOKIE_NAME].value
    word = "a" * 32
    return Credentials(
        {"X-CSRFToken": word}, {settings.SESSION_COOKIE_NAME: session, settings.CSRF_COOKIE_NAME: word}
    )


def operations(schema: Any) -> Iterator[Any]:
    for found in schema.get_all_operations():
        yield found.ok()


def filled(case: Any, places: dict[str, list[Any]], fields: dict[str, list[Any]], choice: int) -> Any:
    """Mostly with names that exist: one in ten requests keeps what was made up, and so does whatever breaks the rules."""
    if choice % 10:
        for name in list(case.path_parameters or {}):
            if name in places:
                case.path_parameters[name] = places[name][choice % len(places[name])]
    if choice % 4 and case.meta.generation.mode.is_positive:
        # Marks of rows that nobody saw would end each change before it began.
        case.headers = {name: value for name, value in (case.headers or {}).items() if name != "If-Match"}
        for part in (case.query, case.body):
            for name in [name for name in part if name in fields] if isinstance(part, dict) else []:
                part[name] = fields[name][choice % len(fields[name])]
    return case


def ask_everything(scene: ApiScene, who: str) -> tuple[list[str], Counter[tuple[str, int]]]:
    """Return what went wrong, and how often each operation was answered how."""
    schema = schemathesis.openapi.from_wsgi("/api/schema/", get_wsgi_application())
    places, fields = known_places(scene), known_bodies(scene)
    problems: list[str] = []
    answers: Counter[tuple[str, int]] = Counter()
    for operation in operations(schema):
        own = credentials(scene, who, operation.path)

        def ask(case: Any, choice: int, operation: Any, own: Credentials) -> None:
            case = filled(case, places, fields, choice)
            try:
                with transaction.atomic():
                    response = case.call(headers=own.headers, cookies=own.cookies)
                    answers[operation.label, response.status_code] += 1
                    case.validate_response(response, checks=CHECKS, headers=own.headers)
                    # The next request finds the shift as this one did: what it finds must not depend on luck.
                    raise _Undone
            except _Undone:
                pass
            except (Exception, BaseExceptionGroup) as error:
                problems.append(f"{operation.label}: {str(error)[:1500]}")
                raise AssertionError from error

        one = given(operation.as_strategy(), st.integers(0, 10_000), st.just(operation), st.just(own))(ask)
        try:
            seed(20260314)(RUNS(one))()
        except AssertionError:
            continue
    return problems, answers


@pytest.mark.parametrize("who", WHO)
def test_every_answer_is_one_that_the_description_names(who: str, settings: Any) -> None:
    settings.API_REQUESTS_PER_SECOND = settings.API_PERSON_REQUESTS_PER_SECOND = 100_000
    scene = make_api_scene()
    problems, answers = ask_everything(scene, who)
    assert not problems, f"{len(problems)} problems\n\n" + "\n\n".join(problems)
    asked = {label for label, _ in answers}
    assert len(asked) >= 40, sorted(asked)
    assert not [answer for answer in answers if answer[1] >= 500]
    if who in scene.keys:
        # Requests that all end at the first refusal would show nothing.
        done = {label for label, status in answers if status < 400}
        assert len(done) >= 36, sorted(asked - done)
