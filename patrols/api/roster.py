"""``/api/v1/<agency>/roster/``: who is on duty in dated shifts, where that differs from the units' standing duties."""

import datetime as dt
from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agencies.access import RUNS_SHIFTS, SEES_PLANS
from agencies.models import Shift, Unit
from ingestion.api.access import AgencyView
from ingestion.api.fields import BeatField, PeriodQuery, ShiftField, UnitField
from missions_project.lib.rest.marks import check_match
from missions_project.lib.rest.paging import page_of_rows
from missions_project.lib.rest.queries import Body, NoQuery
from missions_project.lib.rest.schema import IDEMPOTENCY_KEY, IF_MATCH, paged
from patrols.api.plans import ON, SHIFT_SLUG, shift_or_404
from patrols.api.shapes import Shown
from patrols.listings import duties_listed
from patrols.models import Duty
from patrols.services import duty_clear, duty_set

CALL_SIGN = OpenApiParameter(
    "call_sign", OpenApiTypes.STR, OpenApiParameter.PATH, description="The unit, as on the radio."
)


class DutyOut(Shown):  # type: ignore[type-arg]
    unit = serializers.CharField()
    shift = serializers.CharField()
    on = serializers.DateField()
    beat = serializers.CharField(allow_null=True, help_text="The beat's code; null: off duty.")
    missions = serializers.IntegerField(
        allow_null=True, help_text="Boxes that it can visit; null: as many as always."
    )
    author = serializers.CharField(allow_null=True)
    changed_at = serializers.DateTimeField()


class DutyIn(Body):
    beat = BeatField(allow_null=True, help_text="The beat's code; null: off duty.")
    missions = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=0, max_value=20
    )


class RosterQuery(PeriodQuery):
    days_back = 0
    shift = ShiftField(required=False, help_text="A shift's slug.")
    unit = UnitField(required=False, help_text="Call sign.")


def duty_shown(row: Duty) -> dict[str, Any]:
    """A duty as the API shows it. No query when it was listed."""
    facts = {
        "unit": row.unit.call_sign,
        "shift": row.shift.slug,
        "on": row.on,
        "beat": row.beat.code if row.beat else None,
        "missions": row.missions,
        "author": row.author.get_username() if row.author else None,
        "changed_at": row.changed_at,
    }
    return dict(DutyOut(facts).data)


class Roster(AgencyView):
    reads = SEES_PLANS

    @extend_schema(
        operation_id="roster_list",
        summary="Duties of a period",
        tags=["roster"],
        parameters=[RosterQuery],
        responses=paged(DutyOut, "DutyPage"),
    )
    def get(self, request: Request, agency_slug: str) -> Response:
        """By date. A unit that is not named has its standing duty: home beat, every shift that it works."""
        asked = RosterQuery.of(request, agency=self.agency)
        rows = duties_listed(self.agency).filter(on__range=(asked["from"], asked["to"]))
        rows = rows.filter(**{name: asked[name] for name in ("shift", "unit") if name in asked})
        order = (("on", dt.date), ("pk", int))
        page = page_of_rows(rows, order, cursor=asked.get("cursor"), limit=asked["limit"])
        return Response(page.as_json(request, duty_shown))


class OneDuty(AgencyView):
    reads = SEES_PLANS
    writes = RUNS_SHIFTS

    def _named(self, on: str, shift_slug: str, call_sign: str) -> tuple[Shift, dt.date, Unit]:
        shift, date = shift_or_404(self.agency, shift_slug, on)
        unit = Unit.objects.filter(agency=self.agency, call_sign=call_sign).select_related("beat").first()
        if unit is None:
            raise Http404("There is no such unit here.")
        return shift, date, unit

    def _found(self, shift: Shift, on: dt.date, unit: Unit) -> Duty | None:
        return duties_listed(self.agency).filter(shift=shift, on=on, unit=unit).first()

    @extend_schema(
        operation_id="roster_get",
        summary="One duty",
        tags=["roster"],
        parameters=[ON, SHIFT_SLUG, CALL_SIGN],
        responses=DutyOut,
    )
    def get(self, request: Request, agency_slug: str, on: str, shift_slug: str, call_sign: str) -> Response:
        """404 where the unit has its standing duty."""
        NoQuery.of(request)
        duty = self._found(*self._named(on, shift_slug, call_sign))
        if duty is None:
            raise Http404("Nothing is set: the unit has its standing duty in this shift.")
        return Response(duty_shown(duty))

    @extend_schema(
        operation_id="roster_set",
        summary="Set a duty",
        tags=["roster"],
        parameters=[ON, SHIFT_SLUG, CALL_SIGN, IF_MATCH, IDEMPOTENCY_KEY],
        request=DutyIn,
        responses={200: DutyOut},
    )
    def put(self, request: Request, agency_slug: str, on: str, shift_slug: str, call_sign: str) -> Response:
        """Where the unit is in this one shift. Counts in plans that are drawn from now on."""
        NoQuery.of(request)
        shift, date, unit = self._named(on, shift_slug, call_sign)
        asked = DutyIn.of(request, agency=self.agency)

        def put() -> tuple[int, Any]:
            self._check(request, shift, date, unit)
            duty_set(agency=self.agency, unit=unit, shift=shift, on=date, actor=self.caller.user, **asked)
            found = self._found(shift, date, unit)
            assert found is not None  # it was set in this transaction
            return 200, duty_shown(found)

        return self.write(request, put)

    @extend_schema(
        operation_id="roster_clear",
        summary="Back to the standing duty",
        tags=["roster"],
        parameters=[ON, SHIFT_SLUG, CALL_SIGN, IF_MATCH],
        responses={204: None},
    )
    def delete(
        self, request: Request, agency_slug: str, on: str, shift_slug: str, call_sign: str
    ) -> Response:
        """Sent again, nothing changes."""
        NoQuery.of(request)
        shift, date, unit = self._named(on, shift_slug, call_sign)

        def clear() -> tuple[int, Any]:
            self._check(request, shift, date, unit)
            duty_clear(agency=self.agency, unit=unit, shift=shift, on=date, actor=self.caller.user)
            return 204, None

        return self.write(request, clear)

    def _check(self, request: Request, shift: Shift, on: dt.date, unit: Unit) -> None:
        if request.headers.get("If-Match"):
            found = self._found(shift, on, unit)
            check_match(request, duty_shown(found) if found else None)
