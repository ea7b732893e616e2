"""The code keeps the rules of pyproject.toml: format, lint, import contracts, migrations, requirements."""

from __future__ import annotations

import re

import pytest

from tests.project.sources import ROOT, python_files
from tools import lint

pytestmark = pytest.mark.checks
MODULE_LINES_AT_MOST = 450
"""House style says about 400; past this nobody can say that it is still about."""


@pytest.mark.parametrize("name", ["format", "lint", "imports", "migrations"])
def test_the_code_passes(name: str) -> None:
    result = lint.run(name)
    assert result.returncode == 0, f"{result.stdout}\nNext step: make format, or see `make lint`."


def test_every_dependency_has_a_reason_and_a_pinned_version() -> None:
    for name in ("requirements", "requirements-dev"):
        pinned = set(re.findall(r"^([\w.-]+)==", (ROOT / f"{name}.txt").read_text(), flags=re.MULTILINE))
        for line in (ROOT / f"{name}.in").read_text().splitlines():
            if not line or line.startswith(("#", "-c")):
                continue
            requirement, _, reason = line.partition("#")
            package = re.split(r"[\[~=<>; ]", requirement.strip())[0].lower()
            assert reason.strip(), f"{name}.in: {package} has no reason"
            assert package in pinned, f"{package} is not pinned in {name}.txt. Next step: make requirements"


def test_requirements_name_no_index_and_no_folder() -> None:
    for name in ("requirements", "requirements-dev"):
        text = (ROOT / f"{name}.txt").read_text()
        assert not re.search(r"^\s*--|://|@ ", text, flags=re.MULTILINE), (
            f"{name}.txt works on one machine only"
        )


def test_no_module_grows_much_past_four_hundred_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in python_files()
        if (count := len(path.read_text().splitlines())) > MODULE_LINES_AT_MOST
    }
    assert not long, f"Split by noun: {long}"


def test_every_suppressed_lint_rule_says_why_once_in_its_file() -> None:
    bare = []
    for path in python_files():
        explained: set[str] = set()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.search(
                r"# noqa(?:: (?P<codes>[A-Z]+\d+(?:, ?[A-Z]+\d+)*))?(?P<reason> +[-#] .+)?$", line
            )
            if found and found["reason"]:
                explained.add(found["codes"])
            elif found and found["codes"] not in explained:
                bare.append(f"{path.relative_to(ROOT)}:{number}")
    assert not bare, f"Write `# noqa: CODE - reason`: {bare}"


def test_every_suppressed_type_error_names_which() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in python_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"# type: ignore(?!\[)\b", line) and path.name != "test_contracts.py"
    ]
    assert not bare, f"Write `# type: ignore[code]`: {bare}"
