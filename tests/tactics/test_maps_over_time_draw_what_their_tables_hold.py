"""Dosage and coverage: the maps over time show, stretch by stretch, what the tables that they name hold."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes

from agencies.clocks import KM2_A_SQUARE_MILE, reads_like
from agencies.models import Agency, Beat
from forecasting.engine.grid import GridSpec
from patrols.models import MissionPlan, Presence
from tactics.reports.asked import Asked
from tactics.reports.coverage import CoverageReport
from tactics.reports.coverage_stretches import Stretches, drawn_columns
from tactics.reports.shapes import Report, Table
from tests.patrols.scenes import ON, Scene
from tests.patrols.test_dosage_page import plan as plan
from tests.patrols.test_dosage_page import scene as scene

pytestmark = pytest.mark.django_db
Drawn = list[tuple[str, npt.NDArray[np.float64]]]
FIRST = ON - dt.timedelta(days=10)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """The maps that are drawn while a test runs: title and picture."""
    found: Drawn = []
    imshow, set_title = Axes.imshow, Axes.set_title

    def seen(axes: Axes, picture: Any, **how: Any) -> Any:
        found.append(("", picture))
        return imshow(axes, picture, **how)

    def called(axes: Axes, title: str, **how: Any) -> Any:
        found[-1] = (title, found[-1][1])
        return set_title(axes, title, **how)

    monkeypatch.setattr(Axes, "imshow", seen)
    monkeypatch.setattr(Axes, "set_title", called)
    return found


def made(scene: Scene, **changes: Any) -> Report:
    return CoverageReport().make(scene.agency, Asked(FIRST, ON, **changes))


def table(report: Report, slug: str) -> Table:
    found = report.table(slug)
    assert found is not None
    return found


def rows(found: Table) -> list[Any]:
    return list(found.rows)


@pytest.mark.parametrize("days", [1, 7, 8, 28, 84, 85, 92, 365, 731])
def test_a_period_is_cut_into_at_most_twelve_stretches_of_whole_weeks(days: int) -> None:
    last = ON + dt.timedelta(days=days - 1)
    found = Stretches.of(Asked(ON, last))
    lengths = [(to - since).days + 1 for since, to in found.dates]
    assert len(lengths) <= 12
    assert len(set(lengths[:-1])) <= 1
    assert all(length % 7 == 0 for length in lengths[:-1])
    assert sum(lengths) == days
    assert np.bincount(found.of_day).tolist() == lengths


@pytest.mark.parametrize(
    ("slug", "key"), [("beats-over-time", "beats"), ("districts-over-time", "districts")]
)
def test_minutes_for_the_area_add_up_to_those_on_record(
    scene: Scene, plan: MissionPlan, slug: str, key: str
) -> None:
    report = made(scene)
    found, whole = table(report, slug), table(report, key)
    stretches, area = [at for at, __ in drawn_columns(found)], (scene.spec.cell_size_m / 1000) ** 2
    cells = [one.key for one in found.columns].index("cells")
    assert len(stretches) == 2
    minutes = sum(row[at] * row[cells] * area for row in rows(found) for at in stretches)
    assert minutes == pytest.approx(sum(Presence.objects.values_list("minutes", flat=True)))
    # In the order of the table of the whole period, and together what it says.
    per_km2 = [one.key for one in whole.columns].index("minutes_per_km2")
    assert [row[0] for row in found.rows] == [row[0] for row in whole.rows]
    assert [sum(row[at] for at in stretches) for row in rows(found)] == pytest.approx(
        [row[per_km2] for row in whole.rows]
    )


@pytest.mark.parametrize("slug", ["weeks", "beats-over-time", "districts-over-time"])
def test_each_map_is_titled_and_filled_as_a_column_of_its_table(
    scene: Scene, plan: MissionPlan, drawn: Drawn, slug: str
) -> None:
    report = made(scene)
    spec = GridSpec.from_bytes(report.data["spec"])  # type: ignore[arg-type]
    (named,) = (chart.table for chart in report.charts if chart.slug == slug)
    assert (CoverageReport().chart(report, slug) or b"").startswith(b"<?xml")
    found = table(report, named)
    assert [title for title, __ in drawn] == [title for __, title in drawn_columns(found)]
    by_cell = {
        row[0]: dict(zip(("cell", "district", "beat"), row, strict=False))
        for row in rows(table(report, "cells"))
    }
    place = [column.key for column in found.columns].index(found.place)
    row_of = {row[place]: row for row in rows(found)}
    for (__, picture), (at, __) in zip(drawn, drawn_columns(found), strict=True):
        for cell, row, column in zip(spec.cells, spec.rows, spec.cols, strict=True):
            own = row_of.get(by_cell[str(cell)][found.place])
            # What lies in no area has no figure; what had no minutes has nought.
            expected = np.nan if own is None else float(own[at])
            assert picture[row, column] == pytest.approx(expected, nan_ok=True)


def test_the_table_by_cell_holds_every_cell_of_the_choice_and_all_minutes(
    scene: Scene, plan: MissionPlan
) -> None:
    report = made(scene)
    found, whole = table(report, "cells-over-time"), table(report, "cells")
    assert [row[:3] for row in rows(found)] == [row[:3] for row in rows(whole)]
    on_record = [column.key for column in whole.columns].index("minutes_on_record")
    assert [sum(row[3:]) for row in rows(found)] == pytest.approx(
        [row[on_record] for row in whole.rows], abs=0.02
    )
    # As any list: files take parts of it, a page its beginning.
    every = rows(found)
    assert len(found.rows) == len(scene.spec) == len(every)
    assert found.rows[2:5] == every[2:5]
    assert found.rows[-1] == every[-1]
    assert len(found.shown) == found.most_shown < len(every)
    with pytest.raises(IndexError):
        found.rows[len(every)]
    (only,) = {row[2] for row in rows(table(made(scene, beat=("11",)), "cells-over-time"))}
    assert only == "11"


def test_beats_outside_the_choice_have_no_figure_on_the_map(
    scene: Scene, plan: MissionPlan, drawn: Drawn
) -> None:
    code = Beat.objects.filter(agency=scene.agency).earliest("code").code
    report = made(scene, beat=(code,))
    CoverageReport().chart(report, "beats-over-time")
    (only,) = table(report, "beats-over-time").rows
    assert only[1] == code
    for __, picture in drawn:
        assert np.count_nonzero(~np.isnan(picture)) == only[2]


def test_maps_of_areas_count_by_the_square_mile_where_it_is_read(
    scene: Scene, plan: MissionPlan, drawn: Drawn
) -> None:
    report = made(scene)
    metric = CoverageReport().chart(report, "beats-over-time") or b""
    with reads_like(Agency(clock="12", units="imperial")):
        imperial = CoverageReport().chart(report, "beats-over-time") or b""
    assert "on record per km²" in metric.decode()
    assert "on record per square mile" in imperial.decode()
    half = len(drawn) // 2
    for (__, one), (__, other) in zip(drawn[:half], drawn[half:], strict=True):
        assert np.nansum(other) == pytest.approx(np.nansum(one) * KM2_A_SQUARE_MILE)
