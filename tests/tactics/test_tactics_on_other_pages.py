"""Tactics that other rooms' pages load by address: the choice for an added mission, and the lines of a print-out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agencies.models import Agency, CrimeType, Unit, User
from patrols.models import Mission, MissionPlan
from tactics.models import TacticUse
from tactics.selectors import recommended_tactics, tactics_of_missions
from tests.factories import make_agency, make_member
from tests.tactics.factories import make_mission
from tests.tactics.test_recommended_tactics import make_rule, make_tactic

pytestmark = pytest.mark.django_db
SignIn = Callable[[User | None], Client]


def test_the_tactic_that_was_asked_for_comes_first_unless_it_is_enforcement(
    agency: Agency, mission: Mission
) -> None:
    make_rule(make_tactic(agency, "Walk"))
    make_tactic(agency, "Talk")
    make_tactic(agency, "Stop", is_enforcement=True)
    assert [row.tactic.name for row in recommended_tactics(mission)] == ["Walk"]
    mission.tactic = "talk"
    found = recommended_tactics(mission)
    assert [(row.tactic.name, row.is_asked_for) for row in found] == [("Talk", True), ("Walk", False)]
    mission.tactic = "stop"
    assert [row.tactic.name for row in recommended_tactics(mission)] == ["Walk"]
    assert not TacticUse.objects.exists()


def test_the_choice_offers_what_suits_the_type_first_and_never_enforcement(
    agency: Agency, sign_in: SignIn
) -> None:
    make_rule(make_tactic(agency, "Walk"), crime_type="robbery")
    make_tactic(agency, "Talk")
    make_tactic(agency, "Stop", is_enforcement=True)
    address = reverse("tactics:tactic_choices", args=[agency.slug])
    robbery = CrimeType.objects.get(agency=agency, slug="robbery")
    page = (
        sign_in(make_member(agency, "supervisor")).get(f"{address}?crime_type={robbery.pk}").content.decode()
    )
    assert page.index("Suits this type") < page.index("Walk") < page.index("Others") < page.index("Talk")
    assert "Stop" not in page
    assert sign_in(make_member(agency, "officer")).get(address).status_code == 403
    assert sign_in(make_member(make_agency("lakeside"), "admin")).get(address).status_code == 404


def test_a_print_out_gets_the_same_tactics_as_the_missions_in_a_fixed_number_of_queries(
    agency: Agency, plan: MissionPlan, mission: Mission, unit: Unit, sign_in: SignIn
) -> None:
    for name, preference in (("Walk", 1.0), ("Talk", 3.0)):
        make_rule(make_tactic(agency, name), preference)
        make_rule(make_tactic(agency, f"{name} late"), preference, shift="evening")
    make_rule(make_tactic(agency, "Sleep"), 9.0, shift="night")
    told = tactics_of_missions(agency, [mission.pk], at_most=9)
    assert told[0].names == [row.tactic.name for row in recommended_tactics(mission)]
    address = reverse("tactics:sheet_tactics", args=[agency.slug])
    client = sign_in(make_member(agency, "supervisor"))

    def queries(keys: list[int]) -> int:
        with CaptureQueriesContext(connection) as captured:
            page = client.get(f"{address}?missions={','.join(map(str, keys))},x").content.decode()
        assert page.count("hx-swap-oob") == len(keys)
        return len(captured)

    few = queries([mission.pk])
    others = [make_mission(plan, unit=unit, number=number) for number in range(2, 6)]
    assert queries([mission.pk, *(other.pk for other in others)]) == few
    stranger = sign_in(make_member(make_agency("lakeside"), "admin"))
    assert (
        f"tactics-{mission.pk}"
        not in stranger.get(
            reverse("tactics:sheet_tactics", args=["lakeside"]) + f"?missions={mission.pk}"
        ).content.decode()
    )
