"""Reports are kept, shared and sent: once each, to who may see them, at the agency's hour."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from agencies.models import Agency, Membership, User
from forecasting.services import grid_build
from missions_project.lib.errors import MissionsError
from tactics.models import ReportMail, SavedReport
from tactics.services.saved_reports import due_on, report_mail_send, report_mails_claim, saved_report_set
from tests.factories import make_agency, make_member, make_user
from tests.forecasting.scenes import CELL_SIZE_M, make_incidents

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.fixture
def town() -> Agency:
    cache.clear()
    return make_agency("trendville", cell_size_m=CELL_SIZE_M, time_zone="America/Chicago")


@pytest.fixture
def analyst(town: Agency) -> User:
    return make_member(town, "analyst", username="ana")


def member(user: User) -> Membership:
    return Membership.objects.get(user=user)


def saved(town: Agency, owner: User, **changes: object) -> SavedReport:
    given = {
        "agency": town, "owner": owner, "name": "Monday", "kind": "crime-trends", "days": 7, "filters": {}, "is_shared": False,
        "sends": "daily", "send_hour": 6, "recipients": [member(owner)],
    }  # fmt: skip
    return saved_report_set(**{**given, **changes})  # type: ignore[arg-type]


def test_a_report_is_saved_from_its_page_found_in_the_list_and_deleted(
    town: Agency, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    save = reverse("tactics:report_save", args=["trendville", "crime-trends"])
    listing = reverse("tactics:reports", args=["trendville"])
    fields = {"name": "Burglaries south", "days": "14", "type": "burglary", "district": "S", "sends": "never"}
    answer = client.post(save, fields | {"send_hour": "6", "is_shared": "1"}, follow=True)
    assert "Saved as “Burglaries south”" in answer.content.decode()
    row = SavedReport.objects.get()
    assert (row.days, row.filters, row.owner) == (14, {"district": ["S"], "type": ["burglary"]}, analyst)
    assert "district=S&amp;type=burglary" in client.get(listing).content.decode()
    supervisor = sign_in(make_member(town, "supervisor"))
    assert "Burglaries south" in supervisor.get(listing).content.decode()
    forget = reverse("tactics:report_forget", args=["trendville", row.pk])
    assert supervisor.post(forget).status_code == 404
    assert sign_in(analyst).post(forget).status_code == 302
    assert not SavedReport.objects.exists()


def test_a_saved_report_is_changed_on_its_page_by_its_owner_and_by_nobody_else(
    town: Agency, analyst: User, sign_in: SignIn
) -> None:
    boss = make_member(town, "supervisor")
    row = saved(town, analyst, is_shared=True, filters={"type": ["burglary"]}, recipients=[member(analyst), member(boss)])  # fmt: skip
    client = sign_in(analyst)
    listing = client.get(reverse("tactics:reports", args=["trendville"])).content.decode()
    page = reverse("tactics:report", args=["trendville", "crime-trends"])
    query = f"type=burglary&amp;saved={row.pk}"
    assert query in listing
    shown = client.get(f"{page}?type=burglary&saved={row.pk}").content.decode()
    assert 'value="Monday"' in shown
    assert re.search(r'<option value="daily" selected>', shown)
    assert [int(key) for key in re.findall(r'name="recipient" value="(\d+)" checked', shown)] == sorted(
        one.pk for one in row.recipients.all()
    )
    save = reverse("tactics:report_save", args=["trendville", "crime-trends"])
    fields = {"saved": row.pk, "name": "Tuesday", "days": "14", "sends": "weekly", "send_hour": "9"}
    client.post(save, fields | {"recipient": [member(boss).pk]})
    row = SavedReport.objects.get()
    assert (row.name, row.days, row.filters, row.sends, row.send_hour) == ("Tuesday", 14, {}, "weekly", 9)
    assert (row.owner, row.is_shared, list(row.recipients.all())) == (analyst, False, [member(boss)])
    # What cannot be saved leaves it as it was, and the page comes back with it.
    answer = client.post(save, fields | {"name": " "})
    assert answer["Location"].endswith(f"?saved={row.pk}")
    assert SavedReport.objects.get().name == "Tuesday"
    other_kind = reverse("tactics:report_save", args=["trendville", "tactics"])
    assert client.post(other_kind, fields).status_code == 404
    stranger = sign_in(boss)
    assert stranger.post(save, fields | {"name": "Mine now"}).status_code == 404
    assert stranger.get(f"{page}?saved={row.pk}").status_code == 404
    assert SavedReport.objects.get().name == "Tuesday"


def test_an_administrator_changes_what_is_shared_and_it_stays_its_owners(
    town: Agency, analyst: User, sign_in: SignIn
) -> None:
    row = saved(town, analyst, is_shared=True)
    admin = sign_in(make_member(town, "admin"))
    save = reverse("tactics:report_save", args=["trendville", "crime-trends"])
    fields = {"saved": row.pk, "name": "For all", "days": "7", "sends": "never", "send_hour": "6", "is_shared": "1"}  # fmt: skip
    assert admin.post(save, fields).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.owner, row.is_shared) == ("For all", analyst, True)


def test_what_is_not_shared_is_its_owners_alone_and_other_agencies_find_nothing(
    town: Agency, analyst: User, sign_in: SignIn
) -> None:
    row = saved(town, analyst, sends="never", recipients=[])
    listing = reverse("tactics:reports", args=["trendville"])
    assert "Monday" not in sign_in(make_member(town, "supervisor")).get(listing).content.decode()
    other = make_agency("elsewhere")
    stranger = sign_in(make_member(other, "admin"))
    forget = reverse("tactics:report_forget", args=["elsewhere", row.pk])
    assert stranger.post(forget).status_code == 404
    assert (
        stranger.post(reverse("tactics:report_save", args=["trendville", "crime-trends"])).status_code == 404
    )
    assert SavedReport.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "nothing"}, "no report"),
        ({"filters": {"type": ["jaywalking"]}}, "no crime type"),
        ({"days": 0}, "greater than or equal to 1"),
        ({"name": " "}, "cannot be blank"),
        ({"recipients": []}, "Nobody is chosen"),
        ({"send_hour": 24}, "less than or equal to 23"),
        ({"sends": "hourly"}, "not a valid choice"),
    ],
)
def test_what_cannot_be_saved_is_said_with_the_next_step(
    town: Agency, analyst: User, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(MissionsError, match=words):
        saved(town, analyst, **changes)
    assert not SavedReport.objects.exists()


def test_nobody_is_sent_what_they_may_not_see(town: Agency, analyst: User) -> None:
    officer = make_member(town, "officer")
    with pytest.raises(MissionsError, match="may not see"):
        saved(town, analyst, recipients=[member(officer)])
    elsewhere = make_member(make_agency("elsewhere"), "analyst")
    with pytest.raises(MissionsError, match="another agency"):
        saved(town, analyst, recipients=[member(elsewhere)])
    User.objects.filter(pk=analyst.pk).update(email="")
    with pytest.raises(MissionsError, match="no e-mail"):
        saved(town, analyst, recipients=[Membership.objects.get(user=analyst)])


def test_reports_are_due_at_the_agencys_own_hour_and_not_for_days_before_they_were_asked_for(
    town: Agency, analyst: User
) -> None:
    row = saved(town, analyst)
    row.changed_at = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    # 6 o'clock in Chicago is 12 o'clock UTC in winter and 11 in summer; the clocks change on 8 March 2026.
    assert due_on(row, dt.datetime(2026, 3, 5, 11, 59, tzinfo=dt.UTC)) == dt.date(2026, 3, 4)
    assert due_on(row, dt.datetime(2026, 3, 5, 12, 0, tzinfo=dt.UTC)) == dt.date(2026, 3, 5)
    assert due_on(row, dt.datetime(2026, 3, 9, 11, 0, tzinfo=dt.UTC)) == dt.date(2026, 3, 9)
    row.sends = "weekly"
    assert due_on(row, dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)) == dt.date(2026, 3, 9)
    assert due_on(row, dt.datetime(2026, 3, 12, 12, 0, tzinfo=dt.UTC)) is None
    row.sends = "monthly"
    assert due_on(row, dt.datetime(2026, 4, 1, 11, 30, tzinfo=dt.UTC)) == dt.date(2026, 4, 1)
    row.changed_at = dt.datetime(2026, 4, 1, 11, 15, tzinfo=dt.UTC)
    assert due_on(row, dt.datetime(2026, 4, 1, 11, 30, tzinfo=dt.UTC)) is None


def test_each_person_gets_each_report_once_with_the_workbook(town: Agency, analyst: User) -> None:
    make_incidents(town)
    grid_build(agency=town)
    boss = make_member(town, "supervisor", username="boss")
    row = saved(town, analyst, recipients=[member(analyst), member(boss)])
    SavedReport.objects.update(changed_at=timezone.now() - dt.timedelta(days=3))
    now = timezone.now()
    found = report_mails_claim(now=now)
    assert len(found) == 2
    assert report_mails_claim(now=now) == []
    for pk, attempt in found:
        assert report_mail_send(pk=pk, attempt=attempt)
        # A message that is delivered twice by the broker sends nothing twice.
        assert not report_mail_send(pk=pk, attempt=attempt)
    assert sorted(to for message in mail.outbox for to in message.to) == sorted([analyst.email, boss.email])
    message = mail.outbox[0]
    assert message.subject == f"[{town.name}] Monday"
    assert "28 days to" in message.body
    assert "/trendville/reports/crime-trends/?from=" in message.body
    name, content, _ = message.attachments[0]
    assert name.endswith(".xlsx")
    assert "counts" in load_workbook(io.BytesIO(content)).sheetnames  # type: ignore[arg-type]
    assert set(ReportMail.objects.values_list("state", flat=True)) == {"sent"}
    assert row.mails.count() == 2


def test_a_person_who_lost_the_role_is_sent_nothing_and_the_row_says_why(town: Agency, analyst: User) -> None:
    saved(town, analyst)
    SavedReport.objects.update(changed_at=timezone.now() - dt.timedelta(days=3))
    Membership.objects.filter(user=analyst).update(role="officer")
    ((pk, attempt),) = report_mails_claim(now=timezone.now())
    assert not report_mail_send(pk=pk, attempt=attempt)
    row = ReportMail.objects.get(pk=pk)
    assert "may not see this report" in row.error
    assert row.state == "waiting"
    assert row.next_at > timezone.now()
    assert not mail.outbox


def test_somebody_outside_sees_no_list(town: Agency, sign_in: SignIn) -> None:
    assert sign_in(make_user()).get(reverse("tactics:reports", args=["trendville"])).status_code == 404
