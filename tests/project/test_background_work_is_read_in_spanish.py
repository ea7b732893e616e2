"""What runs, errors and the audit log said in English, when nobody read, is read in the reader's language."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.template import Context, Template
from django.test import Client
from django.utils import translation

from agencies.audit_words import action_words
from agencies.engine.palette import OKABE_ITO
from agencies.history import field_words
from agencies.words import COLOURS
from missions_project.lib.errors import MissionsError
from missions_project.lib.run_words import LOGS, PROGRESS, count_said, log_said
from missions_project.lib.sentences import Sentences, said_again
from tests.factories import make_agency, make_member
from tools import translations

ROOMS = ("agencies", "forecasting", "ingestion", "patrols", "tactics")
pytestmark = pytest.mark.usefixtures("translated")
# Only terminals show these.
AT_A_TERMINAL = ("/bench/", "/management/", "impact/scoring")


def calls(name: str) -> Iterator[ast.Call]:
    for room in ROOMS:
        for path in sorted((translations.ROOT / room).rglob("*.py")):
            if any(part in str(path) for part in AT_A_TERMINAL):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and translations._name(node.func) == name:
                    yield node


def words(node: ast.expr) -> list[str]:
    """The texts that an expression can be, each figure in them a 7."""
    if isinstance(node, ast.Constant):
        return [str(node.value)] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)]
    if isinstance(node, ast.IfExp):
        return [*words(node.body), *words(node.orelse)]
    return []


def test_every_word_beside_a_bar_is_listed_for_translators() -> None:
    said = [text for call in calls("progress") for given in call.args[2:] for text in words(given)]
    assert len(said) > 20
    known = Sentences(PROGRESS)
    # The kind of data and what is done to it are words of their own.
    assert not [text for text in said if known.pattern_of(text) is None and text != "7: 7"]


def test_every_line_of_a_log_is_listed_for_translators() -> None:
    said = [text for call in calls("log") for given in call.args for text in words(given)]
    known = Sentences(LOGS)
    left = [text for text in said if known.pattern_of(text) is None]
    # A model's verdict, and a file's encoding, are names more than sentences.
    assert [text for text in left if not text.startswith(("7: 7. 7.", "7 rows, 7"))] == []


def test_an_error_stored_in_english_is_said_again_with_its_figures_and_its_next_step() -> None:
    with translation.override("en"):
        stored = str(
            MissionsError(
                "A pack tells of days that are over.", next_step="choose 2026-01-01 or earlier as last day."
            )
        )
    with translation.override("es"):
        told = said_again(stored)
    assert "Siguiente paso: elija" in told
    assert "2026-01-01" in told
    assert "days" not in told
    assert said_again(stored) == stored


def test_what_nobody_translated_stays_and_a_traceback_keeps_its_lines() -> None:
    log = "10:00:00 Beats without a unit on duty, not planned: 11, 12.\n  File nowhere, line 3\nValueError: x"
    with translation.override("es"):
        assert said_again("It rained on the grid all day.") == "It rained on the grid all day."
        first, second, third = log_said(log).split("\n")
        assert first == "10:00:00 Sectores sin unidad de servicio, no planificados: 11, 12."
        assert (second, third) == ("  File nowhere, line 3", "ValueError: x")
        assert count_said("policy › cap max").startswith("política › ")
        assert Template("{{ nothing|said }}{{ nothing|said_log }}").render(Context({"nothing": None})) == ""


def test_a_column_is_named_in_the_language_of_each_reader_not_of_the_first() -> None:
    with translation.override("es"):
        spanish = field_words("patrols.patrolpolicy", "cap_max")
    assert field_words("patrols.patrolpolicy", "cap_max") == "Highest chance of a box"
    assert spanish != "Highest chance of a box"
    with translation.override("es"):
        assert field_words("patrols.patrolpolicy", "cap_max") == spanish
        assert action_words("beats.uploaded") == "sectores: cargado"
        assert action_words("plan published") == "plan publicado"
    assert action_words("plan published") == "plan published"


def test_colours_have_names_in_every_language() -> None:
    assert {name for _, name in OKABE_ITO} == set(COLOURS)


@pytest.mark.django_db
def test_each_language_is_named_in_itself_and_rooms_of_the_admin_in_the_readers() -> None:
    agency = make_agency()
    client = Client(headers={"accept-language": "es"})
    client.force_login(make_member(agency, "admin"), backend=settings.AUTHENTICATION_BACKENDS[0])
    page = client.get("/admin/").content.decode()
    for english in ("Forecasting", "Patrols", "Tactics", "Inglés"):
        assert f">{english}" not in page.replace("\n", "")
    page = client.get("/").content.decode() + client.get(f"/{agency.slug}/packs/").content.decode()
    assert 'lang="en">English</button>' in page
    assert "Inglés" not in page
