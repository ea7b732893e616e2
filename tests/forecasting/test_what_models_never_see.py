"""The model card's list of what no model sees is the list that the doors enforce: the two cannot disagree."""

from __future__ import annotations

import ast
import datetime as dt
import html
from collections.abc import Callable
from types import MappingProxyType

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agencies.engine.offence_codes import REFUSED_BY_CODE
from agencies.engine.offence_policy import Refused, screen_code
from agencies.models import User
from forecasting.selectors.context import context_block
from forecasting.selectors.inputs import known_incidents, utc64
from ingestion.engine import withheld as policy
from ingestion.engine.privacy import refused_traits
from ingestion.engine.withheld import FROM_THE_FUTURE, UNREAD_ROOMS, UNTAUGHT_DISCOVERIES, withheld
from ingestion.models import ContextLayer, Discovery, Incident
from ingestion.selectors import incident_table
from tests.forecasting.scenes import Scene
from tests.project.sources import ROOT

SignIn = Callable[[User | None], Client]


def card(scene: Scene, person: User, sign_in: SignIn) -> str:
    address = reverse("forecasting:model", args=[scene.agency.slug, "burglary"])
    return html.unescape(sign_in(person).get(address).content.decode())


def test_the_card_prints_every_line_of_the_policy(scene: Scene, analyst: User, sign_in: SignIn) -> None:
    page = card(scene, analyst, sign_in)
    for kind, items in withheld():
        assert f"<dt>Never: {kind.lower()}</dt><dd>{'; '.join(items)}</dd>" in page, kind


def test_the_page_has_no_words_of_its_own_about_it() -> None:
    told = [item for _, items in withheld() for item in items if " " in item]
    for path in (
        "forecasting/model_card.py",
        "forecasting/model_views.py",
        "templates/forecasting/model.html",
    ):
        text = (ROOT / path).read_text()
        assert not [item for item in told if item in text], path


def test_a_change_of_the_policy_changes_what_is_read_and_what_is_told(
    scene: Scene, analyst: User, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = Incident.objects.filter(agency=scene.agency, pk__in=Incident.objects.values_list("pk")[:50])
    half.update(discovery=Discovery.SENSOR)
    before = len(incident_table(scene.agency, epsg=scene.grid.epsg))
    assert "what sensors heard" not in card(scene, analyst, sign_in)
    wider = MappingProxyType({**UNTAUGHT_DISCOVERIES, "sensor": "what sensors heard"})
    for module in ("ingestion.engine.withheld", "ingestion.selectors.tables"):
        monkeypatch.setattr(f"{module}.UNTAUGHT_DISCOVERIES", wider)
    assert len(incident_table(scene.agency, epsg=scene.grid.epsg)) == before - 50
    assert "what sensors heard" in card(scene, analyst, sign_in)


@pytest.mark.parametrize("discovery", list(UNTAUGHT_DISCOVERIES))
def test_no_record_of_an_untaught_discovery_is_read(scene: Scene, discovery: str) -> None:
    assert discovery in Discovery.values
    Incident.objects.filter(agency=scene.agency).update(discovery=discovery)
    assert len(incident_table(scene.agency, epsg=scene.grid.epsg)) == 0


@pytest.mark.parametrize("room", list(UNREAD_ROOMS))
def test_forecasting_and_ingestion_import_nothing_of_an_unread_room(room: str) -> None:
    assert (ROOT / room / "models.py").exists() or (ROOT / room / "models" / "__init__.py").exists()
    for path in (*(ROOT / "forecasting").rglob("*.py"), *(ROOT / "ingestion").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == room], path


def _nothing_reported_later(scene: Scene) -> None:
    as_of = timezone.now() - dt.timedelta(days=20)
    Incident.objects.filter(agency=scene.agency, occurred_from__lt=as_of).update(reported_at=as_of)
    assert len(known_incidents(scene.agency, epsg=scene.grid.epsg, as_of=as_of)) == 0
    later = as_of + dt.timedelta(seconds=1)
    table = known_incidents(scene.agency, epsg=scene.grid.epsg, as_of=later)
    assert len(table) > 0
    assert (table.known_utc < utc64(later)).all()


def _no_layer_before_its_date(scene: Scene) -> None:
    now = timezone.now()
    ContextLayer.objects.filter(agency=scene.agency).update(valid_from=now.date())
    assert context_block(scene.grid, as_of=now - dt.timedelta(days=1)).names == ()
    assert context_block(scene.grid, as_of=now).names != ()


HOW_KEPT = {"reported_later": _nothing_reported_later, "layer_not_yet_valid": _no_layer_before_its_date}


@pytest.mark.parametrize("rule", list(FROM_THE_FUTURE))
def test_each_rule_about_the_future_is_kept(scene: Scene, rule: str) -> None:
    # A new line of the policy fails here until a test shows that it is kept.
    HOW_KEPT[rule](scene)


def test_refused_offences_and_traits_are_those_of_the_rules() -> None:
    told = dict(withheld())
    assert told["About persons"] == list(refused_traits())
    assert not any("(" in trait for trait in refused_traits())
    families = {family.label: code for code, family in REFUSED_BY_CODE.items()}
    listed = [item for kind, items in withheld() for item in items if kind.startswith("Offences ")]
    assert set(listed) == set(families)
    for label in listed:
        assert isinstance(screen_code(nibrs=families[label]), Refused), label


def test_the_policy_cannot_be_changed_while_it_runs() -> None:
    for name in ("UNTAUGHT_DISCOVERIES", "UNREAD_ROOMS", "FROM_THE_FUTURE"):
        with pytest.raises(TypeError):
            getattr(policy, name)["anything"] = "else"
