"""No forecast, plan or tactic can import the audit store or ask the database for it, and the contracts would notice.

The exposure audit has one door, ``tactics.transparency.demographics``, which nothing but the exposure audit can open.
"""

from __future__ import annotations

import copy
import tomllib

import grimp
import pytest
from django.apps import apps
from django.db import connection
from importlinter.configuration import configure
from importlinter.contracts.forbidden import ForbiddenContract

from patrols.models import PatrolPolicy
from patrols.services import plan_missions, plan_publish, plan_queue
from tests.forecasting import scenes
from tests.project.sources import ROOT

pytestmark = pytest.mark.checks
ROOMS = ("missions_project", "agencies", "ingestion", "forecasting", "patrols", "tactics")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    configure()
    return grimp.build_graph(*ROOMS, include_external_packages=True)


DOOR = "tactics.transparency.demographics"


def contract(forbidden: str = "ingestion.audit") -> ForbiddenContract:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (found,) = [one for one in options if one.get("forbidden_modules") == [forbidden]]
    return ForbiddenContract(
        name=found["name"], session_options={"root_packages": list(ROOMS)}, contract_options=dict(found)
    )


def kept(graph: grimp.ImportGraph, forbidden: str = "ingestion.audit") -> bool:
    # A copy: a check takes the ignored imports out of the graph that it is given.
    return contract(forbidden).check(copy.deepcopy(graph), verbose=False).kept


def test_nothing_of_a_forecast_reaches_the_audit_store(graph):
    assert kept(graph)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("forecasting.services.training", "ingestion.audit.models"),
        ("patrols.services.plans", "ingestion.audit.selectors"),
        ("tactics.services", "ingestion.audit.models"),
        # Not by a detour through the room that the forecast reads from, either.
        ("ingestion.selectors.tables", "ingestion.audit.selectors"),
        ("ingestion.services.imports", "ingestion.audit.services"),
    ],
)
def test_an_import_of_it_anywhere_breaks_the_contract(graph, importer, imported):
    assert {importer, imported} <= graph.modules
    graph.add_import(importer=importer, imported=imported)
    try:
        assert not kept(graph)
    finally:
        graph.remove_import(importer=importer, imported=imported)


def test_the_exposure_audits_door_is_the_only_importer_and_reads_only(graph):
    outside = {name for name in graph.modules if not name.startswith(("ingestion.", "missions_project."))}
    importers = {
        name
        for name in outside
        for found in graph.find_modules_directly_imported_by(name)
        if found.startswith("ingestion.audit")
    }
    assert importers == {DOOR}
    inside = graph.find_modules_directly_imported_by(DOOR)
    assert {name for name in inside if name.startswith("ingestion.")} == {"ingestion.audit.selectors"}


def test_nothing_but_the_exposure_audit_opens_its_door(graph):
    assert kept(graph, DOOR)
    for importer in ("tactics.services.draws", "tactics.reports.shifts", "tactics.engine.exposure"):
        graph.add_import(importer=importer, imported=DOOR)
        try:
            assert not kept(graph, DOOR), importer
        finally:
            graph.remove_import(importer=importer, imported=DOOR)


def test_the_contract_of_the_door_names_every_module_of_tactics():
    sources = set(contract(DOOR).contract_options["source_modules"])
    free = {"admin", "apps", "management", "migrations", "tasks", "transparency", "urls"}
    folder = ROOT / "tactics"
    there = {one.stem for one in folder.iterdir() if one.suffix == ".py" or (one / "__init__.py").exists()}
    assert sources == {f"tactics.{name}" for name in there - free - {"__init__"}}


def audit_tables() -> set[str]:
    return {model._meta.db_table for model in apps.get_app_config("ingestion_audit").get_models()}


@pytest.mark.both_databases
@pytest.mark.django_db
def test_no_table_of_another_room_points_into_the_audit_store():
    tables = audit_tables()
    assert tables
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table in tables:
                continue
            relations = connection.introspection.get_relations(cursor, table)
            assert not {relation[1] for relation in relations.values()} & tables, table


@pytest.mark.both_databases
@pytest.mark.django_db
def test_the_whole_line_from_training_to_a_published_plan_never_names_an_audit_table(db, monkeypatch):
    """Whatever Python does, the database sees every statement: none of them may read or write an audit table."""
    asked = []

    def listen(execute, sql, params, many, context):
        asked.append(sql)
        return execute(sql, params, many, context)

    # A model that another test has trained would not be trained here.
    monkeypatch.setattr(scenes, "_trained", {})
    with connection.execute_wrapper(listen):
        scene = scenes.make_scene()
        PatrolPolicy.objects.create(agency=scene.agency)
        plan = plan_queue(agency=scene.agency, shift=scene.shift, on=scene.run.on, seed=1)
        plan_missions(plan=plan)
        plan_publish(plan=plan, actor=None)
    assert plan.missions.exists()
    assert len(asked) > 50
    assert [sql for sql in asked for table in audit_tables() if table in sql] == []
