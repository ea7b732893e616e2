"""Run pages move while the run is open and stop asking when it has ended; the checklist says what is missing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.http import Http404
from django.urls import reverse

from agencies import checklist
from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.admin_runs import RunAdminMixin, count_rows
from agencies.models import Agency, Shift, User
from forecasting.models import TrainingRun
from missions_project.lib.runs import RunStatus


class TrainingAdmin(RunAdminMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):
    def run_links(self, request: Any, run: Any) -> list[tuple[str, str]]:
        return [("Model page", "/models/")]


@pytest.fixture
def fragment(rf: Any, agency: Agency, owner: User) -> Callable[..., str]:
    """The live part of a run in some state."""

    def render(person: User | None = None, **fields: Any) -> str:
        run = TrainingRun.objects.create(agency=agency, **fields)
        request = rf.get("/")
        request.user = person or owner
        answer = TrainingAdmin(TrainingRun, AdminSite()).progress_view(request, str(run.pk))
        return str(answer.content.decode())

    return render


def test_an_open_run_asks_for_itself(fragment: Callable[..., str]) -> None:
    text = fragment(
        status=RunStatus.RUNNING, progress_done=3, progress_total=12, progress_label="Fitting robbery"
    )
    assert 'hx-trigger="every 1s"' in text
    assert 'value="25"' in text
    assert "Fitting robbery" in text
    assert 'hx-get="' in fragment(status=RunStatus.QUEUED)


def test_a_finished_run_is_left_alone_and_shows_where_to_go(fragment: Callable[..., str]) -> None:
    text = fragment(status=RunStatus.SUCCEEDED, counts={"rows": 12500}, log="08:00:00 done\n")
    assert "hx-get" not in text
    assert "12,500" in text
    assert 'href="/models/"' in text


def test_a_failed_run_says_why_and_its_text_is_escaped(fragment: Callable[..., str]) -> None:
    text = fragment(status=RunStatus.FAILED, error="No incidents <b>at all</b>.")
    assert "hx-get" not in text
    assert "No incidents &lt;b&gt;at all&lt;/b&gt;." in text
    assert 'href="/models/"' not in text


def test_a_strangers_run_does_not_exist(fragment: Callable[..., str], stranger: User) -> None:
    with pytest.raises(Http404):
        fragment(person=stranger, status=RunStatus.RUNNING)


@pytest.mark.parametrize(
    ("counts", "rows"),
    [
        ({}, []),
        ({"a_b": True, "c": None}, [("a b", "yes"), ("c", "–")]),
        ({"x": {"y": {"z": 0.123456}}}, [("x › y › z", "0.1235")]),
        ({"many": list(range(14))}, [("many", "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 …")]),
    ],
)
def test_counts_become_rows(counts: Any, rows: list[tuple[str, str]]) -> None:
    assert count_rows(counts) == rows


def test_the_checklist_says_what_is_done_and_what_is_missing(agency: Agency, owner: User) -> None:
    done = {item.label: item.done for item in checklist.checklist(agency)}
    assert done["Beats"]
    assert done["Shifts"]
    assert not done["People"]
    Shift.objects.filter(agency=agency).delete()
    assert not {item.label: item.done for item in checklist.checklist(agency)}["Shifts"]


def test_rooms_add_their_items_once_and_in_order(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checklist, "_contributors", list(checklist._contributors))

    def last(of: Agency) -> list[checklist.ChecklistItem]:
        return [checklist.ChecklistItem("The very last", False, "why", "/x/")]

    checklist.register(last, order=99)
    checklist.register(last, order=99)
    labels = [item.label for item in checklist.checklist(agency)]
    assert labels.count("The very last") == 1
    assert labels[-1] == "The very last"
    assert labels[0] == "Time zone"


def test_the_start_page_shows_ones_own_agency_only(
    sign_in: Callable[..., Any], agency: Agency, owner: User, stranger: User
) -> None:
    page = sign_in(stranger).get(reverse("admin:index"))
    assert [entry["agency"].slug for entry in page.context["checklists"]] == ["lakeside"]
    assert "Riverton" not in page.content.decode()
