"""Which tactics a mission is given: the agency's order, a shift's own rules, never enforcement."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from agencies.models import Agency, CrimeType, Shift
from patrols.models import Mission
from patrols.selectors import mission_of
from tactics.models import Tactic, TacticRule
from tactics.selectors import other_tactics, recommended_tactics


def make_tactic(agency: Agency, name: str, **fields: object) -> Tactic:
    return Tactic.objects.create(agency=agency, name=name, slug=name.lower().replace(" ", "-"), **fields)


def make_rule(
    tactic: Tactic, preference: float = 1.0, *, shift: str = "", crime_type: str = "robbery"
) -> TacticRule:
    return TacticRule.objects.create(
        agency=tactic.agency,
        tactic=tactic,
        crime_type=CrimeType.objects.get(agency=tactic.agency, slug=crime_type),
        shift=Shift.objects.get(agency=tactic.agency, slug=shift) if shift else None,
        preference=preference,
    )


def names(mission: Mission) -> list[str]:
    return [row.tactic.name for row in recommended_tactics(mission)]


def test_the_preferred_come_first_and_equal_ones_by_name(agency: Agency, mission: Mission) -> None:
    for name, preference in (("Walk", 1.0), ("Talk", 3.0), ("Park", 1.0)):
        make_rule(make_tactic(agency, name), preference)
    assert names(mission) == ["Talk", "Park", "Walk"]


def test_a_rule_for_the_shift_replaces_the_rule_for_all_shifts(agency: Agency, mission: Mission) -> None:
    walk, talk, park = (make_tactic(agency, name) for name in ("Walk", "Talk", "Park"))
    make_rule(walk, 5.0)
    make_rule(walk, 0.0, shift="evening")
    make_rule(talk, 1.0)
    make_rule(talk, 2.0, shift="evening")
    make_rule(park, 9.0, shift="night")
    assert [
        (row.tactic.name, row.preference, row.for_this_shift) for row in recommended_tactics(mission)
    ] == [("Talk", 2.0, True)]


def test_other_crime_types_and_inactive_tactics_are_left_out(agency: Agency, mission: Mission) -> None:
    make_rule(make_tactic(agency, "Walk"), crime_type="burglary")
    make_rule(make_tactic(agency, "Talk", is_active=False))
    assert names(mission) == []


def test_enforcement_is_never_recommended_even_by_a_row_that_skipped_validation(
    agency: Agency, mission: Mission
) -> None:
    stops = make_tactic(agency, "Stops", is_enforcement=True)
    rule = make_rule(stops)
    with pytest.raises(ValidationError, match="never recommended"):
        rule.full_clean()
    assert names(mission) == []
    assert other_tactics(agency, []) == [stops]


def test_a_rule_across_agencies_is_refused(agency: Agency, stranger: object) -> None:
    elsewhere = Agency.objects.exclude(pk=agency.pk).get()
    rule = TacticRule(
        agency=agency,
        tactic=make_tactic(elsewhere, "Walk"),
        crime_type=CrimeType.objects.get(agency=agency, slug="robbery"),
    )
    with pytest.raises(ValidationError, match="another agency"):
        rule.full_clean()


@pytest.mark.parametrize("shift", ["", "evening"])
def test_a_tactic_is_listed_once_per_crime_type_and_shift(agency: Agency, shift: str) -> None:
    walk = make_tactic(agency, "Walk")
    make_rule(walk, shift=shift)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_rule(walk, shift=shift)


def test_it_takes_two_queries_where_no_place_is_asked_for(agency: Agency, mission: Mission) -> None:
    for number in range(5):
        make_rule(make_tactic(agency, f"Tactic {number}"))
    found = mission_of(agency, mission.pk)
    assert found is not None
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(recommended_tactics(found)) == 5
    assert len(queries) == 2
