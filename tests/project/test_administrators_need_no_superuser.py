"""An agency's administrator opens, adds, changes and deletes whatever the operator could for that agency, and sees no other's rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse

from agencies.admin_base import OperatorAdmin
from agencies.models import Agency, Membership, User
from tests import factories
from tests.agencies.rows import make_row

SignIn = Callable[[User | None], Client]
ROOMS = {"agencies", "ingestion", "ingestion_audit", "forecasting", "patrols", "tactics"}
MARK = "zzlake"
OPERATORS_ONLY = {("agencies.Agency", "add"), ("agencies.Agency", "delete"), ("agencies.User", "delete")}
"""Making and deleting agencies is the operator's; people are made inactive, not deleted."""


def scoped() -> list[type[models.Model]]:
    admin.autodiscover()
    found = [
        model
        for model, model_admin in admin.site._registry.items()
        if model._meta.app_label in ROOMS and not isinstance(model_admin, OperatorAdmin)
    ]
    return sorted(found, key=lambda model: model._meta.label)


def url(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def row_of(model: type[models.Model], agency: Agency) -> Any:
    if model is Agency:
        return agency
    if model is User:
        return User.objects.filter(memberships__agency=agency).first()
    path = admin.site._registry[model].agency_path  # type: ignore[attr-defined]
    return model._default_manager.filter(**{path: agency}).first() or make_row(model, agency)


def mark(agency: Agency) -> None:
    """Write a word into every text of the agency's rows, past all checks: where it shows up, a wall has a hole."""
    for model in [*scoped(), Agency]:
        path = "pk" if model is Agency else "memberships__agency" if model is User else "agency"
        if path == "agency" and not any(field.name == "agency" for field in model._meta.fields):
            continue
        for row in model._default_manager.filter(**{path: agency.pk}):
            texts = {
                field.name: f"{MARK}{row.pk}"[: field.max_length or 20]
                for field in model._meta.concrete_fields
                if type(field) in (models.CharField, models.SlugField)
                and not field.choices
                and field.name in ("name", "slug", "code", "call_sign", "username", "last_name")
            }
            if texts:
                model._default_manager.filter(pk=row.pk).update(**texts)


@pytest.fixture
def lakeside(stranger: User) -> Agency:
    agency: Agency = Membership.objects.get(user=stranger).agency
    for model in scoped():
        row_of(model, agency)
    mark(agency)
    return agency


@pytest.fixture
def both(rf: Any, owner: User) -> tuple[Any, Any]:
    """Two requests: the administrator's and the operator's."""
    mine, operators = rf.get("/admin/"), rf.get("/admin/")
    mine.user, operators.user = owner, factories.make_operator()
    return mine, operators


@pytest.mark.parametrize("model", scoped(), ids=lambda model: model._meta.label_lower)
def test_an_administrator_may_what_the_operator_may(
    model: type[models.Model], agency: Agency, both: tuple[Any, Any]
) -> None:
    mine, operators = both
    model_admin, row = admin.site._registry[model], row_of(model, agency)
    for page, may in (
        ("add", lambda request: model_admin.has_add_permission(request)),
        ("change", lambda request: model_admin.has_change_permission(request, row)),
        ("delete", lambda request: model_admin.has_delete_permission(request, row)),
        ("view", lambda request: model_admin.has_view_permission(request, row)),
    ):
        if (model._meta.label, page) in OPERATORS_ONLY:
            assert not may(mine)
        elif model is Membership and page == "delete":
            continue  # nobody takes their own role away
        else:
            assert may(mine) == may(operators), page


@pytest.mark.parametrize("model", scoped(), ids=lambda model: model._meta.label_lower)
def test_every_page_opens_and_names_nobody_elses_rows(
    model: type[models.Model],
    sign_in: SignIn,
    agency: Agency,
    owner: User,
    lakeside: Agency,
    both: tuple[Any, Any],
) -> None:
    mine, _ = both
    model_admin, row = admin.site._registry[model], row_of(model, agency)
    client = sign_in(owner)
    pages = {
        "changelist": (url(model, "changelist"), True),
        "change": (url(model, "change", row.pk), True),
        "history": (url(model, "history", row.pk), True),
        "add": (url(model, "add"), model_admin.has_add_permission(mine)),
        "delete": (url(model, "delete", row.pk), model_admin.has_delete_permission(mine, row)),
    }
    for page, (address, may) in pages.items():
        answer = client.get(address)
        assert answer.status_code == (200 if may else 403), (page, answer.status_code)
        text = answer.content.decode()
        assert MARK not in text, (page, text[max(0, text.find(MARK) - 200) : text.find(MARK) + 100])
        assert "Lakeside" not in text, page


def test_the_start_page_offers_every_table_that_is_an_agencys(
    sign_in: SignIn, agency: Agency, owner: User
) -> None:
    page = sign_in(owner).get(reverse("admin:index"))
    offered = {entry["model"] for app in page.context["app_list"] for entry in app["models"]}
    assert offered == set(scoped())
