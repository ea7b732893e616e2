"""``POST /api/v1/…``: incidents, calls for service, gunfire alerts and vehicle positions, a batch at a time."""

import logging
from typing import Any, ClassVar

from django.conf import settings
from django.db import DatabaseError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingestion.api.tokens import PUSH, FeedTokenAuthentication, HasScope, TokenThrottle, feed_of
from ingestion.engine.batches import BatchError, batch_from_csv, batch_from_json
from ingestion.engine.rows import RowChunk
from ingestion.live_views import live_nudge
from ingestion.models import Feed, RecordKind
from ingestion.services import PushResult, positions_mapping, positions_store, push_mapped, push_store
from ingestion.signals import facts_pushed
from missions_project.lib.errors import MissionsError
from missions_project.lib.rest.problems import Busy, problem_response

logger = logging.getLogger(__name__)
_REQUIRED = ("external_id", "occurred_from", "lon", "lat", "x", "y")


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class _Body(BaseParser):
    """The body as bytes, never more than ``PUSH_MAX_BYTES`` of it."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        body = stream.read(settings.PUSH_MAX_BYTES + 1)
        if len(body) > settings.PUSH_MAX_BYTES:
            raise TooLarge(
                _(
                    "The body is larger than %(push_max_bytes)s MiB; nothing was stored. Next step: send smaller batches."
                )
                % {"push_max_bytes": settings.PUSH_MAX_BYTES // 1024**2}
            )
        return type(self), body


class JsonBody(_Body):
    media_type = "application/json"


class CsvBody(_Body):
    media_type = "text/csv"


_COUNT = serializers.IntegerField
_ROW = inline_serializer(
    "RowResult",
    {
        "index": serializers.IntegerField(help_text="The row's position in the batch, from 0."),
        "external_id": serializers.CharField(),
        "outcome": serializers.ChoiceField(["inserted", "updated", "unchanged", "quarantined", "refused"]),
        "code": serializers.CharField(required=False),
        "message": serializers.CharField(required=False),
    },
    many=True,
)
RESULT = inline_serializer(
    "BatchResult",
    {
        **{
            name: _COUNT()
            for name in ("received", "inserted", "updated", "unchanged", "quarantined", "refused")
        },
        "results": _ROW,
    },
)
ANSWERS: dict[int, Any] = {200: RESULT}


def problem(code: str, detail: str, status_code: int) -> Response:
    """An answer for a batch of which nothing was stored."""
    return problem_response(status_code, code, detail)


class PushView(APIView):
    """What the four addresses share: the feed is the token's, a batch is answered row by row."""

    authentication_classes = [FeedTokenAuthentication]
    permission_classes = [HasScope]
    throttle_classes = [TokenThrottle]
    parser_classes = [JsonBody, CsvBody]
    problems = (400, 401, 403, 406, 409, 413, 415, 429, 500, 503)
    scope = PUSH
    record_kind: ClassVar[RecordKind]

    def post(self, request: Request) -> Response:
        feed = feed_of(request)
        if feed.record_kind != self.record_kind:
            raise PermissionDenied(
                _("Feed “%(slug)s” holds %(record_kind)s. Use its own address or another token.")
                % {"slug": feed.slug, "record_kind": feed.get_record_kind_display().lower()}
            )
        try:
            # Without a body no parser is asked, and the data is an empty form.
            form, body = request.data if isinstance(request.data, tuple) else (JsonBody, b"")
            result = self.store(feed, form, body)
        except BatchError as exc:
            too_many = exc.code == "too_many_rows"
            return problem(exc.code, str(exc), 413 if too_many else 400)
        except MissionsError as exc:
            return problem("feed_not_ready", str(exc), 409)
        except OperationalError as exc:
            # Deadlock, lock time-out, connection lost: rolled back as a whole, and a batch may be sent twice.
            logger.warning("A push to feed %s met a busy database (%s).", feed.pk, type(exc).__name__)
            raise Busy(
                _(
                    "The database is busy; nothing of the batch was stored. Next step: send the same batch again."
                )
            ) from None
        if result.changed:
            kind, agency_id = str(feed.record_kind), feed.agency_id
            transaction.on_commit(lambda: live_nudge(agency_id))
            transaction.on_commit(
                lambda: facts_pushed.send_robust(sender=Feed, agency_id=agency_id, record_kind=kind)
            )
        rows = [row.as_json() for row in result.rows]
        if request.query_params.get("results") == "problems":
            rows = [row for row in rows if "code" in row]
        return Response({**result.counts, "results": rows})

    def store(self, feed: Feed, form: type[_Body], body: bytes) -> PushResult:
        now = timezone.now()
        mapping = push_mapped(feed, now)
        required = [mapping.columns[name] for name in _REQUIRED if name in mapping.columns]
        return push_store(feed=feed, chunk=chunk_of(form, body, mapping.column_names, required), now=now)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, DatabaseError):
            # Its message quotes the row that the database refused, and that must stand in no log.
            logger.error("A push failed in the database: %s.", type(exc).__name__)
            return problem(
                "not_stored",
                _(
                    "Nothing of the batch was stored. Next step: send it again; if that fails too, tell support the time."
                ),
                500,
            )
        return super().handle_exception(exc)


def chunk_of(form: type[_Body], body: bytes, columns: Any, required: Any) -> RowChunk:
    """The batch's rows: the feed's columns and nothing else. Raises ``BatchError``."""
    if form is CsvBody:
        return batch_from_csv(body, columns, required)
    return batch_from_json(body, columns)


def _example(**row: Any) -> list[OpenApiExample]:
    return [OpenApiExample("Two rows would be two objects", value=[row], request_only=True)]


_PLACE = {"lon": -87.65, "lat": 41.88}
_ANY_ROWS = {
    "application/json": {"type": "array", "items": {"type": "object"}},
    "text/csv": {"type": "string"},
}


class PushIncidents(PushView):
    record_kind = RecordKind.INCIDENTS

    @extend_schema(
        operation_id="push_incidents",
        summary="Crime incidents",
        tags=["push"],
        request=_ANY_ROWS,
        responses=ANSWERS,
        examples=_example(
            id="HX-1", occurred_at="2026-03-01T21:40:00-06:00", code="0610", nibrs_code="220", **_PLACE
        ),
    )
    def post(self, request: Request) -> Response:
        """Up to 10,000 rows under (feed, id). Sent again, nothing changes."""
        return super().post(request)


class PushCalls(PushView):
    record_kind = RecordKind.CALLS

    @extend_schema(
        operation_id="push_calls",
        summary="Calls for service",
        tags=["push"],
        request=_ANY_ROWS,
        responses=ANSWERS,
        examples=_example(
            id="CAD-1", occurred_at="2026-03-01T21:40:00-06:00", code="SHOTS", discovery="911", **_PLACE
        ),
    )
    def post(self, request: Request) -> Response:
        """Send `discovery`: officer-initiated calls never become features."""
        return super().post(request)


class PushGunfire(PushView):
    record_kind = RecordKind.GUNFIRE

    @extend_schema(
        operation_id="push_gunfire",
        summary="Gunfire alerts",
        tags=["push"],
        request=_ANY_ROWS,
        responses=ANSWERS,
        examples=_example(
            id="SST-1",
            occurred_at="2026-03-01T21:40:07Z",
            stage="reviewed",
            stage_at="2026-03-01T21:40:52Z",
            **_PLACE,
        ),
    )
    def post(self, request: Request) -> Response:
        """Stages: detected, reviewed, reclassified, dismissed. The last one wins, in whatever order they arrive."""
        return super().post(request)


class PushPositions(PushView):
    record_kind = RecordKind.POSITIONS

    @extend_schema(
        operation_id="push_positions",
        summary="Vehicle positions",
        tags=["push"],
        request=_ANY_ROWS,
        responses=ANSWERS,
        examples=_example(unit="A12", at="2026-03-01T21:40:07Z", **_PLACE),
    )
    def post(self, request: Request) -> Response:
        """A unit's code, an instant and a place, under the names that the feed's page says; nothing else is read."""
        return super().post(request)

    def store(self, feed: Feed, form: type[_Body], body: bytes) -> PushResult:
        columns = tuple(positions_mapping(feed).columns.values())
        chunk = chunk_of(form, body, columns, columns)
        return positions_store(feed=feed, chunk=chunk, now=timezone.now())
