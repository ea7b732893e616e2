"""The nine most frequent tasks of an administrator, each walked in a browser from the admin's start page in six clicks or fewer.

A click is one on a link, button or box, one choice in a list, one choice of a file. Typing is none: the tab key goes
from field to field.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from django.utils import timezone

from agencies.models import AuditEvent, CrimeType, Membership, Shift, Unit
from ingestion.models import Feed, ImportRun
from patrols.models import PatrolPolicy, Suppression
from tactics.models import Tactic, TacticRule
from tests import factories
from tests.ingestion.files import good_row, write_rows
from tests.patrols.scenes import Scene, make_scene

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MOST = 6


class Walker:
    """A page that counts clicks, and is content only with a task done in few of them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0
        page.goto(reverse("admin:index"))

    def click(self, selector: str) -> None:
        self.clicks += 1
        self.page.locator(selector).first.click()

    def choose(self, selector: str, label: str) -> None:
        self.clicks += 1
        self.page.locator(selector).select_option(label=label)

    def file(self, selector: str, path: Path) -> None:
        self.clicks += 1
        self.page.locator(selector).set_input_files(path)

    def type(self, selector: str, text: str) -> None:
        self.page.locator(selector).fill(text)

    def why(self, text: str) -> None:
        self.type("#id_change_reason", text)

    def add(self, model: str) -> None:
        self.click(f"tr.model-{model} a.addlink")

    def open(self, model: str, row: str) -> None:
        self.click(f"tr.model-{model} th a")
        self.click(f"#result_list a:text-is('{row}')")

    def save(self) -> None:
        self.click("input[name=_save]")
        self.page.locator(".messagelist .success").first.wait_for()
        assert self.clicks <= MOST, self.clicks


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    return make_scene()


@pytest.fixture
def walker(scene: Scene, signed_in_page: Callable[..., Page]) -> Walker:
    return Walker(signed_in_page(factories.make_member(scene.agency, "admin", username="owner")))


def test_1_add_a_crime_type(walker: Walker, scene: Scene) -> None:
    walker.add("crimetype")
    walker.choose("#id_nibrs_code", "Homicide (09A)")
    walker.type("#id_name", "Homicide")
    walker.why("Command staff asked for it")
    walker.save()
    assert CrimeType.objects.get(agency=scene.agency, name="Homicide").weight > 0
    assert AuditEvent.objects.get(action="crimetype.added").why == "Command staff asked for it"


def test_2_change_a_weight_after_a_look_at_what_it_does(walker: Walker, scene: Scene) -> None:
    walker.open("crimetype", "Robbery")
    preview = walker.page.locator("#row-preview tr", has_text="Robbery")
    preview.wait_for()
    walker.type("#id_weight", "8")
    walker.page.locator("#row-preview tr", has_text="4 → 8").wait_for()
    assert CrimeType.objects.get(agency=scene.agency, slug="robbery").weight == 4
    walker.why("Survey of residents")
    walker.save()
    assert CrimeType.objects.get(agency=scene.agency, slug="robbery").weight == 8


def test_3_add_a_tactic_rule(walker: Walker, scene: Scene) -> None:
    Tactic.objects.create(agency=scene.agency, name="Foot patrol", slug="foot-patrol")
    walker.add("tacticrule")
    walker.choose("#id_crime_type", "Robbery")
    walker.choose("#id_tactic", "Foot patrol")
    walker.save()
    assert TacticRule.objects.filter(agency=scene.agency, tactic__slug="foot-patrol").exists()


def test_4_add_a_unit_to_a_beat(walker: Walker, scene: Scene) -> None:
    walker.add("unit")
    walker.type("#id_call_sign", "K9")
    walker.choose("#id_beat", "Beat 21")
    walker.save()
    beat = Unit.objects.get(agency=scene.agency, call_sign="K9").beat
    assert beat is not None
    assert beat.code == "21"


def test_5_change_a_shifts_hours_after_a_look_at_the_week(walker: Walker, scene: Scene) -> None:
    walker.open("shift", "Evening")
    walker.page.locator("#row-preview", has_text="Hours without any shift").wait_for()
    walker.type("#id_starts_at", "17:00")
    walker.page.locator("#row-preview", has_text="17:00–01:00").wait_for()
    walker.save()
    assert Shift.objects.get(agency=scene.agency, slug="evening").start_minute == 17 * 60


def test_6_keep_missions_out_of_a_beat(walker: Walker, scene: Scene) -> None:
    walker.add("suppression")
    walker.choose("#id_beat", "Beat 11")
    walker.type("#id_reason", "Street fair")
    until = timezone.now() + timedelta(days=3)
    walker.type("#id_expires_at_0", f"{until:%Y-%m-%d}")
    walker.type("#id_expires_at_1", "06:00")
    walker.save()
    assert Suppression.objects.get(agency=scene.agency).reason == "Street fair"


def test_7_give_a_person_a_role(walker: Walker, scene: Scene) -> None:
    walker.add("user")
    walker.type("#id_username", "newcomer")
    walker.type("#id_password1", factories.PASSWORD)
    walker.type("#id_password2", factories.PASSWORD)
    walker.choose("#id_role", "Supervisor")
    walker.save()
    assert Membership.objects.get(agency=scene.agency, user__username="newcomer").role == "supervisor"


def test_8_map_a_feed_and_import_its_file(
    walker: Walker, scene: Scene, tmp_path: Path, settings: Any
) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"
    settings.SPOOL_DIR.mkdir()
    feed = Feed.objects.create(agency=scene.agency, name="RMS", slug="rms")
    path = write_rows(tmp_path / "rows.csv", [good_row(number) for number in range(30)])
    walker.page.reload()
    walker.click("a:text-is('A feed with a mapping')")
    walker.file("input[type=file]", path)
    walker.click("input[value='Read the file']")
    walker.click("input[value='Continue']")
    walker.page.wait_for_url("**/codes/")
    walker.click("input[value='Continue']")
    walker.page.wait_for_url("**/review/")
    # The first rows stand there as they will be read, and nothing is written yet.
    assert walker.page.locator("text=R00001").count()
    feed.refresh_from_db()
    assert not feed.mapping
    walker.click(".submit-row input.default")
    walker.page.wait_for_url("**/importrun/**")
    feed.refresh_from_db()
    assert feed.mapping
    assert ImportRun.objects.filter(feed=feed).exists()
    assert walker.clicks <= MOST


def test_9_turn_a_dial_of_the_policy(walker: Walker, scene: Scene) -> None:
    walker.open("patrolpolicy", scene.policy.name)
    walker.type("#id_gamma", "2")
    walker.why("Study of spring says so")
    walker.save()
    assert PatrolPolicy.objects.get(pk=scene.policy.pk).gamma == 2.0


def test_and_the_configuration_leaves_in_two(walker: Walker, scene: Scene) -> None:
    walker.click("a:text-is('Configuration as a file')")
    with walker.page.expect_download() as download:
        walker.click("a:text-is('Download the configuration (JSON)')")
    assert download.value.suggested_filename == "riverton-configuration.json"
    assert walker.clicks == 2
