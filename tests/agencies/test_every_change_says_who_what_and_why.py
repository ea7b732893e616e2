"""Each row of the configuration has a history: who, when, why, and each column as it was and became."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from agencies.admin_audit import WHY, AuditedAdminMixin
from agencies.configuration import sections
from agencies.history import Change, changes_of
from agencies.models import Agency, AuditEvent, Beat, CrimeType, District, Unit, User
from tests import factories
from tests.auditing import without_guards

SignIn = Callable[[User | None], Client]


def crime_type_form(row: CrimeType, **changed: Any) -> dict[str, Any]:
    names = ("nibrs_code", "name", "slug", "written_reason", "weight", "letter", "colour")
    return {name: getattr(row, name) for name in names} | {"is_active": "on"} | changed


@pytest.fixture
def burglary(agency: Agency) -> CrimeType:
    return CrimeType.objects.get(agency=agency, slug="burglary")


def change(client: Client, row: Any, data: dict[str, Any]) -> Any:
    meta = row._meta
    return client.post(reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk]), data)


def history(client: Client, row: Any) -> str:
    meta = row._meta
    page = client.get(reverse(f"admin:{meta.app_label}_{meta.model_name}_history", args=[row.pk]))
    assert page.status_code == 200
    return str(page.content.decode())


def test_every_table_of_the_configuration_keeps_its_changes() -> None:
    admin.autodiscover()
    models = [Agency, *(section.model for section in sections())]
    assert not [m for m in models if not isinstance(admin.site._registry[m], AuditedAdminMixin)]


def test_a_change_is_kept_with_its_reason(sign_in: SignIn, owner: User, burglary: CrimeType) -> None:
    client = sign_in(owner)
    data = crime_type_form(burglary, weight="6", **{WHY: "Council asked for it in May"})
    assert change(client, burglary, data).status_code == 302
    event = AuditEvent.objects.get(model="agencies.crimetype", row_id=burglary.pk)
    assert (event.actor, event.why, event.agency) == (owner, "Council asked for it in May", burglary.agency)
    assert changes_of(event) == [Change("Weight", "2.0", "6.0")]
    text = history(client, burglary)
    for words in (
        "owner",
        "Council asked for it in May",
        "<del>2.0</del>",
        "<ins>6.0</ins>",
        "America/Chicago",
    ):
        assert words in text


def test_a_reason_without_a_change_is_no_change(sign_in: SignIn, owner: User, burglary: CrimeType) -> None:
    change(sign_in(owner), burglary, crime_type_form(burglary, **{WHY: "Just so"}))
    assert not AuditEvent.objects.filter(model="agencies.crimetype").exists()


def test_a_reason_about_a_person_is_refused(sign_in: SignIn, owner: User, burglary: CrimeType) -> None:
    data = crime_type_form(burglary, weight="6", **{WHY: "suspect Jones lives there"})
    answer = change(sign_in(owner), burglary, data)
    assert WHY in answer.context["adminform"].form.errors
    burglary.refresh_from_db()
    assert burglary.weight == 2.0


def test_related_rows_are_told_by_name_before_and_after(sign_in: SignIn, agency: Agency, owner: User) -> None:
    beat = Beat.objects.get(agency=agency, code="11")
    north = District.objects.get(agency=agency, code="N")
    data = {"district": north.pk, "code": "11", "name": "", "geometry": AREA, WHY: ""}
    assert change(sign_in(owner), beat, data).status_code == 302
    told = {change.label: change for change in changes_of(AuditEvent.objects.get(row_id=beat.pk))}
    assert (told["District"].before, told["District"].after) == ("South", "North")
    assert told["Area"].after == "area of 4 points"


AREA = '{"type": "Polygon", "coordinates": [[[-87.6, 41.8], [-87.59, 41.8], [-87.59, 41.81], [-87.6, 41.8]]]}'


def test_a_deletion_asks_why_and_keeps_it(sign_in: SignIn, agency: Agency, owner: User) -> None:
    client = sign_in(owner)
    unit = Unit.objects.filter(agency=agency)[0]
    here = reverse("admin:agencies_unit_delete", args=[unit.pk])
    assert f'name="{WHY}"' in client.get(here).content.decode()
    client.post(here, {"post": "yes", WHY: "caller's phone 312-555-0100"})
    assert Unit.objects.filter(pk=unit.pk).exists()
    client.post(here, {"post": "yes", WHY: "Merged into another car"})
    assert not Unit.objects.filter(pk=unit.pk).exists()
    event = AuditEvent.objects.get(action="unit.deleted")
    assert (event.why, event.row_id) == ("Merged into another car", unit.pk)


@pytest.mark.parametrize("why", ["Merged into other cars", ""])
def test_a_deletion_of_several_asks_why_and_keeps_it_in_each_row(
    sign_in: SignIn, agency: Agency, owner: User, why: str
) -> None:
    client = sign_in(owner)
    gone = list(Unit.objects.filter(agency=agency).values_list("pk", flat=True)[:2])
    here = reverse("admin:agencies_unit_changelist")
    asked = {"action": "delete_selected", "_selected_action": gone}
    page = client.post(here, asked | {"index": "0"}).content.decode()
    assert f'name="{WHY}"' in page
    assert "<style" not in page
    confirmed = asked | {"post": "yes"}
    # Nothing that is about a person is kept, and what was typed can be mended.
    refused = client.post(here, confirmed | {WHY: "caller's phone 312-555-0100"}).content.decode()
    assert "Nothing was deleted" in refused
    assert "312-555-0100" in refused
    assert Unit.objects.filter(pk__in=gone).count() == len(gone) == 2
    client.post(here, confirmed | ({WHY: f"  {why} "} if why else {}))
    assert not Unit.objects.filter(pk__in=gone).exists()
    events = AuditEvent.objects.filter(action="unit.deleted")
    assert {(event.row_id, event.why) for event in events} == {(pk, why) for pk in gone}


def test_every_list_that_changes_rows_keeps_its_changes() -> None:
    admin.autodiscover()
    lists = [one for one in admin.site._registry.values() if getattr(one, "list_editable", ())]
    assert lists
    assert all(isinstance(one, AuditedAdminMixin) for one in lists)


def test_a_new_row_begins_its_history(sign_in: SignIn, agency: Agency, owner: User) -> None:
    client = sign_in(owner)
    data = {
        "agency": agency.pk,
        "call_sign": "K9",
        "missions_per_shift": 2,
        "is_active": "on",
        WHY: "New team",
    }
    client.post(reverse("admin:agencies_unit_add"), data)
    text = history(client, Unit.objects.get(call_sign="K9"))
    assert "New team" in text
    assert "unit: added" in text


def test_a_new_person_begins_theirs(sign_in: SignIn, agency: Agency, owner: User) -> None:
    client = sign_in(owner)
    data = {
        "username": "newcomer", "usable_password": "true", "password1": factories.PASSWORD,
        "password2": factories.PASSWORD, "agency": agency.pk, "role": "officer", WHY: "Joins the evening watch",
    }  # fmt: skip
    assert client.post(reverse("admin:agencies_user_add"), data).status_code == 302
    assert "Joins the evening watch" in history(client, User.objects.get(username="newcomer"))


def test_a_row_without_changes_says_so(sign_in: SignIn, owner: User, burglary: CrimeType) -> None:
    assert "No change of this row is on record" in history(sign_in(owner), burglary)


def test_the_agencys_own_list_tells_all_of_them(
    sign_in: SignIn, agency: Agency, owner: User, stranger: User, burglary: CrimeType
) -> None:
    client = sign_in(owner)
    change(client, burglary, crime_type_form(burglary, weight="6", **{WHY: "For the list"}))
    listed = reverse("admin:agencies_auditevent_changelist")
    for query in (
        "",
        "?of=configuration",
        "?of=agencies.crimetype",
        "?q=For+the+list",
        f"?actor__id__exact={owner.pk}",
    ):
        assert "For the list" in client.get(listed + query).content.decode(), query
    AuditEvent.objects.create(agency=agency, action="beats.uploaded", subject="Beats of May")
    AuditEvent.objects.create(agency=agency, action="plan published", subject="Plan of May")
    configuration = client.get(listed + "?of=configuration").content.decode()
    assert "Beats of May" in configuration
    assert "Plan of May" not in configuration
    assert "For the list" not in client.get(listed + "?of=agencies.shift").content.decode()
    assert "For the list" not in sign_in(stranger).get(listed).content.decode()


def test_the_list_costs_the_same_for_many_events(
    sign_in: SignIn, agency: Agency, owner: User, django_assert_max_num_queries: Any
) -> None:
    client = sign_in(owner)
    detail = {"changed": {"weight": [1, 2]}}
    for number in range(30):
        AuditEvent.objects.create(
            agency=agency, actor=owner, action="crimetype.changed", subject=str(number),
            model="agencies.crimetype", row_id=1, detail=detail,
        )  # fmt: skip
    with django_assert_max_num_queries(20):
        client.get(reverse("admin:agencies_auditevent_changelist"))


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({"is_active": [True, False]}, Change("Active", "yes", "no")),
        ({"beat": [None, "Beat 11"]}, Change("Beat", "empty", "Beat 11")),
        ({"shifts": [[], ["Day", "Night"]]}, Change("Shifts", "empty", "Day, Night")),
        ({"password": "changed"}, Change("Password", "", "", kept=False)),
        ({"membership 3": "x, Officer"}, Change("Membership 3", "", "x, Officer")),
        ({"missions_per_shift": [1, 12000]}, Change("Missions per shift", "1", "12,000")),
    ],
)
def test_columns_are_told_in_words(told: dict[str, Any], shown: Change) -> None:
    event = AuditEvent(model="agencies.unit", detail={"changed": told})
    assert changes_of(event) == [shown]


@pytest.mark.parametrize("detail", [{}, {"changed": "x"}, [], {"changed": {}}])
def test_events_about_no_columns_have_none(detail: Any) -> None:
    assert changes_of(AuditEvent(detail=detail)) == []


def test_events_of_before_find_their_rows(agency: Agency, burglary: CrimeType) -> None:
    old = AuditEvent.objects.create(
        agency=agency, action="crimetype.changed", subject="Burglary", detail={"id": burglary.pk}
    )
    other = AuditEvent.objects.create(agency=agency, action="retention.done", subject="x", detail={"id": 7})
    # The rows that the migration meets are those of before the log was closed.
    with without_guards():
        import_module("agencies.migrations.0002_audit_event_says_why").name_the_rows(apps, None)
    old.refresh_from_db()
    other.refresh_from_db()
    assert (old.model, old.row_id) == ("agencies.crimetype", burglary.pk)
    assert (other.model, other.row_id) == ("", None)
