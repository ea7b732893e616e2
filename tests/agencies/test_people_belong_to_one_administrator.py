"""People in the admin: made for one's own agency, and out of reach where a password would open another door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agencies.models import Agency, AuditEvent, Membership, Unit, User
from tests import factories

SignIn = Callable[[User | None], Client]
NEW = {
    "username": "newcomer",
    "first_name": "New",
    "last_name": "Comer",
    "email": "n@example.org",
    "usable_password": "true",
    "password1": "a long enough secret 7",
    "password2": "a long enough secret 7",
    "role": "officer",
}


def change(person: User) -> str:
    return reverse("admin:agencies_user_change", args=[person.pk])


def password(person: User) -> str:
    return reverse("admin:auth_user_password_change", args=[person.pk])


def test_a_new_person_comes_with_a_place_in_the_agency(sign_in: SignIn, agency: Agency, owner: User) -> None:
    answer = sign_in(owner).post(reverse("admin:agencies_user_add"), NEW | {"agency": agency.pk})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    person = User.objects.get(username="newcomer")
    assert not person.is_superuser
    assert [(m.agency, m.role) for m in person.memberships.all()] == [(agency, "officer")]
    assert AuditEvent.objects.filter(agency=agency, actor=owner, action="person.created").count() == 1


def test_a_person_for_another_agency_is_refused(
    sign_in: SignIn, owner: User, stranger: User, agency: Agency
) -> None:
    theirs = Membership.objects.get(user=stranger).agency
    unit = Unit.objects.filter(agency=theirs).first()
    assert unit is not None
    client = sign_in(owner)
    for data in ({"agency": theirs.pk}, {"agency": agency.pk, "unit": unit.pk}, {"agency": ""}):
        answer = client.post(reverse("admin:agencies_user_add"), NEW | data)
        assert answer.status_code == 200
        assert answer.context["adminform"].form.errors
    assert not User.objects.filter(username="newcomer").exists()


def out_of_reach(case: str, agency: Agency, stranger: User) -> User:
    """Somebody whom the agency's administrator must not touch, though each belongs, or could, to the agency."""
    if case == "an operator":
        return factories.make_operator()
    if case == "an operator with a role here":
        person = factories.make_operator()
        Membership.objects.create(agency=agency, user=person, role="supervisor")
        return person
    if case == "somebody of another agency too":
        person = factories.make_member(agency, "officer")
        Membership.objects.create(
            agency=Membership.objects.get(user=stranger).agency, user=person, role="officer"
        )
        return person
    return factories.make_user() if case == "somebody without any agency" else stranger


@pytest.mark.parametrize(
    "case",
    [
        "an operator",
        "an operator with a role here",
        "somebody of another agency too",
        "somebody without any agency",
        "a stranger",
    ],
)
def test_out_of_reach(case: str, sign_in: SignIn, agency: Agency, owner: User, stranger: User) -> None:
    person = out_of_reach(case, agency, stranger)
    before = User.objects.filter(pk=person.pk).values().get()
    client = sign_in(owner)
    listed = client.get(reverse("admin:agencies_user_changelist")).context["cl"].result_list
    assert person not in list(listed)
    assert client.get(change(person)).status_code == 302
    new = {"password1": "taken over 12345", "password2": "taken over 12345", "usable_password": "true"}
    assert client.post(password(person), new).status_code in (302, 403, 404)
    assert client.post(change(person), {"username": "mine", "is_superuser": "on"}).status_code == 302
    # Nor by giving them a role here, which would make them "one of ours".
    data = {"agency": agency.pk, "user": person.pk, "role": "officer"}
    client.post(reverse("admin:agencies_membership_add"), data)
    assert Membership.objects.filter(agency=agency, user=person, role="officer").count() == (
        1 if case == "somebody of another agency too" else 0
    )
    assert User.objects.filter(pk=person.pk).values().get() == before


def test_nobody_makes_themselves_operator(sign_in: SignIn, agency: Agency, owner: User) -> None:
    client = sign_in(owner)
    page = client.get(change(owner))
    form = page.context["adminform"].form
    assert not {"is_superuser", "is_staff", "groups", "user_permissions"} & set(form.fields)
    data = {"username": "owner", "email": "", "is_active": "on", "is_superuser": "on", "is_staff": "on"}
    data |= inline_data(page)
    assert client.post(change(owner), data).status_code == 302
    owner.refresh_from_db()
    assert not owner.is_superuser


def inline_data(page: Any) -> dict[str, Any]:
    formset = page.context["inline_admin_formsets"][0].formset
    data = {f"memberships-{key}": value for key, value in formset.management_form.initial.items()}
    for number, form in enumerate(formset.initial_forms):
        data |= {
            f"memberships-{number}-id": form.instance.pk,
            f"memberships-{number}-agency": form.instance.agency_id,
            f"memberships-{number}-role": "officer",
        }
    return data


def test_nobody_demotes_or_removes_themselves(sign_in: SignIn, agency: Agency, owner: User) -> None:
    client = sign_in(owner)
    membership = Membership.objects.get(user=owner)
    client.post(
        change(owner), {"username": "owner", "is_active": "on"} | inline_data(client.get(change(owner)))
    )
    client.post(reverse("admin:agencies_membership_change", args=[membership.pk]), {"role": "officer"})
    client.post(reverse("admin:agencies_membership_delete", args=[membership.pk]), {"post": "yes"})
    membership.refresh_from_db()
    assert membership.role == "admin"


def test_a_colleagues_role_and_password_can_be_changed(
    sign_in: SignIn, agency: Agency, owner: User, colleague: User
) -> None:
    client = sign_in(owner)
    membership = Membership.objects.get(user=colleague)
    address = reverse("admin:agencies_membership_change", args=[membership.pk])
    assert client.post(address, {"role": "analyst"}).status_code == 302
    membership.refresh_from_db()
    assert membership.role == "analyst"
    event = AuditEvent.objects.get(action="membership.changed")
    assert (event.agency, event.actor, event.detail["changed"]["role"]) == (
        agency,
        owner,
        ["supervisor", "analyst"],
    )
    new = {"password1": "another secret 12", "password2": "another secret 12", "usable_password": "true"}
    assert client.post(password(colleague), new).status_code == 302
    colleague.refresh_from_db()
    assert colleague.check_password("another secret 12")
