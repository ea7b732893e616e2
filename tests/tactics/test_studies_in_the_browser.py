"""An analyst sets up, freezes and reads studies in the browser, at a desk and on a phone."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from tactics.models import ImpactReport, ImpactStudy
from tactics.services import impact_report_execute, report_queue, rolling_study_ensure
from tactics.studies import pages as study_pages
from tests.factories import make_member
from tests.tactics.histories import PastWeeks, make_past

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SIZES = {"desk": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
OVERFLOWS = "() => document.documentElement.scrollWidth > window.innerWidth + 1"


def shot(page: Page, name: str) -> None:
    """Keep a picture where somebody asked for one."""
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/study6-{name}.png", full_page=True)


@pytest.fixture
def past() -> PastWeeks:
    return make_past(days=6, per_shift=60)


@pytest.mark.parametrize("size", SIZES)
def test_a_study_is_set_up_frozen_and_read(
    signed_in_page: Callable[..., Page], past: PastWeeks, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(study_pages.impact_report_task, "delay_on_commit", sent.append)
    page = signed_in_page(make_member(past.agency, "analyst"))
    page.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
    page.goto("/riverton/studies/")
    page.get_by_text("No study yet").wait_for()
    shot(page, f"{size}-empty")
    page.get_by_role("link", name="New study").click()
    page.get_by_label("Name").fill("Evening burglaries")
    page.get_by_label("Question").fill("Do missions in the evening prevent burglary?")
    page.get_by_label("Burglary").check()
    soon = timezone.localdate() + dt.timedelta(days=7)
    page.get_by_label("First shift on").fill(soon.isoformat())
    page.get_by_label("Last shift on").fill((soon + dt.timedelta(days=90)).isoformat())
    page.get_by_label("Evening").check()
    assert not page.evaluate(OVERFLOWS)
    shot(page, f"{size}-form")
    page.get_by_role("button", name="Save as a draft").click()
    page.get_by_text("waiting for a worker").wait_for()
    assert page.get_by_role("button", name="Freeze for good").is_disabled()
    # The worker does it meanwhile; the page sees that by itself.
    (report_id,) = sent
    impact_report_execute(report=ImpactReport.objects.get(pk=report_id))
    page.get_by_text("This study could show an effect of").wait_for()
    shot(page, f"{size}-draft")
    page.get_by_role("button", name="Freeze for good").click()
    page.get_by_text("No figures before its end.").wait_for()
    study = ImpactStudy.objects.get(name="Evening burglaries")
    assert study.state == ImpactStudy.State.FROZEN
    assert page.get_by_text(study.design_hash).count() == 1
    assert page.get_by_role("link", name="Change").count() == 0
    shot(page, f"{size}-frozen")


@pytest.mark.parametrize("size", SIZES)
def test_a_report_reads_well_at_a_desk_on_a_phone_and_on_paper(
    signed_in_page: Callable[..., Page], past: PastWeeks, size: str, tmp_path: Any
) -> None:
    study = rolling_study_ensure(agency=past.agency)
    report = impact_report_execute(report=report_queue(study=study, today=past.last + dt.timedelta(days=14)))
    page = signed_in_page(make_member(past.agency, "supervisor"))
    page.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
    page.goto(f"/riverton/studies/{study.pk}/")
    page.get_by_text(report.sentence).wait_for()
    picture = page.locator("img.chart")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    assert not page.evaluate(OVERFLOWS)
    assert page.get_by_text("not pre-registered").count() >= 1
    assert page.get_by_role("button", name="Analyse again").count() == 0
    shot(page, f"{size}-report")
    with page.expect_download() as download:
        page.get_by_role("link", name="One HTML file").click()
    path = tmp_path / "report.html"
    download.value.save_as(path)
    text = path.read_text()
    assert report.sentence.split(";")[0] in text
    # Opened from a disk, without any server.
    other = page.context.new_page()
    asked: list[str] = []
    other.on("request", lambda request: asked.append(request.url))
    other.set_content(text)
    assert other.locator("img.chart").evaluate("image => image.complete && image.naturalWidth > 0")
    assert all(url.startswith("data:") for url in asked)
    other.emulate_media(media="print")
    if folder := os.environ.get("SHOTS"):
        other.screenshot(path=f"{folder}/study6-{size}-print.png", full_page=True)
    page.goto("/riverton/studies/")
    page.get_by_text(report.sentence).wait_for()
    shot(page, f"{size}-list")
