"""The parts of an open board that are loaded anew when it hears of a change: list and boxes."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from agencies.access import OVERRIDES_PLANS, RUNS_SHIFTS, SEES_PLANS, Access
from agencies.grants import Grant
from agencies.lookups import date_from_text
from ingestion.live_views import granted
from missions_project.lib.errors import MissionsError
from patrols.board_cache import Busy, kept, known, packed_answer, plan_mark
from patrols.board_page import Instance, instance_of


@dataclass(frozen=True)
class Part:
    """What an open board loads anew when it hears of a change: the same for all of a role who look at the same shift."""

    name: str
    content_type: str
    make: Callable[[Access, Instance, str], str]


def part_answer(
    request: HttpRequest, agency_slug: str, address: tuple[str, str], part: Part
) -> HttpResponseBase:
    """Answer with what is kept for the shift's mark, without a query to whoever was let in a moment ago; or have it worked out.

    204 while another's is being worked out: the board asks again. ``address``: date and shift as they stand in the address; 404
    where there is no such shift.
    """
    try:
        return granted(
            request,
            agency_slug,
            SEES_PLANS,
            lambda request, grant: _at_once(request, grant, address, part),
            lambda request, access: _worked_out(request, access, address, part),
        )
    except Busy:
        return HttpResponse(status=204)


def _at_once(request: HttpRequest, grant: Grant, address: tuple[str, str], part: Part) -> HttpResponse | None:
    try:
        on = date_from_text(address[0])
    except MissionsError:
        return None
    mark = plan_mark(grant.agency_id, address[1], on)
    packed = known(grant.agency_id, _name(request, grant, (on.isoformat(), address[1]), part), mark)
    return None if packed is None else packed_answer(request, packed, part.content_type)


def _worked_out(request: HttpRequest, access: Access, address: tuple[str, str], part: Part) -> HttpResponse:
    instance = instance_of(access, *address)
    # Read before the rows are: what changes in between must look new to the board that gets this.
    mark = plan_mark(access.agency.pk, instance.shift.slug, instance.on)
    name = _name(request, access, instance.address, part)
    packed = kept(access.agency.pk, name, mark, lambda: part.make(access, instance, mark))
    return packed_answer(request, packed, part.content_type)


def _name(request: HttpRequest, who: Grant | Access, address: tuple[str, str], part: Part) -> str:
    may = who.has(RUNS_SHIFTS), who.has(OVERRIDES_PLANS)
    return f"{part.name} {address} {may} {request.GET.urlencode()}"
