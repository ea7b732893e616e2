"""What engines say in English reaches the reader in the reader's language: every sentence that they make has its pattern."""

from __future__ import annotations

import ast

import pytest
from django.utils import translation

from agencies.engine.offence_codes import REFUSED_BY_CODE
from agencies.engine.offence_policy import Allowed, screen_code
from agencies.offence_words import FAMILIES, REFUSALS, refusal_said
from forecasting.engine.drawing import MODEL_LABELS
from forecasting.model_words import NAMES, model_label
from forecasting.reason_words import REASONS, driver_said, headline_said, reason_said
from ingestion.engine.withheld import withheld
from ingestion.finding_words import FINDINGS
from ingestion.words import WITHHELD
from missions_project.lib.sentences import Sentences
from tools import translations

pytestmark = pytest.mark.usefixtures("translated")
CLAUSES = (
    "3 robberies within 250 m in two weeks (usual 1.2)",
    "3 robberies within 250 m in 45 days (middle cell 0.1)",
    "long run: 5.3 a year here, 2.1 in the cells around",
    "0.7 homicides a year in the cells around",
    "Friday night: 52 % of burglaries within 400 m fall in this shift (city 35 %)",
    "Friday night (52 % in this shift, city 35 %)",
    "Friday night: 3.3 aggravated assault or batteries a year within 400 m in this shift",
    "40.7 calls for service a year within 250 m (middle cell 3.0)",
    "no bars within 400 m (middle cell 1)",
    "no parks within about 300 m",
    "near 2 vacant parcels (within 100 m; middle cell 0)",
    "near 1.3 ha of parks (within about 200 m; middle cell 0.0 ha)",
    "vacant parcels: only 1 within 400 m",
    "no Cubs games in this shift",
    "2 Cubs games within 1,000 m",
    "1 festival elsewhere in the city",
    "7 °C warmer than usual for the season",
    "less rain expected than usual for the season",
    "bars 2.1 (average cell 0.3)",
    "expected count 0.39 times the middle cell's",
    "No sensor covers this cell",
    "No sensor covers this cell: gunfire alerts here are unknown, which is not the same as none.",
    "Expected in this shift: 0.0312 robberies; rank 12 of 25,600 cells.",
    "That is 14.2 times the city's middle cell in a shift with usual weather and no event.",
    "No bars within 400 m: lowers the expected count.",
    "Long run: 5.3 a year here, 2.1 in the cells around.",
)


@pytest.mark.parametrize("clause", CLAUSES)
def test_each_kind_of_reason_has_a_pattern_of_its_own(clause: str) -> None:
    assert REASONS.pattern_of(clause) is not None


def test_a_headline_is_read_clause_by_clause_and_begins_with_a_capital() -> None:
    line = "5.3 robberies a year here; Friday night (27 % in this shift, city 25 %); near 1 bar"
    with translation.override("es"):
        assert headline_said(line) == (
            "5.3 robberies al año aquí; viernes, night (27 % en este turno, ciudad: 25 %); cerca de 1 bar"
        )
        assert reason_said("No bars within 400 m.") == "Nada de bars a menos de 400 m."
    with translation.override("en"):
        assert headline_said(line) == line


def test_a_drivers_kind_is_translated_and_the_agencys_name_for_it_is_not() -> None:
    with translation.override("es"):
        told = driver_said("Places nearby: Bars")
    assert told.endswith(": Bars")
    assert not told.startswith("Places")


def test_what_nobody_knows_stays_as_it_is() -> None:
    with translation.override("es"):
        assert Sentences(["%(a)s of %(b)s."]).said("Something else") == "Something else"
        assert Sentences(["%(a)s of %(b)s."]).said("") == ""


def test_every_refusal_of_the_offence_policy_has_its_pattern() -> None:
    made = [screen_code(nibrs=code) for code in REFUSED_BY_CODE]
    made += [
        screen_code(nibrs="ZZZ"),
        screen_code(nibrs="220", declared="120"),
        screen_code(code="A1", description="Robbery of a drug store"),
        screen_code(code="A1", description="Drug possession"),
        screen_code(code="A1", description="Shots fired", kind="incidents"),
        screen_code(code="A1", description="Something"),
        screen_code(declared="35A"),
    ]
    for one in made:
        if isinstance(one, Allowed):
            continue
        assert REFUSALS.pattern_of(one.message) is not None, one.message
        with translation.override("es"):
            assert " because " not in refusal_said(one.message)
    assert {family.label for family in REFUSED_BY_CODE.values()} <= set(FAMILIES)
    assert "because" in refusal_said(screen_code(nibrs="35A").message)  # type: ignore[union-attr]


def made_in(module: str, call: str) -> list[str]:
    """The texts that a module gives to a call, each figure in them a 7."""
    found = []
    for node in ast.walk(ast.parse((translations.ROOT / module).read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == call):
            continue
        for given in node.args[1:]:
            if isinstance(given, ast.JoinedStr):
                found.append(
                    "".join(str(p.value) if isinstance(p, ast.Constant) else "7" for p in given.values)
                )
            elif isinstance(given, ast.Constant):
                found.append(str(given.value))
    return found


def test_every_finding_about_data_has_its_pattern() -> None:
    texts = made_in("ingestion/engine/quality_findings.py", "Finding")
    assert len(texts) > 20
    days = "12 days are missing, the latest on 2026-01-02 (usually 80 rows a day)."
    unread = [
        text
        for text in [*texts, days]
        if FINDINGS.pattern_of(text.replace("latest 7", "latest on 7")) is None
    ]
    assert not unread


def test_names_of_models_and_of_what_they_never_see_are_all_listed() -> None:
    assert set(MODEL_LABELS.values()) == set(NAMES)
    with translation.override("es"):
        assert model_label("blend") != "Blend of the learned"
    listed = set(WITHHELD) | set(FAMILIES)
    for kind, items in withheld():
        assert kind in listed
        assert set(items) <= listed, set(items) - listed
