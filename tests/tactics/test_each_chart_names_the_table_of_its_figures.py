"""A report's page says below each chart which table holds its figures: that table has a row or a column for all that the chart draws."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.urls import reverse
from matplotlib.axes import Axes

from tactics.reports.kinds import ReportKind, all_kinds
from tactics.reports.shapes import Report, Table
from tests.eyes import signed_in
from tests.rich_town import RichTown, rich_town

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
CHARTS = {
    "shifts whereabouts", "tactics weeks", "tactics hours", "tactics followed", "unit-activity weeks", "coverage cells",
    "coverage weeks", "coverage beats-over-time", "coverage districts-over-time", "coverage districts", "crime-trends weeks",
    "crime-trends hours", "effectiveness pai", "effectiveness calibration", "builder built",
}  # fmt: skip
"""Reports and their charts: one that is not made in the town would not be looked at, a new one is to be added."""


class Drawn:
    """What a chart's panels, lines of the y axis and dates are called while it is drawn."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.names: set[str] = set()
        self.dates: set[str] = set()
        self.points = 0
        title, ticks, bar, plot = Axes.set_title, Axes.set_yticks, Axes.bar, Axes.plot

        def set_title(axes: Axes, label: str, **how: Any) -> Any:
            self.names.add(" ".join(label.split()))
            return title(axes, label, **how)

        def set_yticks(axes: Axes, at: Any, labels: Iterable[str] = (), **how: Any) -> Any:
            self.names.update(" ".join(label.split()) for label in labels)
            return ticks(axes, at, labels or None, **how)

        def seen(draw: Any) -> Any:
            def drawing(axes: Axes, x: Any, *rest: Any, **how: Any) -> Any:
                many = np.atleast_1d(x)
                # A step's last edge is the end of what came before.
                self.dates.update(
                    str(one) for one in many if isinstance(one, dt.date) and "drawstyle" not in how
                )
                self.points = max(self.points, len(many))
                return draw(axes, x, *rest, **how)

            return drawing

        patch.setattr(Axes, "set_title", set_title)
        patch.setattr(Axes, "set_yticks", set_yticks)
        patch.setattr(Axes, "bar", seen(bar))
        patch.setattr(Axes, "plot", seen(plot))


@pytest.fixture
def town(tmp_path: Path) -> RichTown:
    return rich_town(tmp_path)


def shown(town: RichTown, kind: ReportKind) -> Report:
    """What the report's page shows a supervisor unasked."""
    client = signed_in(town.people["supervisor"])
    found = client.get(reverse("tactics:report", args=[town.agency.slug, kind.slug])).context["report"]
    assert isinstance(found, Report)
    return found


def held(table: Table) -> set[str]:
    """What its rows and columns are called, on the page and in files."""
    cells = {(column, value) for row in table.rows for column, value in zip(table.columns, row, strict=True)}
    return {column.title for column in table.columns} | {
        text for column, value in cells for text in (column.shown(value), str(value))
    }


def is_held(name: str, texts: set[str]) -> bool:
    """Whether a drawn name is a row's or a column's: "Mon" of Monday, "District N" of N, "All (9 of 12 missions)" of All."""
    plain = name.split(" (")[0].removeprefix("District ")
    return plain in texts or (len(name) >= 3 and any(text.startswith(name) for text in texts))


def test_each_chart_names_the_table_of_its_figures(town: RichTown, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = set()
    for kind in all_kinds().values():
        report = shown(town, kind)
        for chart in report.charts:
            with monkeypatch.context() as patch:
                drawn = Drawn(patch)
                assert kind.chart(report, chart.slug), chart
            what = f"{kind.slug} {chart.slug}"
            looked_at.add(what)
            table = report.table(chart.table)
            assert table is not None, what
            assert table in report.filled, what
            texts = held(table)
            # Ticks of an axis of numbers name no row.
            names = {name for name in drawn.names if not name.isdigit()}
            assert names or drawn.dates or 0 < drawn.points <= len(table.rows), what
            assert {name for name in names if not is_held(name, texts)} == set(), what
            assert drawn.dates <= texts, what
    assert looked_at == CHARTS


def test_a_table_of_sums_does_not_hold_a_chart_over_time(town: RichTown) -> None:
    report = shown(town, all_kinds()["coverage"])
    sums, over_time = report.table("cells"), report.table("cells-over-time")
    assert sums is not None
    assert over_time is not None
    for column in over_time.columns[3:]:
        assert is_held(column.title, held(over_time))
        assert not is_held(column.title, held(sums))
