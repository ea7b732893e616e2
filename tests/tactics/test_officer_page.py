"""The officer's page, walked through with a client: what it shows, who may press what, and double taps."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agencies.models import Agency, Beat, Membership, Unit, User
from patrols.models import Engagement, Mission, MissionPlan
from tactics.models import Tactic, TacticUse, VisitNote
from tactics.services import starter_catalogue_create
from tests.factories import make_member, make_operator
from tests.tactics import factories

SignIn = Callable[[User | None], Client]
STANDING = "A box is not reasonable suspicion."
PAGE = "/riverton/my/"


def text_of(response: object) -> str:
    """The page's words without tags, blanks squeezed."""
    html = response.content.decode()  # type: ignore[attr-defined]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_visit_from_arrival_to_ticks_without_any_script(
    agency: Agency, mission: Mission, officer: User, sign_in: SignIn
) -> None:
    starter_catalogue_create(agency=agency)
    client = sign_in(officer)
    page = text_of(client.get(PAGE))
    assert STANDING in page
    assert "place, never to a person" in page
    assert "1 · Elm St &amp; 4th Ave" in page
    assert "stay 12 min" in page
    assert "Foot patrol" in page
    assert "Braga et al. 2019" in page

    for _ in range(2):
        assert client.post(f"{PAGE}{mission.pk}/arrive/").url == PAGE  # type: ignore[attr-defined]
    page = text_of(client.get(PAGE))
    assert "You are here" in page
    assert "of 12 min recommended" in page

    walk = Tactic.objects.get(agency=agency, slug="foot-patrol")
    for _ in range(2):
        client.post(f"{PAGE}{mission.pk}/tactic/", {"tactic": walk.pk, "used": "1"})
    assert [use.tactic for use in TacticUse.objects.all()] == [walk]
    assert 'aria-pressed="true"' in client.get(PAGE).content.decode()

    for _ in range(2):
        client.post(f"{PAGE}{mission.pk}/leave/")
    assert Engagement.objects.get().left_at is not None
    page = text_of(client.get(PAGE))
    assert "All missions done" in page
    assert "Left mission 1 after 0 min." in page
    client.post(f"{PAGE}{mission.pk}/tactic/", {"tactic": walk.pk, "used": "0"})
    assert not TacticUse.objects.exists()


def test_arriving_elsewhere_says_that_the_first_was_left(
    plan: MissionPlan, mission: Mission, unit: Unit, officer: User, sign_in: SignIn
) -> None:
    other = factories.make_mission(plan, unit=unit, number=2, starts_in_minutes=30)
    client = sign_in(officer)
    client.post(f"{PAGE}{mission.pk}/arrive/")
    assert "Your timer runs at mission 1" in text_of(client.get(f"{PAGE}?mission={other.pk}"))
    response = client.post(f"{PAGE}{other.pk}/arrive/", follow=True)
    assert "Left mission 1 after 0 min: one timer at a time." in text_of(response)
    assert Engagement.objects.get(left_at__isnull=True).mission == other


def test_a_tick_before_the_arrival_says_what_to_do(
    agency: Agency, mission: Mission, officer: User, sign_in: SignIn
) -> None:
    starter_catalogue_create(agency=agency)
    client = sign_in(officer)
    walk = Tactic.objects.get(agency=agency, slug="foot-patrol")
    too_early = client.post(f"{PAGE}{mission.pk}/tactic/", {"tactic": walk.pk, "used": "1"}, follow=True)
    assert "press Arrived first" in text_of(too_early)
    assert "disabled" in too_early.content.decode()


def test_a_note_without_any_script_is_kept_or_stays_in_its_field(
    mission: Mission, officer: User, sign_in: SignIn
) -> None:
    client = sign_in(officer)
    address = f"{PAGE}{mission.pk}/note/"
    assert "press Arrived first" in text_of(client.post(address, {"text": "lamp out"}))
    client.post(f"{PAGE}{mission.pk}/arrive/")
    for _ in range(2):
        assert client.post(address, {"text": "lamp  out\n at the gate"}).status_code == 302
    assert [note.text for note in VisitNote.objects.all()] == ["lamp out at the gate"]
    assert "lamp out at the gate" in text_of(client.get(PAGE))
    refused = client.post(address, {"text": "plate ABC 1234 <b>"})
    assert refused.status_code == 422
    assert "a vehicle’s plate" in text_of(refused)
    assert "plate ABC 1234 &lt;b&gt;</textarea>" in refused.content.decode()
    assert STANDING in text_of(refused)
    assert VisitNote.objects.count() == 1


@pytest.mark.parametrize("tactic", ["", "x", "0", "999999999999999999999", "²"])
def test_a_tactic_that_does_not_exist_is_not_found(
    mission: Mission, officer: User, sign_in: SignIn, tactic: str
) -> None:
    client = sign_in(officer)
    client.post(f"{PAGE}{mission.pk}/arrive/")
    assert client.post(f"{PAGE}{mission.pk}/tactic/", {"tactic": tactic, "used": "1"}).status_code == 404


@pytest.mark.parametrize("action", ["arrive", "leave", "tactic", "note", "place.geojson"])
def test_only_the_units_own_people_act_on_its_missions(
    agency: Agency,
    mission: Mission,
    owner: User,
    colleague: User,
    stranger: User,
    sign_in: SignIn,
    action: str,
) -> None:
    path = f"{PAGE}{mission.pk}/{action}"
    path += "" if action.endswith("json") else "/"
    other_unit = Unit.objects.get(agency=agency, call_sign="R12")
    other_officer = make_member(agency, "officer", username="other", unit=other_unit)
    unitless = make_member(agency, "officer", username="unitless")
    analyst = make_member(agency, "analyst", username="analyst")
    auditor = make_member(agency, "auditor", username="auditor")

    def status(person: User | None, **data: str) -> int:
        client = sign_in(person)
        answer = client.get(path, data) if action.endswith("json") else client.post(path, data)
        return answer.status_code

    # An officer cannot borrow another unit's name; who runs shifts must pick one, and the right one.
    refused = [
        (other_officer, {"unit": "R11"}),
        (unitless, {"unit": "R11"}),
        (colleague, {}),
        (owner, {"unit": "R12"}),
    ]
    for person, data in [*refused, (stranger, {"unit": "R11"})]:
        assert status(person, **data) == 404, person
    for person in (analyst, auditor):
        assert status(person, unit="R11") == 403, person
    assert status(None) == 302
    assert not Engagement.objects.exists()


@pytest.mark.parametrize("role", ["supervisor", "admin", "operator"])
def test_who_runs_shifts_may_press_for_a_unit_of_the_agency(
    agency: Agency, mission: Mission, sign_in: SignIn, role: str
) -> None:
    person = make_operator() if role == "operator" else make_member(agency, role)
    client = sign_in(person)
    assert "Choose a unit" in text_of(client.get(PAGE))
    page = client.get(f"{PAGE}?unit=R11")
    assert "Elm St" in text_of(page)
    assert 'name="unit" value="R11"' in page.content.decode()
    answer = client.post(f"{PAGE}{mission.pk}/arrive/", {"unit": "R11"})
    assert answer.url == f"{PAGE}?unit=R11"  # type: ignore[attr-defined]
    assert Engagement.objects.get().officer == person


def test_a_supervisor_of_one_district_picks_from_its_units_only(agency: Agency, sign_in: SignIn) -> None:
    person = make_member(agency, "supervisor")
    Membership.objects.get(user=person).districts.add(Beat.objects.get(agency=agency, code="11").district)
    page = text_of(sign_in(person).get(PAGE))
    assert "R11 R12" in page
    assert "R21" not in page


def test_an_officer_without_a_unit_is_told_what_to_do(agency: Agency, sign_in: SignIn) -> None:
    page = text_of(sign_in(make_member(agency, "officer")).get(f"{PAGE}?unit=R11"))
    assert "You belong to no unit yet" in page
    assert "Admin → Memberships" in page
    assert STANDING in page


def test_a_unit_without_missions_is_told_why(officer: User, sign_in: SignIn) -> None:
    page = text_of(sign_in(officer).get(PAGE))
    assert "No missions for R11" in page
    assert STANDING in page


def test_strangers_get_404_and_nobody_the_sign_in_page(
    agency: Agency, mission: Mission, stranger: User, nobody: None, sign_in: SignIn
) -> None:
    for path in (PAGE, f"/riverton/missions/{mission.pk}/tactics/"):
        assert sign_in(stranger).get(path).status_code == 404
        assert sign_in(nobody).get(path).status_code == 302
    assert sign_in(stranger).get(f"/lakeside/missions/{mission.pk}/tactics/").status_code == 404


def test_a_get_changes_nothing(mission: Mission, officer: User, sign_in: SignIn) -> None:
    client = sign_in(officer)
    for action in ("arrive", "leave", "tactic", "note"):
        assert client.get(f"{PAGE}{mission.pk}/{action}/").status_code == 405


def test_the_number_of_queries_does_not_grow_with_missions(
    plan: MissionPlan, mission: Mission, unit: Unit, officer: User, sign_in: SignIn
) -> None:
    starter_catalogue_create(agency=plan.agency)
    for number in range(2, 7):
        factories.make_mission(plan, unit=unit, number=number, starts_in_minutes=20 * number)
    client = sign_in(officer)
    client.post(f"{PAGE}{mission.pk}/arrive/")
    client.get(PAGE)
    with CaptureQueriesContext(connection) as queries:
        client.get(PAGE)
    own = [query for query in queries.captured_queries if "django_session" not in query["sql"]]
    assert len(own) <= 16, [query["sql"][:120] for query in own]


def test_the_drawers_fragment_shows_evidence_and_what_was_done(
    agency: Agency, mission: Mission, officer: User, colleague: User, sign_in: SignIn
) -> None:
    fragment = f"/riverton/missions/{mission.pk}/tactics/"
    assert "An administrator adds rules" in text_of(sign_in(colleague).get(fragment))
    starter_catalogue_create(agency=agency)
    client = sign_in(officer)
    client.post(f"{PAGE}{mission.pk}/arrive/")
    walk = Tactic.objects.get(agency=agency, slug="foot-patrol")
    client.post(f"{PAGE}{mission.pk}/tactic/", {"tactic": walk.pk, "used": "1"})
    client = sign_in(colleague)
    client.get(fragment)
    with CaptureQueriesContext(connection) as queries:
        page = client.get(fragment)
    # The session, the person and the membership come before the view.
    assert len(queries) <= 3 + 7
    assert "No study of this tactic by itself is known" in text_of(page)
    assert "Shreveport" in text_of(page)
    assert "Foot patrol" in text_of(page).split("Done here so far")[1]
    assert "<html" not in page.content.decode()


def test_the_map_is_the_units_own(mission: Mission, officer: User, sign_in: SignIn) -> None:
    data = sign_in(officer).get(f"{PAGE}{mission.pk}/place.geojson").json()
    assert [feature["properties"]["kind"] for feature in data["features"]] == ["beat", "box"]


def test_notes_of_a_tactic_are_escaped(
    agency: Agency, mission: Mission, officer: User, sign_in: SignIn
) -> None:
    starter_catalogue_create(agency=agency)
    Tactic.objects.filter(agency=agency).update(steps="<script>alert(1)</script>")
    assert b"<script>alert" not in sign_in(officer).get(PAGE).content
    assert timezone.is_aware(mission.starts_at)
