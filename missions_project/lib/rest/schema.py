"""How the API describes itself: what every address may answer besides what it was asked for."""

from collections.abc import Mapping
from typing import Any, Literal

from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from missions_project.lib.rest.problems import PROBLEM_TYPE, Problem

Direction = Literal["request", "response"]
MEANINGS = {
    400: "A parameter or field makes no sense; `errors` names each.",
    401: "Nobody is signed in, and there is no valid key.",
    403: "The role or the key's scope does not include this; or a page's request lacks its CSRF token.",
    404: "There is no such thing in this agency, or no such agency for you.",
    406: "None of the forms named in `Accept` can be given.",
    409: "Understood, and not possible as things stand: `detail` says why and what to do.",
    412: "`If-Match` names an older state of the row.",
    413: "Too large; nothing was stored.",
    415: "The body's content type is not one of those named.",
    429: "Too many requests; `Retry-After` says how many seconds to wait.",
    500: "Something of ours failed; nothing was stored.",
    503: "The database is busy; nothing was stored. Send the same again.",
}
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` that you have: 304 while it still holds.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The `ETag` that you saw: 412 if somebody changed it since.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="A word of yours for this request: sent again with it within two days, it is done once and answered alike.",
)


class InEnglish(SchemaGenerator):
    """The description is in English for everybody, as its addresses and fields are.

    Texts of the product that it holds (choices, refusals) are kept once read, and would stay in the first reader's language.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        with translation.override("en"):
            found: dict[str, Any] = super().get_schema(request, public)  # type: ignore[no-untyped-call]
        return found


class Described(AutoSchema):
    """A view's ``problems`` (by method, or for all) and ``marks`` become part of each operation."""

    def _own(self) -> tuple[int, ...]:
        problems = getattr(self.view, "problems", ())
        found: tuple[int, ...] = problems[self.method.lower()] if isinstance(problems, Mapping) else problems
        return found

    def get_override_parameters(self) -> list[Any]:
        found = list(super().get_override_parameters())
        if self.method == "GET" and getattr(self.view, "has_marks", False):
            found.append(IF_NONE_MATCH)
        return found

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        responses: dict[str, Any] = super()._get_response_bodies(direction)
        if direction != "response":
            return responses
        if self.method == "GET" and getattr(self.view, "has_marks", False):
            responses["304"] = {"description": "What you have still holds."}
        for status in self._own():
            responses[str(status)] = self._get_response_for_code(  # type: ignore[no-untyped-call]
                OpenApiResponse(Problem, MEANINGS[status]), str(status), media_types=[PROBLEM_TYPE]
            )
        return {status: responses[status] for status in sorted(responses)}


def paged(row: type[serializers.BaseSerializer[Any]], name: str) -> Any:
    """The shape of a list's answer."""
    return type(
        name,
        (serializers.Serializer,),
        {
            "__doc__": "One page.",
            "next": serializers.URLField(
                allow_null=True, help_text="The next page's address; null on the last page."
            ),
            "results": row(many=True),
        },
    )
