"""What the audit log keeps is named for programs; whoever reads it, in whatever language, reads words."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import translation

from agencies.audit_words import DONE, SUBJECTS, VERBS, action_words
from agencies.models import AuditEvent
from agencies.services import audit_record
from agencies.words import LAYERS
from tests.factories import make_agency, make_member
from tools import translations

ROOMS = ("agencies", "forecasting", "ingestion", "missions_project", "patrols", "tactics")
ANY_TABLE = "unit"
"""Stands for ``row._meta.model_name``: whichever table it is, its name is known."""
ATTRIBUTES = {"model_name": (ANY_TABLE,), "layer": LAYERS}
"""What an attribute within an action can be. One that is not listed is an error here."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def sources() -> Mapping[Path, str]:
    """Every module of the product, unread: reading all takes half a minute on a busy machine, and few are needed."""
    return {
        path: path.read_text()
        for room in ROOMS
        for path in sorted((translations.ROOT / room).rglob("*.py"))
        if "migrations" not in path.parts
    }


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(sources()[path])


def modules(word: str) -> Iterator[ast.Module]:
    """The modules in which a word stands."""
    return (parsed(path) for path, text in sources().items() if word in text)


@cache
def all_calls(name: str) -> list[tuple[ast.Call, Function | None, ast.Module]]:
    """Every call of that name, with the innermost function around it and its module."""
    return [
        (node, around, module)
        for module in modules(f"{name}(")
        for node, around in _walk(module, None)
        if isinstance(node, ast.Call) and translations._name(node.func) == name
    ]


def calls(name: str, of: ast.Module | None = None) -> list[tuple[ast.Call, Function | None, ast.Module]]:
    """Each call of that name; of a private function only those in its own module."""
    return [one for one in all_calls(name) if not name.startswith("_") or of is None or one[2] is of]


def _walk(node: ast.AST, around: Function | None) -> Iterator[tuple[ast.AST, Function | None]]:
    yield node, around
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, node if isinstance(node, Function) else around)


def texts(node: ast.expr, around: Function | None, module: ast.Module) -> set[str]:
    """Every text that an expression can be. Fails where that cannot be told: an action nobody can list has no words."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return texts(node.body, around, module) | texts(node.orelse, around, module)
    if isinstance(node, ast.JoinedStr):
        parts = [texts(part, around, module) for part in node.values]
        return {"".join(parts) for parts in product(*parts)}
    if isinstance(node, ast.FormattedValue):
        return texts(node.value, around, module)
    if isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
        return set(ATTRIBUTES[node.attr])
    if isinstance(node, ast.Name):
        return named(node.id, around, module)
    raise AssertionError(f"{ast.unparse(node)}: say in this test what it can be")


def named(name: str, around: Function | None, module: ast.Module) -> set[str]:
    """Every text that a name can stand for: an argument by all calls, else what is assigned to it here or where it comes from."""
    if around is not None and name in (arguments := _arguments(around)):
        return _given(name, around, arguments.index(name), module)
    for place in (around, module, *(modules(name) if _is_imported(name, module) else ())):
        if place is not None and (found := _assigned(name, place, module)):
            return found
    raise AssertionError(f"{name}: nothing assigns a text to it")


def _arguments(function: Function) -> list[str]:
    given = function.args
    return [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def _given(name: str, function: Function, place: int, module: ast.Module) -> set[str]:
    """What all callers hand over as this argument, and its default where they leave it out."""
    found: set[str] = set()
    given = function.args
    defaults = dict(zip((one.arg for one in given.kwonlyargs), given.kw_defaults, strict=True))
    # A method's own row is not among what a call hands over.
    place -= _arguments(function)[0] in ("self", "cls")
    for call, around, where in calls(function.name, module):
        if around is not None and around.name == function.name:
            # A method that hands on what it was given to the one that it stands for.
            continue
        by_name = [word.value for word in call.keywords if word.arg == name]
        if values := by_name or call.args[place : place + 1]:
            found |= texts(values[0], around, where)
            continue
        default = defaults.get(name)
        assert default is not None, f"{function.name}: {ast.unparse(call)} hands over no {name}"
        found |= texts(default, None, module)
    assert found, f"{function.name}: nothing calls it"
    return found


def _is_imported(name: str, module: ast.Module) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and name in {one.name for one in node.names}
        for node in ast.walk(module)
    )


def _assigned(name: str, place: ast.AST, module: ast.Module) -> set[str]:
    found: set[str] = set()
    around = place if isinstance(place, Function) else None
    for node in ast.walk(place):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == name:
                found |= texts(node.value, around, module)
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for one, value in zip(target.elts, node.value.elts, strict=True):
                    if isinstance(one, ast.Name) and one.id == name:
                        found |= texts(value, around, module)
    return found


@cache
def actions() -> frozenset[str]:
    """Every action that the product's code can write into the audit log."""
    found: set[str] = set()
    for call, around, module in calls("audit_record"):
        (action,) = (word.value for word in call.keywords if word.arg == "action")
        found |= texts(action, around, module)
    return frozenset(found)


def without_words(action: str) -> bool:
    name, dot, verb = action.partition(".")
    if not dot:
        return action not in DONE
    tables = {str(model._meta.model_name) for model in apps.get_models()}
    is_named = name in {*SUBJECTS, *LAYERS} or name in tables or name.removesuffix("s") in tables
    return not is_named or verb.replace("_", " ") not in VERBS


def test_every_action_that_the_code_writes_has_words() -> None:
    written = actions()
    # Handed over by callers, chosen by an if, a constant of another module: each way is followed.
    assert {
        "modelversion.went_live",
        "modelversion.rolled_back_to",
        "notices chosen",
        "boundary.set",
    } <= written
    assert {"personal report mailed", "unit.deleted", "unit.added", "addition ended"} <= written
    assert [action for action in sorted(written) if without_words(action)] == []
    assert without_words("modelversion.sent_home")
    assert without_words("nothing.changed")
    assert without_words("plan eaten")


def test_only_one_place_writes_the_log() -> None:
    assert [around.name for _, around, _ in calls("AuditEvent") if around] == ["audit_record"]


def test_nobody_reads_how_the_code_calls_it() -> None:
    for action in actions():
        said = action_words(action)
        assert "." not in said, action
        assert "_" not in said, action
    assert action_words("modelversion.went_live") == "model version: went live"
    assert action_words("boundary.set") == "boundary: set"
    assert action_words("") == ""


@pytest.mark.usefixtures("translated")
def test_every_action_is_said_in_spanish_too() -> None:
    with translation.override("es"):
        told = {action: action_words(action) for action in actions()}
    same = {action for action, said in told.items() if said == action_words(action)}
    assert same == set()


@pytest.mark.django_db
def test_the_page_and_the_administration_show_words_and_still_filter_by_what_is_kept() -> None:
    agency = make_agency()
    audit_record(agency=agency, actor=None, action="modelversion.went_live", subject="Robbery v3")
    audit_record(agency=agency, actor=None, action="boundary.set", subject=agency.name)
    client = Client()
    client.force_login(make_member(agency, "admin"), backend=settings.AUTHENTICATION_BACKENDS[0])
    page = reverse("agencies:audit_log", args=[agency.slug])
    text = client.get(page).content.decode()
    assert "<strong>model version: went live</strong>" in text
    assert "<strong>boundary: set</strong>" in text
    assert '<option value="boundary.set">boundary: set</option>' in text
    found = client.get(page, {"action": "boundary.set"}).content.decode()
    assert "<strong>boundary: set</strong>" in found
    assert "<strong>model version: went live</strong>" not in found
    listing = client.get(reverse("admin:agencies_auditevent_changelist")).content.decode()
    assert "model version: went live" in listing
    event = AuditEvent.objects.get(action="boundary.set")
    assert "boundary: set" in str(event)
