"""In the admin: no form, inline, action, list or button takes or tells another agency's row, whoever of us sends its number.

Pages are asked for their own forms: a model, a field, an inline or an action that is added later is tried too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse

from agencies.admin_base import OperatorAdmin
from agencies.models import Agency, Membership, User
from forecasting.models import ModelVersion, TrainingRun
from ingestion.models import ApiToken, Feed
from tests.agencies.rows import make_row
from tests.factories import make_operator
from tests.project.test_every_address_knows_its_agency import own_admin_addresses
from tests.tenancy.names import kinds_of, listening
from tests.tenancy.pages import text_of
from tests.tenancy.towns import KEYS, NAME, Town, signed_in, two_towns
from tests.tenancy.trying import undone, wrongs
from tests.tenancy.walk import Owners, crossings, rows_of

pytestmark = [pytest.mark.slow, pytest.mark.both_databases, pytest.mark.django_db]
OURS = {"agencies", "ingestion", "forecasting", "patrols", "tactics"}


def scoped() -> list[tuple[type[models.Model], Any]]:
    admin.autodiscover()
    found = [
        (model, page)
        for model, page in admin.site._registry.items()
        if model._meta.app_label in OURS and not isinstance(page, OperatorAdmin)
    ]
    return sorted(found, key=lambda entry: entry[0]._meta.label)


def url(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def row_of(town: Town, model: type[models.Model], page: Any) -> Any:
    if model is Agency:
        return town.agency
    if model is User:
        return town.people["officer"]
    path = page.agency_path
    return model._default_manager.filter(**{path: town.agency}).first() or make_row(model, town.agency)


def sent_by(form: forms.BaseForm) -> dict[str, Any]:
    """What a browser would send of a form that somebody opened and did not touch."""
    sent: dict[str, Any] = {}
    for bound in form:
        value, widget = bound.value(), bound.field.widget
        if isinstance(widget, forms.MultiWidget):
            parts = value if isinstance(value, list) else widget.decompress(value)
            sent |= {
                f"{bound.html_name}_{place}": "" if part is None else part for place, part in enumerate(parts)
            }
        elif isinstance(value, models.QuerySet | list | tuple) and isinstance(
            bound.field, forms.MultipleChoiceField | forms.ModelMultipleChoiceField
        ):
            sent[bound.html_name] = [getattr(one, "pk", one) for one in value]
        elif isinstance(widget, forms.CheckboxInput):
            sent |= {bound.html_name: "on"} if value else {}
        else:
            # As the page draws it: areas as their text, times by the agency's clock.
            drawn = widget.format_value(value)
            drawn = drawn[0] if isinstance(drawn, list) and drawn else drawn
            sent[bound.html_name] = "" if drawn is None or drawn == [] else drawn
    return sent


def forms_on(answer: Any) -> Iterator[forms.BaseForm]:
    """The page's form, and those of its inlines with the forms that say how many there are."""
    yield answer.context["adminform"].form
    for inline in answer.context["inline_admin_formsets"]:
        yield inline.formset.management_form
        yield from inline.formset.forms
        if inline.formset.max_num is None or inline.formset.max_num > len(inline.formset.forms):
            yield inline.formset.empty_form


def choices_on(answer: Any) -> Iterator[tuple[str, Any, bool]]:
    """Each field of the page that names a row: its name in the form, the model, whether it holds several."""
    for form in forms_on(answer):
        for bound in form:
            if isinstance(bound.field, forms.ModelChoiceField):
                several = isinstance(bound.field, forms.ModelMultipleChoiceField)
                yield bound.html_name, bound.field.queryset.model, several


def people(ours: Town, theirs: Town) -> dict[str, Client]:
    """Who can try it: our administrator, one of both agencies, and the operator of all."""
    both = ours.people["analyst"]
    Membership.objects.filter(user=both).update(role="admin")
    Membership.objects.create(agency=theirs.agency, user=both, role="admin")
    return {
        "our administrator": ours.client("admin"),
        "administrator of both": signed_in(both),
        "operator": signed_in(make_operator()),
    }


def test_no_form_takes_another_agencys_row() -> None:
    ours, theirs = two_towns()
    clients = people(ours, theirs)
    rows = {model: (row_of(ours, model, page), row_of(theirs, model, page)) for model, page in scoped()}
    for agency in (ours.agency, theirs.agency):
        if not TrainingRun.objects.filter(agency=agency).exists():
            make_row(TrainingRun, agency)
    before = rows_of(theirs.agency)
    assert not crossings()
    problems: list[str] = []
    tried = opened = 0
    for who, client in clients.items():
        for model, (own, _their) in rows.items():
            for page, at in (("change", [own.pk]), ("add", [])):
                address = url(model, page, *at)
                answer = client.get(address, {} if at else {"agency": ours.agency.pk})
                if answer.status_code != 200 or not answer.context.get("adminform"):
                    continue
                opened += 1
                if who == "our administrator" and NAME in text_of(answer):
                    problems.append(f"{address}: a name of theirs is told")
                sent = {"agency": ours.agency.pk, "why": "tried"}
                for form in forms_on(answer):
                    sent |= sent_by(form) if "__prefix__" not in (form.prefix or "") else {}
                for name, kind, several in choices_on(answer):
                    value = foreign(theirs, kind)
                    if value is None or (kind is Agency and page == "add" and who != "our administrator"):
                        continue  # a row of the other agency's own, made by whoever administers that one
                    data = posted(sent, name, [*sent.get(name, []), value] if several else value)
                    tried += 1
                    with undone() as written:
                        answer = client.post(address, data)
                        found = wrongs(
                            theirs,
                            ours,
                            before,
                            written,
                            text_of(answer) if who == "our administrator" else "",
                        )
                        found += [f"answered {answer.status_code}"] if answer.status_code >= 500 else []
                        problems += [
                            f"{who}, {address}, {name} = {kind.__name__} {value}: {one}" for one in found
                        ]
    assert not problems, "\n".join(problems)
    assert opened > 100, opened
    assert tried > 150, tried


def posted(sent: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """The form with another value; of an inline's empty line, as the first new one."""
    if "__prefix__" not in name:
        return sent | {name: value}
    prefix = name.partition("-__prefix__")[0]
    number = int(sent.get(f"{prefix}-TOTAL_FORMS", 0))
    return sent | {
        f"{prefix}-TOTAL_FORMS": number + 1,
        name.replace("__prefix__", str(number)): value,
    }


def foreign(theirs: Town, kind: type[models.Model]) -> Any:
    """The key of a row of theirs; None for what belongs to no agency."""
    if kind is User:
        return theirs.people["supervisor"].pk
    mine = [pk for pk, agency in Owners().of(kind).items() if agency == theirs.agency.pk]
    return mine[0] if mine else None


def test_each_form_is_taken_as_it_stands_or_the_test_above_would_say_nothing() -> None:
    ours, _theirs = two_towns()
    client = ours.client("admin")
    taken, refused = [], {}
    for model, page in scoped():
        own = row_of(ours, model, page)
        address = url(model, "change", own.pk)
        answer = client.get(address)
        form = answer.context.get("adminform") if answer.status_code == 200 else None
        if form is None or not form.form.fields:
            continue
        sent: dict[str, Any] = {"agency": ours.agency.pk, "why": "tried"}
        for one in forms_on(answer):
            sent |= sent_by(one) if "__prefix__" not in (one.prefix or "") else {}
        with undone():
            answer = client.post(address, sent)
            if answer.status_code == 302:
                taken.append(model.__name__)
            else:
                errors = (
                    answer.context["errors"]
                    if answer.context and "errors" in answer.context
                    else answer.content[:300]
                )
                refused[model.__name__] = str(errors)[:300]
    assert len(taken) >= 3 * len(refused), refused
    assert len(taken) >= 15, refused


def test_no_action_and_no_list_reaches_another_agencys_rows() -> None:
    ours, theirs = two_towns()
    client = ours.client("admin")
    rows = {model: row_of(theirs, model, page) for model, page in scoped()}
    before = rows_of(theirs.agency)
    problems: list[str] = []
    tried = 0
    for model, page in scoped():
        listed = client.get(url(model, "changelist"))
        assert listed.status_code == 200, model
        request = listed.wsgi_request
        asked: list[tuple[str, Any]] = [
            (f"action {name}", {"action": name, "_selected_action": [rows[model].pk], "post": "yes", "why": "tried", "select_across": across})
            for name in page.get_actions(request)
            for across in ("0", "1")
        ]  # fmt: skip
        for label, data in asked:
            tried += 1
            with undone() as written:
                answer = client.post(url(model, "changelist"), data, follow=True)
                found = wrongs(theirs, ours, before, written, text_of(answer))
                found += [f"answered {answer.status_code}"] if answer.status_code >= 500 else []
                problems += [f"{model.__name__}, {label}: {one}" for one in found]
        theirs_only = page.get_queryset(request).model._default_manager.filter(pk=rows[model].pk)
        queries: list[dict[str, Any]] = [{"q": NAME}, {"agency__id__exact": theirs.agency.pk}]
        for field in model._meta.concrete_fields:
            if field.is_relation and (value := foreign(theirs, field.related_model)) is not None:  # type: ignore[arg-type]
                queries.append({f"{field.name}__id__exact": value})
                look = {"app_label": model._meta.app_label, "model_name": model._meta.model_name, "field_name": field.name, "term": NAME}  # fmt: skip
                answer = client.get(reverse("admin:autocomplete"), look)
                if answer.status_code == 200 and answer.json()["results"]:
                    problems.append(f"{model.__name__}, autocomplete of {field.name}")
        for query in queries:
            tried += 1
            answer = client.get(url(model, "changelist"), query, follow=True)
            shown = (
                {one.pk for one in answer.context["cl"].result_list}
                if answer.context and "cl" in answer.context
                else set()
            )
            if shown & set(theirs_only.values_list("pk", flat=True)) or answer.status_code >= 500:
                problems.append(f"{model.__name__}, {query}: {answer.status_code}")
            # What was searched for stands in its field again, and in the links of the columns.
            if "q" not in query and NAME in text_of(answer):
                problems.append(f"{model.__name__}, {query}: a name of theirs is told")
    assert not problems, "\n".join(problems)
    assert tried > 100, tried


def test_no_button_of_the_admins_own_pages_reaches_another_agencys_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = two_towns()
    client = ours.client("admin")
    before = rows_of(theirs.agency)
    problems: list[str] = []
    read: set[str] = set()
    tried = 0
    for name, places in sorted(own_admin_addresses()):
        model = next(
            (
                one
                for one, _page in scoped()
                if f"admin:{one._meta.app_label}_{one._meta.model_name}_" in name
            ),
            Agency,
        )
        mine, their = parts_at(ours, model, places), parts_at(theirs, model, places)
        with undone(), listening(monkeypatch) as heard:
            client.get(reverse(name, kwargs=mine))
            client.post(reverse(name, kwargs=mine), {"agency": ours.agency.pk})
        read |= heard
        tries: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
            (part, mine | {part: their[part]}, {}) for part in places if mine[part] != their[part]
        ]
        for field in sorted(heard):
            kind = SENT.get(field, model if field == "preview_row" else None)
            kinds = (kind,) if kind else kinds_of(field) or ()
            tries += [
                (f"{field} = {value}", mine, {field: value}) for one in kinds for value in named(theirs, one)
            ]
        for label, parts, data in tries:
            for method in ("get", "post"):
                tried += 1
                with undone() as written:
                    answer = getattr(client, method)(
                        reverse(name, kwargs=parts), {"agency": ours.agency.pk} | data, follow=True
                    )
                    found = wrongs(theirs, ours, before, written, text_of(answer))
                    found += [f"answered {answer.status_code}"] if answer.status_code >= 500 else []
                    problems += [f"{name}, {method} {label}: {one}" for one in found]
    assert not problems, "\n".join(problems)
    assert set(SENT) <= read, set(SENT) - read
    assert not (odd := {field for field in read - PLAIN - set(SENT) if kinds_of(field) is None}), " ".join(
        sorted(odd)
    )
    assert tried > 100, tried


SENT: dict[str, type[models.Model]] = {
    "agency": Agency,
    "feed": Feed,
    "replaces": ModelVersion,
    "revoke": ApiToken,
    "rotate": ApiToken,
}
"""What stands for a row on the admin's own pages, beside what does everywhere."""
PLAIN = {
    # A row's own fields, on the pages that try a form before it is saved; that row is named by "preview_row".
    *("colour", "duration_minutes", "is_ignored", "letter", "multiplier", "nibrs_code", "preview_row", "slug", "weekdays", "weight"),
    # A signed name of a file that the person sent before; what an alarm is about; a checklist without its lines.
    *("upload", "epsg", "file-clear", "rule", "scope", "through_week", "change_reason", "without"),
}  # fmt: skip


def named(theirs: Town, kind: type[models.Model]) -> list[Any]:
    """Every way to name a row of theirs of this kind."""
    if (key := foreign(theirs, kind)) is None:
        return []
    row = kind._base_manager.get(pk=key)
    return [key, *(getattr(row, name) for name in sorted(KEYS) if getattr(row, name, ""))]


def parts_at(town: Town, model: type[models.Model], places: list[str]) -> dict[str, Any]:
    found = {
        "pk": town.agency.pk, "agency_id": town.agency.pk, "shift_id": town.scene.scene.shift.pk,
        "on": town.scene.scene.run.on.isoformat(), "feed_id": town.feed.pk, "plan_id": town.scene.plan.pk, "layer": "beats",
    }  # fmt: skip
    if {"object_id", "id"} & set(places):
        found["object_id"] = found["id"] = row_of(town, model, admin.site._registry[model]).pk
    return {part: found[part] for part in places}
