"""docs/openapi.yaml is what the code describes, and the description is whole."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from django.urls import URLPattern, URLResolver, get_resolver

from missions_project.lib.rest.problems import PROBLEM_TYPE
from tests.project.sources import ROOT
from tools import docs

METHODS = {"get", "post", "put", "delete"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return yaml.safe_load(docs.openapi_page())


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, told)
        for path, entry in schema["paths"].items()
        for method, told in entry.items()
        if method in METHODS
    ]


def test_the_checked_in_description_is_what_the_code_says() -> None:
    written = (ROOT / "docs" / "openapi.yaml").read_text(encoding="utf-8")
    assert written == docs.openapi_page(), (
        "docs/openapi.yaml fell behind. Next step: make docs, and look at the difference"
    )


def test_it_is_openapi_3_1_with_a_summary_and_a_tag_for_each_operation(schema: dict[str, Any]) -> None:
    assert schema["openapi"] == "3.1.0"
    for path, method, told in operations(schema):
        assert told["summary"], (path, method)
        assert told["tags"], (path, method)
        assert told["description"], (path, method)


def test_every_error_has_the_same_shape(schema: dict[str, Any]) -> None:
    for path, method, told in operations(schema):
        errors = {status: answer for status, answer in told["responses"].items() if status >= "400"}
        assert {"401", "403", "429"} - set(errors) <= {"403"}, (path, method)
        for status, answer in errors.items():
            assert answer["content"] == {
                PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}
            }, (
                path,
                method,
                status,
            )


def test_every_write_names_its_conflicts_and_every_read_its_304(schema: dict[str, Any]) -> None:
    for path, method, told in operations(schema):
        if "{agency_slug}" not in path:
            continue
        expected = {"304", "400", "404"} if method == "get" else {"400", "404", "409", "412"}
        missing = expected - set(told["responses"])
        assert missing <= ({"409"} if method == "get" else set()), (path, method, missing)
        assert told["security"] == [{"FeedToken": []}, {"Session": []}], (path, method)


def routes(patterns: Any, prefix: str = "/api/") -> set[str]:
    """Every address below /api/ as the description writes it."""
    found = set()
    for entry in patterns:
        text = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(entry.pattern))
        if isinstance(entry, URLResolver):
            found |= routes(entry.url_patterns, text)
        elif isinstance(entry, URLPattern) and entry.name:
            found.add(text)
    return found


def test_no_address_is_left_out(schema: dict[str, Any]) -> None:
    api = next(entry for entry in get_resolver().url_patterns if str(entry.pattern) == "api/")
    missing = routes(api.url_patterns) - set(schema["paths"]) - {"/api/schema/", "/api/docs/"}
    # HunchLab's clients ask these without the slash; the description names one of each.
    assert {f"{path}/" for path in missing} <= set(schema["paths"]) | {"/api/dataservice/{job_id}/"}, missing
