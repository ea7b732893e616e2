"""The auditor's visit in a real browser: signs in, reads the log, filters it, takes it away and checks it, reads packs; changes nothing."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from agencies.audit_words import action_words
from agencies.models import AuditEvent
from tactics.models import TransparencyPack
from tests.browsing import changes_nothing, sign_in_by_form
from tests.rich_town import RichTown, rich_town

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SCRIPT = Path(settings.BASE_DIR) / "tools" / "verify_audit_export.py"


@pytest.fixture
def town(live_server: Any, tmp_path: Path) -> RichTown:
    return rich_town(tmp_path)


@pytest.fixture
def auditor(page: Page, town: RichTown) -> Page:
    """Signed in, where the sign-in leads."""
    page.goto("/")
    sign_in_by_form(page, town.people["auditor"])
    page.locator(".topbar__agency", has_text=town.agency.name).wait_for()
    return page


def menu(page: Page, link: str) -> None:
    page.locator(".topbar__person summary").click()
    page.locator(".topbar__person").get_by_role("link", name=link).click()


def taken(page: Page, link: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def cells(page: Page, name: str) -> list[str]:
    return [text.strip() for text in page.locator(f"td[data-label='{name}']").all_inner_texts()]


def test_an_auditor_reads_filters_takes_away_and_checks_the_log(
    auditor: Page, town: RichTown, tmp_path: Path
) -> None:
    page, boss = auditor, town.people["supervisor"].username
    menu(page, "Audit log")
    page.get_by_role("heading", name="Audit log").wait_for()
    whole = cells(page, "Who")
    assert len(set(whole)) > 2
    page.get_by_label("Who").select_option(boss)
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**who=*")
    assert set(cells(page, "Who")) == {boss}
    assert len(cells(page, "Who")) == AuditEvent.objects.filter(agency=town.agency, actor_name=boss).count()
    page.get_by_label("What was done").select_option(label=action_words("plan published"))
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**action=plan*")
    (row,) = AuditEvent.objects.filter(agency=town.agency, actor_name=boss, action="plan published")
    assert cells(page, "Row") == [f"{row.sequence:,}"]
    assert changes_nothing(page) == []

    # The table holds what was asked for, and says so.
    table = taken(page, "Download as CSV", tmp_path).read_text(encoding="utf-8-sig").splitlines()
    assert any(boss in line for line in table if line.startswith("#"))
    (only,) = csv.DictReader(line for line in table if not line.startswith("#"))
    assert str(row.sequence) in only.values()

    # The whole log as lines: checked by the script alone, and each row stands on the one before.
    menu(page, "Audit log")
    page.wait_for_url("**/audit-log/")
    lines = taken(page, "For checking (JSON lines)", tmp_path)
    run = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(lines)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    # What an auditor takes away is itself told.
    page.reload()
    mine = town.people["auditor"].username
    assert cells(page, "Who")[:2] == [mine, mine]
    page.get_by_label("Subject contains").fill("nothing of the kind")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("Nothing in the log answers to that.").wait_for()
    page.get_by_role("link", name="Show everything").click()
    page.locator("table.stack tbody tr").first.wait_for()


def test_an_auditor_reads_packs_their_exposure_audit_and_what_it_stands_on(
    auditor: Page, town: RichTown
) -> None:
    page = auditor
    page.get_by_role("link", name="Reports", exact=True).click()
    page.get_by_role("link", name="Transparency packs").click()
    page.get_by_text("Each must be answered before the next pack is published.").wait_for()
    assert page.get_by_role("button", name="Make a pack").count() == 0
    page.get_by_role("link", name="Pack 2").click()
    page.get_by_role("heading", name="Findings of its exposure audit, as they stand now").wait_for()
    assert page.locator("table.findings tbody tr").count() == town.packs[1].findings.count() > 0
    assert page.get_by_text("Waits for an administrator's answer.").count() > 0
    assert page.locator("#exposure table tbody tr").count() > 5
    assert page.locator("#where table tbody tr").count() > 5
    for button in ("Publish", "Set aside"):
        assert page.get_by_role("button", name=button).count() == 0
    assert changes_nothing(page) == []
    page.get_by_role("link", name="← Transparency packs").click()
    page.get_by_role("link", name="Pack 1").click()
    page.locator("table.findings").wait_for()
    # Answered: whose words, and by whom.
    assert page.locator("table.findings").get_by_text(town.people["admin"].username).count() > 0
    page.get_by_role("link", name="the page", exact=True).click()
    page.wait_for_url("**/transparency/1/")
    assert page.get_by_text(town.packs[0].content_hash).count() > 0
    page.goto("/riverton/data/")
    page.get_by_role("link", name="Audit store").click()
    page.get_by_role("row", name="ACS").wait_for()
    page.get_by_role("link", name="Data", exact=True).click()
    page.get_by_role("link", name="RECORDS").click()
    page.get_by_text("house break").wait_for()
    assert changes_nothing(page) == []


def test_an_auditor_finds_nothing_to_change_anywhere_and_is_refused_where_others_do(
    auditor: Page, town: RichTown
) -> None:
    page, base = auditor, f"/{town.agency.slug}"
    page.wait_for_url("**/shifts/**")
    page.locator("path.leaflet-interactive").first.wait_for()
    for button in ("Publish", "Suppress", "Add a mission", "Forecast and plan", "Hand over"):
        assert page.get_by_role("button", name=button).count() == 0, button
    page.locator("[data-mission]").first.click()
    drawer = page.locator("#drawer")
    drawer.get_by_role("heading", name="Mission").first.wait_for()
    assert drawer.locator("form").count() == 0
    page.keyboard.press("Escape")
    tabs = page.locator(".topbar__tabs a").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    assert [tab for tab in tabs if "/admin/" in tab or "/my/" in tab or "/hunches/" in tab] == []
    found = {}
    studies = [f"{base}/studies/{study.pk}/" for study in town.studies.values()]
    for address in (*tabs, f"{base}/plans/{town.plan.pk}/", f"{base}/roster/{town.on}/evening/", f"{base}/optimise/",
                    f"{base}/studies/design/", f"{base}/curves/", f"{base}/packs/",
                    f"{base}/data/records/kept/?code=unmapped_code", *studies):  # fmt: skip
        page.goto(address, wait_until="networkidle")
        found[address] = changes_nothing(page)
    assert {address: there for address, there in found.items() if there} == {}
    # A report can be kept, which is nobody's but the auditor's own.
    page.goto(f"{base}/reports/crime-trends/", wait_until="networkidle")
    assert changes_nothing(page) == [f"form {base}/reports/crime-trends/save/"]
    # By typing: pages and deeds of others are refused, and nothing is done.
    for address in (
        f"{base}/studies/new/",
        f"{base}/my/",
        f"{base}/shifts/{town.on}/evening/decide/",
    ):
        assert page.goto(address).status == 403, address  # type: ignore[union-attr]
    before = AuditEvent.objects.count(), TransparencyPack.objects.count()
    page.goto(f"{base}/packs/")
    answers = page.evaluate(
        """(addresses) => {
          const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
          return Promise.all(addresses.map((one) => fetch(one, { method: "POST", headers: { "X-CSRFToken": token } }).then((r) => r.status)));
        }""",
        [f"{base}/packs/new/", f"{base}/packs/2/decide/", f"{base}/plans/{town.plan.pk}/publish/",
         f"{base}/missions/{town.visited.pk}/withdraw/", f"{base}/studies/{town.studies['draft'].pk}/freeze/"],
    )  # fmt: skip
    assert answers == [403] * 5
    assert (AuditEvent.objects.count(), TransparencyPack.objects.count()) == before
