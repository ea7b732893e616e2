"""What the officer's pages share: for which unit a person acts, what the page's scripts are told, what a phone sends."""

import datetime as dt
import json
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.access import RUNS_SHIFTS, Access
from agencies.lookups import pk_from_text
from agencies.models import Unit
from ingestion.engine.private_text import rules_for_browser
from missions_project.lib.errors import MissionsError
from patrols.models import Mission
from tactics import officer as pages
from tactics import selectors
from tactics.models import OfficerAction
from tactics.services import NOTE_MAX, Press

BATCH_MOST = 100
BATCH_BYTES = 512 * 1024
CLOCK_WRONG_MOST = dt.timedelta(days=366 * 30)
"""A phone with an empty battery wakes up in 1970 or 2000; beyond this its numbers are no times."""


@dataclass(frozen=True)
class Acting:
    """On which unit's behalf the person acts. ``units`` may be picked from; only who runs shifts has any."""

    unit: Unit | None
    units: list[Unit]

    def address(self, access: Access, **query: object) -> str:
        """The officer's page, for the same unit."""
        return self._address("tactics:officer", access, query)

    def practice_address(self, access: Access, **query: object) -> str:
        """The practice page, for the same unit."""
        return self._address("tactics:practice", access, query)

    def _address(self, name: str, access: Access, query: dict[str, object]) -> str:
        if self.units and self.unit:
            query["unit"] = self.unit.call_sign
        text = urlencode({key: value for key, value in query.items() if value})
        return reverse(name, args=[access.agency.slug]) + (f"?{text}" if text else "")


def acting(request: HttpRequest, access: Access, wanted: str | None = None) -> Acting:
    """A person with a unit acts for it and no other; who runs shifts and has none picks one of their districts'."""
    if access.membership and access.membership.unit:
        return Acting(access.membership.unit, [])
    if not access.has(RUNS_SHIFTS):
        return Acting(None, [])
    districts = list(access.membership.districts.values_list("pk", flat=True)) if access.membership else []
    units = selectors.units_of(access.agency, district_ids=districts)
    wanted = wanted or request.POST.get("unit") or request.GET.get("unit")
    return Acting(next((unit for unit in units if unit.call_sign == wanted), None), units)


def own_mission(request: HttpRequest, access: Access, mission_id: int) -> tuple[Acting, Unit, Mission]:
    """The mission, for a unit that may act on it; 404 otherwise."""
    who = acting(request, access)
    mission = (
        selectors.unit_mission(access.agency, who.unit, mission_id, now=timezone.now()) if who.unit else None
    )
    if who.unit is None or mission is None:
        # Another unit's mission: whether it exists is not said.
        raise Http404(_("Your unit has no such mission."))
    return who, who.unit, mission


def shared_context(request: HttpRequest, access: Access, *, base: str, now: dt.datetime) -> dict[str, Any]:
    """What every page for an officer's phone is told. One query."""
    sky, look = pages.sky_over(access.agency, now), request.COOKIES.get(pages.LOOK_COOKIE, "auto")
    look = look if look in pages.LOOKS else "auto"
    return {
        "tab": "officer",
        "access": access,
        "base": base,
        "now": now,
        "sky": sky,
        "look": look,
        "looks": pages.LOOKS,
        "is_night": look == "dark" or (look == "auto" and sky.is_dark),
        "may_locate": selectors.may_locate(access.agency),
        "screen_rules": rules_for_browser(),
        "note_max": NOTE_MAX,
        "new_number": str(uuid.uuid4()),
    }


def with_place(response: HttpResponse, may_locate: bool) -> HttpResponse:
    """Let the page ask the browser where it is, or have the browser refuse whatever the page asks."""
    response["Permissions-Policy"] = f"geolocation=({'self' if may_locate else ''})"
    return response


@dataclass(frozen=True)
class Batch:
    """What a phone sent at once. ``unreadable`` are presses without a number, which can be answered but not logged."""

    person: int
    unit: str
    presses: list[Press]
    unreadable: list[dict[str, str]]


def batch_from(body: bytes, *, now: dt.datetime) -> Batch:
    """Read a phone's batch. Raises ``MissionsError`` where it is none, or holds more than fits."""
    problem = MissionsError(
        _("This is no batch of presses."), next_step=_("reload the page; what waits stays on the phone.")
    )
    if len(body) > BATCH_BYTES:
        raise problem
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise problem from exc
    actions = data.get("actions") if isinstance(data, dict) else None
    if not isinstance(actions, list) or len(actions) > BATCH_MOST:
        raise problem
    lag = _correction(data.get("device_now"), now)
    presses, unreadable = [], []
    for action in actions:
        try:
            presses.append(_press(action, lag, now))
        except (ValueError, TypeError, OverflowError, AttributeError):
            number = str(action.get("uuid", ""))[:40] if isinstance(action, dict) else ""
            unreadable.append(
                {
                    "uuid": number,
                    "status": "refused",
                    "message": _("This press cannot be read. Next step: press again."),
                }
            )
    return Batch(pk_from_text(str(data.get("person", ""))), str(data.get("unit") or ""), presses, unreadable)


def _instant(milliseconds: Any) -> dt.datetime:
    if isinstance(milliseconds, bool) or not math.isfinite(milliseconds):
        raise ValueError("no time")
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=milliseconds)


def _correction(device_now: Any, now: dt.datetime) -> dt.timedelta:
    """How far the phone's clock is behind ours while it sends; nought where it does not say."""
    try:
        return now - _instant(device_now)
    except (ValueError, TypeError, OverflowError):
        return dt.timedelta(0)


def _press(action: Mapping[str, Any], lag: dt.timedelta, now: dt.datetime) -> Press:
    kind = action.get("kind", "")
    if kind not in OfficerAction.Kind.values:
        raise ValueError("no such kind")
    device_at = _instant(action.get("device_at"))
    skew = action.get("skew_ms")
    # As it was at the last contact before the press; a phone that had none by then is measured now.
    correction = (
        dt.timedelta(milliseconds=skew) if isinstance(skew, int | float) and math.isfinite(skew) else lag
    )
    if abs(correction) > CLOCK_WRONG_MOST or abs(device_at - now) > 2 * CLOCK_WRONG_MOST:
        raise ValueError("no time")
    text = action.get("text") or ""
    return Press(
        uuid=uuid.UUID(str(action.get("uuid"))),
        kind=kind,
        mission_id=pk_from_text(str(action.get("mission"))),
        device_at=device_at,
        correction=correction,
        tactic_id=pk_from_text(str(action.get("tactic") or "")),
        is_used=action.get("used") is not False,
        # Longer ones are refused by the service, with the length; nobody needs a megabyte to say so.
        text=str(text)[: 4 * NOTE_MAX],
    )
