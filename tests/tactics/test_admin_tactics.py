"""Tactics in the admin: the starter set by a button, rules with their tactic, walls between agencies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agencies.admin_audit import WHY
from agencies.checklist import checklist
from agencies.models import Agency, AuditEvent, CrimeType, User
from patrols.models import Mission
from patrols.services import visit_start
from tactics.models import Tactic, TacticRule
from tactics.services import starter_catalogue_create, tactic_use_record
from tests.factories import make_operator

SignIn = Callable[[User | None], Client]
TACTICS = "/admin/tactics/tactic/"
RULES = "/admin/tactics/tacticrule/"


def tactic_data(agency: Agency, *rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What the form sends for a tactic with these rules."""
    data: dict[str, Any] = {
        "agency": agency.pk,
        "name": "Bicycle patrol",
        "slug": "bicycle-patrol",
        "is_active": "on",
        "tacticrule_set-TOTAL_FORMS": len(rules),
        "tacticrule_set-INITIAL_FORMS": 0,
    }
    for number, rule in enumerate(rules):
        data |= {f"tacticrule_set-{number}-{name}": value for name, value in rule.items()}
    return data | changes


def crime_type(agency: Agency, slug: str = "robbery") -> CrimeType:
    return CrimeType.objects.get(agency=agency, slug=slug)


def test_the_starter_set_is_added_by_a_button_and_kept_in_the_audit_log(
    agency: Agency, owner: User, sign_in: SignIn
) -> None:
    client = sign_in(owner)
    assert "Add the starter set" in client.get(TACTICS).content.decode()
    assert client.get(f"{TACTICS}starter/").status_code == 302
    assert not Tactic.objects.exists()
    response = client.post(f"{TACTICS}starter/", {"agency": agency.pk}, follow=True)
    assert "tactics and" in " ".join(str(message) for message in response.context["messages"])
    assert AuditEvent.objects.get(action="tactic.starter_set_added").actor == owner
    response = client.post(f"{TACTICS}starter/", {"agency": agency.pk}, follow=True)
    assert "nothing changed" in " ".join(str(message) for message in response.context["messages"])


def test_a_stranger_adds_it_to_no_other_agency(agency: Agency, stranger: User, sign_in: SignIn) -> None:
    client = sign_in(stranger)
    for pk in (agency.pk, "", "x"):
        assert client.post(f"{TACTICS}starter/", {"agency": pk}).status_code == 404
    assert not Tactic.objects.exists()


def test_the_operator_chooses_the_agency(agency: Agency, stranger: User, sign_in: SignIn) -> None:
    client = sign_in(make_operator())
    assert f'<option value="{agency.pk}">' in client.get(TACTICS).content.decode()
    client.post(f"{TACTICS}starter/", {"agency": agency.pk})
    assert set(Tactic.objects.values_list("agency", flat=True)) == {agency.pk}


def test_a_tactic_is_made_with_its_rules(agency: Agency, owner: User, sign_in: SignIn) -> None:
    client = sign_in(owner)
    data = tactic_data(agency, {"crime_type": crime_type(agency).pk, "shift": "", "preference": "2"})
    response = client.post(f"{TACTICS}add/", data)
    assert response.status_code == 302, response.context["errors"]
    rule = TacticRule.objects.get()
    assert (rule.agency, rule.tactic.name, rule.preference) == (agency, "Bicycle patrol", 2.0)
    assert "Robbery" in client.get(TACTICS).content.decode()


@pytest.mark.parametrize("preference", ["1", "0"])
def test_an_enforcement_tactic_cannot_be_recommended(
    agency: Agency, owner: User, sign_in: SignIn, preference: str
) -> None:
    data = tactic_data(
        agency,
        {"crime_type": crime_type(agency).pk, "shift": "", "preference": preference},
        is_enforcement="on",
    )
    response = sign_in(owner).post(f"{TACTICS}add/", data)
    assert Tactic.objects.exists() is (preference == "0")
    if preference == "1":
        assert "never recommended" in str(response.context["errors"])


def test_the_same_rule_twice_is_refused_in_words(agency: Agency, owner: User, sign_in: SignIn) -> None:
    rule = {"crime_type": crime_type(agency).pk, "shift": "", "preference": "1"}
    client = sign_in(owner)
    client.post(f"{TACTICS}add/", tactic_data(agency, rule))
    tactic = Tactic.objects.get()
    response = client.post(f"{RULES}add/", {"agency": agency.pk, "tactic": tactic.pk, **rule})
    assert response.status_code == 200
    assert "already" in str(response.context["errors"])
    assert TacticRule.objects.count() == 1


def test_another_agencys_crime_types_are_neither_offered_nor_accepted(
    agency: Agency, owner: User, stranger: User, sign_in: SignIn
) -> None:
    foreign = crime_type(Agency.objects.exclude(pk=agency.pk).get())
    client = sign_in(owner)
    assert f'<option value="{foreign.pk}"' not in client.get(f"{TACTICS}add/").content.decode()
    data = tactic_data(agency, {"crime_type": foreign.pk, "shift": "", "preference": "1"})
    assert client.post(f"{TACTICS}add/", data).status_code == 200
    assert not TacticRule.objects.exists()


def test_preferences_are_changed_in_the_list(
    agency: Agency, owner: User, stranger: User, sign_in: SignIn
) -> None:
    starter_catalogue_create(agency=agency)
    rule = TacticRule.objects.filter(agency=agency, crime_type__slug="robbery").earliest("pk")
    data = {
        "form-TOTAL_FORMS": 1,
        "form-INITIAL_FORMS": 1,
        "form-0-id": rule.pk,
        "form-0-preference": "7",
        "_save": "Save",
    }
    sign_in(stranger).post(f"{RULES}?crime_type__id__exact={rule.crime_type_id}", data)
    rule.refresh_from_db()
    assert rule.preference != 7.0
    only = f"{RULES}?id={rule.pk}"
    assert sign_in(owner).post(only, data).status_code == 302
    rule.refresh_from_db()
    assert rule.preference == 7.0


@pytest.mark.parametrize("why", ["Council asked for it in May", ""])
def test_preferences_changed_in_the_list_keep_one_reason(
    agency: Agency, owner: User, sign_in: SignIn, why: str
) -> None:
    starter_catalogue_create(agency=agency)
    first, second, kept = TacticRule.objects.filter(agency=agency).order_by("pk")[:3]
    kept_as = kept.preference
    data: dict[str, object] = {"form-TOTAL_FORMS": 3, "form-INITIAL_FORMS": 3, "_save": "Save"}
    for number, (rule, preference) in enumerate([(first, 7), (second, 8), (kept, kept_as)]):
        data |= {f"form-{number}-id": rule.pk, f"form-{number}-preference": preference}
    client = sign_in(owner)
    here = f"{RULES}?id__in={first.pk},{second.pk},{kept.pk}"
    page = client.get(here).content.decode()
    assert page.count(f'name="{WHY}"') == 1
    assert "Why this change" in page
    # What is about a person is refused where it stands, with all that was typed.
    refused = client.post(here, data | {WHY: "suspect Jones lives there"})
    assert refused.status_code == 200
    told = refused.content.decode()
    assert 'value="suspect Jones lives there"' in told
    assert "never kept" in told
    assert not AuditEvent.objects.filter(action="tacticrule.changed").exists()
    assert client.post(here, data | ({WHY: why} if why else {})).status_code == 302
    events = AuditEvent.objects.filter(action="tacticrule.changed")
    assert {(event.row_id, event.why) for event in events} == {(first.pk, why), (second.pk, why)}


def test_what_was_ticked_is_shown_and_cannot_be_changed(
    agency: Agency, mission: Mission, unit: Any, officer: User, owner: User, sign_in: SignIn
) -> None:
    starter_catalogue_create(agency=agency)
    visit = visit_start(mission=mission, unit=unit, officer=officer, at=timezone.now()).engagement
    tactic = Tactic.objects.get(agency=agency, slug="park-walk")
    use = tactic_use_record(engagement=visit, tactic=tactic, is_used=True, officer=officer, at=timezone.now())
    assert use is not None
    client = sign_in(owner)
    assert "Park walk" in client.get("/admin/tactics/tacticuse/").content.decode()
    assert client.get("/admin/tactics/tacticuse/add/").status_code == 403
    assert client.post(f"/admin/tactics/tacticuse/{use.pk}/delete/", {"post": "yes"}).status_code == 403
    # A tactic with a history is made inactive, not deleted.
    client.post(f"{TACTICS}{tactic.pk}/delete/", {"post": "yes"})
    assert Tactic.objects.filter(pk=tactic.pk).exists()


def test_the_checklist_names_crime_types_without_a_tactic(agency: Agency) -> None:
    def item() -> Any:
        return next(entry for entry in checklist(agency) if entry.label == "Tactics")

    assert not item().done
    starter_catalogue_create(agency=agency)
    assert item().done
    TacticRule.objects.filter(crime_type__slug="burglary").update(preference=0.0)
    assert not item().done
    assert item().detail == "none yet for Burglary"
