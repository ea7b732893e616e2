"""The four people and the small agency that the other tests rely on are what they say."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from agencies.models import Agency, Beat, CrimeType, District, Membership, Shift, Unit
from tests import factories


def test_a_small_agency_is_complete_and_every_row_of_it_is_valid(agency: Agency) -> None:
    counts = {
        model: model.objects.filter(agency=agency).count()
        for model in (District, Beat, Shift, CrimeType, Unit)
    }
    assert counts == {District: 2, Beat: 4, Shift: 3, CrimeType: 3, Unit: 4}
    agency.full_clean()
    for model in counts:
        for row in model.objects.filter(agency=agency):
            row.full_clean()


def test_its_grid_covers_every_beat(agency: Agency) -> None:
    grid = factories.make_grid(agency)
    assert grid.is_active
    # UTM axes lean against the meridian, so the square's rim touches a few cells more.
    assert 256 <= grid.n_cells <= 300


def test_owner_and_colleague_share_an_agency_and_the_stranger_has_another(owner, colleague, stranger) -> None:
    def agencies_of(person):
        return set(Membership.objects.filter(user=person).values_list("agency__slug", flat=True))

    assert agencies_of(owner) == agencies_of(colleague) == {"riverton"}
    assert agencies_of(stranger) == {"lakeside"}


def test_a_role_that_does_not_exist_is_refused(agency: Agency) -> None:
    with pytest.raises(ValidationError):
        factories.make_member(agency, "mayor")


def test_signing_in_works_for_each_of_them(sign_in, owner, nobody) -> None:
    assert sign_in(owner).session["_auth_user_id"] == str(owner.pk)
    assert "_auth_user_id" not in sign_in(nobody).session


@pytest.mark.browser
def test_a_browser_reaches_the_live_server_signed_in(signed_in_page, agency: Agency) -> None:
    page = signed_in_page("supervisor", agency)
    response = page.goto("/")
    assert response is not None
    assert response.status < 500
