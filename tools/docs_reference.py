"""Two reference pages that the code writes: every field of the admin's forms, every address of the API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from missions_project.lib.rest.reference import Operation, Shape, Words, api_reference

CONFIGURATION_INTRO = """\
# Configuration reference

Every field that an administrator can set, in the words of the forms themselves: what it means, what it is when nobody touches it, and what it may
be. For the order in which to go about it see [the administrator's guide](admin.md); for what differs between installations, and so comes from
environment variables, see [settings](settings.md). Rows that only the product writes (runs, plans, missions, visits) can be read in the admin and
are not listed. `make docs` writes this page.
"""
API_INTRO = """\
# API reference

Every address, its parameters, bodies and answers, as the product itself describes them in [openapi.yaml](openapi.yaml). How keys and roles work,
and examples to copy, are in [the API guide](api.md). Your server shows the same at `/api/docs/`. `make docs` writes this page.
"""
ROOMS = {
    "agencies": "The agency, its places and people",
    "ingestion": "Data that comes in",
    "ingestion_audit": "The audit store",
    "forecasting": "Forecasts",
    "patrols": "Patrol",
    "tactics": "Tactics and the officer's page",
}


def cell(text: Any) -> str:
    """Text that cannot break a Markdown table."""
    words = " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
    return words.replace("_", "\\_") if "`" not in words and "](" not in words else words


@contextmanager
def no_rows() -> Iterator[None]:
    """Forms ask the database which rows they may offer. This page is about fields: every question is answered with none."""
    from django.db.models import QuerySet

    def nothing(rows: Any) -> None:
        rows._result_cache = []

    with (
        patch.object(QuerySet, "_fetch_all", nothing),
        patch.object(QuerySet, "iterator", lambda rows, *_, **__: iter(())),
        patch.object(QuerySet, "exists", lambda rows: True),
        patch.object(QuerySet, "count", lambda rows: 0),
        patch.object(QuerySet, "first", lambda rows: None),
    ):
        yield


def pairs_of(field: Any) -> list[tuple[Any, Any]]:
    """A choice field's values and labels."""
    return list(field.choices)


def rows_of(field: Any) -> Any:
    """The model whose rows a field offers."""
    return field.queryset.model


def default_of(field: Any, model_field: Any) -> str:
    """What stands in the field when nobody touches it, in the form's words; empty where nothing does."""
    from django import forms
    from django.db.models import NOT_PROVIDED

    value = getattr(model_field, "default", NOT_PROVIDED)
    if value is NOT_PROVIDED or callable(value):
        value = field.initial if not callable(field.initial) else None
    if value is None or value == "" or isinstance(value, list | dict | tuple):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(field, forms.MultipleChoiceField):
        return "all" if {str(key) for key, _ in pairs_of(field)} <= set(str(value)) else str(value)
    chosen = dict(getattr(model_field, "choices", None) or ())
    return str(chosen.get(value, value))


def limits_of(field: Any, model_field: Any) -> str:
    """What the field may be: its least and most, its length, its choices, whether it may be empty."""
    from django import forms
    from django.core.validators import MaxValueValidator, MinValueValidator

    checks = [*field.validators, *(getattr(model_field, "validators", None) or ())]
    least, most = (
        {
            check.limit_value() if callable(check.limit_value) else check.limit_value
            for check in checks
            if type(check) is kind
        }
        for kind in (MinValueValidator, MaxValueValidator)
    )
    said = []
    if least and most and max(most) < 10**6:
        said.append(f"{max(least):g} to {min(most):g}")
    elif least:
        said.append(f"{max(least):g} or more")
    elif most and min(most) < 10**6:
        said.append(f"{min(most):g} at most")
    if isinstance(field, forms.ModelChoiceField):
        several = isinstance(field, forms.ModelMultipleChoiceField)
        kind = rows_of(field)._meta
        said.append(
            f"any of the agency's {kind.verbose_name_plural}" if several else f"one {kind.verbose_name}"
        )
    elif isinstance(field, forms.ChoiceField):
        labels = [
            str(label)
            for value, label in pairs_of(field)
            if value not in ("", None) and not isinstance(label, list | tuple)
        ]
        said += ["; ".join(labels)] if 0 < len(labels) <= 12 else ["chosen from a list"]
    elif getattr(field, "max_length", None):
        said.append(f"up to {field.max_length:,} characters")
    if field.required and not isinstance(field, forms.BooleanField):
        said.append("required")
    return ", ".join(said)


def field_table(fields: dict[str, Any], model: Any) -> list[str]:
    from django.core.exceptions import FieldDoesNotExist

    lines = ["| field | meaning | default | limits |", "|---|---|---|---|"]
    for name, field in fields.items():
        if name in ("id", "DELETE"):
            continue
        try:
            model_field = model._meta.get_field(name)
        except FieldDoesNotExist:
            model_field = None
        label = str(field.label or name.replace("_", " ")).rstrip(":")
        columns = (f"**{cell(label[:1].upper() + label[1:])}**", cell(field.help_text), cell(default_of(field, model_field)), cell(limits_of(field, model_field)))  # fmt: skip
        lines.append("| " + " | ".join(columns) + " |")
    return lines


def feed_kinds() -> list[str]:
    """The options that each kind of feed declares for itself."""
    from ingestion.sources.base import parameter_infos, source_kinds

    lines = ["### Options of each kind of feed", "", "A feed's form shows those of its kind."]
    for source in source_kinds():
        infos = parameter_infos(source.kind)
        if not infos:
            continue
        lines += [
            "",
            f"#### {source.label}",
            "",
            "| field | meaning | default | limits |",
            "|---|---|---|---|",
        ]
        for info in infos:
            said = ["; ".join(str(label) for _, label in info.choices)] if info.choices else []
            said += [f"{info.minimum} or more"] if info.minimum is not None else []
            said += ["required"] if info.required else []
            said += ["kept encrypted, never shown again"] if info.secret else []
            default = (
                {True: "yes", False: "no"}.get(info.default, info.default)
                if isinstance(info.default, bool)
                else info.default
            )
            lines.append(
                f"| **{cell(info.label)}** | {cell(info.help)} | {cell('' if default is None or info.secret else default)} | {cell(', '.join(said))} |"
            )
    return lines


def configuration_page() -> str:
    """docs/configuration.md: every form of the admin that sets something."""
    from django.contrib import admin
    from django.test import RequestFactory

    from agencies.models import User

    admin.autodiscover()
    request = RequestFactory().get("/admin/")
    request.user = User(pk=1, username="operator", is_superuser=True, is_staff=True, is_active=True)
    lines = [CONFIGURATION_INTRO.rstrip()]
    # Somebody of two agencies: whoever has one has no field for it.
    request._administered = frozenset({1, 2})  # type: ignore[attr-defined]
    with no_rows():
        for room, title in ROOMS.items():
            lines += ["", f"## {title}"]
            own = [
                (model, one) for model, one in admin.site._registry.items() if model._meta.app_label == room
            ]
            for model, one in sorted(own, key=lambda pair: str(pair[0]._meta.verbose_name_plural).lower()):
                if not (one.has_add_permission(request) or one.has_change_permission(request)):
                    continue
                fields = one.get_form(request).base_fields
                if not fields:
                    continue
                names = str(model._meta.verbose_name_plural)
                lines += ["", f"### {names[:1].upper() + names[1:]}", "", *field_table(fields, model)]
                for inline in one.inlines:
                    rows = inline(model, admin.site).get_formset(request).form.base_fields
                    if rows:
                        lines += [
                            "",
                            f"With each: {inline.model._meta.verbose_name_plural}.",
                            "",
                            *field_table(rows, inline.model),
                        ]
                if model._meta.label == "ingestion.Feed":
                    lines += ["", *feed_kinds()]
    return "\n".join(lines) + "\n"


def marked(words: Words) -> str:
    """Words as Markdown."""
    return "".join(
        f"[{one.text}](#{one.link})" if one.link else f"`{one.text}`" if one.code else one.text
        for one in words
    )


def property_table(shape: Shape) -> list[str]:
    lines = ["| field | type | meaning |", "|---|---|---|"]
    for one in shape.fields:
        line = f"| `{one.name}`{'' if one.needed else ' (optional)'} | {marked(one.kind)} | {cell(marked(one.meaning))} |"
        lines.append(line.replace("|  |", "| |"))
    return lines


def prose(words: Words) -> str:
    return marked(words).replace("<", "&lt;")


def operation(one: Operation) -> list[str]:
    """One address with one method: what it does, what it takes, what it answers."""
    lines = ["", f"### {one.title}", "", f"`{one.method} {one.path}`"]
    for words in one.about:
        lines += ["", prose(words)]
    if one.parameters:
        lines += ["", "| parameter | where | type | meaning |", "|---|---|---|---|"]
        for each in one.parameters:
            optional = "" if each.needed else " (optional)"
            lines.append(
                f"| `{each.name}`{optional} | {each.where} | {marked(each.kind)} | {cell(marked(each.meaning))} |"
            )
    if one.bodies:
        lines += [
            "",
            "Body: " + "; ".join(f"{marked(kind)} as `{media}`" for media, kind in one.bodies) + ".",
        ]
    lines += ["", "| answer | holds | when |", "|---|---|---|"]
    for answer in one.answers:
        lines.append(
            f"| {answer.code} | {', '.join(map(marked, answer.holds))} | {cell(marked(answer.when))} |"
        )
    return lines


def api_page() -> str:
    """docs/api-reference.md: the API's description, to read."""
    found = api_reference()
    lines = [
        API_INTRO.rstrip(),
        "",
        "## Refusals",
        "",
        "Every address may answer these, each a [Problem](#problem). Further ones stand with their address.",
        "",
        "| answer | when |",
        "|---|---|",
        *(f"| {one.code} | {cell(marked(one.when))} |" for one in found.refusals),
    ]
    for tag, operations in found.groups:
        lines += ["", f"## {tag[:1].upper() + tag[1:]}"]
        for one in operations:
            lines += operation(one)
    lines += ["", "## What bodies and answers hold"]
    for shape in found.shapes:
        lines += ["", f"### {shape.name}", ""]
        for words in shape.about:
            lines += [prose(words), ""]
        if shape.fields:
            lines += property_table(shape)
        elif shape.values:
            lines += [f"* {prose(words)}" for words in shape.values]
        else:
            lines.append(f"{marked(shape.kind)}.")
    return "\n".join(lines) + "\n"
