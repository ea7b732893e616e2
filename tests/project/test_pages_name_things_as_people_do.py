"""No slug, code or machine's time stands where a person reads: names, words and the agency's clock do."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from agencies.models import CrimeType
from forecasting.admin import _named
from forecasting.model_card import seen_words
from ingestion.models import ContextLayer, ImportRun, QuarantinedRow
from ingestion.words import rejection_words
from patrols.models import Mission
from tests.factories import make_agency, make_member
from tests.ingestion.files import plain_feed
from tests.patrols.scenes import make_scene

pytestmark = pytest.mark.django_db


def signed_in(agency: object) -> Client:
    client = Client()
    client.force_login(make_member(agency, "admin"), backend=settings.AUTHENTICATION_BACKENDS[0])  # type: ignore[arg-type]  # an agency
    return client


def test_a_model_card_names_what_the_model_saw() -> None:
    agency = make_agency()
    crime_type = CrimeType.objects.filter(agency=agency).order_by("pk")[0]
    ContextLayer.objects.create(
        agency=agency,
        slug="night-bars",
        name="Bars open at night",
        valid_from=dt.date(2020, 1, 1),
        geojson={"type": "FeatureCollection", "features": []},
    )
    kept = {
        "crime_types": [crime_type.slug, "gone_long_ago"],
        "context": {
            "columns": ["night-bars_150m", "night-bars_nearest", "old_depots_400m", "event:fair_150m"]
        },
    }
    version = SimpleNamespace(agency=agency, run=SimpleNamespace(config_snapshot=kept))
    told = seen_words(version)  # type: ignore[arg-type]  # has what is read
    assert told["crime_types"] == [crime_type.name, "gone long ago"]
    assert told["layers"] == ["Bars open at night", "old depots", "event fair"]
    nothing = SimpleNamespace(agency=agency, run=SimpleNamespace(config_snapshot={"context": None}))
    assert seen_words(nothing) == {"crime_types": [], "layers": []}  # type: ignore[arg-type]  # has what is read


def test_a_runs_figures_stand_under_the_agencys_names() -> None:
    agency = make_agency()
    crime_type = CrimeType.objects.filter(agency=agency).order_by("pk")[0]
    counts = {crime_type.slug: 4, "motor_vehicle_theft_of_old": 2}
    assert _named(agency, counts) == [(crime_type.name, 4), ("motor vehicle theft of old", 2)]


def test_a_missions_page_tells_its_visits_by_the_agencys_clock() -> None:
    scene = make_scene()
    plan = scene.plan(publish=True, actor=make_member(scene.agency, "supervisor"))
    mission = Mission.objects.filter(plan=plan).order_by("pk")[0]
    page = reverse("admin:patrols_mission_change", args=[mission.pk])
    text = signed_in(scene.agency).get(page).content.decode()
    start = dt.datetime.fromisoformat(mission.current_starts[0])
    at = start.astimezone(ZoneInfo(scene.agency.time_zone))
    assert f"{at.day} {at:%b %Y %H:%M}" in text
    assert "+00:00" not in text
    assert str(mission.probability) not in text
    assert f"{mission.probability:.3f}" in text


def test_why_rows_are_kept_aside_is_filtered_by_in_words() -> None:
    agency = make_agency()
    feed = plain_feed(agency)
    run = ImportRun.objects.create(agency=agency, feed=feed)
    for number, code in enumerate(("missing_coordinates", "zero_coordinates")):
        QuarantinedRow.objects.create(
            agency=agency, feed=feed, run=run, row_number=number, code=code, fingerprint=f"row {number}"
        )
    client = signed_in(agency)
    text = client.get(
        reverse("admin:ingestion_quarantinedrow_changelist"), {"state": "open"}
    ).content.decode()
    for code in ("missing_coordinates", "zero_coordinates"):
        assert f"?code={code}" in text or f"&amp;code={code}" in text
        assert f">{rejection_words(code).meaning}</a>" in text
        assert f">{code}</a>" not in text
    kept = client.get(reverse("ingestion:kept", args=[agency.slug, feed.slug])).content.decode()
    assert f"{rejection_words('zero_coordinates').meaning} <strong>1</strong>" in kept
