"""The shift map's pages: who sees what, what they hold, what they cost."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agencies.models import CrimeType, Unit, User
from forecasting.models import ForecastRun
from missions_project.lib.runs import RunStatus
from patrols.models import Engagement, MissionPlan
from patrols.services import mission_withdraw
from tests.factories import make_agency, make_member
from tests.patrols.scenes import ON, Scene

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


def address(name: str, scene: Scene, *more: object) -> str:
    return reverse(f"patrols:{name}", args=[scene.agency.slug, *more])


def board_address(scene: Scene, name: str = "board") -> str:
    return address(name, scene, ON.isoformat(), scene.shift.slug)


@pytest.mark.parametrize(
    ("role", "status"),
    [("supervisor", 200), ("analyst", 200), ("auditor", 200), ("admin", 200), ("officer", 403)],
)
def test_the_board_is_for_those_who_see_plans(
    scene: Scene, plan: MissionPlan, sign_in: SignIn, role: str, status: int
) -> None:
    client = sign_in(make_member(scene.agency, role))
    assert client.get(board_address(scene)).status_code == status


@pytest.mark.parametrize("name", ["board", "board_list", "plan_geojson", "print"])
def test_a_stranger_finds_nothing_and_nobody_is_sent_to_sign_in(
    scene: Scene, plan: MissionPlan, sign_in: SignIn, name: str
) -> None:
    stranger = make_member(make_agency("lakeside"), "admin")
    assert sign_in(stranger).get(board_address(scene, name)).status_code == 404
    assert sign_in(None).get(board_address(scene, name)).status_code == 302


def test_a_strangers_post_changes_nothing(scene: Scene, sign_in: SignIn) -> None:
    draft = scene.plan()
    mission = draft.missions.all()[0]
    client = sign_in(make_member(make_agency("lakeside"), "admin"))
    for name, pk, data in (
        ("publish", draft.pk, {}),
        ("assign", mission.pk, {"unit": ""}),
        ("withdraw", mission.pk, {"reason": "x"}),
        ("mission_add", draft.pk, {}),
    ):
        assert client.post(address(name, scene, pk), data).status_code == 404
        # The same row under the stranger's own agency does not exist either.
        own = reverse(f"patrols:{name}", args=["lakeside", pk])
        assert client.post(own, data).status_code == 404
    draft.refresh_from_db()
    mission.refresh_from_db()
    assert draft.state == MissionPlan.State.DRAFT
    assert mission.withdrawn_at is None
    assert mission.assignment.unit


def test_the_list_names_every_mission_by_beat_with_time_dose_type_and_harm(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    page = sign_in(make_member(scene.agency, "supervisor")).get(board_address(scene)).content.decode()
    for mission in plan.missions.select_related("beat"):
        assert f'data-mission="{mission.pk}"' in page
        assert f"Beat {mission.beat.code}" in page
        assert f"{mission.expected:.3f}" in page
        assert f"{mission.harm:.2f}" in page
    # 16:00 in Chicago is 21:00 UTC on that summer-time date.
    assert "21:0" in page or "16:" in page


def test_the_board_costs_the_same_number_of_queries_however_many_missions(
    scene: Scene, sign_in: SignIn
) -> None:
    client = sign_in(make_member(scene.agency, "supervisor"))

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(board_address(scene)).status_code == 200
        return len(captured)

    scene.plan(publish=True)
    few = queries()
    from agencies.models import Unit

    Unit.objects.update(missions_per_shift=9)
    assert scene.plan(publish=True).missions.count() == 36
    assert queries() == few
    assert few <= 12


def test_without_a_plan_the_board_says_why_and_what_to_do(scene: Scene, sign_in: SignIn) -> None:
    page = sign_in(make_member(scene.agency, "supervisor")).get(board_address(scene)).content.decode()
    assert "No plan yet" in page
    assert "Forecast and plan" in page


def test_a_failed_plan_shows_its_reason(scene: Scene, sign_in: SignIn) -> None:
    scene.policy.delete()
    with pytest.raises(Exception, match="policy"):
        scene.plan()
    page = sign_in(make_member(scene.agency, "supervisor")).get(board_address(scene)).content.decode()
    assert "no active patrol policy" in page


def test_boxes_on_the_map_are_the_missions_of_the_list(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    response = sign_in(make_member(scene.agency, "supervisor")).get(board_address(scene, "plan_geojson"))
    features = json.loads(response.content)["features"]
    assert {f["id"] for f in features} == set(plan.missions.values_list("pk", flat=True))
    spec = scene.spec
    lon, lat = spec.centres_lonlat()
    for feature in features:
        mission = plan.missions.get(pk=feature["id"])
        at = int(spec.index_of([mission.cell_id])[0])
        ring = feature["geometry"]["coordinates"][0]
        assert ring[0] == ring[-1]
        assert min(x for x, _ in ring) < lon[at] < max(x for x, _ in ring)
        assert min(y for _, y in ring) < lat[at] < max(y for _, y in ring)
        assert feature["properties"]["number"] == mission.number


def test_publishing_by_button_is_for_supervisors(scene: Scene, sign_in: SignIn) -> None:
    draft = scene.plan()
    assert (
        sign_in(make_member(scene.agency, "analyst")).post(address("publish", scene, draft.pk)).status_code
        == 403
    )
    client = sign_in(make_member(scene.agency, "supervisor"))
    assert client.post(address("publish", scene, draft.pk)).status_code == 302
    draft.refresh_from_db()
    assert draft.state == MissionPlan.State.PUBLISHED


def test_adding_by_a_click_makes_a_mission_in_that_cell(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    spec = scene.spec
    taken = set(plan.missions.values_list("cell_id", flat=True))
    at = next(i for i, cell in enumerate(spec.cells) if int(cell) not in taken)
    lon, lat = spec.centres_lonlat()
    client = sign_in(make_member(scene.agency, "analyst"))
    data = {
        "area": json.dumps({"type": "Point", "coordinates": [lon[at], lat[at]]}), "until": "shift", "crime_type": CrimeType.objects.get(agency=scene.agency, slug="robbery").pk,
        "start": "18:30", "dose_minutes": 12, "reason": "tip from the school",
    }  # fmt: skip
    client.post(address("mission_add", scene, plan.pk), data)
    mission = plan.missions.get(source="added")
    assert mission.cell_id == int(spec.cells[at])
    assert mission.starts_at == dt.datetime(2026, 3, 14, 23, 30, tzinfo=dt.UTC)


def test_the_print_sheet_has_a_page_per_beat_and_the_standing_line(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    page = (
        sign_in(make_member(scene.agency, "supervisor")).get(board_address(scene, "print")).content.decode()
    )
    assert page.count('<article class="sheet">') == 4
    assert page.count("A box is not reasonable suspicion") == 4


def test_missions_and_visits_leave_as_csv_and_geojson(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    mission = plan.missions.all()[0]
    Engagement.objects.create(
        agency=scene.agency, mission=mission, unit=mission.assignment.unit, arrived_at=plan.period_from,
        left_at=plan.period_from + dt.timedelta(minutes=11),
    )  # fmt: skip
    client = sign_in(make_member(scene.agency, "analyst"))
    period = f"?from={ON}&to={ON}"
    text = b"".join(client.get(address("missions_csv", scene) + period).streaming_content).decode()
    about = [line for line in text.splitlines() if line.startswith("#")]
    rows = list(csv.DictReader(io.StringIO("\n".join(text.splitlines()[len(about) :]))))
    assert scene.agency.name in about[0]
    assert [int(row["number"]) for row in rows] == list(range(1, 13))
    assert float(rows[0]["probability"]) == pytest.approx(mission.probability)
    text = b"".join(client.get(address("engagements_csv", scene) + period).streaming_content).decode()
    assert ",11.0," in text
    for name, count in (("missions_geojson", 12), ("engagements_geojson", 1)):
        assert len(json.loads(b"".join(client.get(address(name, scene) + period)))["features"]) == count


@pytest.mark.parametrize(("days", "named"), [(7, True), (8, False)])
def test_files_name_units_for_a_week_at_most(
    scene: Scene, plan: MissionPlan, sign_in: SignIn, days: int, named: bool
) -> None:
    """A year of them would be the unit activity report, which is for the unit and its supervisors alone."""
    mission = plan.missions.select_related("assignment__unit")[0]
    Engagement.objects.create(
        agency=scene.agency, mission=mission, unit=mission.assignment.unit, arrived_at=plan.period_from,
        left_at=plan.period_from + dt.timedelta(minutes=11),
    )  # fmt: skip
    client = sign_in(make_member(scene.agency, "analyst"))
    period = f"?from={ON - dt.timedelta(days=days - 1)}&to={ON}"
    signs = {
        f"{unit}" for unit in Unit.objects.filter(agency=scene.agency).values_list("call_sign", flat=True)
    }
    for name in ("missions_csv", "missions_geojson", "engagements_csv", "engagements_geojson"):
        text = b"".join(client.get(address(name, scene) + period).streaming_content).decode()
        assert any(sign in text for sign in signs) is named, name
        assert ("Units are named where 7 days at most are asked for." in text) is not named
        assert "11.0" in text or "missions" in name


@pytest.mark.parametrize(("role", "offered"), [("analyst", 4), ("supervisor", 0)])
def test_the_board_offers_every_export_to_those_who_may_have_it(
    scene: Scene, plan: MissionPlan, sign_in: SignIn, role: str, offered: int
) -> None:
    text = sign_in(make_member(scene.agency, role)).get(board_address(scene)).content.decode()
    names = ("missions_csv", "missions_geojson", "engagements_csv", "engagements_geojson")
    assert sum(f'href="{address(name, scene)}?from={ON}&amp;to={ON}"' in text for name in names) == offered


def test_a_reason_that_a_spreadsheet_would_run_is_neutralised(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    analyst = make_member(scene.agency, "analyst")
    mission_withdraw(mission=plan.missions.all()[0], reason="=cmd|'/C calc'!A0", actor=analyst)
    client = sign_in(analyst)
    text = b"".join(
        client.get(address("missions_csv", scene) + f"?from={ON}&to={ON}").streaming_content
    ).decode()
    assert "'=cmd" in text
    assert ",=cmd" not in text


def test_exports_are_not_for_officers_and_a_wrong_date_gets_a_plain_answer(
    scene: Scene, plan: MissionPlan, sign_in: SignIn
) -> None:
    assert (
        sign_in(make_member(scene.agency, "officer")).get(address("missions_csv", scene)).status_code == 403
    )
    response = sign_in(make_member(scene.agency, "analyst")).get(
        address("missions_csv", scene) + "?from=yesterday"
    )
    assert response.status_code == 400
    assert "YYYY-MM-DD" in response.content.decode()


def test_a_forecast_that_runs_or_failed_is_told_where_the_plan_would_be(
    scene: Scene, sign_in: SignIn
) -> None:
    client = sign_in(make_member(scene.agency, "supervisor"))
    run = ForecastRun.objects.filter(pk=scene.run.pk)
    run.update(
        status=RunStatus.RUNNING, progress_done=3, progress_total=4, progress_label="Reading incidents"
    )
    running = client.get(board_address(scene, "board_list")).content.decode()
    assert "Reading incidents" in running
    assert 'value="75"' in running
    run.update(status=RunStatus.FAILED, error="No model is live. Next step: train.")
    assert "No model is live. Next step: train." in client.get(board_address(scene)).content.decode()


@pytest.mark.parametrize("on", ["2026-13-01", "today"])
def test_an_impossible_date_is_not_found(scene: Scene, sign_in: SignIn, on: str) -> None:
    client = sign_in(make_member(scene.agency, "supervisor"))
    assert client.get(address("board", scene, on, scene.shift.slug)).status_code == 404
