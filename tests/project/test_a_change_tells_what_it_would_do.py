"""Forms of weights, priorities, shifts and codes tell what saving them would do, and write nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agencies import previews
from agencies.admin.shift_changes import week_cover
from agencies.models import Agency, AuditEvent, CrimeType, District, DistrictPriority, Shift, User
from ingestion.models import OffenceCode
from tests.factories import make_agency, make_member
from tests.ingestion.files import good_row, plain_feed, run_import, write_rows
from tests.patrols.scenes import Scene, make_scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


@pytest.fixture
def scene() -> Scene:
    return make_scene()


@pytest.fixture
def client_of(scene: Scene, sign_in: SignIn) -> Client:
    return sign_in(make_member(scene.agency, "admin", username="owner"))


def crime_type_form(row: CrimeType, **changed: Any) -> dict[str, Any]:
    names = ("nibrs_code", "name", "slug", "written_reason", "weight", "letter", "colour")
    kept = {name: getattr(row, name) for name in names} | {"is_active": "on", "preview_row": row.pk}
    return {name: value for name, value in (kept | changed).items() if value is not None}


def shift_form(row: Shift, **changed: Any) -> dict[str, Any]:
    return {
        "name": row.name, "slug": row.slug, "starts_at": f"{row.starts_at:%H:%M}", "preview_row": row.pk,
        "duration_minutes": row.duration_minutes, "weekdays": list(row.weekdays),
    } | changed  # fmt: skip


def tables(answer: Any) -> dict[str, list[list[str]]]:
    return {
        panel.title: [[cell.text for cell in row] for row in panel.rows] for panel in answer.context["panels"]
    }


def test_a_heavier_type_has_a_larger_share_of_harm_and_missions(scene: Scene, client_of: Client) -> None:
    row = CrimeType.objects.get(agency=scene.agency, slug="robbery")
    here = reverse("admin:agencies_crimetype_preview")
    with CaptureQueriesContext(connection) as queries:
        answer = client_of.get(here, crime_type_form(row, weight=40))
    assert not [q for q in queries if q["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE")]
    found = tables(answer)["Harm and missions by type"]
    rows = {line[0]: line[1:] for line in found}
    assert rows["Robbery"][0] == "4 → 40"
    share = [float(rows["Robbery"][n].split()[0]) for n in (1, 2)]
    missions = [float(rows["Robbery"][n]) for n in (3, 4)]
    assert share[0] < share[1]
    assert missions[0] < missions[1]
    for column in (2, 3):
        assert sum(float(line[column].split()[0]) for line in found) == pytest.approx(100, abs=0.2)
    # The draw has as many missions as before: only their kind moves.
    totals = [sum(float(line[column]) for line in found) for column in (4, 5)]
    assert totals[0] == pytest.approx(totals[1], abs=0.2)
    row.refresh_from_db()
    assert row.weight == 4.0


def test_an_unchanged_form_changes_nothing(scene: Scene, client_of: Client) -> None:
    row = CrimeType.objects.get(agency=scene.agency, slug="robbery")
    found = tables(client_of.get(reverse("admin:agencies_crimetype_preview"), crime_type_form(row)))
    for line in found["Harm and missions by type"]:
        assert line[2] == line[3]
        assert line[4] == line[5]


def test_an_inactive_type_has_no_share(scene: Scene, client_of: Client) -> None:
    row = CrimeType.objects.get(agency=scene.agency, slug="robbery")
    answer = client_of.get(reverse("admin:agencies_crimetype_preview"), crime_type_form(row, is_active=None))
    rows = {line[0]: line[1:] for line in tables(answer)["Harm and missions by type"]}
    assert rows["Robbery"][2] == "0.0 %"
    assert rows["Robbery"][4] == "0.0"


def test_a_district_priority_moves_harm(scene: Scene, client_of: Client) -> None:
    north = District.objects.get(agency=scene.agency, code="N")
    row = CrimeType.objects.get(agency=scene.agency, slug="robbery")
    data = {"district": north.pk, "crime_type": row.pk, "multiplier": 0, "agency": scene.agency.pk}
    here = reverse("admin:agencies_districtpriority_preview")
    rows = {line[0]: line[1:] for line in tables(client_of.get(here, data))["Harm and missions by type"]}
    assert float(rows["Robbery"][2].split()[0]) < float(rows["Robbery"][1].split()[0])
    assert not DistrictPriority.objects.exists()


def test_without_a_forecast_it_says_what_to_do(sign_in: SignIn, agency: Agency, owner: User) -> None:
    row = CrimeType.objects.get(agency=agency, slug="robbery")
    answer = sign_in(owner).get(reverse("admin:agencies_crimetype_preview"), crime_type_form(row, weight=9))
    assert "forecast a shift, then come back" in answer.content.decode()


def test_without_a_policy_missions_are_not_told(scene: Scene, client_of: Client) -> None:
    scene.policy.delete()
    row = CrimeType.objects.get(agency=scene.agency, slug="robbery")
    answer = client_of.get(reverse("admin:agencies_crimetype_preview"), crime_type_form(row, weight=9))
    assert "no active patrol policy" in answer.content.decode()
    assert all(line[4:] == ["–", "–"] for line in tables(answer)["Harm and missions by type"])


def test_other_hours_tell_the_week_and_its_gaps(sign_in: SignIn, agency: Agency, owner: User) -> None:
    evening = Shift.objects.get(agency=agency, slug="evening")
    data = shift_form(evening, starts_at="18:00", duration_minutes=240)
    found = tables(sign_in(owner).get(reverse("admin:agencies_shift_preview"), data))
    assert {tuple(line[1:]) for line in found["The next seven days"]} >= {("16:00–00:00", "18:00–22:00")}
    week = {line[0]: line[1:] for line in found["An ordinary week of all shifts"]}
    assert week["Hours without any shift"] == ["0 h", "28 h"]
    assert week["Hours in more than one shift"] == ["0 h", "0 h"]
    assert week["First gap"] == ["none", "Mon 16:00"]


def test_a_new_shift_is_told_too(sign_in: SignIn, agency: Agency, owner: User) -> None:
    data = shift_form(
        Shift(
            name="Late",
            slug="late",
            starts_at=Shift.objects.all()[0].starts_at,
            duration_minutes=60,
            weekdays="5",
        )
    )
    data |= {"preview_row": "", "agency": agency.pk}
    found = tables(sign_in(owner).get(reverse("admin:agencies_shift_preview"), data))
    assert [line[1] for line in found["The next seven days"]] == ["–"]


def test_missions_outside_the_new_hours_are_counted(
    scene: Scene, client_of: Client, monkeypatch: Any
) -> None:
    plan = scene.plan(publish=True)
    monkeypatch.setattr("patrols.admin.shift_changes.timezone.now", lambda: plan.period_from)
    here = reverse("admin:agencies_shift_preview")
    starts = [mission.starts_at for mission in plan.missions.all()]
    same = tables(client_of.get(here, shift_form(scene.shift)))["Plans that stand already"][0]
    assert same[4:] == [str(len(starts)), "0"]
    shorter = tables(client_of.get(here, shift_form(scene.shift, duration_minutes=60)))[
        "Plans that stand already"
    ][0]
    outside = sum((at - plan.period_from).total_seconds() >= 3600 for at in starts)
    assert shorter[5] == str(outside)
    assert outside > 0
    days = [str(day) for day in range(7) if day != plan.on.weekday()]
    moved = tables(client_of.get(here, shift_form(scene.shift, weekdays=days)))["Plans that stand already"][0]
    assert moved[3] == "not at all on that day"
    assert moved[5] == str(len(starts))


def test_a_week_wraps_from_sunday_to_monday() -> None:
    from datetime import time

    cover = week_cover([Shift(starts_at=time(22), duration_minutes=480, weekdays="6")])
    assert cover.sum() == 480
    assert cover[: 6 * 60].all()
    assert not cover[6 * 60 : 6 * 1440 + 22 * 60].any()


def test_a_code_tells_what_waits_and_what_is_stored(
    sign_in: SignIn, agency: Agency, owner: User, tmp_path: Any
) -> None:
    feed = plain_feed(agency)
    run_import(feed, write_rows(tmp_path / "rows.csv", [good_row(n) for n in range(5)]))
    stored = agency.incident_set.all()[0]  # type: ignore[attr-defined]
    robbery = CrimeType.objects.get(agency=agency, slug="robbery")
    code = OffenceCode.objects.filter(feed=feed, code=stored.code).first() or OffenceCode(
        feed=feed, code=stored.code
    )
    data = {"feed": feed.pk, "code": stored.code, "description": "", "nibrs_code": "", "crime_type": robbery.pk,
            "written_reason": "", "agency": agency.pk, "preview_row": code.pk or ""}  # fmt: skip
    rows = {
        line[0]: line[1:]
        for line in tables(sign_in(owner).get(reverse("admin:ingestion_offencecode_preview"), data))[
            "Rows with this code"
        ]
    }
    assert rows["Rows of coming imports"][2] == "stored as Robbery"
    assert rows["Rows that wait for a mapping"][0] == "0"
    told = next(line for name, line in rows.items() if name.startswith("Stored incidents"))
    assert int(told[0]) == agency.incident_set.filter(code=stored.code).count()  # type: ignore[attr-defined]


def test_what_is_invalid_is_told_and_not_tried(scene: Scene, client_of: Client) -> None:
    row = CrimeType.objects.get(agency=scene.agency, slug="robbery")
    answer = client_of.get(reverse("admin:agencies_crimetype_preview"), crime_type_form(row, weight=-1))
    assert "cannot be saved yet" in answer.content.decode()
    assert "panels" not in answer.context


def test_strangers_try_nothing(scene: Scene, sign_in: SignIn) -> None:
    row = CrimeType.objects.get(agency=scene.agency, slug="robbery")
    stranger = make_member(make_agency("lakeside"), "admin", username="stranger")
    here = reverse("admin:agencies_crimetype_preview")
    assert sign_in(stranger).get(here, crime_type_form(row)).status_code == 404
    assert sign_in(make_member(scene.agency, "analyst")).get(here, crime_type_form(row)).status_code in (
        302,
        403,
    )
    assert sign_in(stranger).get(here, {"preview_row": "x"}).status_code == 404


def test_the_forms_carry_their_preview(scene: Scene, client_of: Client) -> None:
    row = CrimeType.objects.get(agency=scene.agency, slug="robbery")
    page = client_of.get(reverse("admin:agencies_crimetype_change", args=[row.pk])).content.decode()
    assert reverse("admin:agencies_crimetype_preview") in page
    assert f'"preview_row": "{row.pk}"' in page


def test_a_preview_leaves_no_trace(scene: Scene, client_of: Client) -> None:
    before = AuditEvent.objects.count()
    for row in Shift.objects.filter(agency=scene.agency):
        client_of.get(reverse("admin:agencies_shift_preview"), shift_form(row, duration_minutes=120))
    assert AuditEvent.objects.count() == before
    assert set(Shift.objects.values_list("duration_minutes", flat=True)) == {480}


def test_a_room_speaks_once(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "_contributors", [])

    def told(of: Agency, before: Any, after: Any) -> list[Any]:
        return ["panel"]

    previews.register(Shift, told, order=1)
    previews.register(Shift, told, order=1)
    assert previews.panels(agency, None, Shift()) == ["panel"]
    assert previews.panels(agency, None, CrimeType()) == []
