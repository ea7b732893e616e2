"""Who may enter which agency's pages, and do what there.

A stranger to an agency gets 404, never 403: even its existence is not theirs to know. A member without the
role gets 403.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from agencies.clocks import reads_like
from agencies.models import Agency, Membership, Role, User
from agencies.selectors import district_ids_of
from missions_project.lib import walls

EVERYONE = frozenset(Role.values)
SEES_PLANS = frozenset({Role.SUPERVISOR, Role.ANALYST, Role.ADMIN, Role.AUDITOR})
RUNS_SHIFTS = frozenset({Role.SUPERVISOR, Role.ADMIN})
OVERRIDES_PLANS = frozenset({Role.SUPERVISOR, Role.ANALYST, Role.ADMIN})
SEES_RISK = frozenset({Role.SUPERVISOR, Role.ANALYST, Role.ADMIN, Role.AUDITOR})
EXPORTS = frozenset({Role.ANALYST, Role.ADMIN, Role.AUDITOR})
MAPS_CODES = frozenset({Role.ANALYST, Role.ADMIN})
SEES_STUDIES = frozenset({Role.SUPERVISOR, Role.ANALYST, Role.ADMIN, Role.AUDITOR})
RUNS_STUDIES = frozenset({Role.ANALYST, Role.ADMIN})
READS_AUDIT = frozenset({Role.ADMIN, Role.AUDITOR})
CARRIES_OUT = frozenset({Role.OFFICER, Role.SUPERVISOR, Role.ADMIN})


@dataclass(frozen=True)
class Access:
    """One person inside one agency. ``membership`` is None for the installation's operator, who may do all."""

    agency: Agency
    user: User
    membership: Membership | None

    def has(self, roles: frozenset[str]) -> bool:
        """Whether the person has one of these roles here."""
        return self.membership is None or self.membership.role in roles

    @cached_property
    def district_ids(self) -> frozenset[int]:
        """The districts that the person's work is limited to; empty means all of them. One query, once."""
        return district_ids_of(self.agency, self.user) if self.membership else frozenset()

    def works_in(self, district_id: int) -> bool:
        """Whether the person may change missions in this district."""
        return not self.district_ids or district_id in self.district_ids

    @property
    def role_label(self) -> str:
        return self.membership.get_role_display() if self.membership else _("Operator")

    @property
    def may(self) -> dict[str, bool]:
        """The permissions by name, for templates."""
        return {
            "see_plans": self.has(SEES_PLANS),
            "run_shifts": self.has(RUNS_SHIFTS),
            "override": self.has(OVERRIDES_PLANS),
            "see_risk": self.has(SEES_RISK),
            "export": self.has(EXPORTS),
            "map_codes": self.has(MAPS_CODES),
            "see_studies": self.has(SEES_STUDIES),
            "run_studies": self.has(RUNS_STUDIES),
            "carry_out": self.has(CARRIES_OUT),
            "read_audit": self.has(READS_AUDIT),
            "configure": self.has(frozenset({Role.ADMIN})),
        }


def access_for_user(user: User, agency_slug: str) -> Access:
    """Return the person's access to the agency, or raise ``Http404`` for a stranger. At most two queries."""
    membership = (
        Membership.objects.select_related("agency", "unit")
        .filter(user=user, agency__slug=agency_slug)
        .first()
    )
    if membership:
        return Access(agency=membership.agency, user=user, membership=membership)
    agency = Agency.objects.filter(slug=agency_slug).first() if user.is_superuser else None
    if agency is None:
        raise Http404(_("No such agency."))
    return Access(agency=agency, user=user, membership=None)


View = Callable[..., HttpResponseBase]


def agency_page(roles: frozenset[str]) -> Callable[[View], View]:
    """A view ``(request, access, …)`` of an agency's address: signed in, a member, and with one of the roles."""

    def decorate(view: View) -> View:
        @login_required
        @wraps(view)
        def wrapped(request: HttpRequest, agency_slug: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            access = access_for_user(request.user, agency_slug)  # type: ignore[arg-type]  # login_required
            if not access.has(roles):
                raise PermissionDenied(_("Your role in this agency does not include this page."))
            request.access = access  # type: ignore[attr-defined]  # read by templates and the CSP middleware
            with walls.within(walls.scope().narrowed(access.agency.pk)), reads_like(access.agency):
                return view(request, access, *args, **kwargs)

        return wrapped

    return decorate
