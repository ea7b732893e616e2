"""Old clients read missions and their effectiveness in HunchLab's words."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from agencies.models import AuditEvent
from ingestion.models import Feed, Incident
from patrols.models import Assignment, Mission
from tests.ingestion.pushing import make_token, push_feed
from tests.patrols.scenes import ON, Scene, make_scene

pytestmark = pytest.mark.django_db


def ask(scene: Scene, address: str, scope: str = "read", **parameters: str) -> HttpResponse:
    feed = Feed.objects.filter(agency=scene.agency).first() or push_feed(scene.agency)
    return Client().get(address, parameters, headers={"authorization": f"Token {make_token(feed, scope)}"})


def incident(scene: Scene, number: int, at: dt.datetime, lon: float, lat: float, slug: str) -> None:
    feed = Feed.objects.filter(agency=scene.agency).first() or push_feed(scene.agency)
    Incident.objects.create(
        agency=scene.agency, feed=feed, external_id=str(number), occurred_from=at, occurred_to=at, lon=lon, lat=lat,
        crime_type=scene.agency.crimetype_set.get(slug=slug), content_hash=number,
    )  # fmt: skip


def test_missions_hold_everything_that_a_client_of_2014_reads(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    unit = scene.agency.unit_set.all()[0]
    for mission in plan.missions.all():
        Assignment.objects.update_or_create(agency=scene.agency, mission=mission, defaults={"unit": unit})
    withdrawn = plan.missions.all()[0]
    Mission.objects.filter(pk=withdrawn.pk).update(withdrawn_at=plan.period_from)
    moment = (plan.period_from + dt.timedelta(hours=1)).isoformat()
    answer = ask(
        scene,
        "/api/missions/",
        effective_from=moment,
        effective_to=moment,
        valid_from=moment,
        valid_to=moment,
    )
    assert answer.status_code == 200
    features = answer.json()["features"]
    assert len(features) == plan.missions.count() - 1
    assert withdrawn.pk not in {feature["id"] for feature in features}
    for feature in features:
        flat = flattened(feature["properties"])
        assert 10 <= flat["rec_dose"] <= 16
        assert 0 <= flat["risk_pct"] <= 100
        assert flat["shift"] == "Evening"
        assert dt.datetime.fromisoformat(flat["start"]) == plan.period_from
        assert flat["res_ct1"] == 1
        assert flat["evnt_domwt"] > 0
        ring = feature["geometry"]["coordinates"][0]
        assert ring[0] == ring[-1]
        assert len(ring) == 5
    shares = features[0]["properties"]["event_models"]
    assert {part["label"] for part in shares} == {"Robbery", "Burglary", "Motor vehicle theft"}
    assert sum(part["weight"] for part in shares) == pytest.approx(1.0, abs=1e-3)


def flattened(properties: dict[str, Any]) -> dict[str, Any]:
    """The steps of a published converter to Shapefile: a key that is missing stops it."""
    facts = dict(properties)
    mission_set, models = facts.pop("mission_set"), facts.pop("event_models")
    for name in ("_links", "bbox_leaflet", "related_info"):
        del facts[name]
    facts["rec_dose"] = facts.pop("recommended_dose")
    facts["risk_pct"] = facts.pop("risk_percentile")
    facts["risk_z"] = facts.pop("risk_z_score")
    facts |= {"missionid": mission_set["id"], "shift": mission_set["shift_label"]}
    facts |= {"start": mission_set["period"]["start"], "end": mission_set["period"]["end"]}
    for number, resource in enumerate(mission_set["resources"], 1):
        facts[f"res_type{number}"] = resource["resource_type"]
        facts[f"res_ct{number}"] = resource["number_of_resources"]
        facts[f"res_time{number}"] = resource["time_percent"]
        facts[f"returns{number}"] = resource["times_returning"]
    dominant = sorted(models, key=lambda part: part["weight"], reverse=True)[0]
    return facts | {"evnt_dom": dominant["label"], "evnt_domwt": dominant["weight"]}


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("2026-03-14T17:00:00", 1),
        ("2026-03-14T22:00:00 00:00", 1),
        ("2026-03-14 22:00:00+00:00", 1),
        ("2026-03-13T17:00:00", 0),
    ],
)
def test_times_are_read_as_clients_write_them(scene: Scene, text: str, n: int) -> None:
    scene.plan(publish=True)
    answer = ask(scene, "/api/missions/", effective_from=text, effective_to=text)
    assert bool(answer.json()["features"]) == bool(n)


def test_drafts_and_other_agencies_missions_are_not_shown(scene: Scene) -> None:
    scene.plan()
    other = make_scene("lakeside")
    other.plan(publish=True)
    moment = "2026-03-14T17:00:00"
    assert ask(scene, "/api/missions/", effective_from=moment).json()["features"] == []
    assert ask(other, "/api/missions/", effective_from=moment).json()["features"]


def test_effectiveness_is_one_csv_row_with_the_old_names(scene: Scene) -> None:
    plan = scene.plan(publish=True)
    mission = plan.missions.all()[0]
    lon, lat = scene.spec.centres_lonlat()
    drawn = {m.cell_id for m in plan.missions.all()}
    inside = int(scene.spec.index_of([mission.cell_id])[0])
    outside = next(i for i, cell in enumerate(scene.spec.cells.tolist()) if cell not in drawn)
    at = plan.period_from + dt.timedelta(hours=2)
    incident(scene, 1, at, lon[inside], lat[inside], "robbery")
    incident(scene, 2, at, lon[outside], lat[outside], "burglary")
    incident(scene, 3, at - dt.timedelta(days=2), lon[inside], lat[inside], "robbery")
    answer = ask(scene, "/api/missioneffectiveness/", date=ON.isoformat(), format="csv")
    assert answer["Content-Type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert list(row) == [
        "event_total_overall", "events_in_missions_overall", "total_severity_overall", "mission_severity_overall",
        "total_patrol_weight_overall", "mission_patrol_weight_overall",
    ]  # fmt: skip
    assert (row["event_total_overall"], row["events_in_missions_overall"]) == ("2", "1")
    assert (float(row["total_severity_overall"]), float(row["mission_severity_overall"])) == (6.0, 4.0)
    assert 0 < float(row["mission_patrol_weight_overall"]) < float(row["total_patrol_weight_overall"])
    empty = ask(scene, "/api/missioneffectiveness/", date="2026-03-20").json()
    assert set(empty.values()) == {0}


def test_the_bare_csv_says_beside_itself_what_it_is_and_its_taking_is_kept(scene: Scene) -> None:
    scene.plan(publish=True)
    answer = ask(scene, "/api/missioneffectiveness/", date=ON.isoformat(), format="csv")
    name = f"riverton-mission-effectiveness-{ON}.csv"
    assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
    told = json.loads(answer["X-Missions-Facts"])
    assert told["agency"] == scene.agency.name
    assert ON.isoformat() in told["filters"]
    assert told["time_zone"] == scene.agency.time_zone
    assert "Robbery v1" in told["model"]
    assert told["generated_at"]
    kept = AuditEvent.objects.get(action="file exported")
    assert (kept.agency, kept.subject) == (scene.agency, name)
    as_json = ask(scene, "/api/missioneffectiveness/", date=ON.isoformat())
    assert "X-Missions-Facts" not in as_json
    assert "Content-Disposition" not in as_json


def test_what_is_asked_wrongly_is_400_and_a_push_token_reads_nothing(scene: Scene) -> None:
    assert ask(scene, "/api/missioneffectiveness/", date="tomorrow").status_code == 400
    assert ask(scene, "/api/missions/", effective_from="soon").status_code == 400
    assert (
        ask(scene, "/api/missions/", effective_from="2026-01-01", effective_to="2026-12-01").status_code
        == 400
    )
    assert ask(scene, "/api/missions/", scope="push").status_code == 403
    assert Client().get("/api/missions/").status_code == 401
