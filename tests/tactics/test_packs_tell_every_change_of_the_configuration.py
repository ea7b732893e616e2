"""A pack tells each change of the configuration, of whichever room: a new table cannot be forgotten, and none tells a secret."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib import admin
from django.utils import timezone, translation

from agencies.admin_audit import AuditedAdminMixin
from agencies.configuration import sections
from agencies.models import Agency
from agencies.services import audit_record
from tactics.transparency.kept import COUNTED, NAMED, changes_section, tables_told
from tactics.transparency.shapes import Section
from tests.factories import make_agency

pytestmark = pytest.mark.django_db

NOT_CONFIGURATION = {
    "user": "a person",
    "membership": "a person and a role",
    "grouprole": "who gets which role by single sign-on",
    "unit": "a car is known by its call sign; COUNTED says so",
    "addition": "a decision about missions of some days",
    "suppression": "a decision about missions of some days",
    "censusarea": "figures that came from outside",
    "audittable": "figures that came from outside",
    "scheduledevent": "a day's event in the city, no setting",
}
"""Tables whose changes administrators make and a pack only counts, with the reason."""


@pytest.fixture
def agency(db: None) -> Agency:
    return make_agency("riverton")


def told(agency: Agency) -> Section:
    now = timezone.now()
    hour = dt.timedelta(hours=1)
    return changes_section(agency, since=now - hour, until=now + hour, previous=None)


def test_every_section_of_the_configuration_is_told_and_holds_no_secret(agency: Agency) -> None:
    models = [section.model for section in sections()]
    for model in models:
        audit_record(
            agency=agency, actor=None, action=f"{model._meta.model_name}.changed", subject=f"Jane's {model._meta.model_name}",
            detail={"changed": {"settings": ["https://tiles.example/?key=s3cret", "pass=s3cret"], "is_on": [True, False]}},
            row=None,
        )  # fmt: skip
    found = told(agency)
    rows = found.tables[0].rows
    expected = [model for model in models if model._meta.model_name not in COUNTED]
    assert [row[1] for row in rows] == [tables_told()[str(model._meta.model_name)] for model in expected]
    assert {model._meta.model_name for model in models} >= COUNTED
    # What is left over is what the sentence says: units.
    assert found.sentences[1].startswith("1 other event")
    assert "s3cret" not in str(found)
    named = {str(row[3]).removeprefix("Jane's ") for row in rows if row[3]}
    assert named == NAMED & {model._meta.model_name for model in models}
    assert not named & {"dropfolder", "basemap", "officerpagesettings", "reportpolicy"}


def test_what_is_told_of_the_tables_that_were_forgotten(agency: Agency) -> None:
    for action, changed in (
        ("retentionpolicy.changed", {"delete_after_days": [365, 30]}),
        ("reportpolicy.changed", {"unit_activity": [False, True]}),
        ("dropfolder.added", {}),
        ("basemap.deleted", {}),
        ("officerpagesettings.changed", {"near_me": [True, False]}),
    ):
        audit_record(agency=agency, actor=None, action=action, subject="Retention of incidents", detail={"changed": changed})  # fmt: skip
    with translation.override("en"):
        found = told(agency)
    assert [row[1:4] for row in found.tables[0].rows] == [
        ("Retention policy", "changed", "Retention of incidents"),
        ("Report policy", "changed", ""),
        ("Drop folder", "added", ""),
        ("Base map", "deleted", ""),
        ("Officer's page", "changed", ""),
    ]
    assert "365 → 30" in str(found.tables[0].rows[0][4])
    assert found.sentences[1].startswith("0 other events")


def test_each_table_that_administrators_change_is_told_or_left_out_for_a_reason() -> None:
    admin.autodiscover()
    audited = {
        str(model._meta.model_name)
        for model, page in admin.site._registry.items()
        if isinstance(page, AuditedAdminMixin)
    }
    assert audited - set(tables_told()) == set(NOT_CONFIGURATION)
    assert set(NOT_CONFIGURATION) >= COUNTED


def test_a_code_that_was_mapped_with_a_reason_is_told_and_not_the_reason(agency: Agency) -> None:
    """As it is written today, and as earlier versions wrote it."""
    for action in ("offencecode.chosen", "offence code mapped with a written reason"):
        audit_record(
            agency=agency, actor=None, action=action, subject="rms: 0610 s3cret", detail={"reason": "s3cret"}
        )
    found = told(agency)
    assert [row[1] for row in found.tables[0].rows] == ["Offence code"] * 2
    assert found.sentences[1].startswith("0 other events")
    assert "s3cret" not in str(found)
