"""How the suite is run: what a skip means, which tests the second database repeats, and in which order."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.db import connections
from django.test import TransactionTestCase

REQUIRE_ALL = os.environ.get("REQUIRE_ALL") == "1"
RUN_ONCE = ("browser", "slow", "checks", "sqlite_only")
"""Markers of tests that a second database would teach nothing new, at the price of minutes."""
ON_BOTH = "both_databases"
"""The marker of slow tests that it does teach something."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--second-database",
        action="store_true",
        help="Run only tests that touch the database and are not browser, slow, checks or sqlite_only, or are both_databases.",
    )


def touches_database(item: pytest.Item) -> bool:
    """Whether the test asks for the database by marker, by fixture or by its class."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if item.get_closest_marker("django_db") or fixtures & {"db", "transactional_db", "live_server"}:
        return True
    owner = getattr(item, "cls", None)
    return owner is not None and issubclass(owner, TransactionTestCase)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted, unwanted = [], []
    on_postgres = connections["default"].vendor == "postgresql"
    for item in items:
        keep = item.get_closest_marker("sqlite_only" if on_postgres else "postgres") is None
        if keep and config.getoption("second_database"):
            once = any(item.get_closest_marker(name) for name in RUN_ONCE)
            keep = touches_database(item) and (not once or item.get_closest_marker(ON_BOTH) is not None)
        (wanted if keep else unwanted).append(item)
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
    # Long files first: one started last would leave the other core idle.
    long_files = {item.path for item in wanted if any(item.get_closest_marker(name) for name in RUN_ONCE[:3])}
    items[:] = sorted(wanted, key=lambda item: item.path not in long_files)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    # Bytes as names differ between workers (a gzip header holds the time), and then nothing runs at all.
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_ALL=1 and this was skipped: {skip_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Any:
    report = yield
    if REQUIRE_ALL and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_ALL=1 and this file was skipped: {skip_reason(report.longrepr)}"
    return report


def skip_reason(longrepr: Any) -> str:
    """The words of a skip, whichever shape pytest keeps them in."""
    return str(longrepr[2] if isinstance(longrepr, tuple) else longrepr).removeprefix("Skipped: ")
