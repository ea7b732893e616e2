"""Whoever sees no map reads the same: every cell, every layer, every incident, by beat, a hundred rows a page, as few questions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agencies.models import Agency, Beat, District, User
from agencies.selectors import beats_at
from forecasting.selectors import expected_by_type, grid_spec
from forecasting.selectors.layer_tables import layer_shapes
from forecasting.selectors.layers import boundary_layer, context_layer
from ingestion.models import ContextLayer, Incident
from tests.factories import SIDE_M, degrees, make_agency, rectangle
from tests.forecasting.scenes import HOT_M, Scene

SignIn = Callable[[User | None], Client]


def cells(scene: Scene, slug: str = "burglary") -> str:
    return reverse("forecasting:risk_cells", args=[scene.agency.slug, scene.run.pk, slug])


def layer(scene: Scene, name: str, *arguments: str) -> str:
    return reverse(f"forecasting:{name}", args=[scene.agency.slug, *arguments])


def all_pages(client: Client, address: str, query: dict[str, Any], key: str = "page") -> list[Any]:
    """The rows of every page of a table."""
    rows: list[Any] = []
    number = 1
    while True:
        context = client.get(address, query | {"page": number}).context
        rows += context[key]
        if not context["page"].has_next():
            return rows
        number += 1


def line(*metres: tuple[float, float]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": [list(degrees(*place)) for place in metres]}


def test_every_cell_of_the_map_stands_in_the_table_once(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    rows = all_pages(sign_in(analyst), cells(scene), {}, key="rows")
    spec, values = grid_spec(scene.grid), expected_by_type(scene.run)[scene.crime_type()]
    assert sorted(row["cell_id"] for row in rows) == sorted(spec.cells.tolist())
    assert [row["value"] for row in rows] == sorted((float(value) for value in values), reverse=True)
    assert all(row["value"] == pytest.approx(float(values[row["position"]])) for row in rows)
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    # A page holds a hundred: what is told is the place in the whole, not on the page.
    assert rows[100]["rank"] >= 101
    lon, lat = spec.centres_lonlat()
    assert [rows[3]["lon"], rows[3]["lat"]] == pytest.approx(
        [lon[rows[3]["position"]], lat[rows[3]["position"]]]
    )


def test_an_outline_carries_its_own_agencys_name_only(scene: Scene) -> None:
    """Two agencies with one outline, in one process; then one of them is renamed."""
    other = make_agency("lakeside")
    agencies = [scene.agency, other]
    told = [boundary_layer(one) for one in agencies]
    assert [[shape.name for shape in layer_shapes(one)] for one in told] == [[one.name] for one in agencies]
    assert len({one.etag for one in told}) == 2
    shapes = [json.loads(one.body())["features"][0] for one in told]
    assert shapes[0]["geometry"] == shapes[1]["geometry"]
    Agency.objects.filter(pk=other.pk).update(name="Lakeside Sheriff")
    other.refresh_from_db()
    assert [shape.name for shape in layer_shapes(boundary_layer(other))] == ["Lakeside Sheriff"]


def test_ranks_are_those_of_the_map_and_of_the_cells_own_drawer(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    first = client.get(cells(scene)).context["rows"]
    top = client.get(
        reverse("forecasting:risk_top", args=[scene.agency.slug, scene.run.pk, "burglary"])
    ).json()
    assert [row["cell_id"] for row in first[: len(top["features"])]] == [one["id"] for one in top["features"]]
    for row in (first[0], first[40]):
        drawer = reverse("forecasting:risk_cell", args=[scene.agency.slug, scene.run.pk, "burglary"])
        told = client.get(drawer, {"cell": row["cell_id"]}).content.decode()
        assert f"rank {row['rank']} of" in told


def test_cells_of_a_beat_and_of_a_district_are_all_of_theirs(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    everything = all_pages(client, cells(scene), {}, key="rows")
    for code in ("11", "22"):
        rows = all_pages(client, cells(scene), {"beat": code}, key="rows")
        assert rows
        assert [row["cell_id"] for row in rows] == [r["cell_id"] for r in everything if r["beat"] == code]
    district = District.objects.filter(agency=scene.agency).order_by("code")[0]
    codes = set(Beat.objects.filter(district=district).values_list("code", flat=True))
    rows = all_pages(client, cells(scene), {"district": district.code}, key="rows")
    assert [row["cell_id"] for row in rows] == [r["cell_id"] for r in everything if r["beat"] in codes]
    elsewhere = Beat.objects.filter(agency=scene.agency).exclude(district=district)[0].code
    page = client.get(cells(scene), {"district": district.code, "beat": elsewhere})
    assert "No cell lies there" in page.content.decode()
    assert client.get(cells(scene), {"beat": "99"}).status_code == 404
    assert client.get(cells(scene), {"district": "99"}).status_code == 404


def test_another_page_keeps_the_question_and_one_beyond_the_end_is_the_last(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    client = sign_in(analyst)
    pages = client.get(cells(scene)).context["page"].paginator.num_pages
    assert pages > 1
    assert client.get(cells(scene), {"page": "9999"}).context["page"].number == pages
    assert client.get(cells(scene), {"page": "x"}).context["page"].number == 1
    text = client.get(cells(scene), {"beat": "", "look": "a&b", "page": "1"}).content.decode()
    assert "?beat=&amp;look=a%26b&amp;page=2" in text


def test_only_who_may_export_is_offered_the_file(
    scene: Scene, analyst: User, supervisor: User, sign_in: SignIn
) -> None:
    link = reverse("forecasting:risk_csv", args=[scene.agency.slug, scene.run.pk, "burglary"])
    assert link in sign_in(analyst).get(cells(scene)).content.decode()
    assert link not in sign_in(supervisor).get(cells(scene)).content.decode()


def test_layers_hold_in_the_table_what_they_hold_on_the_map(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    features = [
        {"type": "Feature", "properties": {"name": "Long Road"}, "geometry": line((100, 100), (100, 1_100))},
        {"type": "Feature", "properties": {}, "geometry": rectangle(200, 200, 600, 700)},
        {"type": "Feature", "properties": {"name": "<b>Pier"}, "geometry": {"type": "Point", "coordinates": list(degrees(*HOT_M))}},
        {"type": "Feature", "properties": {"name": "no shape"}, "geometry": {"type": "Point", "coordinates": ["x"]}},
    ]  # fmt: skip
    ContextLayer.objects.create(
        agency=scene.agency,
        name="Mixed",
        slug="mixed",
        geojson={"type": "FeatureCollection", "features": features},
    )
    client = sign_in(analyst)
    drawn = client.get(layer(scene, "layer_context", "mixed")).json()["features"]
    page = client.get(layer(scene, "layer_table_context", "mixed"))
    rows = list(page.context["page"])
    assert [row.shape.name for row in rows] == [one["properties"].get("name", "") for one in drawn]
    assert [row.shape.kind for row in rows] == ["line", "area", "point"]
    assert rows[0].shape.length_m == pytest.approx(1_000, rel=0.01)
    assert rows[1].shape.area_m2 == pytest.approx(400 * 500, rel=0.01)
    assert [rows[0].shape.lon, rows[0].shape.lat] == pytest.approx(list(degrees(100, 600)), abs=1e-5)
    assert rows[2].beat == beats_at(scene.agency, [degrees(*HOT_M)[0]], [degrees(*HOT_M)[1]])[0] != ""
    text = page.content.decode()
    assert "&lt;b&gt;Pier" in text
    assert "<b>Pier" not in text


@pytest.mark.parametrize("name", ["beats", "districts", "boundary"])
def test_the_agencys_own_lines_stand_in_tables(
    scene: Scene, analyst: User, sign_in: SignIn, name: str
) -> None:
    client = sign_in(analyst)
    drawn = client.get(layer(scene, f"layer_{name}")).json()["features"]
    rows = list(client.get(layer(scene, "layer_table", name)).context["page"])
    assert [(row.shape.code, row.shape.name) for row in rows] == [
        (one["properties"].get("code", ""), one["properties"]["name"]) for one in drawn
    ]
    assert sum(row.shape.area_m2 for row in rows) == pytest.approx(SIDE_M**2, rel=0.02)
    assert client.get(layer(scene, "layer_table", "streets")).status_code == 404


def test_the_incident_layer_and_its_table_hold_the_same(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    client = sign_in(analyst)
    for query in ({}, {"run": scene.run.pk}, {"run": scene.run.pk, "type": "burglary"}):
        drawn = client.get(layer(scene, "layer_incidents"), query).json()["features"]
        rows = all_pages(client, layer(scene, "layer_table_incidents"), query)
        assert sorted((row.on.isoformat(), row.lon, row.lat) for row in rows) == sorted(
            (one["properties"]["on"], *one["geometry"]["coordinates"]) for one in drawn
        )
        assert rows
        assert [row.on for row in rows] == sorted((row.on for row in rows), reverse=True)
    code = rows[0].beat
    own = all_pages(client, layer(scene, "layer_table_incidents"), query | {"beat": code})
    assert [row for row in rows if row.beat == code] == own


def test_an_evening_crime_is_told_by_the_agencys_own_day(
    scene: Scene, analyst: User, sign_in: SignIn
) -> None:
    # 20:30 in Chicago is 02:30 of the next day in UTC.
    newest = Incident.objects.filter(agency=scene.agency).order_by("-occurred_from")[0]
    at = newest.occurred_from.replace(hour=2, minute=30)
    Incident.objects.filter(pk=newest.pk).update(occurred_from=at, lon=-90.5, lat=41.5)
    client = sign_in(analyst)
    day = at.date().toordinal() - 1
    rows = [row for row in all_pages(client, layer(scene, "layer_table_incidents"), {}) if row.lon == -90.5]
    drawn = client.get(layer(scene, "layer_incidents")).json()["features"]
    told = [one["properties"]["on"] for one in drawn if one["geometry"]["coordinates"][0] == -90.5]
    assert [row.on.toordinal() for row in rows] == [day]
    assert told == [rows[0].on.isoformat()]


def test_tables_are_listed_for_who_may_open_them(
    scene: Scene, analyst: User, member: Callable[[str], User], sign_in: SignIn
) -> None:
    for person, sees in ((analyst, True), (member("officer"), False)):
        client = sign_in(person)
        tables = client.get(layer(scene, "layer_tables")).context["tables"]
        index = client.get(layer(scene, "layer_index")).json()["layers"]
        assert [row["name"] for row in index] == [row["name"] for row in tables][: len(index)]
        assert any("incidents" in row["url"] for row in tables) is sees
        assert {client.get(row["url"]).status_code for row in tables} == {200}


def test_nothing_of_another_agency_is_in_the_tables(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    other = make_agency("lakeside")
    Beat.objects.filter(agency=other, code="11").update(code="LAKE-1")
    lon, lat = degrees(*HOT_M)
    ContextLayer.objects.create(
        agency=other, name="Lake bars", slug="lake-bars",
        geojson={"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "Lake bar"}, "geometry": {"type": "Point", "coordinates": [lon, lat]}}]},
    )  # fmt: skip
    theirs = Incident.objects.filter(agency=scene.agency)[0]
    theirs.pk, theirs.agency, theirs.external_id, theirs.lon = None, other, "lake", -91.25
    theirs.feed, theirs.crime_type = None, other.crimetype_set.all()[0]
    theirs.feed = Agency.objects.get(pk=other.pk).feed_set.create(name="Lake", slug="lake")
    theirs.save()
    client = sign_in(analyst)
    texts = [
        client.get(address).content.decode()
        for address in (
            layer(scene, "layer_tables"), layer(scene, "layer_table", "beats"), layer(scene, "layer_table_context", "bars"),
            layer(scene, "layer_table_incidents"), cells(scene), cells(scene, "harm"),
        )
    ]  # fmt: skip
    assert not [text for text in texts if "LAKE" in text or "Lake" in text or "-91.25" in text]
    assert client.get(layer(scene, "layer_table_context", "lake-bars")).status_code == 404


def test_a_layer_that_changes_changes_its_table(scene: Scene) -> None:
    before = context_layer(scene.agency, "bars")
    assert before is not None
    assert len(layer_shapes(before)) == 3
    row = ContextLayer.objects.get(agency=scene.agency, slug="bars")
    row.geojson = json.loads(json.dumps(row.geojson)) | {"features": row.geojson["features"][:2]}
    row.save()
    after = context_layer(scene.agency, "bars")
    assert after is not None
    assert len(layer_shapes(after)) == 2


def test_an_empty_layer_says_so(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    ContextLayer.objects.create(
        agency=scene.agency, name="None", slug="none", geojson={"type": "FeatureCollection", "features": []}
    )
    text = sign_in(analyst).get(layer(scene, "layer_table_context", "none")).content.decode()
    assert "This layer is empty" in text


def test_places_on_a_shared_edge_belong_to_the_lower_beat_and_places_outside_to_none(scene: Scene) -> None:
    middle = degrees(SIDE_M / 2, SIDE_M / 2)
    outside = degrees(-500, -500)
    assert beats_at(scene.agency, [middle[0], outside[0]], [middle[1], outside[1]])[1] == ""
    assert beats_at(scene.agency, [], []) == []
    Beat.objects.filter(agency=scene.agency, code="12").update(geometry=rectangle(0, 0, SIDE_M, SIDE_M))
    Beat.objects.filter(agency=scene.agency, code="11").update(geometry=rectangle(0, 0, SIDE_M, SIDE_M))
    inside = degrees(300, 300)
    assert beats_at(scene.agency, [inside[0]], [inside[1]]) == ["11"]


@pytest.mark.parametrize(
    ("name", "most"), [("cells", 12), ("tables", 8), ("beats", 6), ("bars", 9), ("incidents", 8)]
)
def test_a_table_asks_as_few_questions_however_long_it_is(
    scene: Scene, analyst: User, sign_in: SignIn, name: str, most: int
) -> None:
    address = {
        "cells": cells(scene, "harm"), "tables": layer(scene, "layer_tables"), "beats": layer(scene, "layer_table", "beats"),
        "bars": layer(scene, "layer_table_context", "bars"), "incidents": layer(scene, "layer_table_incidents"),
    }[name]  # fmt: skip
    client = sign_in(analyst)
    client.get(address)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    assert len(asked) <= most, [one["sql"][:90] for one in asked]


def test_what_is_asked_besides_goes_along(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    query = QueryDict(mutable=True)
    query.update({"run": str(scene.run.pk), "type": "burglary", "page": "2"})
    text = sign_in(analyst).get(layer(scene, "layer_table_incidents"), query.dict()).content.decode()
    assert f'<input type="hidden" name="run" value="{scene.run.pk}">' in text
    assert '<input type="hidden" name="type" value="burglary">' in text
    assert 'name="page"' not in text
