"""``suppressions/`` and ``additions/``: what people decide before a draw, with reason, author and an end."""

import datetime as dt
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agencies.access import OVERRIDES_PLANS, SEES_PLANS
from agencies.lookups import FIRST_DATE, LAST_DATE
from agencies.models import Agency
from ingestion.api.access import AgencyView
from ingestion.api.fields import AreaJson, BeatField, CrimeTypeField, ShiftField
from missions_project.lib.rest.marks import check_match
from missions_project.lib.rest.paging import PagedQuery, page_of_rows
from missions_project.lib.rest.queries import Body, NoQuery
from missions_project.lib.rest.schema import IDEMPOTENCY_KEY, IF_MATCH, paged
from patrols.api.plans import NothingIn
from patrols.api.shapes import Shown
from patrols.listings import additions_listed, holding, suppressions_listed
from patrols.models import Addition, Suppression
from patrols.services import addition_create, addition_end, suppression_create, suppression_end

LONGEST_REASON = 300
MAX_POINTS = 5_000


class DecidedOut(Shown):  # type: ignore[type-arg]
    id = serializers.IntegerField()
    geometry = AreaJson(allow_null=True)
    reason = serializers.CharField()
    starts_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    is_active = serializers.BooleanField(help_text="Whether it holds now.")
    author = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class SuppressionOut(DecidedOut):
    beat = serializers.CharField(
        allow_null=True, help_text="The beat's code, where a whole beat is left out."
    )


class AdditionOut(DecidedOut):
    shift = serializers.CharField(allow_null=True, help_text="Only in this shift; null: in all.")
    crime_type = serializers.CharField()
    dose_minutes = serializers.IntegerField()
    tactic = serializers.CharField(allow_blank=True)


class DecidedQuery(PagedQuery):
    is_active = serializers.BooleanField(
        required=False, help_text="Only what holds now, or only what does not. Without it: all."
    )


class AreaIn(AreaJson):
    """A polygon that a client sends. Its form is checked with the row; here only that it is one, and not endless."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("type") not in ("Polygon", "MultiPolygon"):
            raise serializers.ValidationError(_("Send a GeoJSON Polygon or MultiPolygon."))
        if _numbers(data.get("coordinates")) > 2 * MAX_POINTS:
            raise serializers.ValidationError(
                _("Send at most %(max_points)s points.") % {"max_points": f"{MAX_POINTS:,}"}
            )
        return {"type": data["type"], "coordinates": data.get("coordinates")}


def _numbers(value: Any, depth: int = 0) -> int:
    if not isinstance(value, list):
        return 1
    if depth > 4:
        raise serializers.ValidationError(_("These coordinates are nested too deeply."))
    return sum(_numbers(part, depth + 1) for part in value)


class InstantField(serializers.DateTimeField):
    """An instant within the years that calendars know."""

    def to_internal_value(self, value: Any) -> dt.datetime:
        found = super().to_internal_value(value)
        if not FIRST_DATE.year <= found.year <= LAST_DATE.year:
            raise serializers.ValidationError(
                _("Choose a year from %(year)s to %(year_2)s.")
                % {"year": FIRST_DATE.year, "year_2": LAST_DATE.year}
            )
        return found


class SuppressionIn(Body):
    beat = BeatField(required=False, allow_null=True, default=None, help_text="Leave out a whole beat, or …")
    geometry = AreaIn(
        required=False, allow_null=True, default=None, help_text="… an area: exactly one of them."
    )
    reason = serializers.CharField(
        max_length=LONGEST_REASON, help_text="About the place, never about a person."
    )
    expires_at = InstantField()


class AdditionIn(Body):
    geometry = AreaIn()
    shift = ShiftField(
        required=False, allow_null=True, default=None, help_text="Only in this shift, by its slug."
    )
    crime_type = CrimeTypeField(help_text="A crime type's slug.")
    dose_minutes = serializers.IntegerField(min_value=5, max_value=60, required=False, default=15)
    tactic = serializers.SlugField(max_length=60, required=False, allow_blank=True, default="")
    reason = serializers.CharField(
        max_length=LONGEST_REASON, help_text="About the place, never about a person."
    )
    starts_at = InstantField(required=False, help_text="Without it: now.")
    expires_at = InstantField()


def decided_facts(row: Suppression | Addition) -> dict[str, Any]:
    """A suppression or addition as plain data. No query when it was listed."""
    now = timezone.now()
    facts = {
        "id": row.pk,
        "geometry": row.geometry,
        "reason": row.reason,
        "starts_at": row.starts_at,
        "expires_at": row.expires_at,
        "is_active": row.starts_at <= now < row.expires_at,
        "author": row.author.get_username() if row.author else None,
        "created_at": row.created_at,
    }
    if isinstance(row, Suppression):
        return dict(SuppressionOut(facts | {"beat": row.beat.code if row.beat else None}).data)
    own = {
        "shift": row.shift.slug if row.shift else None,
        "crime_type": row.crime_type.slug,
        "dose_minutes": row.dose_minutes,
        "tactic": row.tactic,
    }
    return dict(AdditionOut(facts | own).data)


class DecidedView(AgencyView, ABC):
    """What both kinds share."""

    reads = SEES_PLANS
    writes = OVERRIDES_PLANS
    what: ClassVar[str]

    @abstractmethod
    def rows(self, agency: Agency) -> QuerySet[Any]:
        """The agency's rows of this kind, lazy."""

    def one(self, pk: int) -> Any:
        row = self.rows(self.agency).filter(pk=pk).first()
        if row is None:
            raise Http404(f"This agency has no such {self.what}.")
        return row

    def listed(self, request: Request) -> Response:
        asked = DecidedQuery.of(request, agency=self.agency)
        rows = holding(self.rows(self.agency), asked.get("is_active"), timezone.now())
        order = (("-created_at", dt.datetime), ("-pk", int))
        page = page_of_rows(rows, order, cursor=asked.get("cursor"), limit=asked["limit"])
        return Response(page.as_json(request, decided_facts))

    def ended(self, request: Request, pk: int, end: Any) -> Response:
        NoQuery.of(request)
        NothingIn.of(request)
        self.one(pk)

        def do() -> tuple[int, Any]:
            # Compared where it is changed: a repeated request must get its kept answer and not a 412.
            row = self.one(pk)
            check_match(request, decided_facts(row))
            end(row)
            return 200, decided_facts(self.one(pk))

        return self.write(request, do)


class OfSuppressions(DecidedView):
    what = "suppression"

    def rows(self, agency: Agency) -> QuerySet[Any]:
        return suppressions_listed(agency)


class OfAdditions(DecidedView):
    what = "addition"

    def rows(self, agency: Agency) -> QuerySet[Any]:
        return additions_listed(agency)


class Suppressions(OfSuppressions):
    @extend_schema(
        operation_id="suppressions_list",
        summary="Areas kept out of draws",
        tags=["suppressions and additions"],
        parameters=[DecidedQuery],
        responses=paged(SuppressionOut, "SuppressionPage"),
    )
    def get(self, request: Request, agency_slug: str) -> Response:
        """The newest first, ended ones too."""
        return self.listed(request)

    @extend_schema(
        operation_id="suppressions_create",
        summary="Keep an area out of draws",
        tags=["suppressions and additions"],
        parameters=[IDEMPOTENCY_KEY],
        request=SuppressionIn,
        responses={201: SuppressionOut},
    )
    def post(self, request: Request, agency_slug: str) -> Response:
        """A beat or a polygon, with a reason and an end. Holds for plans that are drawn from now on."""
        NoQuery.of(request)
        asked = SuppressionIn.of(request, agency=self.agency)

        def create() -> tuple[int, Any]:
            made = suppression_create(agency=self.agency, actor=self.caller.user, **asked)
            return 201, decided_facts(self.one(made.pk))

        return self.write(request, create)


class OneSuppression(OfSuppressions):
    writes = frozenset()

    @extend_schema(
        operation_id="suppressions_get",
        summary="One suppression",
        tags=["suppressions and additions"],
        responses=SuppressionOut,
    )
    def get(self, request: Request, agency_slug: str, suppression_id: int) -> Response:
        """Whether it holds, why, and whose it is."""
        NoQuery.of(request)
        return Response(decided_facts(self.one(suppression_id)))


class SuppressionEnd(OfSuppressions):
    has_marks = False

    @extend_schema(
        operation_id="suppressions_end",
        summary="End a suppression now",
        tags=["suppressions and additions"],
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        request=NothingIn,
        responses={200: SuppressionOut},
    )
    def post(self, request: Request, agency_slug: str, suppression_id: int) -> Response:
        """It stays in the list and in the plans that it shaped. 409 where it is over already."""
        return self.ended(request, suppression_id, self._end)

    def _end(self, row: Suppression) -> None:
        suppression_end(suppression=row, actor=self.caller.user)


class Additions(OfAdditions):
    @extend_schema(
        operation_id="additions_list",
        summary="Places visited whatever is drawn",
        tags=["suppressions and additions"],
        parameters=[DecidedQuery],
        responses=paged(AdditionOut, "AdditionPage"),
    )
    def get(self, request: Request, agency_slug: str) -> Response:
        """The newest first, ended ones too."""
        return self.listed(request)

    @extend_schema(
        operation_id="additions_create",
        summary="Have a place visited",
        tags=["suppressions and additions"],
        parameters=[IDEMPOTENCY_KEY],
        request=AdditionIn,
        responses={201: AdditionOut},
    )
    def post(self, request: Request, agency_slug: str) -> Response:
        """In every shift while it holds, with a reason and an end. Its cells leave the draw and every study."""
        NoQuery.of(request)
        asked = AdditionIn.of(request, agency=self.agency)
        asked.setdefault("starts_at", timezone.now())

        def create() -> tuple[int, Any]:
            made = addition_create(agency=self.agency, actor=self.caller.user, **asked)
            return 201, decided_facts(self.one(made.pk))

        return self.write(request, create)


class OneAddition(OfAdditions):
    writes = frozenset()

    @extend_schema(
        operation_id="additions_get",
        summary="One addition",
        tags=["suppressions and additions"],
        responses=AdditionOut,
    )
    def get(self, request: Request, agency_slug: str, addition_id: int) -> Response:
        """Whether it holds, why, and whose it is."""
        NoQuery.of(request)
        return Response(decided_facts(self.one(addition_id)))


class AdditionEnd(OfAdditions):
    has_marks = False

    @extend_schema(
        operation_id="additions_end",
        summary="End an addition now",
        tags=["suppressions and additions"],
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
        request=NothingIn,
        responses={200: AdditionOut},
    )
    def post(self, request: Request, agency_slug: str, addition_id: int) -> Response:
        """It stays in the list and in the plans that hold it. 409 where it is over already."""
        return self.ended(request, addition_id, self._end)

    def _end(self, row: Addition) -> None:
        addition_end(addition=row, actor=self.caller.user)
