"""No forecast, plan or tactic can import the audit store, and the contract that says so would notice."""

from __future__ import annotations

import tomllib

import grimp
import pytest
from importlinter.configuration import configure
from importlinter.contracts.forbidden import ForbiddenContract

from tests.project.sources import ROOT

pytestmark = pytest.mark.checks
ROOMS = ("missions_project", "agencies", "ingestion", "forecasting", "patrols", "tactics")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    configure()
    return grimp.build_graph(*ROOMS, include_external_packages=True)


def contract() -> ForbiddenContract:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (found,) = [one for one in options if one.get("forbidden_modules") == ["ingestion.audit"]]
    return ForbiddenContract(
        name=found["name"], session_options={"root_packages": list(ROOMS)}, contract_options=dict(found)
    )


def test_nothing_of_a_forecast_reaches_the_audit_store(graph):
    assert contract().check(graph, verbose=False).kept


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
        assert not contract().check(graph, verbose=False).kept
    finally:
        graph.remove_import(importer=importer, imported=imported)
