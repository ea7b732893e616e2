"""An agency's configuration leaves as one file and makes the same agency elsewhere, all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.core.management.base import CommandError

from agencies.admin_base import OperatorAdmin, ReadOnlyAdminMixin
from agencies.configuration import (
    ConfigurationError,
    configuration_clone,
    configuration_export,
    configuration_import,
    configuration_parse,
    configuration_text,
    sections,
)
from agencies.configuration.sections import Section, register
from agencies.models import (
    Agency,
    AuditEvent,
    BaseMap,
    Beat,
    CrimeType,
    District,
    DistrictPriority,
    Membership,
    Shift,
    Unit,
    User,
)
from forecasting.models import ModelPolicy
from ingestion.models import DropFolder, Feed, OffenceCode, RetentionPolicy
from ingestion.services import feed_secrets_seal
from patrols.models import PatrolPolicy, PlanSchedule
from tactics.models import (
    OfficerPageSettings,
    ReportPolicy,
    Tactic,
    TacticPolicy,
    TacticRule,
    TransparencyPolicy,
)

NO_CONFIGURATION = {
    "agencies.GroupRole": "whom an identity provider sends: people, and a provider of this installation",
    "agencies.User": "people",
    "agencies.Membership": "people",
    "ingestion.ScheduledEvent": "data",
    "ingestion.CensusArea": "data",
    "ingestion.ContextLayer": "data",
    "ingestion.ApiToken": "secrets",
    "ingestion.AgencyKey": "secrets",
    "ingestion_audit.AuditTable": "data",
    "patrols.Suppression": "a decision of the day",
    "patrols.Addition": "a decision of the day",
    "tactics.DemographicMeasure": "names a table of the audit store, which is data",
    "tactics.ExposureFinding": "what an audit found, and its answer",
    "tactics.PlaceLayer": "points to a map layer, which is data",
}
"""Tables that an administrator edits and that do not travel, with the reason."""


@pytest.fixture
def full(agency: Agency, owner: User) -> Agency:
    """An agency with at least one row in every section, relations and many-to-many included."""
    robbery = CrimeType.objects.get(agency=agency, slug="robbery")
    evening = Shift.objects.get(agency=agency, slug="evening")
    DistrictPriority.objects.create(
        agency=agency,
        district=District.objects.get(agency=agency, code="S"),
        crime_type=robbery,
        multiplier=1.5,
    )
    unit = Unit.objects.filter(agency=agency).first()
    assert unit is not None
    unit.shifts.set([evening])
    BaseMap.objects.create(
        agency=agency,
        name="Streets",
        url_template="https://tiles.example.org/{z}/{x}/{y}.png?apikey=tile-secret",
        attribution="Somebody",
        is_default=True,
    )
    feed = Feed.objects.create(
        agency=agency,
        name="RMS",
        slug="rms",
        kind="socrata",
        params={"domain": "data.example.org", "dataset": "abcd-1234"},
        every_minutes=60,
        cursor={"at": "x"},
    )
    feed_secrets_seal(feed=feed, values={"app_token": "feed-secret"})
    feed.save()
    OffenceCode.objects.create(
        agency=agency, feed=feed, code="0310", description="Robbery", crime_type=robbery
    )
    DropFolder.objects.create(agency=agency, feed=feed, name="rms")
    RetentionPolicy.objects.create(agency=agency, kind="incidents", delete_after_days=3650)
    ModelPolicy.objects.create(agency=agency)
    PatrolPolicy.objects.create(agency=agency, name="Standard")
    PatrolPolicy.objects.create(agency=agency, name="Standard", is_active=False, gamma=2.0)
    PlanSchedule.objects.create(agency=agency, shift=None)
    PlanSchedule.objects.create(agency=agency, shift=evening, is_on=False)
    walk = Tactic.objects.create(
        agency=agency, name="Foot patrol", slug="foot-patrol", hours_from=time(18), hours_to=time(2)
    )
    TacticRule.objects.create(agency=agency, crime_type=robbery, tactic=walk, shift=evening)
    TacticRule.objects.create(agency=agency, crime_type=robbery, tactic=walk)
    TacticPolicy.objects.create(agency=agency)
    OfficerPageSettings.objects.create(agency=agency, near_me=True)
    ReportPolicy.objects.create(agency=agency, unit_activity=True)
    TransparencyPolicy.objects.create(agency=agency, disparity_threshold=1.5)
    return agency


def elsewhere(document: dict[str, Any], slug: str = "lakeside") -> dict[str, Any]:
    return {**document, "agency": {**document["agency"], "slug": slug}}


def test_every_section_has_a_row_in_this_file(full: Agency) -> None:
    assert not [name for name, rows in configuration_export(full)["sections"].items() if not rows]


def test_there_and_back_gives_the_same_text(full: Agency) -> None:
    first = configuration_export(full)
    imported = configuration_import(document=configuration_parse(configuration_text(first)), slug="lakeside")
    assert imported.agency.slug == "lakeside"
    assert imported.counts == {name: len(rows) for name, rows in first["sections"].items()}
    assert configuration_text(configuration_export(imported.agency)) == configuration_text(elsewhere(first))


def test_no_row_of_the_copy_points_into_the_original(full: Agency) -> None:
    copy = configuration_clone(agency=full, slug="lakeside", name="Lakeside PD").agency
    for section in sections():
        for row in section.model._default_manager.filter(agency=copy):
            for name in section.columns:
                column = section.column(name)
                if not column.is_relation:
                    continue
                related = getattr(row, name).all() if column.many_to_many else [getattr(row, name)]
                assert all(other is None or other.agency == copy for other in related)


def test_no_person_and_no_secret_is_in_it(full: Agency, owner: User) -> None:
    text = configuration_text(configuration_export(full))
    for word in ("tile-secret", "feed-secret", "sealed", "owner", str(owner.email or "owner")):
        assert word not in text
    imported = configuration_import(document=configuration_parse(text), slug="lakeside")
    assert any("RMS" in sentence for sentence in imported.by_hand)
    assert any("Streets" in sentence for sentence in imported.by_hand)
    copied = Feed.objects.get(agency=imported.agency)
    assert (copied.sealed_secrets, copied.cursor, copied.next_due_at) == ("", {}, None)
    assert not Membership.objects.filter(agency=imported.agency).exists()


def test_every_column_travels_or_says_why_it_does_not() -> None:
    silent = []
    for section in sections():
        fields = [*section.model._meta.concrete_fields, *section.model._meta.many_to_many]
        names = {column.name for column in fields if not column.primary_key} - {"agency"}
        silent += [f"{section.name}.{name}" for name in names - set(section.columns) - set(section.left_out)]
    assert not silent


def test_every_table_that_administrators_edit_travels_or_says_why_it_does_not() -> None:
    admin.autodiscover()
    told = {section.model for section in sections()} | {Agency}
    edited = {
        model._meta.label
        for model, model_admin in admin.site._registry.items()
        if not isinstance(model_admin, ReadOnlyAdminMixin | OperatorAdmin)
        and model not in told
        and any(field.name == "agency" for field in model._meta.fields)
    }
    assert edited - set(NO_CONFIGURATION) == set()


def test_a_clone_waits_to_be_switched_on(full: Agency) -> None:
    copy = configuration_clone(agency=full, slug="lakeside", name="Lakeside PD").agency
    assert copy.name == "Lakeside PD"
    assert not Feed.objects.filter(agency=copy, is_active=True).exists()
    assert not DropFolder.objects.filter(agency=copy, is_active=True).exists()
    assert not PlanSchedule.objects.filter(agency=copy, is_on=True).exists()
    assert CrimeType.objects.filter(agency=copy, is_active=True).count() == 3


def test_a_dry_run_counts_and_leaves_nothing(full: Agency) -> None:
    before = AuditEvent.objects.count()
    imported = configuration_import(
        document=elsewhere(configuration_export(full)), slug="lakeside", dry_run=True
    )
    assert imported.counts["beats"] == 4
    assert not Agency.objects.filter(slug="lakeside").exists()
    assert AuditEvent.objects.count() == before


def test_who_imported_what_is_kept(full: Agency, owner: User) -> None:
    imported = configuration_import(document=configuration_export(full), slug="lakeside", actor=owner)
    event = AuditEvent.objects.get(agency=imported.agency, action="agency.configuration_imported")
    assert event.actor == owner
    assert event.detail["from"] == "riverton"
    assert event.detail["rows"]["beats"] == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["sections"]["beats"][0].update(district="nowhere"), "districts has no “nowhere”"),
        (lambda d: d["sections"]["crime_types"][0].update(weight=-1), "crime_types, row 1"),
        (lambda d: d["sections"]["crime_types"][0].update(weight="heavy"), "weight"),
        (lambda d: d["sections"]["crime_types"][0].update(weight=None), "weight"),
        (lambda d: d["sections"]["crime_types"][0].update(nibrs_code="35A"), "nibrs_code"),
        (lambda d: d["sections"]["crime_types"][0].update(name=["a"]), "crime_types, row 1"),
        (lambda d: d["sections"]["crime_types"][0].update(colour="red"), "colour"),
        (
            lambda d: d["sections"]["crime_types"].append(dict(d["sections"]["crime_types"][0])),
            "already exists",
        ),
        (lambda d: d["sections"]["districts"][0].update(geometry={"type": "Point"}), "geometry"),
        (lambda d: d["sections"]["units"][0].update(shifts="evening"), "must be a list"),
        (lambda d: d["sections"]["units"][0].update(shifts=["noon"]), "shifts has no “noon”"),
        (lambda d: d["sections"]["units"][0].update(rank="captain"), "rank is unknown"),
        (lambda d: d["sections"]["feeds"][0].update(kind="telepathy"), "telepathy"),
        (lambda d: d["sections"]["feeds"][0].update(sealed_secrets="x"), "sealed_secrets is unknown"),
        (lambda d: d["sections"]["retention"][0].update(kind="souls"), "souls"),
        (lambda d: d["sections"]["retention"][0].update(kind="audit", delete_after_days=1), "days are kept"),
        (lambda d: d["sections"]["patrol_policies"][0].update(is_active=True), "patrol_policies"),
        (lambda d: d["sections"].update(people=[]), "people: unknown"),
        (lambda d: d["sections"].update(beats={}), "must be a list"),
        (lambda d: d["sections"]["beats"].append(7), "must be an object"),
        (lambda d: d.update(sections=[]), "sections"),
        (lambda d: d.update(agency=None), "agency"),
        (lambda d: d["agency"].update(owner="me"), "owner is unknown"),
        (lambda d: d["agency"].update(time_zone="Mars/Olympus"), "time_zone"),
        (lambda d: d["agency"].update(slug="admin"), "slug"),
    ],
)
def test_one_wrong_value_and_nothing_is_there(
    full: Agency, change: Callable[[dict[str, Any]], Any], words: str
) -> None:
    document = elsewhere(configuration_export(full))
    change(document)
    before = {section.name: section.model._default_manager.count() for section in sections()}
    with pytest.raises(ConfigurationError) as refused:
        configuration_import(document=document)
    assert words in str(refused.value)
    assert not Agency.objects.exclude(pk=full.pk).exists()
    assert {section.name: section.model._default_manager.count() for section in sections()} == before


def test_all_problems_are_told_at_once(full: Agency) -> None:
    document = elsewhere(configuration_export(full))
    document["sections"]["crime_types"][0]["weight"] = -1
    document["sections"]["shifts"][0]["weekdays"] = "9"
    with pytest.raises(ConfigurationError) as refused:
        configuration_import(document=document)
    assert len(refused.value.problems) >= 2


def test_an_agency_that_exists_is_never_changed(full: Agency) -> None:
    with pytest.raises(ConfigurationError, match="already"):
        configuration_import(document=configuration_export(full))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"kind": "missions-configuration", "schema": NaN}', "not JSON"),
        ("[]", "not an agency's configuration"),
        ('{"kind": "else"}', "not an agency's configuration"),
        ('{"kind": "missions-configuration"}', "never was one"),
        ('{"kind": "missions-configuration", "schema": true}', "never was one"),
        ('{"kind": "missions-configuration", "schema": 0}', "never was one"),
        ('{"kind": "missions-configuration", "schema": 2}', "reads schemas up to 1"),
        (b"\xff\xfe\x00", "not JSON"),
    ],
)
def test_what_is_no_document_is_refused_in_words(text: str | bytes, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        configuration_parse(text)


def test_a_missing_section_is_an_empty_one_and_a_missing_column_its_default(full: Agency) -> None:
    document = elsewhere(configuration_export(full))
    document["sections"] = {
        "shifts": [{"slug": "day", "name": "Day", "starts_at": "08:00", "duration_minutes": 480}]
    }
    copy = configuration_import(document=document).agency
    assert Shift.objects.get(agency=copy).weekdays == "0123456"
    assert not Beat.objects.filter(agency=copy).exists()


def test_an_export_costs_one_query_a_table_and_many_to_many_column(
    full: Agency, django_assert_num_queries: Any
) -> None:
    many = sum(bool(section.column(name).many_to_many) for section in sections() for name in section.columns)
    with django_assert_num_queries(len(sections()) + many):
        configuration_export(full)


def test_a_section_that_names_no_column_stops_the_start() -> None:
    with pytest.raises(ValueError, match="moustache"):
        register(Section("bad", Shift, ("slug",), ("moustache",), order=99))


def test_by_command_there_and_back(full: Agency, tmp_path: Path) -> None:
    path = tmp_path / "riverton.json"
    call_command("config_export", "riverton", to=path, stdout=StringIO())
    told = StringIO()
    call_command("config_import", str(path), slug="lakeside", dry_run=True, stdout=told)
    assert "would be made" in told.getvalue()
    assert not Agency.objects.filter(slug="lakeside").exists()
    call_command(
        "config_import", str(path), slug="lakeside", name="Lakeside PD", switched_off=True, stdout=told
    )
    assert Agency.objects.get(slug="lakeside").name == "Lakeside PD"
    shown = StringIO()
    call_command("config_export", "riverton", stdout=shown)
    assert json.loads(shown.getvalue()) == json.loads(path.read_text())
    with pytest.raises(CommandError, match="already"):
        call_command("config_import", str(path), stdout=told)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("config_import", str(tmp_path / "none.json"), stdout=told)
