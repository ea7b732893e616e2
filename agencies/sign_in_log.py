"""Who came in, who was kept out, who changed how they prove who they are: each a row of the audit log.

A name that no account has is not kept: people type passwords there, and strangers could fill a log of which nothing is deleted.
Failures of an account that exists are bounded by its lock (five in a quarter of an hour).
"""

from typing import Any

from allauth.account import signals as account
from allauth.account.authentication import get_authentication_records
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest

from agencies.models import Agency, User
from agencies.services import audit_record
from missions_project.lib import walls


def record_for_person(person: User, action: str, *, by: User | None, why: str = "", **detail: Any) -> None:
    """Write it down in each of the person's agencies, in the installation's own log for operators and who has no agency.

    ``by``: who did it, None where only the name is known. One query, and three for each agency.
    """
    # Nobody is signed in yet, or nobody any more.
    with walls.within(walls.EVERYTHING):
        own = () if person.is_superuser else Agency.objects.filter(membership__user=person).defer("boundary")
        agencies: list[Agency | None] = [*own] or [None]
        for agency in agencies:
            audit_record(
                agency=agency,
                actor=by,
                action=action,
                subject=person.username,
                why=why,
                detail=detail,
                row=person,
            )


def sign_in_failed(credentials: dict[str, Any]) -> None:
    """Write down a wrong password for an account that exists. Two queries, and those of the row."""
    given = [str(credentials[name]) for name in ("username", "email") if credentials.get(name)]
    with walls.within(walls.EVERYTHING):
        known = Q(username__in=given)
        for text in given:
            known |= Q(email__iexact=text)
        person = User.objects.filter(known).first() if given else None
    if person is not None:
        record_for_person(person, "sign-in failed", by=None)


def _signed_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    methods = [str(record.get("method")) for record in get_authentication_records(request, user)]
    record_for_person(user, "signed in", by=user, methods=methods)


def _password_changed(user: User, **kwargs: Any) -> None:
    record_for_person(user, "password changed", by=user)


def _password_set(user: User, **kwargs: Any) -> None:
    record_for_person(user, "password set", by=user)


def _password_reset(user: User, **kwargs: Any) -> None:
    record_for_person(user, "password reset", by=user)


def _second_factor_added(user: User, **kwargs: Any) -> None:
    record_for_person(user, "second factor added", by=user)


def _second_factor_removed(user: User, **kwargs: Any) -> None:
    record_for_person(user, "second factor removed", by=user)


def _recovery_codes_renewed(user: User, **kwargs: Any) -> None:
    record_for_person(user, "recovery codes renewed", by=user)


def _second_factor_failed(user: User, **kwargs: Any) -> None:
    record_for_person(user, "second factor failed", by=None)


def connect() -> None:
    """Listen to the library's signals; called once, when all apps are there."""
    for signal, note in (
        (account.user_logged_in, _signed_in),
        (account.password_changed, _password_changed),
        (account.password_set, _password_set),
        (account.password_reset, _password_reset),
        (mfa.authenticator_added, _second_factor_added),
        (mfa.authenticator_removed, _second_factor_removed),
        (mfa.authenticator_reset, _recovery_codes_renewed),
        (mfa.authentication_failed, _second_factor_failed),
    ):
        signal.connect(note, dispatch_uid=f"agencies.sign_in_log{note.__name__}")


def second_factor_remove(*, person: User, by: User | None, why: str = "") -> int:
    """Take every authenticator of who has lost them, end all their sessions, and write it down; returns how many there were.

    The next sign-in leads to setting up another where the role asks for one.
    """
    with transaction.atomic(), walls.within(walls.EVERYTHING):
        gone, _by_model = Authenticator.objects.filter(user=person).delete()
        for session in UserSession.objects.filter(user=person):
            session.end()
        record_for_person(person, "second factor removed", by=by, why=why, authenticators=gone)
    return gone


class LoggedUserSessions(DefaultUserSessionsAdapter):  # type: ignore[misc]  # allauth ships no types
    """The list of devices: whoever signs others out is written down."""

    def end_sessions(self, sessions: list[UserSession]) -> None:
        people = [session.user for session in sessions]
        super().end_sessions(sessions)
        for person in dict.fromkeys(people):
            record_for_person(person, "devices signed out", by=person, devices=people.count(person))
