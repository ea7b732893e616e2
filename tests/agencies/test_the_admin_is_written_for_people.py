"""Pages of the administration say things as people do: names and not numbers or code words, and what to do where nothing is there yet."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from agencies.admin_lists import Grouped
from agencies.models import Agency, AuditEvent, CrimeType, District, Shift, User
from forecasting.models import ForecastSeal
from tactics.models import DemographicMeasure, ImpactStudy
from tests.agencies.rows import make_row
from tests.factories import make_agency, make_member, make_operator

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.fixture
def boss(owner: User, sign_in: SignIn) -> Client:
    return sign_in(owner)


def text_of(client: Client, name: str, *args: object) -> str:
    answer = client.get(reverse(f"admin:{name}", args=args))
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("ingestion_dropfolder_add", "The folder below DROP_DIR/&lt;agency&gt;/."),
        ("tactics_transparencypolicy_add", "at /&lt;agency&gt;/transparency/."),
    ],
)
def test_what_help_has_in_angle_brackets_is_read(boss: Client, page: str, words: str) -> None:
    assert words in text_of(boss, page)


def test_the_reason_is_asked_for_once_and_kept(agency: Agency, boss: Client) -> None:
    row = make_row(DemographicMeasure, agency)
    page = text_of(boss, "tactics_demographicmeasure_change", row.pk)
    assert page.count('name="change_reason"') == 1


def test_a_time_of_day_has_seconds_only_where_it_has_some(agency: Agency, boss: Client) -> None:
    shift = Shift.objects.filter(agency=agency).earliest("pk")
    for stored, shown in ((dt.time(16), "16:00"), (dt.time(16, 0, 30), "16:00:30")):
        Shift.objects.filter(pk=shift.pk).update(starts_at=stored)
        field = re.search(
            r'<input[^>]*name="starts_at"[^>]*>', text_of(boss, "agencies_shift_change", shift.pk)
        )
        assert field is not None
        assert f'value="{shown}"' in field[0]


def test_before_an_agency_is_chosen_choices_say_whose_they_are(sign_in: SignIn) -> None:
    north, south = make_agency("northport"), make_agency("southport")
    District.objects.all().update(name="Harbour")
    page = text_of(sign_in(make_operator()), "agencies_beat_add")
    assert f"Harbour · {north}" in page
    assert f"Harbour · {south}" in page
    alone = text_of(sign_in(make_member(north, "admin")), "agencies_beat_add")
    assert "Harbour" in alone
    assert "Harbour ·" not in alone


def test_a_password_is_told_without_its_scrambling(agency: Agency, boss: Client) -> None:
    person = make_member(agency, "officer", username="sam")
    person.set_password("a long enough password")
    person.save()
    page = text_of(boss, "agencies_user_change", person.pk)
    assert "A password is set." in page
    assert "iterations" not in page
    assert "salt" not in page


def test_an_empty_list_says_who_writes_it(boss: Client) -> None:
    assert "once a model is live" in text_of(boss, "patrols_missionplan_changelist")
    assert "Studies → New study" in text_of(boss, "tactics_impactstudy_changelist")


def test_a_list_of_thousands_says_so_with_a_comma() -> None:
    assert f"{Grouped(24112)} / {Grouped(7)}" == "24,112 / 7"
    assert Grouped(24112) == 24112


def test_a_count_above_a_list_is_grouped(
    agency: Agency, boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A thousand rows of something small: the paginator is told, the database is not filled.
    monkeypatch.setattr("django.core.paginator.Paginator.count", 24112)
    page = text_of(boss, "agencies_district_changelist")
    assert "24,112 districts" in page
    assert "24112" not in page


def test_a_study_names_what_it_studies(agency: Agency, boss: Client) -> None:
    types = list(CrimeType.objects.filter(agency=agency)[:2])
    study = make_row(ImpactStudy, agency)
    ImpactStudy.objects.filter(pk=study.pk).update(
        crime_types=[t.pk for t in types], shifts=[], minimum_detectable=0.1234
    )
    page = text_of(boss, "tactics_impactstudy_change", study.pk)
    for crime_type in types:
        assert crime_type.name in page
    assert str([t.pk for t in types]) not in page
    assert "12.3 %" in page


def test_the_audit_log_says_who_it_was_where_nobody_was(agency: Agency, boss: Client) -> None:
    AuditEvent.objects.create(agency=agency, action="boundary.set", subject="x", detail={})
    gone = make_member(agency, "analyst", username="gone-since")
    AuditEvent.objects.create(agency=agency, action="boundary.set", subject="y", detail={}, actor=gone)
    gone.delete()
    page = text_of(boss, "agencies_auditevent_changelist")
    assert "a command or the worker" in page
    assert "gone-since" in page


def test_a_late_seal_has_no_tick_of_approval(agency: Agency, boss: Client) -> None:
    seal = make_row(ForecastSeal, agency)
    ForecastSeal.objects.filter(pk=seal.pk).update(
        is_late=True, state="late", due_at=None, period_from=seal.sealed_at - dt.timedelta(hours=1)
    )
    page = text_of(boss, "forecasting_forecastseal_changelist")
    cell = re.search(r'<td class="field-in_time">(.*?)</td>', page)
    assert cell is not None
    assert 'alt="False"' in cell[1]


def test_a_page_of_a_row_speaks_its_agencys_clock(agency: Agency, boss: Client) -> None:
    Agency.objects.filter(pk=agency.pk).update(time_zone="America/Los_Angeles")
    seal = make_row(ForecastSeal, agency)
    at = dt.datetime(2026, 3, 14, 22, 5, tzinfo=dt.UTC)
    ForecastSeal.objects.filter(pk=seal.pk).update(
        sealed_at=at, is_late=False, period_from=at + dt.timedelta(hours=1), state="waiting"
    )
    assert "14 Mar 2026 15:05" in text_of(boss, "forecasting_forecastseal_change", seal.pk)


def test_a_form_that_is_not_filled_in_is_told_so_in_one_line(boss: Client) -> None:
    answer = boss.get(reverse("admin:agencies_crimetype_preview"), {"preview_row": ""})
    words = answer.content.decode()
    assert "Still to be filled in:" in words
    assert "Offence class" in words
    assert "cannot be saved yet" not in words
    assert "This field is required" not in words


def test_nothing_is_read_only_on_a_page_that_adds(boss: Client) -> None:
    for page in ("patrols_addition_add", "patrols_suppression_add"):
        words = text_of(boss, page)
        assert 'name="reason"' in words
        assert "field-author" not in words
        assert "field-created_at" not in words
