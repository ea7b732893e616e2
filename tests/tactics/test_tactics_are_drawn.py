"""The recommended tactic is drawn with the plan: among what the rules allow, with stored chances, and can be replayed."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agencies.models import Agency, CrimeType
from ingestion.models import ContextLayer
from patrols.models import Mission
from patrols.selectors import mission_of
from tactics.models import PlaceKind, PlaceLayer, Tactic, TacticDraw, TacticPolicy, TacticRule, TacticUpdate
from tactics.recommended import recommended_tactics, tactics_of_missions
from tactics.replays import tactic_differences
from tactics.rules import suits_hour, suits_place
from tactics.services import starter_catalogue_create
from tactics.surroundings import layers_by_kind, surroundings
from tests.patrols.scenes import Scene, make_scene
from tests.tactics.test_recommended_tactics import make_rule, make_tactic

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene(db: None) -> Scene:
    made = make_scene()
    starter_catalogue_create(agency=made.agency)
    return made


def layer(agency: Agency, slug: str, *points: tuple[float, float]) -> ContextLayer:
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": list(point)}}
        for point in points
    ]
    features.append({"type": "Feature", "properties": {}, "geometry": None})
    return ContextLayer.objects.create(
        agency=agency,
        name=slug,
        slug=slug,
        kind="reference",
        geojson={"type": "FeatureCollection", "features": features},
    )


def test_every_drawn_mission_has_one_draw_whose_chances_are_the_preferences(scene: Scene) -> None:
    plan = scene.plan()
    draws = TacticDraw.objects.filter(mission__plan=plan)
    assert draws.count() == plan.missions.filter(source="drawn").count() > 0
    for draw in draws.select_related("tactic", "mission"):
        weights = draw.policy["weights"]
        total = sum(weights.values())
        assert draw.probabilities == pytest.approx({slug: weight / total for slug, weight in weights.items()})
        assert draw.tactic.slug in draw.probabilities
        assert (draw.method, draw.seed, draw.agency) == ("weights", plan.seed, scene.agency)
        assert "enforcement-action" not in draw.probabilities


def test_the_same_seed_gives_the_same_tactics_and_another_seed_others(scene: Scene) -> None:
    def drawn(seed: int) -> list[tuple[int, str]]:
        plan = scene.plan(seed=seed)
        return list(plan.missions.order_by("cell_id").values_list("cell_id", "tactic_draw__tactic__slug"))

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


def test_tactics_come_up_as_often_as_their_chances_say(scene: Scene) -> None:
    seen: Counter[str] = Counter()
    hoped: Counter[str] = Counter()
    spread = 0.0
    for seed in range(25):
        for draw in TacticDraw.objects.filter(mission__plan=scene.plan(seed=seed)).select_related("tactic"):
            seen[draw.tactic.slug] += 1
            for slug, chance in draw.probabilities.items():
                hoped[slug] += chance
            p = draw.probabilities.get("foot-patrol", 0.0)
            spread += p * (1 - p)
    assert abs(seen["foot-patrol"] - hoped["foot-patrol"]) < 4 * np.sqrt(spread)
    assert len(seen) >= 4


def test_the_drawn_tactic_comes_first_everywhere_and_later_rules_do_not_change_it(scene: Scene) -> None:
    plan = scene.plan()
    found = mission_of(scene.agency, plan.missions.filter(source="drawn").earliest("pk").pk)
    assert found is not None
    with CaptureQueriesContext(connection) as queries:
        rows = recommended_tactics(found)
    assert len(queries) == 2
    draw = TacticDraw.objects.get(mission=found)
    assert (rows[0].tactic, rows[0].is_drawn, rows[0].probability) == (
        draw.tactic,
        True,
        draw.probabilities[draw.tactic.slug],
    )
    rest = [row.probability for row in rows[1:]]
    assert rest == sorted(rest, reverse=True)
    assert not any(row.is_drawn for row in rows[1:])
    TacticRule.objects.filter(agency=scene.agency).delete()
    assert [row.tactic for row in recommended_tactics(found)] == [row.tactic for row in rows]
    line = tactics_of_missions(scene.agency, [found.pk])[0]
    assert line.line.startswith(f"{draw.tactic.name} (recommended) · ")
    Tactic.objects.filter(pk=draw.tactic_id).update(is_active=False)
    assert not any(row.is_drawn for row in recommended_tactics(found))


def test_an_agency_without_rules_has_plans_without_draws(scene: Scene) -> None:
    TacticRule.objects.all().delete()
    plan = scene.plan()
    assert plan.missions.exists()
    assert not TacticDraw.objects.exists()


def test_the_queries_do_not_grow_with_the_missions(scene: Scene) -> None:
    from tactics.services import plan_tactics_draw

    plan = scene.plan()
    TacticDraw.objects.all().delete()
    with CaptureQueriesContext(connection) as few:
        plan_tactics_draw(plan=plan)
    assert len([q for q in few.captured_queries if "SAVEPOINT" not in q["sql"]]) <= 7


def test_a_replay_finds_nothing_until_somebody_changed_a_row(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = scene.plan()
    assert tactic_differences(plan) == []
    call_command("replay_tactics", str(plan.pk))
    assert "are what seed" in capsys.readouterr().out
    draw = TacticDraw.objects.filter(mission__plan=plan).earliest("pk")
    other = Tactic.objects.exclude(pk=draw.tactic_id).filter(slug__in=draw.probabilities).earliest("pk")
    TacticDraw.objects.filter(pk=draw.pk).update(tactic=other)
    assert "stands as drawn" in tactic_differences(plan)[0]
    with pytest.raises(CommandError, match="NOT what its seed"):
        call_command("replay_tactics", str(plan.pk))
    chances = {slug: 1 / len(draw.probabilities) for slug in draw.probabilities}
    TacticDraw.objects.filter(pk=draw.pk).update(tactic=draw.tactic, probabilities=chances)
    assert "its chances are not those" in " ".join(tactic_differences(plan))


def test_a_rule_for_a_place_goes_before_the_rule_for_everywhere(scene: Scene) -> None:
    agency = scene.agency
    TacticRule.objects.all().delete()
    walk, talk = make_tactic(agency, "Walk"), make_tactic(agency, "Talk")
    for crime_type in CrimeType.objects.filter(agency=agency):
        make_rule(walk, 1.0, crime_type=crime_type.slug)
        make_rule(talk, 1.0, crime_type=crime_type.slug)
        TacticRule.objects.create(
            agency=agency, crime_type=crime_type, tactic=talk, preference=0.0, context=PlaceKind.SCHOOLS
        )
    plan = scene.plan()
    assert {frozenset(d.probabilities) for d in TacticDraw.objects.all()} == {frozenset({"walk", "talk"})}
    lon, lat = scene.spec.centres_lonlat()
    cells = list(plan.missions.values_list("cell_id", flat=True))
    at = int(scene.spec.index_of([cells[0]])[0])
    layer(agency, "schools", (float(lon[at]), float(lat[at])))
    again = scene.plan()
    near = TacticDraw.objects.get(mission__plan=again, mission__cell_id=cells[0])
    assert near.probabilities == {"walk": 1.0}
    assert near.policy["near"] == ["schools"]
    far = [d for d in TacticDraw.objects.filter(mission__plan=again) if d.policy["near"] == []]
    assert far
    assert all(len(d.probabilities) == 2 for d in far)


def test_places_are_told_by_usual_slugs_or_by_what_the_agency_set(scene: Scene) -> None:
    agency, spec = scene.agency, scene.spec
    lon, lat = spec.centres_lonlat()
    parks = layer(agency, "parks", (float(lon[40]), float(lat[40])))
    odd = layer(agency, "green-areas", (float(lon[100]), float(lat[100])))
    cells = spec.cells
    found = surroundings(agency, spec, cells, {PlaceKind.PARKS, PlaceKind.SCHOOLS})
    assert found.known == {PlaceKind.PARKS}
    # The box itself alone: its neighbours' edges are 125 m away.
    assert [n for n, near in enumerate(found.near) if near] == [40]
    PlaceLayer.objects.create(agency=agency, kind=PlaceKind.PARKS, layer=odd, near_m=130)
    found = surroundings(agency, spec, cells, {PlaceKind.PARKS})
    near = [n for n, kinds in enumerate(found.near) if kinds]
    assert 100 in near
    assert 40 not in near
    assert len(near) == 5
    assert [use.layer_id for use in layers_by_kind(agency)[PlaceKind.PARKS]] == [odd.pk]
    odd.valid_from = dt.date(2027, 1, 1)
    odd.save()
    assert [use.layer_id for use in layers_by_kind(agency, on=dt.date(2026, 3, 1))[PlaceKind.PARKS]] == [
        parks.pk
    ]
    assert surroundings(agency, spec, [-5, 10**9], {PlaceKind.PARKS}).near == [frozenset(), frozenset()]


def test_only_what_is_known_speaks_against_a_place_and_hours_may_pass_midnight() -> None:
    assert suits_place([], [], [])
    assert suits_place(["parks"], [], [])
    assert not suits_place(["parks"], [], ["parks"])
    assert suits_place(["parks", "schools"], [], ["parks"])
    assert suits_place(["parks"], ["parks"], ["parks"])
    nine, late = dt.time(9), dt.time(21)
    assert suits_hour(None, None, late)
    assert suits_hour(nine, late, nine)
    assert not suits_hour(nine, late, late)
    assert suits_hour(late, nine, dt.time(2))
    assert not suits_hour(late, nine, dt.time(12))


def test_adaptive_draws_keep_the_floor_and_follow_what_was_counted(scene: Scene) -> None:
    policy = TacticPolicy.objects.create(agency=scene.agency, method="adaptive", prior_crimes=5.0)
    first = scene.plan()
    for draw in TacticDraw.objects.filter(mission__plan=first):
        even = 1 / len(draw.probabilities)
        assert len(draw.probabilities) <= policy.drawn_among
        assert draw.probabilities == pytest.approx(dict.fromkeys(draw.probabilities, even))
        assert len(draw.policy["weights"]) >= len(draw.probabilities)
    totals = {
        kind: {"foot-patrol": {"missions": 400, "crimes": 90.0, "expected": 100.0},
               "stationary-marked-car": {"missions": 400, "crimes": 20.0, "expected": 100.0}}
        for kind in scene.agency.crimetype_set.values_list("slug", flat=True)
    }  # fmt: skip
    TacticUpdate.objects.create(
        agency=scene.agency, number=1, counted_until="2026-03-01T00:00Z", n_missions=800, totals=totals
    )
    plan = scene.plan()
    rows = list(TacticDraw.objects.filter(mission__plan=plan))
    both = [d for d in rows if {"foot-patrol", "stationary-marked-car"} <= d.probabilities.keys()]
    assert both
    for draw in both:
        assert min(draw.probabilities.values()) >= 0.2 - 1e-12
        assert draw.probabilities["stationary-marked-car"] > 1 / len(draw.probabilities)
        assert draw.update is not None
    assert tactic_differences(plan) == []


def test_a_mission_that_a_person_added_keeps_what_was_asked_for_and_has_no_draw(scene: Scene) -> None:
    plan = scene.plan()
    mission = plan.missions.earliest("pk")
    taken = set(plan.missions.values_list("cell_id", flat=True))
    free = next(cell for cell in scene.spec.cells.tolist() if cell not in taken)
    added = Mission.objects.create(
        agency=scene.agency, plan=plan, beat=mission.beat, number=900, cell_id=free,
        crime_type=mission.crime_type, visit_starts=mission.visit_starts, starts_at=mission.starts_at, dose_minutes=12,
        expected=0.0, harm=0.0, probability=0.0, source=Mission.Source.ADDED, tactic="park-walk", reason="A festival",
    )  # fmt: skip
    found = mission_of(scene.agency, added.pk)
    assert found is not None
    rows = recommended_tactics(found)
    assert (rows[0].tactic.slug, rows[0].is_asked_for, rows[0].is_drawn) == ("park-walk", True, False)
    assert all(row.probability is None for row in rows)
    added.tactic = ""
    added.save()
    found = mission_of(scene.agency, added.pk)
    assert found is not None
    weights = [row.preference for row in recommended_tactics(found)]
    assert weights == sorted(weights, reverse=True)
    assert not hasattr(found, "tactic_draw")
