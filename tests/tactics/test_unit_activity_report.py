"""Unit activity: off unless allowed, each person's own unit, a supervisor's districts, nobody else's; and no ranking."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.core import mail
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.models import Agency, AuditEvent, District, Membership, Unit, User
from ingestion.services.agency_keys import agency_key_create
from missions_project.lib.errors import MissionsError
from patrols.models import MissionPlan
from tactics.models import ReportMail, ReportPolicy, Tactic
from tactics.reports.activity import UnitActivity
from tactics.reports.asked import Asked
from tactics.services.saved_reports import report_mail_send, report_mails_claim, saved_report_set
from tests.factories import make_agency, make_member, make_operator, make_user
from tests.tactics.factories import make_mission, make_plan
from tests.tactics.test_tactic_report import visit

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]
PAGE = "/riverton/reports/unit-activity/"


@pytest.fixture
def town() -> Agency:
    cache.clear()
    return make_agency()


@pytest.fixture
def plan(town: Agency) -> MissionPlan:
    """A visit by each of the four units (two in each district), 10, 20, 30 and 40 minutes; the report is allowed."""
    ReportPolicy.objects.create(agency=town, unit_activity=True)
    begun = timezone.now() - dt.timedelta(days=2)
    plan = make_plan(town, period_from=begun)
    tactic = Tactic.objects.create(agency=town, name="Foot patrol", slug="foot-patrol")
    for number, unit in enumerate(units(town), start=1):
        mission = make_mission(plan, unit=unit, number=number)
        visit(mission, begun + dt.timedelta(minutes=30 * number), 10 * number, [tactic] * (number % 2))
    return plan


def units(town: Agency) -> list[Unit]:
    return list(Unit.objects.filter(agency=town).order_by("call_sign"))


def page(client: Client, plan: MissionPlan, name: str = "report", *more: str) -> str:
    address = reverse(f"tactics:{name}", args=["riverton", "unit-activity", *more])
    answer = client.get(f"{address}?from={plan.on}&to={plan.on}")
    assert answer.status_code == 200, answer.status_code
    return b"".join(answer).decode() if answer.streaming else answer.content.decode()


def shown(client: Client, plan: MissionPlan) -> set[str]:
    """The units whose figures a person's page, CSV and API hold: the same in all three."""
    signs = {unit.call_sign for unit in units(plan.agency)}
    on_page = {sign for sign in signs if f">{sign}<" in page(client, plan)}
    in_file = {sign for sign in signs if f"{sign}," in page(client, plan, "table_csv")}
    body = client.get(f"/api/v1/riverton/reports/unit-activity/?from={plan.on}&to={plan.on}").json()
    by_api = {row["unit"] for one in body["tables"] if one["table"] == "units" for row in one["rows"]}
    assert on_page == in_file == by_api
    return on_page


def test_without_a_policy_the_report_is_off_for_all_and_the_page_says_why(
    town: Agency, sign_in: SignIn
) -> None:
    unit = units(town)[0]
    for person in (make_member(town, "supervisor"), make_member(town, "officer", unit=unit)):
        client = sign_in(person)
        answer = client.get(PAGE)
        assert answer.status_code == 404
        assert "Admin → Report policies" in answer.content.decode()
        assert client.get(PAGE + "report.xlsx").status_code == 404
        assert client.get("/api/v1/riverton/reports/unit-activity/").status_code == 404
    assert (
        "unit-activity"
        not in sign_in(make_member(town, "supervisor")).get("/riverton/reports/").content.decode()
    )
    ReportPolicy.objects.create(agency=town)
    assert sign_in(make_member(town, "supervisor")).get(PAGE).status_code == 404


def test_an_officer_sees_their_own_unit_and_no_other(
    town: Agency, plan: MissionPlan, sign_in: SignIn
) -> None:
    first, second, *_ = units(town)
    assert shown(sign_in(make_member(town, "officer", unit=first)), plan) == {first.call_sign}
    # The same question within the minute in which pages are kept.
    assert shown(sign_in(make_member(town, "officer", unit=second)), plan) == {second.call_sign}
    text = page(sign_in(make_member(town, "officer", unit=second)), plan)
    assert "1 visits of 1 unit: 20 minutes" in text
    assert page(sign_in(make_member(town, "officer", unit=first)), plan, "report_chart", "weeks")


def test_a_supervisor_sees_the_units_of_their_districts(
    town: Agency, plan: MissionPlan, sign_in: SignIn
) -> None:
    everywhere = make_member(town, "supervisor")
    assert shown(sign_in(everywhere), plan) == {unit.call_sign for unit in units(town)}
    south = make_member(town, "supervisor")
    Membership.objects.get(user=south).districts.add(District.objects.get(agency=town, code="S"))
    own = {unit.call_sign for unit in units(town) if unit.beat and unit.beat.district.code == "S"}
    assert shown(sign_in(south), plan) == own
    assert len(own) == 2


def test_nobody_else_sees_it_neither_the_operator_nor_a_machine(
    town: Agency, plan: MissionPlan, sign_in: SignIn
) -> None:
    for role in ("analyst", "admin", "auditor", "officer"):
        client = sign_in(make_member(town, role))
        assert client.get(PAGE).status_code == 403, role
        assert client.get("/api/v1/riverton/reports/unit-activity/").status_code == 403
    assert sign_in(make_operator()).get(PAGE).status_code == 403
    assert sign_in(make_user()).get(PAGE).status_code == 404
    for scope in ("read", "patrols"):
        _, key = agency_key_create(
            agency=town, name=scope, scope=scope, days=30, made_by=make_operator(scope)
        )
        answer = Client().get(
            "/api/v1/riverton/reports/unit-activity/", headers={"authorization": f"Token {key}"}
        )
        assert answer.status_code == 403, scope


def test_units_stand_by_call_sign_whatever_their_figures_and_no_officer_is_named(
    town: Agency, plan: MissionPlan, sign_in: SignIn
) -> None:
    text = page(sign_in(make_member(town, "supervisor", username="sam")), plan, "table_csv")
    lines = [line.split(",") for line in text.splitlines() if not line.startswith("#")][1:]
    assert [line[0] for line in lines] == sorted(unit.call_sign for unit in units(town))
    assert [float(line[3]) for line in lines] == [10.0, 20.0, 30.0, 40.0]
    # Without a tick: the second and the fourth.
    assert [float(line[4]) for line in lines] == [0.0, 20.0, 0.0, 40.0]
    report = page(sign_in(make_member(town, "supervisor")), plan)
    assert "must not be used to compare people" in report


def test_made_for_nobody_in_particular_it_is_not_made(plan: MissionPlan) -> None:
    with pytest.raises(MissionsError, match="one person at a time"):
        UnitActivity().make(plan.agency, Asked(plan.on, plan.on))
    with pytest.raises(PermissionDenied):
        UnitActivity().narrowed(Asked(plan.on, plan.on), None)


def test_by_e_mail_each_gets_their_own_units_and_nobody_anything_once_it_is_off(
    town: Agency, plan: MissionPlan
) -> None:
    chief = make_member(town, "supervisor")
    officer = make_member(town, "officer", unit=units(town)[0])
    people = [Membership.objects.get(user=person) for person in (chief, officer)]
    given = {
        "agency": town, "owner": chief, "name": "Ours", "kind": "unit-activity", "days": 7, "filters": {}, "is_shared": False,
        "sends": "daily", "send_hour": 0,
    }  # fmt: skip
    with pytest.raises(MissionsError, match="may not see"):
        saved_report_set(**given, recipients=[Membership.objects.get(user=make_member(town, "analyst"))])
    row = saved_report_set(**given, recipients=people)
    now = timezone.now() + dt.timedelta(days=1)
    for pk, attempt in report_mails_claim(now=now):
        assert report_mail_send(pk=pk, attempt=attempt)
    by_person = {message.to[0]: message.body for message in mail.outbox}
    assert "4 visits of 4 units" in by_person[chief.email]
    assert "1 visits of 1 unit" in by_person[officer.email]
    told = AuditEvent.objects.filter(agency=town, action="personal report mailed")
    assert {event.actor for event in told} == {chief, officer}
    ReportPolicy.objects.update(unit_activity=False)
    for pk, attempt in report_mails_claim(now=now + dt.timedelta(days=1)):
        assert not report_mail_send(pk=pk, attempt=attempt)
    assert len(mail.outbox) == 2
    assert (
        "does not have the unit activity report"
        in ReportMail.objects.filter(saved=row).exclude(error="")[0].error
    )


def test_the_audit_log_says_who_looked_at_whose_figures(
    town: Agency, plan: MissionPlan, sign_in: SignIn
) -> None:
    unit = units(town)[0]
    officer, chief = make_member(town, "officer", unit=unit), make_member(town, "supervisor")
    client = sign_in(officer)
    # A page with its chart, read again: one line.
    page(client, plan)
    page(client, plan, "report_chart", "weeks")
    page(client, plan)
    client = sign_in(chief)
    answer = client.get(f"/api/v1/riverton/reports/unit-activity/?from={plan.on}&to={plan.on}")
    assert answer.status_code == 200
    client = sign_in(make_member(town, "analyst"))
    assert client.get(PAGE).status_code == 403
    assert client.get("/riverton/reports/shifts/").status_code == 200
    seen = AuditEvent.objects.filter(agency=town, action="personal report seen").order_by("sequence")
    assert [(event.actor, event.detail["unit"]) for event in seen] == [(officer, unit.pk), (chief, None)]
    assert str(plan.on) in seen[0].subject
    # A file is another thing than a look: the line of every export.
    page(sign_in(chief), plan, "table_csv")
    assert AuditEvent.objects.filter(agency=town, action="file exported", actor=chief).count() == 1
