"""What may stand behind the question mark: named, typed, and nothing else."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request


class Query(serializers.Serializer):  # type: ignore[type-arg]  # no instance: it reads an address
    """The parameters of one address. Whatever it does not name is refused: a filter misspelt would show too much."""

    @classmethod
    def of(cls, request: Request, **context: Any) -> dict[str, Any]:
        """Return the parameters as values. Raises ``ValidationError`` that names each bad one and those that exist."""
        asked = request.query_params
        query = cls(data={name: asked[name] for name in asked}, context=context)
        errors = {
            name: [
                _("There is no such parameter. Known here: %(fields)s.")
                % {"fields": ", ".join(query.fields) or _("none")}
            ]
            for name in asked
            if name not in query.fields
        }
        errors |= {
            name: [_("Give it once.")]
            for name in asked
            if name not in errors and len(asked.getlist(name)) > 1
        }
        query.is_valid()
        errors |= {name: texts for name, texts in query.errors.items() if name not in errors}
        if errors:
            raise ValidationError(errors)
        found: dict[str, Any] = query.validated_data
        return found


class NoQuery(Query):
    """No parameters at all."""


class Body(serializers.Serializer):  # type: ignore[type-arg]  # no instance: it reads a body
    """The fields of a JSON body; one that it does not name is refused, as a misspelt one would be lost in silence."""

    @classmethod
    def of(cls, request: Request, **context: Any) -> dict[str, Any]:
        """Return the fields as values. Raises ``ValidationError`` that names each bad one."""
        body = cls(data=request.data, context=context)
        body.is_valid(raise_exception=False)
        errors: dict[str, Any] = dict(body.errors)
        if isinstance(request.data, dict):
            known = ", ".join(body.fields) or _("none")
            errors |= {
                str(name): [_("There is no such field. Known here: %(known)s.") % {"known": known}]
                for name in request.data
                if name not in body.fields
            }
        if errors:
            raise ValidationError(errors)
        found: dict[str, Any] = body.validated_data
        return found
