"""Pages that no link leads to, come to by doing what leads there: forms refused, steps of an upload, confirmations, errors.

They are looked at as the pages that links lead to are (``test_every_page_is_fit_to_be_seen``), in a small town.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import OperationalError
from django.urls import reverse

from agencies.configuration import configuration_export, configuration_text
from agencies.models import Agency, Unit, User
from ingestion.models import Feed
from tactics.services import starter_catalogue_create
from tests.eyes import Eyes, Walk
from tests.factories import PASSWORD, make_agency, make_member, make_operator, rectangle
from tests.ingestion.files import place
from tests.patrols.scenes import Scene, make_scene
from tests.tactics.factories import make_mission, make_plan

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
POSTED_EMPTY = (
    "agencies_crimetype", "agencies_user", "ingestion_feed", "patrols_suppression", "patrols_patrolpolicy", "tactics_tactic",
)  # fmt: skip
"""One form of each kind: lists, maps, dates with clocks, rows below, previews beside."""


@pytest.fixture(autouse=True)
def _spool(settings: Any, tmp_path: Path) -> None:
    settings.SPOOL_DIR = tmp_path / "spool"


@pytest.fixture
def agency(transactional_db: None) -> Agency:
    return make_agency()


@pytest.fixture
def owner(agency: Agency) -> User:
    return make_member(agency, "admin", username="owner")


def is_fit(walk: Walk, **said: str) -> None:
    """Nothing was wrong, and each page was the one that it should be: it said this."""
    assert {name: words for name, words in said.items() if words not in walk.seen[name]} == {}
    assert set(said) == set(walk.seen), "a page that was looked at, or should have been, is not named"
    wrong = "\n".join(walk.wrong)
    assert not wrong, f"\n{wrong}"


def rows_of_an_odd_file(n: int) -> str:
    """Semicolons, a day first, local codes of which some are long, a victim's name, dates that nobody can read."""
    lines = [
        "Report number;Occurred on or about;Offense code;Offense description;Victim name;Latitude;Longitude"
    ]
    for number in range(n):
        lon, lat = place(number)
        code, words = (
            ("511", "BURGLARY OF A HABITATION BY FORCED ENTRY"), ("322", "ROBBERY STREET"), ("900", "DRUG POSSESSION"),
            ("THEFT_OF_A_MOTOR_VEHICLE_OR_ITS_PARTS_OTHER", "OTHER"),
        )[number % 4]  # fmt: skip
        day = "yesterday" if number == 1 else f"{1 + number % 28:02d}.03.2025 21:{number % 60:02d}"
        lines.append(f"N{number};{day};{code};{words};Jane Roe;{lat};{lon}")
    return "\n".join(lines)


def test_the_steps_of_the_feed_wizard(eyes: Eyes, agency: Agency, owner: User, tmp_path: Path) -> None:
    feed = Feed.objects.create(agency=agency, name="Records of the sheriff's department", slug="records")
    no_table, file = tmp_path / "a picture of the station.csv", tmp_path / "march.csv"
    no_table.write_bytes(b"\x00\x01\x02" * 200)
    file.write_text(rows_of_an_odd_file(200))
    walk = eyes.walk(owner)
    walk.go(f"/admin/ingestion/feed/{feed.pk}/upload/")
    walk.page.set_input_files("input[type=file]", no_table)
    walk.send("input[value='Read the file']")
    walk.look("refused")
    walk.page.set_input_files("input[type=file]", file)
    walk.send("input[value='Read the file']")
    walk.look("columns")
    walk.page.locator("form:has(input[value=Continue]) select").first.select_option(index=0)
    walk.send("input[value=Continue]")
    walk.look("columns_refused")
    walk.go(f"/admin/ingestion/feed/{feed.pk}/columns/")
    walk.page.locator("tr:has-text('Occurred on or about') select").select_option(label="Occurred (from)")
    walk.page.locator("select[name=date_format]").select_option("%d.%m.%Y %H:%M")
    walk.send("input[name=check]")
    walk.page.locator("[data-places-ready=yes]").wait_for()
    walk.look("columns_checked")
    walk.send("input[value=Continue]")
    walk.look("codes")
    walk.send("input[value=Continue]")
    walk.look("review")
    walk.send(".submit-row input.default")
    walk.look("run")
    is_fit(
        walk,
        refused="looks like UTF-16",
        columns="Occurred (from): is not mapped",
        columns_refused="Identifier: is not mapped",
        columns_checked="Taken as wall clock of America/Chicago",
        codes="THEFT_OF_A_MOTOR_VEHICLE",
        review="cannot be read in the declared format",
        run="Kept aside: unmapped code",
    )


def areas(*rows: tuple[str | None, str | None, float, float, float]) -> str:
    return json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"CODE": code, "DIST": district}, "geometry": rectangle(x, y, x + side, y + side)}
        for code, district, x, y, side in rows
    ]})  # fmt: skip


def test_geography_looked_over_before_it_is_written(
    eyes: Eyes, agency: Agency, owner: User, tmp_path: Path
) -> None:
    no_areas, some, odd, line = (
        tmp_path / f"{name}.geojson" for name in ("text", "beats", "odd", "boundary")
    )
    no_areas.write_text("a letter")
    some.write_text(
        areas(("11", "S", 0, 0, 1900), ("31", "N", 1000, 2100, 900), ("32", "S", 1500, 2500, 900))
    )
    odd.write_text(areas(("51", "S", 0, 0, 800), (None, "S", 900, 0, 800), ("52", "X", 900, 900, 800)))
    line.write_text(areas(("all", None, 0, 0, 4000)))
    walk = eyes.walk(owner)

    def upload(layer: str, path: Path, name: str) -> None:
        walk.go(reverse("admin:agencies_geography_upload", args=[agency.pk, layer]))
        walk.page.set_input_files("input[type=file]", path)
        walk.send("#content input[type=submit]")
        walk.look(name)

    upload("beats", no_areas, "refused")
    upload("beats", odd, "stopped")
    upload("boundary", line, "boundary")
    upload("districts", some, "districts")
    upload("beats", some, "beats")
    walk.send("form[method=post] input.default")
    walk.look("written")
    is_fit(
        walk, refused="is not GeoJSON", stopped="Nothing can be saved", boundary="No problems found",
        districts="1 thing to know", beats="2 things to know", written="6 beats",
    )  # fmt: skip


def test_a_configuration_looked_at_and_taken(eyes: Eyes, agency: Agency, tmp_path: Path) -> None:
    starter_catalogue_create(agency=agency)
    file, damaged = tmp_path / "riverton.json", tmp_path / "damaged.json"
    file.write_text(configuration_text(configuration_export(agency)))
    damaged.write_text('{"kind": "missions-configuration", "schema": 1, "agency": {"slug": "x"}}')
    walk = eyes.walk(make_operator())
    walk.go(reverse("admin:agencies_configuration_page", args=[agency.pk]))
    walk.page.fill("#id_slug", agency.slug)
    walk.page.fill("#id_name", agency.name)
    walk.send("#content input.default")
    walk.look("clone_refused")
    walk.go(reverse("admin:agencies_configuration_import"))
    walk.page.set_input_files("input[type=file]", damaged)
    walk.send("input[name=look]")
    walk.look("refused")
    walk.page.set_input_files("input[type=file]", file)
    walk.page.fill("#id_slug", "lakeside")
    walk.page.fill("#id_name", "Lakeside PD")
    walk.send("input[name=look]")
    walk.look("looked_at")
    walk.send("input[name=make]")
    walk.look("made")
    is_fit(
        walk, clone_refused="There is an agency “riverton” already", refused="Nothing was imported",
        looked_at="Tactic rules", made="Lakeside PD",
    )  # fmt: skip


def test_rows_chosen_to_be_deleted(eyes: Eyes, agency: Agency, owner: User) -> None:
    walk = eyes.walk(owner)

    def choose(model: str) -> None:
        walk.go(f"/admin/agencies/{model}/")
        walk.page.locator("#action-toggle").check()
        walk.page.locator("select[name=action]").select_option("delete_selected")
        walk.send("button[name=index]")

    choose("district")
    walk.look("districts")
    choose("unit")
    walk.look("units")
    walk.page.locator("[name=change_reason]").fill("The roster of spring has others")
    walk.send("#content input[type=submit]")
    walk.look("deleted")
    assert not Unit.objects.filter(agency=agency).exists()
    is_fit(walk, districts="Cannot delete districts", units="Unit: R22", deleted="There is none yet")


def test_forms_of_the_admin_sent_empty(eyes: Eyes, agency: Agency, owner: User) -> None:
    walk = eyes.walk(owner)
    for model in POSTED_EMPTY:
        walk.go(reverse(f"admin:{model}_add"))
        walk.page.evaluate(
            "() => { for (const field of document.querySelectorAll('#content-main form [type=text], #content-main form [type=number]'))"
            " { field.value = ''; } }"
        )
        walk.send("input[name=_save]")
        walk.look(model)
    is_fit(walk, **dict.fromkeys(POSTED_EMPTY, "Please correct the errors below."))


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    return make_scene()


def test_what_an_officer_is_refused(eyes: Eyes, scene: Scene) -> None:
    unit = Unit.objects.get(agency=scene.agency, beat__code="11")
    starter_catalogue_create(agency=scene.agency)
    make_mission(make_plan(scene.agency), unit=unit)
    walk = eyes.walk(make_member(scene.agency, "officer", unit=unit))
    walk.go("/riverton/my/hunch/")
    walk.submit("form.hunch", reason="Jane Roe, 312-555-0143, is seen here")
    walk.look("hunch_nowhere")
    walk.go("/riverton/my/hunch/")
    lon, lat = place(3)
    walk.submit("form.hunch", reason="Jane Roe, 312-555-0143, is seen here", lon=f"{lon}", lat=f"{lat}")
    walk.look("hunch_person")
    walk.go("/riverton/my/")
    walk.submit("form[action$='/note/']", text="Jane Roe, 312-555-0143, is seen here")
    walk.look("note")
    walk.go("/riverton/my/")
    walk.submit("form[action$='/tactic/']")
    walk.look("tick")
    assert walk.page.locator(".message--error").count()
    is_fit(
        walk, hunch_nowhere="No place is chosen yet", hunch_person="looks like a phone number", note="Note not stored",
        tick="After Arrived tick what you did",
    )  # fmt: skip


def test_what_an_analyst_is_refused(eyes: Eyes, scene: Scene) -> None:
    walk = eyes.walk(make_member(scene.agency, "admin"))
    walk.go("/riverton/studies/new/")
    walk.send(".study-form > .button")
    walk.look("study")
    for name, address in (
        ("design", "/riverton/studies/design/?days=x&types=nothing"),
        ("curves", "/riverton/curves/?types=nothing&days=x"),
        ("audit", "/riverton/audit-log/?from=2026-03-02&to=2026-03-01"),
    ):
        walk.go(address)
        walk.look(name)
    is_fit(
        walk, study="Choose at least one crime type", design="no active crime type", curves="no active crime type",
        audit="The period ends before it starts",
    )  # fmt: skip


def test_pages_that_say_what_failed(eyes: Eyes, owner: User) -> None:
    walk = eyes.walk(owner)
    walk.go("/riverton/audit-log/?who=%00")
    walk.look("unreadable")
    for name, error in (("broken", ValueError("x")), ("busy", OperationalError("database is locked"))):
        with (
            patch("missions_project.views.redirect", side_effect=error),
            patch("missions_project.views.render", side_effect=error),
        ):
            walk.go("/")
            walk.look(name)
    walk.go("/riverton/studies/new/")
    walk.page.context.clear_cookies(name=settings.CSRF_COOKIE_NAME)
    walk.send(".study-form > .button")
    walk.look("expired")
    is_fit(
        walk, unreadable="could not be read", broken="Something broke", busy="Too busy just now",
        expired="This form has expired",
    )  # fmt: skip


def test_doors_that_stay_shut(eyes: Eyes, owner: User, settings: Any) -> None:
    walk = eyes.walk(None)
    walk.go("/accounts/login/")
    walk.page.fill("input[name=login]", owner.username)
    walk.page.fill("input[name=password]", PASSWORD[::-1])
    walk.send("main button[type=submit]")
    walk.look("wrong_password")
    walk.go("/accounts/password/reset/")
    walk.page.fill("input[name=email]", "nobody@example.org")
    walk.send("main button[type=submit]")
    walk.look("asked_for_a_password")
    walk.go("/accounts/password/reset/key/1-set-password/")
    walk.look("old_link")
    walk.go("/accounts/signup/")
    walk.look("signup")
    is_fit(
        walk, wrong_password="are not correct", asked_for_a_password="sent you an email", old_link="link was invalid",
        signup="made by an administrator",
    )  # fmt: skip


def test_a_sign_on_that_is_refused(eyes: Eyes, owner: User, settings: Any) -> None:
    pytest.importorskip("onelogin", reason="python3-saml of requirements.txt is not installed here")
    from tests.agencies.saml_provider import NAME, SamlProvider

    settings.PUBLIC_URL = eyes.server
    settings.SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {"APPS": []},
        "saml": {"APPS": [SamlProvider().app()]},
    }
    walk = eyes.walk(None)
    walk.go("/accounts/login/")
    walk.page.evaluate(
        "(where) => { const form = document.createElement('form'); form.method = 'post'; form.action = where; form.id = 'answer';"
        " form.innerHTML = '<input name=SAMLResponse value=bm90aGluZw==>'; document.body.append(form); }",
        f"/accounts/saml/{NAME}/acs/",
    )
    walk.submit("#answer")
    walk.look("refused")
    is_fit(walk, refused="Not let in")
