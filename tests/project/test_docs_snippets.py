"""What the documentation tells people to type or send is real: commands and options exist, examples are read by the product's own readers."""

from __future__ import annotations

import argparse
import ast
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, get_commands, load_command_class

from agencies.models import Agency
from ingestion.sources.base import source_from
from tests.project.sources import ROOT

pytestmark = pytest.mark.checks
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
# Written from the parsers themselves, with [ ] and | around what may be left out.
GENERATED = {"commands.md"}


def blocks(*languages: str) -> Iterator[tuple[str, str]]:
    """Each snippet in one of the languages, with the page that holds it."""
    for page in PAGES:
        if page.name in GENERATED:
            continue
        for indent, language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language in languages:
                lines = [line.removeprefix(indent) for line in text.splitlines()]
                yield str(page.relative_to(ROOT)), "\n".join(lines) + "\n"


def shell_lines() -> Iterator[tuple[str, list[str]]]:
    """Each command line of the shell snippets as words, continuation lines joined, comments dropped, `$M` written out."""
    for page, text in blocks("sh", "bash"):
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line.replace("$M ", "python manage.py ", 1), comments=True)
            if words:
                yield page, words


def managed(words: list[str]) -> list[str]:
    """What follows `manage.py` on the line; nothing where it is not on it, or only named (`M="… manage.py"`)."""
    at = next((place for place, word in enumerate(words) if word.endswith("manage.py")), len(words))
    return words[at + 1 :]


@cache
def parser_of(name: str) -> argparse.ArgumentParser:
    return load_command_class(str(get_commands()[name]), name).create_parser("manage.py", name)


def test_there_are_snippets_to_look_at() -> None:
    assert len(list(blocks("sh"))) > 25
    assert len(list(blocks("python"))) >= 3
    assert len(list(blocks("json"))) >= 6


def test_shell_snippets_parse() -> None:
    for page, text in blocks("sh", "bash"):
        checked = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
        assert checked.returncode == 0, (page, text, checked.stderr)


def test_every_management_command_exists_and_takes_its_options() -> None:
    seen = set()
    for page, words in shell_lines():
        name, *arguments = managed(words) or [""]
        if not name:
            continue
        assert name in get_commands(), (page, name)
        known = parser_of(name)._option_string_actions
        for word in arguments:
            if word in ("|", ">", "&&", ";"):
                break
            assert not word.startswith("--") or word.split("=")[0] in known, (page, name, word)
        seen.add(name)
    assert len(seen) > 12


@pytest.mark.django_db
def test_the_cheap_ones_do_what_the_pages_say() -> None:
    """In the order of the real city's page: the agency is made as it stands there, and retention looks at it."""
    lines = [managed(words) for _, words in shell_lines()]
    made = next(words for words in lines if words[:1] == ["agency_create"] and "chicago" in words)
    call_command(*made)
    assert Agency.objects.get(slug="chicago").cell_size_m == 250
    looks = next(words for words in lines if words[:2] == ["retention", "--dry-run"])
    call_command(*looks)
    assert Agency.objects.count() == 1


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {(page, words[1]) for page, words in shell_lines() if words[0] == "make" and len(words) > 1}
    assert {target for _, target in targets} >= {"demo", "test", "screenshots"}
    for page, target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), (page, target)


def test_python_snippets_parse() -> None:
    for page, text in blocks("python"):
        try:
            ast.parse(text)
        except SyntaxError as problem:
            pytest.fail(f"{page}: {problem}\n{text}")


def documents(text: str) -> list[Any]:
    """One JSON value, or one a line."""
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def test_json_snippets_parse() -> None:
    for page, text in blocks("json"):
        try:
            assert documents(text)
        except json.JSONDecodeError as problem:
            pytest.fail(f"{page}: {problem}\n{text}")


@pytest.mark.parametrize(
    ("page", "language", "kind", "name"),
    [
        ("docs/feeds/csv.md", "csv", "csv_file", "rows.csv"),
        ("docs/feeds/json-lines.md", "json", "json_lines_file", "rows.jsonl"),
    ],
)
def test_examples_of_files_are_read_by_the_reader_of_their_kind(
    page: str, language: str, kind: str, name: str, tmp_path: Path
) -> None:
    examples = [text for where, text in blocks(language) if where == page]
    assert examples
    path = tmp_path / name
    path.write_text(examples[0], encoding="utf-8")
    source: Any = source_from(kind, {})
    reader = source.open(path)
    assert {"id", "occurred_at", "code", "nibrs_code", "lat", "lon"} <= set(reader.header)
