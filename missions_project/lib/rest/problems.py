"""Errors in one shape (RFC 9457): what is wrong, and what to do next."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.core.exceptions import ValidationError as ModelValidationError
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.views import set_rollback

from missions_project.lib.errors import MissionsError

PROBLEM_TYPE = "application/problem+json"


class Problem(serializers.Serializer):  # type: ignore[type-arg]  # it describes, and is given plain dictionaries
    """What is wrong, for machines (`code`, `status`) and for people (`detail`, which ends with the next step)."""

    type = serializers.CharField(help_text="Always “about:blank”: `code` says which problem it is.")
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Short and stable, for programs.")
    detail = serializers.CharField(help_text="For people, with the next step.")
    errors = serializers.DictField(  # type: ignore[assignment]  # the serializer's own attribute is not used here
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="By parameter or field: what is wrong with it.",
    )


class Conflict(exceptions.APIException):
    """What was asked is understood and cannot be done as things stand."""

    status_code = HTTPStatus.CONFLICT
    default_code = "not_possible"


class Busy(exceptions.APIException):
    """The database could not take the change just now."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "busy"
    default_detail = gettext_lazy("The database is busy; nothing was stored. Next step: send the same again.")


class Changed(exceptions.APIException):
    """Somebody was faster: the row is no longer what the client saw."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_code = "changed"
    default_detail = gettext_lazy(
        "This has changed since you read it. Next step: read it again, look at it, and send its new ETag."
    )


def problem_body(
    status: int, code: str, detail: str, errors: dict[str, list[str]] | None = None
) -> dict[str, Any]:
    """The one shape of every error."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": _writable(detail),
    }
    if errors:
        body["errors"] = {
            _writable(name): [_writable(text) for text in texts] for name, texts in errors.items()
        }
    return body


def _writable(text: str) -> str:
    """The text as UTF-8 can hold it: what a client sent and reads back may hold half a character."""
    return text.encode("utf-8", "replace").decode()


def problem_response(
    status: int, code: str, detail: str, errors: dict[str, list[str]] | None = None
) -> Response:
    """The same as an answer."""
    return Response(problem_body(status, code, detail, errors), status=status, content_type=PROBLEM_TYPE)


def problem_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an exception; None for what is nobody's mistake but ours, so that it is seen and mended."""
    if isinstance(exc, MissionsError):
        exc = Conflict(str(exc))
    elif isinstance(exc, ModelValidationError):
        exc = exceptions.ValidationError(_of_model(exc))
    elif isinstance(exc, Http404):
        exc = exceptions.NotFound(str(exc) or None)
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied(str(exc) or None)
    if not isinstance(exc, exceptions.APIException):
        return None
    # What the request had written before it failed must not stay.
    set_rollback()
    errors = _errors(exc.detail) if isinstance(exc, exceptions.ValidationError) else None
    if errors is not None:
        code, detail = "invalid", _told(errors)
        errors.pop("detail", None)
    else:
        code, detail = _code(exc), str(exc.detail)
    response = problem_response(exc.status_code, code, detail, errors)
    if header := getattr(exc, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(exc, "wait", None):
        response["Retry-After"] = f"{wait:.0f}"
    return response


def _code(exc: exceptions.APIException) -> str:
    codes = exc.get_codes()
    return codes if isinstance(codes, str) else str(exc.default_code)


def _of_model(exc: ModelValidationError) -> dict[str, list[str]]:
    if hasattr(exc, "error_dict"):
        return {("body" if name == NON_FIELD_ERRORS else name): e for name, e in exc.message_dict.items()}
    return {"body": list(exc.messages)}


def _errors(detail: Any, name: str = "body") -> dict[str, list[str]]:
    """Nested details as one level: ``{"visits.0": ["Not a time."]}``."""
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
            inner = "body" if key == "non_field_errors" else str(key)
            for path, texts in _errors(value, inner).items():
                nested = path if name == "body" or path == inner == "body" else f"{name}.{path}"
                found.setdefault(nested, []).extend(texts)
        return found
    if isinstance(detail, list):
        found = {}
        for number, value in enumerate(detail):
            inner = name if isinstance(value, str) else f"{name}.{number}"
            for path, texts in _errors(value, inner).items():
                found.setdefault(path, []).extend(texts)
        return found
    return {name: [str(detail)]}


def _told(errors: dict[str, list[str]]) -> str:
    if set(errors) == {"detail"}:
        return " ".join(errors["detail"])
    first = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in list(errors.items())[:3])
    return _("%(first)s Next step: mend what “errors” names and send it again.") % {"first": first}
