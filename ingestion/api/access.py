"""Who asks, for which agency, and what they may do there: people by session, machines by key, one set of roles."""

import logging
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import MethodNotAllowed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agencies.access import Access, access_for_user
from agencies.models import Agency, Role, Unit
from agencies.services import audit_record
from ingestion.api.once import answered_once
from ingestion.api.tokens import (
    PATROLS,
    PUSH,
    WINDOW_SECONDS,
    FeedTokenAuthentication,
    TokenThrottle,
    count_request,
)
from ingestion.models import ApiToken
from missions_project.lib import walls
from missions_project.lib.rest.marks import etag_of, marked
from missions_project.lib.rest.problems import Busy, Conflict
from missions_project.lib.rest.schema import Described

logger = logging.getLogger(__name__)
READS = frozenset(Role.values)
KEY_ROLES = {"read": Role.AUDITOR, PATROLS: Role.SUPERVISOR}
"""What a key may do is what a person of this role may, in all districts."""


@dataclass(frozen=True)
class Caller(Access):
    """A person or a machine inside one agency."""

    token: ApiToken | None = field(default=None)

    def has(self, roles: frozenset[str]) -> bool:
        if self.token is not None:
            return KEY_ROLES.get(self.token.scope) in roles
        return super().has(roles)

    @property
    def unit(self) -> Unit | None:
        """The unit that the person belongs to; None for machines and the operator."""
        return self.membership.unit if self.membership else None

    @property
    def only_own_unit(self) -> bool:
        """Whether no other unit's missions are shown to them."""
        return self.membership is not None and self.membership.role == Role.OFFICER

    @property
    def name(self) -> str:
        """One word for who asks, for keys and counters."""
        return (
            f"key:{self.token.token_key}:{self.token.digest[:24]}" if self.token else f"person:{self.user.pk}"
        )


def caller_of(request: Request, agency_slug: str) -> Caller:
    """Return who asks. Raises ``Http404`` for strangers, and for keys of another agency. At most two queries."""
    token = request.auth
    if not isinstance(token, ApiToken):
        access = access_for_user(request.user, agency_slug)  # type: ignore[arg-type]  # a signed-in person
        return Caller(access.agency, access.user, access.membership)
    agency: Agency | None = token.feed.agency if token.feed else token.agency
    if agency is None or agency.slug != agency_slug:
        raise Http404(_("No such agency."))
    if token.scope == PUSH:
        raise PermissionDenied(
            _("This key pushes rows and reads nothing. Next step: use an API key of scope read or patrols.")
        )
    return Caller(agency, token.user, None, token)


class PersonAuthentication(SessionAuthentication):
    """A signed-in person; what they change needs the CSRF token of the page."""


class PersonScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API's description names it."""

    target_class = PersonAuthentication
    name = "Session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "A signed-in person's session. Writes need the header `X-CSRFToken` with the cookie's value.",
        }


class OfAgency(BasePermission):
    """The asker belongs to the agency of the address, and has a role for it."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.user, AnonymousUser) or not request.user.is_authenticated:
            return False
        view.caller = caller_of(request, view.kwargs["agency_slug"])
        walls.now_within(walls.scope().narrowed(view.caller.agency.pk))
        is_read = request.method in SAFE_METHODS
        if not view.caller.has(view.reads if is_read else view.writes):
            if view.caller.token and not is_read:
                raise PermissionDenied(
                    _(
                        "This key may not change this. Next step: use a key of scope patrols (Admin → API keys)."
                    )
                )
            raise PermissionDenied(
                _("Your role in this agency does not include this. Next step: ask its administrator.")
            )
        return True


class CallerThrottle(TokenThrottle):
    """Machines are counted by key, people by account and more sparingly."""

    def allow_request(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, ApiToken):
            return super().allow_request(request, view)
        if request.user.is_authenticated:
            most = settings.API_PERSON_REQUESTS_PER_SECOND * WINDOW_SECONDS
            return count_request(f"person:{request.user.pk}", most)
        return True


class AgencyView(APIView):
    """What every address below ``/api/v1/<agency>/`` shares."""

    schema = Described()
    authentication_classes = [FeedTokenAuthentication, PersonAuthentication]
    permission_classes = [OfAgency]
    throttle_classes = [CallerThrottle]
    has_marks: ClassVar[bool] = True
    reads: ClassVar[frozenset[str]] = READS
    writes: ClassVar[frozenset[str]] = frozenset()
    problems: ClassVar[dict[str, tuple[int, ...]]] = {
        "get": (400, 401, 403, 404, 406, 429),
        "post": (400, 401, 403, 404, 406, 409, 412, 415, 429, 503),
        "put": (400, 401, 403, 404, 406, 409, 412, 415, 429, 503),
        "delete": (400, 401, 403, 404, 406, 409, 412, 429, 503),
    }
    caller: Caller

    @property
    def agency(self) -> Agency:
        return self.caller.agency

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # Before anybody is asked who they are: an address without this method has it for nobody.
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed(request.method or "")
        if any("\x00" in value for value in kwargs.values() if isinstance(value, str)):
            # PostgreSQL refuses to look for such a text at all.
            raise Http404(_("There is no such address."))
        super().initial(request, *args, **kwargs)

    @property
    def allowed_methods(self) -> list[str]:
        names = ("get", "head", "post", "put", "delete")
        return [name.upper() for name in names if hasattr(self, "get" if name == "head" else name)]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if (
            response.status_code == 200
            and request.method in ("GET", "HEAD")
            and isinstance(response, Response)
        ):
            return marked(request, response.render(), etag_of(response.content))
        return response

    def write(self, request: Request, do: Any) -> Response:
        """Answer a change: once for each Idempotency-Key, with its line in the audit log where a machine made it.

        ``do`` takes nothing and returns (status, data).
        """
        caller = self.caller

        def change() -> tuple[int, Any]:
            status, data = do()
            if caller.token is not None:
                audit_record(
                    agency=caller.agency,
                    actor=caller.user,
                    action="changed by key",
                    subject=f"{request.method} {request.path}"[:200],
                    detail={"key": caller.token.token_key, "name": caller.token.name},
                )
            return status, data

        try:
            status, data = answered_once(request, caller.agency, caller.user, caller.name, change)
        except IntegrityError:
            # Two at the same moment, and the database let one of them win.
            raise Conflict(
                _("Somebody did the same at the same moment. Next step: read it again and look.")
            ) from None
        except OperationalError as exc:
            logger.warning(
                "%s of %s met a busy database (%s).", request.method, caller.agency.slug, type(exc).__name__
            )
            raise Busy from None
        return Response(data, status=status)
