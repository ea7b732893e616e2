"""The starter set: complete, repeatable, honest about what is known, and never enforcement."""

from __future__ import annotations

import pytest

from agencies.engine.offence_policy import OFFENCE_CLASSES
from agencies.models import Agency, CrimeType
from tactics.models import Tactic, TacticRule
from tactics.services import StarterResult, starter_catalogue_create
from tactics.starter import STARTER_TACTICS

KNOWN_SOURCES = {
    "Braga et al. 2019",
    "Koper 1995",
    "Ratcliffe et al. 2021",
    "Mohler et al. 2015",
    "Hunt et al. 2014",
}


def test_a_second_call_adds_nothing(agency: Agency) -> None:
    first = starter_catalogue_create(agency=agency)
    assert first.tactics_added == len(STARTER_TACTICS)
    assert first.rules_added > 0
    assert starter_catalogue_create(agency=agency) == StarterResult(0, 0)


def test_what_the_agency_changed_stays(agency: Agency) -> None:
    starter_catalogue_create(agency=agency)
    Tactic.objects.filter(agency=agency, slug="foot-patrol").update(steps="Our own way.", is_active=False)
    TacticRule.objects.filter(agency=agency, tactic__slug="park-walk").update(preference=0.0)
    starter_catalogue_create(agency=agency)
    assert Tactic.objects.get(agency=agency, slug="foot-patrol").steps == "Our own way."
    assert not TacticRule.objects.filter(agency=agency, tactic__slug="park-walk", preference__gt=0).exists()


def test_a_crime_type_made_later_gets_its_rules(agency: Agency) -> None:
    starter_catalogue_create(agency=agency)
    later = CrimeType.objects.create(
        agency=agency, name="Theft from vehicles", slug="theft-from-vehicles", nibrs_code="23F", letter="T"
    )
    result = starter_catalogue_create(agency=agency)
    assert result.tactics_added == 0
    assert result.rules_added == TacticRule.objects.filter(crime_type=later).count() > 0


def test_another_agency_is_left_alone(agency: Agency, stranger: object) -> None:
    starter_catalogue_create(agency=agency)
    assert not Tactic.objects.exclude(agency=agency).exists()


def test_every_offence_class_has_tactics_and_none_is_enforcement() -> None:
    for offence in OFFENCE_CLASSES:
        rows = [row for row in STARTER_TACTICS if row.weights.get(offence.key, 0) > 0]
        assert len(rows) >= 3, offence.key
        assert not any(row.is_enforcement for row in rows)


@pytest.mark.parametrize("row", STARTER_TACTICS, ids=lambda row: row.slug)
def test_evidence_names_a_source_or_says_that_none_is_known(row: object) -> None:
    sources = {source.strip() for source in row.evidence_source.split(";") if source.strip()}  # type: ignore[attr-defined]
    assert sources <= KNOWN_SOURCES
    note = row.evidence_note  # type: ignore[attr-defined]
    assert sources or "No study" in note or "Not a tactic" in note
    assert row.steps  # type: ignore[attr-defined]
    assert row.community_note  # type: ignore[attr-defined]
