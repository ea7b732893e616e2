"""Who comes from an identity provider, and what their groups give them: decided anew at each sign-in."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from agencies.models import Agency, GroupRole, Membership, Role, SignOnGrant, User
from agencies.services.audit import audit_last, audit_record
from missions_project.lib import walls
from missions_project.lib.errors import MissionsError

WIDEST_FIRST = (Role.ADMIN, Role.ANALYST, Role.SUPERVISOR, Role.OFFICER, Role.AUDITOR)
MAX_GROUPS_TOLD = 50


class SignOnRefused(MissionsError):
    """Somebody whom the provider knows and this installation does not let in."""


@dataclass(frozen=True)
class Arrival:
    """What an identity provider says of a person, its signature checked. ``is_email_sure``: the address is theirs, not claimed."""

    provider: str
    subject: str
    groups: tuple[str, ...] = ()
    username: str = ""
    email: str = ""
    is_email_sure: bool = False
    first_name: str = ""
    last_name: str = ""


def person_sign_on(*, arrival: Arrival, known: User | None) -> User:
    """Return the person who arrives, with exactly the roles that their groups give. About ten queries; more where roles change.

    ``known``: whom this provider's person was before. Roles that came from this provider's groups go with the groups; roles
    that an administrator gave stay, unless a group gives one in the same agency. Raises ``SignOnRefused``, with a line in the
    audit log, for who is left without any role, and for an account that this provider may not take over.
    """
    # Nobody is signed in yet: whose agencies these are, is the question.
    with walls.within(walls.EVERYTHING):
        wanted = roles_of(arrival.provider, arrival.groups)
        try:
            return _let_in(arrival, known, wanted)
        except SignOnRefused as refusal:
            # Outside the transaction that was taken back. What they lost is not: that is decided all the same.
            if known is not None:
                _memberships_follow(known, arrival, wanted)
            audit_record(
                agency=None, actor=known, action="sign-on refused", subject=f"{arrival.provider}: {arrival.subject}",
                detail={"groups": list(arrival.groups[:MAX_GROUPS_TOLD]), "because": str(refusal)},
            )  # fmt: skip
            raise


def roles_of(provider: str, groups: Collection[str]) -> dict[Agency, str]:
    """Return the widest role by agency that a provider's groups give. One query; none without groups."""
    rows = GroupRole.objects.filter(provider=provider, group__in=groups).select_related("agency")
    found: dict[Agency, str] = {}
    for row in rows if groups else ():
        held = found.get(row.agency, row.role)
        found[row.agency] = min(held, row.role, key=WIDEST_FIRST.index)
    return found


@transaction.atomic
@audit_last()
def _let_in(arrival: Arrival, known: User | None, wanted: dict[Agency, str]) -> User:
    person = known
    if person is None:
        if not wanted:
            raise SignOnRefused(
                _("None of your groups has a role here."),
                next_step=_("ask your agency's administrator which group you need."),
            )
        person = _account_found(arrival) or _account_made(arrival)
    _memberships_follow(person, arrival, wanted)
    if not person.is_superuser and not person.memberships.exists():
        raise SignOnRefused(
            _("None of your groups has a role here."),
            next_step=_("ask your agency's administrator which group you need."),
        )
    return person


def _account_found(arrival: Arrival) -> User | None:
    """The account that was made here before, by its e-mail address; None where there is none."""
    found = list(User.objects.filter(email__iexact=arrival.email)[:2]) if arrival.email else []
    if not found:
        return None
    served = set(GroupRole.objects.filter(provider=arrival.provider).values_list("agency", flat=True))
    person = found[0]
    # A provider speaks for the agencies that named its groups. It must not open an account that reaches farther.
    elsewhere = person.memberships.exclude(agency__in=served).exists()
    if len(found) > 1 or not arrival.is_email_sure or person.is_superuser or elsewhere:
        raise SignOnRefused(
            _("There is an account with your e-mail address that single sign-on may not take over."),
            next_step=_("sign in with its password, or ask your administrator."),
        )
    return person


def _account_made(arrival: Arrival) -> User:
    person = User(
        username=next(name for name in _names(arrival) if not User.objects.filter(username=name).exists()),
        email=arrival.email,
        first_name=arrival.first_name[:150],
        last_name=arrival.last_name[:150],
    )
    person.set_unusable_password()
    person.full_clean(exclude=["password"])
    person.save()
    audit_record(
        agency=None, actor=person, action="person.created", subject=person.username,
        detail={"provider": arrival.provider, "who": arrival.subject}, row=person,
    )  # fmt: skip
    return person


def _names(arrival: Arrival) -> Iterator[str]:
    wish = arrival.username or arrival.email.partition("@")[0] or f"{arrival.provider}-person"
    plain = slugify(wish.replace(".", "-")) if not wish.replace(".", "").isalnum() else wish
    base = (plain or f"{arrival.provider}-person")[:140]
    yield base
    for number in range(2, 10_000):
        yield f"{base}-{number}"


@transaction.atomic
@audit_last()
def _memberships_follow(person: User, arrival: Arrival, wanted: dict[Agency, str]) -> None:
    """Make the person's roles those of the groups, with a line in the agency's audit log for each change."""
    if not person.is_active:
        return
    held = {
        row.agency_id: row
        for row in Membership.objects.filter(user=person).select_related("agency", "sign_on_grant")
    }
    for agency, role in wanted.items():
        membership = held.pop(agency.pk, None)
        before = membership.role if membership else ""
        if membership is None or membership.role != role:
            membership = membership or Membership(agency=agency, user=person)
            membership.role = role
            membership.full_clean()
            membership.save()
            _told(arrival, person, agency, "role given by sign-on", before, role)
        SignOnGrant.objects.update_or_create(
            membership=membership, defaults={"agency": agency, "provider": arrival.provider}
        )
    for membership in held.values():
        grant = getattr(membership, "sign_on_grant", None)
        if grant is not None and grant.provider == arrival.provider:
            _told(arrival, person, membership.agency, "role taken by sign-on", membership.role, "")
            membership.delete()


def _told(arrival: Arrival, person: User, agency: Agency, action: str, before: str, after: str) -> None:
    audit_record(
        agency=agency, actor=person, action=action, subject=person.username,
        detail={"provider": arrival.provider, "role": [before, after]}, row=person,
    )  # fmt: skip


def signs_on_elsewhere(person: User) -> bool:
    """Whether the person's roles come from an identity provider: a password would outlive the provider's "no". One query."""
    with walls.within(walls.EVERYTHING):
        return SignOnGrant.objects.filter(membership__user=person).exists()
