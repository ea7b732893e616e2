"""House rules that a linter does not know: short views, one-statement tasks, engines without clock or global chance."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project.sources import ROOT, python_files

pytestmark = pytest.mark.checks
VIEW_LINES_AT_MOST = 20
CLOCK_OR_CHANCE = re.compile(
    r"datetime\.now\(|utcnow\(|date\.today\(|timezone\.now\(|\btime\.time\(|default_rng\(\)|np\.random\.seed|\"now\""
)


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def product_files() -> Iterator[Path]:
    return (
        path
        for path in python_files()
        if path.relative_to(ROOT).parts[0] not in ("tests", "tools", "benchmarks")
    )


def is_view(function: ast.FunctionDef) -> bool:
    """Whether it answers a request: takes one first, and gives back a response."""
    arguments = function.args.args
    returns = ast.unparse(function.returns) if function.returns else ""
    return bool(arguments) and arguments[0].arg == "request" and "Response" in returns


def body_lines(function: ast.FunctionDef) -> int:
    """Lines of the body, docstring left out: a view may explain itself."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_views_have_at_most_twenty_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {function.name} has {length} lines"
        for path in product_files()
        for function in functions(path)
        if is_view(function) and (length := body_lines(function)) > VIEW_LINES_AT_MOST
    ]
    assert not long, "\n".join(long)


def test_tasks_have_one_statement() -> None:
    long = []
    for path in product_files():
        for function in functions(path):
            body = function.body[1:] if ast.get_docstring(function) else function.body
            if (
                any("shared_task" in ast.unparse(decorator) for decorator in function.decorator_list)
                and len(body) > 1
            ):
                long.append(f"{path.relative_to(ROOT)}: {function.name}")
    assert not long, f"Move the work into a service: {long}"


def test_engines_read_no_clock_and_no_global_chance() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in product_files()
        if "engine" in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if CLOCK_OR_CHANCE.search(line)
    ]
    assert not found, "\n".join(found)
