"""Seals and scores in the admin: every one is listed for its own agency's administrators, and nobody can touch one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agencies.models import Agency, CrimeType, Shift, User
from forecasting.models import ForecastSeal, LiveScore
from tests.factories import make_agency, make_member

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
SEALS, SCORES = "/admin/forecasting/forecastseal/", "/admin/forecasting/livescore/"


def fill(agency: Agency, n: int = 1, first: int = 1) -> list[LiveScore]:
    """So many seals with a score each; the last one is not scored again yet, and had no plain count beside it."""
    shift = Shift.objects.get(agency=agency, slug="evening")
    kind = CrimeType.objects.get(agency=agency, slug="robbery")
    made = []
    for number in range(first, first + n):
        begins = timezone.now() - dt.timedelta(days=60 - number)
        ends = begins + dt.timedelta(hours=8)
        seal = ForecastSeal.objects.create(
            agency=agency, number=number, shift=shift, on=begins.date(), period_from=begins, period_to=ends,
            sealed_at=begins - dt.timedelta(hours=1), is_late=False, statement=f'{{"of": "{agency.slug}"}}',
            hash=f"{agency.slug}{number:03d}".ljust(64, "0"), state=ForecastSeal.State.SCORED,
        )  # fmt: skip
        is_last = number == first + n - 1
        made.append(
            LiveScore.objects.create(
                agency=agency, seal=seal, crime_type=kind, version_number=3, shift=shift, on=begins.date(),
                sealed_at=seal.sealed_at, period_from=begins, period_to=ends, n_cells=64, expected=1.25, largest_gain=2.0,
                crimes=2, log_score=-8.5, plain_log_score=None if is_last else -9.0, scored_at=ends + dt.timedelta(days=14),
                final_crimes=None if is_last else 3, final_log_score=None if is_last else -9.25,
                final_plain_log_score=None if is_last else -9.0,
            )
        )  # fmt: skip
    return made


@pytest.fixture
def agency() -> Agency:
    return make_agency("riverton")


def test_every_seal_and_score_is_listed_with_what_it_said(agency: Agency, sign_in: SignIn) -> None:
    fill(agency, 2)
    client = sign_in(make_member(agency, "admin"))
    seals, scores = (client.get(path).content.decode() for path in (SEALS, SCORES))
    assert "riverton0010" in seals
    assert "riverton0020" in seals
    assert "Scored" in seals
    assert "+0.500" in scores
    assert "-0.250" in scores
    assert scores.count("–") >= 2
    assert "1.25" in scores
    page = client.get(f"{SEALS}{ForecastSeal.objects.latest('number').pk}/change/").content.decode()
    assert "of&quot;: &quot;riverton" in page


def test_nobody_adds_changes_or_deletes_one(agency: Agency, sign_in: SignIn) -> None:
    score = fill(agency)[0]
    before = (ForecastSeal.objects.values().get(), LiveScore.objects.values().get())
    client = sign_in(make_member(agency, "admin"))
    for path, pk in ((SEALS, score.seal_id), (SCORES, score.pk)):
        assert client.get(f"{path}add/").status_code == 403
        assert client.post(f"{path}add/", {"agency": agency.pk}).status_code == 403
        assert client.post(f"{path}{pk}/change/", {"crimes": 9, "state": "final"}).status_code == 403
        assert client.post(f"{path}{pk}/delete/", {"post": "yes"}).status_code == 403
        client.post(path, {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    assert (ForecastSeal.objects.values().get(), LiveScore.objects.values().get()) == before


def test_another_agencys_record_is_not_there(agency: Agency, sign_in: SignIn) -> None:
    fill(agency)
    theirs = fill(make_agency("lakeside"))[0]
    client = sign_in(make_member(agency, "admin"))
    for path, pk in ((SEALS, theirs.seal_id), (SCORES, theirs.pk)):
        assert "lakeside" not in client.get(path).content.decode()
        assert client.get(f"{path}{pk}/change/").status_code == 302
    for role in ("analyst", "auditor", "supervisor", "officer"):
        assert sign_in(make_member(agency, role)).get(SEALS, follow=True).status_code == 403


@pytest.mark.parametrize("path", [SEALS, SCORES])
def test_the_lists_queries_do_not_grow(agency: Agency, sign_in: SignIn, path: str) -> None:
    client = sign_in(make_member(agency, "admin"))
    fill(agency, 2)
    client.get(path)
    with CaptureQueriesContext(connection) as few:
        client.get(path)
    fill(agency, 8, first=3)
    with CaptureQueriesContext(connection) as more:
        client.get(path)
    assert len(few) == len(more)
