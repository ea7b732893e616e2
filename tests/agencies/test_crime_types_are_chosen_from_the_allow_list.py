"""Crime types in the admin: allowed classes are offered, refused ones are refused with the reason, reasons are kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from agencies.admin.offences import offence_choices
from agencies.engine.offence_policy import OFFENCE_CLASSES
from agencies.models import Agency, AuditEvent, CrimeType, User

SignIn = Callable[[User | None], Client]
ADD = "admin:agencies_crimetype_add"
THEFT = {
    "name": "Theft",
    "slug": "theft",
    "nibrs_code": "23H",
    "weight": "0.5",
    "letter": "T",
    "colour": "#e69f00",
}


def test_only_the_allow_list_is_offered(sign_in: SignIn, agency: Agency, owner: User) -> None:
    page = sign_in(owner).get(reverse(ADD))
    choices = page.context["adminform"].form.fields["nibrs_code"].widget.choices
    offered = {code for _, group in choices if isinstance(group, list) for code, _ in group}
    whole = {entry.key for entry in OFFENCE_CLASSES if len(entry.nibrs) > 1}
    assert whole == {"theft"}
    assert offered == whole | {code for entry in OFFENCE_CLASSES for code in (entry.nibrs or (entry.key,))}
    assert 'data-weight="2"' in page.content.decode()


@pytest.mark.parametrize(
    ("code", "word"),
    [("35A", "drug"), ("40A", "prostitution"), ("90C", "disorderly"), ("ZZZ", "no national table")],
)
def test_a_refused_code_that_is_posted_anyway_gets_the_reason(
    sign_in: SignIn, agency: Agency, owner: User, code: str, word: str
) -> None:
    answer = sign_in(owner).post(reverse(ADD), THEFT | {"agency": agency.pk, "nibrs_code": code})
    assert answer.status_code == 200
    assert word in str(answer.context["adminform"].form.errors["nibrs_code"])
    assert not CrimeType.objects.filter(agency=agency, slug="theft").exists()


def test_letter_and_slug_come_from_class_and_name_and_colours_are_kept_in_upper_case(
    sign_in: SignIn, agency: Agency, owner: User
) -> None:
    data = THEFT | {
        "agency": agency.pk,
        "letter": "",
        "slug": "",
        "name": "Theft from cars",
        "is_active": "on",
    }
    answer = sign_in(owner).post(reverse(ADD), data)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    crime_type = CrimeType.objects.get(agency=agency, slug="theft-from-cars")
    assert (crime_type.letter, crime_type.colour) == ("T", "#E69F00")


def test_weights_and_reasons_are_in_the_audit_log(sign_in: SignIn, agency: Agency, owner: User) -> None:
    robbery = CrimeType.objects.get(agency=agency, slug="robbery")
    data = {
        "name": "Robbery", "slug": "robbery", "nibrs_code": "120", "weight": "6", "letter": "R",
        "colour": robbery.colour.lower(), "is_active": "on", "written_reason": "Pharmacies are robbed here.",
    }  # fmt: skip
    answer = sign_in(owner).post(reverse("admin:agencies_crimetype_change", args=[robbery.pk]), data)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    event = AuditEvent.objects.get(agency=agency, action="crimetype.changed")
    assert event.actor == owner
    assert event.detail["changed"] == {
        "weight": [4.0, 6.0],
        "written_reason": ["", "Pharmacies are robbed here."],
    }


def test_a_new_type_is_offered_a_colour_that_is_free(sign_in: SignIn, agency: Agency, owner: User) -> None:
    page = sign_in(owner).get(reverse(ADD))
    taken = set(CrimeType.objects.filter(agency=agency).values_list("colour", flat=True))
    assert page.context["adminform"].form.initial["colour"] not in taken


def test_a_district_in_use_is_kept_and_the_page_says_why(
    sign_in: SignIn, agency: Agency, owner: User
) -> None:
    district = agency.district_set.get(code="S")  # type: ignore[attr-defined]
    address = reverse("admin:agencies_district_delete", args=[district.pk])
    client = sign_in(owner)
    assert "cannot be deleted: other rows use it" in client.get(address).content.decode()
    assert client.post(address, {"post": "yes"}).status_code == 200
    district.refresh_from_db()


@pytest.mark.parametrize("code", ["homicide", "burglary", "120", "theft", "23A", "gunfire"])
def test_what_is_saved_is_among_the_choices(code: str) -> None:
    """A type that was saved as a class of one code showed as “none chosen”, and could not be saved again."""
    offered = [value for _, options in offence_choices(code)[1:] for value, _ in options]
    assert offered.count(code) == 1
