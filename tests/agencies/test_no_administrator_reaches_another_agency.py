"""Walls in the admin: for every registered model, another agency's rows do not exist, by list, address, link or post."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.db import models
from django.test import Client
from django.urls import reverse

from agencies.admin_base import (
    AgencyScopedAdmin,
    AgencyScopedForm,
    OperatorAdmin,
    check_every_admin_is_scoped,
)
from agencies.models import Agency, Beat, CrimeType, District, Membership, Shift, Unit, User
from tests import factories
from tests.agencies.rows import make_row

SignIn = Callable[[User | None], Client]
OURS = {"agencies", "ingestion", "forecasting", "patrols", "tactics"}


def scoped_models() -> list[type[models.Model]]:
    admin.autodiscover()
    return [
        model
        for model, model_admin in sorted(admin.site._registry.items(), key=lambda entry: entry[0]._meta.label)
        if model._meta.app_label in OURS and not isinstance(model_admin, OperatorAdmin)
    ]


def url(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def row_of(model: type[models.Model], agency: Agency) -> Any:
    """A row of the agency: itself, one of its people, what the factory made, or a new one."""
    if model is Agency:
        return agency
    if model is User:
        return User.objects.filter(memberships__agency=agency).first()
    path = admin.site._registry[model].agency_path  # type: ignore[attr-defined]
    return model._default_manager.filter(**{path: agency}).first() or make_row(model, agency)


def snapshot(row: models.Model) -> dict[str, Any]:
    return type(row)._default_manager.filter(pk=row.pk).values().get()


@pytest.fixture
def lakeside(stranger: User) -> Agency:
    membership = stranger.memberships.first()  # type: ignore[attr-defined]
    return membership.agency  # type: ignore[no-any-return]


@pytest.mark.parametrize("model", scoped_models(), ids=lambda model: model._meta.label_lower)
def test_a_stranger_finds_nothing_of(
    model: type[models.Model], sign_in: SignIn, agency: Agency, owner: User, stranger: User
) -> None:
    row = row_of(model, agency)
    before = snapshot(row)
    client = sign_in(stranger)
    listed = client.get(url(model, "changelist"))
    assert listed.status_code == 200
    assert row.pk not in {found.pk for found in listed.context["cl"].result_list}
    # The admin's own answer to a row that does not exist: back to the start page.
    for page in ("change", "delete", "history"):
        answer = client.get(url(model, page, row.pk))
        assert answer.status_code in (302, 403), (page, answer.status_code)
    for page, data in (("change", {"name": "taken", "code": "taken"}), ("delete", {"post": "yes"})):
        assert client.post(url(model, page, row.pk), data).status_code in (302, 403)
    action = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    assert client.post(url(model, "changelist"), action).status_code in (200, 302, 403)
    assert snapshot(row) == before


@pytest.mark.parametrize("model", scoped_models(), ids=lambda model: model._meta.label_lower)
def test_the_owner_finds(model: type[models.Model], sign_in: SignIn, agency: Agency, owner: User) -> None:
    """The other side of the wall test: otherwise a page that is broken for everybody would pass it."""
    row = row_of(model, agency)
    client = sign_in(owner)
    listed = client.get(url(model, "changelist"))
    assert row.pk in {found.pk for found in listed.context["cl"].result_list}
    assert client.get(url(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", scoped_models(), ids=lambda model: model._meta.label_lower)
def test_every_editable_field_says_what_it_does(
    model: type[models.Model], rf: Any, agency: Agency, owner: User
) -> None:
    request = rf.get("/admin/")
    request.user = factories.make_operator()
    model_admin = admin.site._registry[model]
    silent = []
    for row in (None, row_of(model, agency)):
        if row is None and not model_admin.has_add_permission(request):
            continue
        if row is not None and not model_admin.has_change_permission(request, row):
            continue
        form = model_admin.get_form(request, row, change=row is not None)
        silent += [name for name, field in form.base_fields.items() if not field.help_text]
        for inline in model_admin.get_inline_instances(request, row):
            fields = inline.get_formset(request, row).form.base_fields
            silent += [f"{inline.model.__name__}.{name}" for name, f in fields.items() if not f.help_text]
    assert not {name for name in silent if name.split(".")[-1] not in ("id", "DELETE")}


@pytest.mark.parametrize("model", scoped_models(), ids=lambda model: model._meta.label_lower)
def test_choices_name_nobody_elses_rows(
    model: type[models.Model], rf: Any, agency: Agency, owner: User, lakeside: Agency
) -> None:
    request = rf.get("/admin/")
    request.user = owner
    model_admin = admin.site._registry[model]
    if not model_admin.has_add_permission(request):
        return  # nobody adds these rows by hand
    for field in model_admin.get_form(request, None)(initial={}).fields.values():
        for choice in getattr(field, "queryset", None) or []:
            assert getattr(choice, "agency", agency) == agency
            assert choice != lakeside
    for entry in model_admin.get_list_filter(request):
        # A filter given by name alone would list every agency's rows.
        assert not isinstance(entry, str) or not get_fields_from_path(model, entry)[-1].is_relation


@pytest.mark.django_db
class TestPosting:
    """What the browser did not offer is refused when it is sent all the same."""

    def test_a_beat_in_another_agencys_district(
        self, sign_in: SignIn, agency: Agency, owner: User, lakeside: Agency
    ) -> None:
        foreign = District.objects.filter(agency=lakeside).first()
        assert foreign is not None
        data = {"agency": agency.pk, "district": foreign.pk, "code": "99", "geometry": AREA}
        answer = sign_in(owner).post(reverse("admin:agencies_beat_add"), data)
        assert answer.status_code == 200
        assert "district" in answer.context["adminform"].form.errors
        assert not Beat.objects.filter(code="99").exists()

    def test_a_form_that_offers_every_agencys_rows_refuses_them_all_the_same(
        self, agency: Agency, lakeside: Agency
    ) -> None:
        class Bare(AgencyScopedForm):
            class Meta:
                model = Unit
                fields = ("agency", "call_sign", "beat", "shifts", "missions_per_shift")

        sent = {
            "agency": agency.pk, "call_sign": "X9", "missions_per_shift": 1, "beat": Beat.objects.filter(agency=lakeside)[0].pk,
            "shifts": [Shift.objects.filter(agency=lakeside)[0].pk],
        }  # fmt: skip
        errors = Bare(sent).errors
        assert set(errors) == {"beat", "shifts"}
        assert "belongs to another agency" in str(errors["beat"])

    def test_a_row_for_another_agency(self, sign_in: SignIn, owner: User, lakeside: Agency) -> None:
        data = {"agency": lakeside.pk, "code": "99", "name": "", "geometry": AREA}
        answer = sign_in(owner).post(reverse("admin:agencies_district_add"), data)
        assert answer.status_code == 200
        assert "agency" in answer.context["adminform"].form.errors
        assert not District.objects.filter(code="99").exists()

    def test_a_row_moved_to_another_agency(
        self, sign_in: SignIn, agency: Agency, owner: User, lakeside: Agency
    ) -> None:
        Membership.objects.create(agency=lakeside, user=owner, role="admin")
        shift = Shift.objects.filter(agency=agency).first()
        assert shift is not None
        data = {
            "agency": lakeside.pk,
            "name": "Moved",
            "slug": "moved",
            "starts_at": "10:00",
            "duration_minutes": 480,
            "weekdays": ["0"],
        }
        sign_in(owner).post(reverse("admin:agencies_shift_change", args=[shift.pk]), data)
        shift.refresh_from_db()
        assert shift.agency == agency

    def test_a_unit_on_another_agencys_shift(
        self, sign_in: SignIn, agency: Agency, owner: User, lakeside: Agency
    ) -> None:
        foreign = Shift.objects.filter(agency=lakeside).first()
        assert foreign is not None
        data = {"agency": agency.pk, "call_sign": "X9", "missions_per_shift": 1, "shifts": [foreign.pk]}
        answer = sign_in(owner).post(reverse("admin:agencies_unit_add"), data)
        assert "shifts" in answer.context["adminform"].form.errors
        assert not Unit.objects.filter(call_sign="X9").exists()

    def test_a_code_that_is_taken_is_an_error_on_the_form_not_a_crash(
        self, sign_in: SignIn, agency: Agency, owner: User
    ) -> None:
        beat, other = Beat.objects.filter(agency=agency)[:2]
        data = {"district": beat.district_id, "code": other.code, "geometry": AREA}
        answer = sign_in(owner).post(reverse("admin:agencies_beat_change", args=[beat.pk]), data)
        assert answer.status_code == 200
        assert "already exists" in str(answer.context["adminform"].form.errors)

    def test_an_administrator_of_two_agencies_is_offered_one_at_a_time(
        self, sign_in: SignIn, agency: Agency, owner: User, lakeside: Agency
    ) -> None:
        Membership.objects.create(agency=lakeside, user=owner, role="admin")
        beat = Beat.objects.filter(agency=agency).first()
        assert beat is not None
        page = sign_in(owner).get(reverse("admin:agencies_beat_change", args=[beat.pk]))
        offered = page.context["adminform"].form.fields["district"].queryset
        assert {district.agency for district in offered} == {agency}

    def test_autocomplete_and_context_lines(
        self, sign_in: SignIn, agency: Agency, owner: User, stranger: User
    ) -> None:
        client = sign_in(stranger)
        query = {"app_label": "agencies", "model_name": "beat", "field_name": "district", "term": ""}
        answer = client.get(reverse("admin:autocomplete"), query)
        ids = {int(found["id"]) for found in answer.json()["results"]} if answer.status_code == 200 else set()
        assert not ids & set(District.objects.filter(agency=agency).values_list("pk", flat=True))
        assert client.get(reverse("admin:agencies_agency_context", args=[agency.pk])).status_code == 404
        for layer in ("districts", "beats", "boundary"):
            assert (
                client.get(reverse("admin:agencies_geography_upload", args=[agency.pk, layer])).status_code
                == 404
            )
        derive = reverse("admin:agencies_agency_boundary_derive", args=[agency.pk])
        assert client.post(derive).status_code == 404


AREA = '{"type": "Polygon", "coordinates": [[[-87.6, 41.8], [-87.59, 41.8], [-87.59, 41.81], [-87.6, 41.8]]]}'


def test_only_the_operator_makes_and_deletes_agencies(sign_in: SignIn, agency: Agency, owner: User) -> None:
    client = sign_in(owner)
    assert client.get(reverse("admin:agencies_agency_add")).status_code == 403
    assert client.get(reverse("admin:agencies_agency_delete", args=[agency.pk])).status_code == 403
    client = sign_in(factories.make_operator())
    assert client.get(reverse("admin:agencies_agency_add")).status_code == 200


@pytest.mark.parametrize("slug", ["admin", "accounts", "static", "api", "healthz"])
def test_a_slug_that_hides_an_address_is_refused(sign_in: SignIn, db: None, slug: str) -> None:
    client = sign_in(factories.make_operator())
    data = {"name": "X", "slug": slug, "time_zone": "America/Chicago", "cell_size_m": 250, "boundary": ""}
    answer = client.post(reverse("admin:agencies_agency_add"), data)
    assert "address of the product" in str(answer.context["adminform"].form.errors["slug"])


@pytest.mark.parametrize(
    "label",
    [
        "django_celery_beat.periodictask",
        "django_celery_beat.crontabschedule",
        "django_celery_beat.intervalschedule",
    ],
)
def test_schedules_are_the_operators(sign_in: SignIn, agency: Agency, owner: User, label: str) -> None:
    address = reverse(f"admin:{label.replace('.', '_')}_changelist")
    assert sign_in(owner).get(address).status_code == 403
    assert sign_in(factories.make_operator()).get(address).status_code == 200
    assert sign_in(factories.make_operator("second")).get(address.rstrip("/") + "/add/").status_code == 200


def test_packages_without_walls_have_no_page() -> None:
    labels = {model._meta.label_lower for model in admin.site._registry}
    assert not labels & {
        "auth.group",
        "account.emailaddress",
        "account.emailconfirmation",
        "mfa.authenticator",
    }


def test_the_check_fires_for_an_admin_without_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_every_admin_is_scoped(None) == []
    monkeypatch.setitem(admin.site._registry, CrimeType, admin.ModelAdmin(CrimeType, admin.site))
    errors = check_every_admin_is_scoped(None)
    assert [error.id for error in errors] == ["agencies.E001"]
    assert "CrimeType" in errors[0].msg


def test_the_check_fires_for_an_inline_without_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare(admin.TabularInline):  # type: ignore[type-arg]
        model = Unit

    class WithBare(AgencyScopedAdmin):
        inlines = [Bare]

    monkeypatch.setitem(admin.site._registry, Shift, WithBare(Shift, admin.site))
    assert [error.id for error in check_every_admin_is_scoped(None)] == ["agencies.E002"]


def test_somebody_who_administers_nothing_stays_outside(
    sign_in: SignIn, agency: Agency, colleague: User
) -> None:
    client = sign_in(colleague)
    assert client.get(reverse("admin:index")).status_code == 302
    assert client.get(reverse("admin:login")).status_code == 403
    outside = sign_in(None).get(reverse("admin:index"), follow=True)
    assert outside.redirect_chain[-1][0].startswith(reverse("account_login"))


def test_pages_of_the_operators_rows_are_refused_and_do_not_fail(
    sign_in: SignIn, agency: Agency, owner: User
) -> None:
    client = sign_in(owner)
    models_of_the_operator = [m for m, a in admin.site._registry.items() if isinstance(a, OperatorAdmin)]
    assert models_of_the_operator
    for model in models_of_the_operator:
        # A key that may be a text: PostgreSQL compares texts with no number.
        for page in ("change", "delete", "history"):
            assert client.get(url(model, page, "1")).status_code in (302, 403, 404), (model, page)
