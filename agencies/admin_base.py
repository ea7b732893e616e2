"""The admin's walls between agencies: every ModelAdmin of ours stands on this base, and a system check sees to it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import get_fields_from_path, unquote
from django.core.checks import CheckMessage, Error, register
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import escape
from django.utils.translation import gettext as _

from agencies.admin_clock import Habit, ShortTimeWidget, common_habit, habit_of, rendered_for
from agencies.admin_lists import GroupedChangeList
from agencies.deleting import kinds_too_many, told_too_many
from agencies.lookups import pk_from_text
from agencies.models import Agency, Membership, Role, User


def administered_agencies(request: HttpRequest) -> models.QuerySet[Agency]:
    """The agencies whose administrator the person is; all of them for the operator. Lazy."""
    user = request.user
    if not user.is_authenticated or not user.is_active:
        return Agency.objects.none()
    if user.is_superuser:
        return Agency.objects.all()
    return Agency.objects.filter(membership__user=user, membership__role=Role.ADMIN)


def administered_keys(request: HttpRequest) -> frozenset[int]:
    """The keys of those agencies, asked for once a request: a page of the admin wants them dozens of times."""
    if not hasattr(request, "_administered"):
        own = administered_agencies(request).order_by().values_list("pk", flat=True)
        request._administered = frozenset(own)  # type: ignore[attr-defined]
    keys: frozenset[int] = request._administered  # type: ignore[attr-defined]
    return keys


class AgencyScopedForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses a related row of another agency, and a move to another agency, whatever the browser sent."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        agency = (cleaned or {}).get("agency") or getattr(self.instance, "agency", None)
        if self.instance.pk and "agency" in self.changed_data:
            # A row's agency is also that of everything hanging from it: moving one would tear it from the rest.
            self.add_error("agency", _("A row stays with its agency. Create a new one there."))
        # A list: an error takes its field out of what is walked here.
        for name, value in list((cleaned or {}).items()) if agency else []:
            rows = value if isinstance(value, models.QuerySet) else [value]
            if any(
                isinstance(row, models.Model) and getattr(row, "agency", agency) != agency for row in rows
            ):
                self.add_error(name, _("This belongs to another agency."))
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        # The agency is not on the form of an existing row; excluded from validation, every constraint
        # that names it ("code once per agency") would be skipped here and crash in the database.
        return super()._get_validation_exclusions() - {"agency"}  # type: ignore[misc,no-any-return]


class OwnRowsFilter(admin.RelatedFieldListFilter):
    """The filter beside a list, offering only rows of the person's own agencies: names of others are not theirs."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        own = model_admin.own_choices(request, field.related_model)
        if own is None:
            return super().field_choices(field, request, model_admin)
        belongs = any(one.name == "agency" for one in own.model._meta.fields)
        shown = list((own.select_related("agency") if belongs else own)[:200])
        times = Counter(str(row) for row in shown)
        # Two agencies have a crime type of one name: the filter says whose each is.
        return [
            (row.pk, f"{row} · {row.agency}" if belongs and times[str(row)] > 1 else str(row))
            for row in shown
        ]


class ScopedChoices:
    """Choices of related rows limited to the page's agency, for pages and their inlines alike."""

    def page_agency(self, request: HttpRequest) -> Agency | None:
        """The agency that this page is about: the row's, the only one there is, or the one asked for."""
        if not hasattr(request, "_page_agency"):
            request._page_agency = self._asked_agency(request)  # type: ignore[attr-defined]
        found: Agency | None = request._page_agency  # type: ignore[attr-defined]
        return found

    def _asked_agency(self, request: HttpRequest) -> Agency | None:
        own = administered_agencies(request)
        if len(administered_keys(request)) == 1:
            return own.first()
        asked = request.POST.get("agency") or request.GET.get("agency") or ""
        return own.filter(pk=pk_from_text(asked)).first()

    def own_choices(self, request: HttpRequest, model: type[models.Model]) -> models.QuerySet[Any] | None:
        """The rows of another model that this page may offer; None for a model that belongs to no agency."""
        agency = self.page_agency(request)
        own = administered_agencies(request)
        if model is Agency:
            return own
        if any(field.name == "agency" for field in model._meta.fields):
            rows = model._default_manager.all()
            return rows.filter(agency=agency) if agency else rows.filter(agency__in=own)
        return people_of(request) if model is User else None

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if isinstance(field, forms.TimeField):
            field.widget = ShortTimeWidget()
        if field is not None and "<" in (words := str(field.help_text)):
            # The admin's pages take help for markup: of "/<agency>/transparency/" nothing would be left but "//transparency/".
            field.help_text = escape(words)
        return field

    def _told_apart(self, request: HttpRequest, field: Any, model: type[models.Model]) -> Any:
        """The field whose choices say whose each is, while no agency is chosen: two have a district of one name."""
        if field is None or model is Agency or self.page_agency(request) is not None:
            return field
        if any(one.name == "agency" for one in model._meta.fields):
            field.queryset = field.queryset.select_related("agency").defer("agency__boundary")
            field.label_from_instance = lambda row: f"{row} · {row.agency}"
        return field

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if (choices := self.own_choices(request, db_field.related_model)) is not None:
            kwargs["queryset"] = choices
        if db_field.name == "agency" and db_field.related_model is Agency:
            kwargs.setdefault("help_text", _("Whose this is. It stays with that agency once it is saved."))
            if (agency := self.page_agency(request)) is not None:
                kwargs.setdefault("initial", agency.pk)
                if len(administered_keys(request)) == 1:
                    kwargs["widget"] = forms.HiddenInput
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]
        return self._told_apart(request, field, db_field.related_model)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if (choices := self.own_choices(request, db_field.related_model)) is not None:
            kwargs["queryset"] = choices
        field = super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]
        return self._told_apart(request, field, db_field.related_model)


def people_of(request: HttpRequest) -> models.QuerySet[User]:
    """The people whom an administrator may see and change: those who belong to the administrator's agencies only.

    Never an operator, and never somebody who also belongs elsewhere: setting their password would open the
    other agency too. The operator sees everybody.
    """
    if request.user.is_superuser:
        return User.objects.all()
    own = administered_agencies(request)
    elsewhere = Membership.objects.exclude(agency__in=own)
    return (
        User.objects.filter(is_superuser=False, memberships__agency__in=own)
        .exclude(pk__in=elsewhere.values("user"))
        .distinct()
    )


class AgencyScopedAdmin(ScopedChoices, admin.ModelAdmin):  # type: ignore[type-arg]
    """A ModelAdmin that shows and saves rows of the person's own agencies only.

    ``agency_path`` is the lookup from the model to its agency. Rows elsewhere do not exist: not in lists, not
    in choices or filters, not by address. Where the person administers one agency, it is set and not shown.
    Times stand by the agency's clock, typed and shown: a row's by that of its agency.
    """

    agency_path = "agency"
    form = AgencyScopedForm
    none_yet: Any = ""
    """What an empty list says where rows are not added in the admin: who makes them, and where."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # A pattern of somebody's would run in the database, or on SQLite in this process, for as long as it likes; a broken one ends
        # the page with an error.
        if lookup.rpartition("__")[2] in ("regex", "iregex"):
            return False
        return super().lookup_allowed(lookup, value, request)

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        queryset = super().get_queryset(request)
        if request.user.is_superuser:
            return queryset
        path = "pk" if self.agency_path == "self" else self.agency_path
        return queryset.filter(**{f"{path}__in": administered_agencies(request)})

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        page = super().changelist_view
        return rendered_for(self._own_habit(request), lambda: page(request, extra_context))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[GroupedChangeList]:
        return GroupedChangeList

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        row = self.get_object(request, unquote(object_id)) if object_id else None
        agency = self.agency_of(row) if row is not None else self.page_agency(request)
        page = super().changeform_view
        return rendered_for(habit_of(agency), lambda: page(request, object_id, form_url, extra_context))

    def _own_habit(self, request: HttpRequest) -> Habit:
        """The clock of pages that are about rows of several agencies."""
        return common_habit(administered_agencies(request))

    def _is_administrator(self, request: HttpRequest) -> bool:
        return bool(administered_keys(request))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._is_administrator(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_administrator(request) and (obj is None or self._is_own(request, obj))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_administrator(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj)

    def agency_of(self, obj: Any) -> Agency | None:
        """The agency that a row belongs to."""
        for step in [] if self.agency_path == "self" else self.agency_path.split("__"):
            obj = getattr(obj, step)
        return obj if isinstance(obj, Agency) else None

    def _is_own(self, request: HttpRequest, obj: Any) -> bool:
        if request.user.is_superuser:
            return True
        agency = self.agency_of(obj)
        return agency is not None and agency.pk in administered_keys(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None and obj.pk and (agency := self.agency_of(obj)) is not None:
            # An administrator of two agencies must not be offered the other one's districts here.
            request._page_agency = agency  # type: ignore[attr-defined]
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        has_agency = any(field.name == "agency" for field in self.model._meta.fields)
        return [*fields, "agency"] if obj is not None and has_agency and "agency" not in fields else fields

    def get_list_filter(self, request: HttpRequest) -> Any:
        several = len(administered_keys(request)) > 1
        filters: list[Any] = []
        for entry in super().get_list_filter(request):
            if entry == "agency" and not several:
                continue
            related = isinstance(entry, str) and get_fields_from_path(self.model, entry)[-1].is_relation
            filters.append((entry, OwnRowsFilter) if related else entry)
        return filters

    def get_list_display(self, request: HttpRequest) -> Any:
        columns = super().get_list_display(request)
        if len(administered_keys(request)) > 1:
            return columns
        return [name for name in columns if name != "agency"]

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        rows = list(objs)
        if kinds := kinds_too_many(rows):
            return [str(row) for row in rows], {}, set(), told_too_many(kinds)
        return super().get_deleted_objects(objs, request)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except models.ProtectedError as exc:
            # Another row began to use this one between the question and the answer.
            kinds = sorted({str(row._meta.verbose_name_plural) for row in exc.protected_objects})
            self.message_user(
                request,
                _("Nothing was deleted: %(kinds)s still use it. Move or delete those first.")
                % {"kinds": _(" and ").join(kinds)},
                level=messages.ERROR,
            )
            return HttpResponseRedirect("../change/")


class AgencyScopedInline(ScopedChoices, admin.TabularInline):  # type: ignore[type-arg]
    """Rows inside another row's page, with the same walls: the page's admin has decided whose row that is."""

    extra = 0

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(administered_keys(request))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field is not None:
            # Read once for all rows of the page: each row's own form would ask anew.
            field.choices = list(field.choices)
        return field

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request, obj)


class OperatorAdmin(AgencyScopedAdmin):
    """Rows that belong to the installation, not to an agency: the operator's alone."""

    agency_path = "self"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        queryset = super(AgencyScopedAdmin, self).get_queryset(request)
        # Not by agencies' numbers: keys of these rows may be texts, which PostgreSQL compares with no number.
        return queryset if self._is_administrator(request) else queryset.none()

    def _is_administrator(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)


class ReadOnlyAdminMixin:
    """Rows that only services write: the admin shows them."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@register()
def check_every_admin_is_scoped(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """Fail start-up when a registered ModelAdmin, or an inline of one, could show one agency's rows to another."""
    problems: list[CheckMessage] = [
        Error(
            f"{type(model_admin).__name__} for {model._meta.label} is not agency-scoped.",
            hint="Derive it from agencies.admin_base.AgencyScopedAdmin, or OperatorAdmin.",
            obj=model,
            id="agencies.E001",
        )
        for model, model_admin in admin.site._registry.items()
        if not isinstance(model_admin, AgencyScopedAdmin)
    ]
    problems += [
        Error(
            f"Inline {inline.__name__} of {type(model_admin).__name__} is not agency-scoped.",
            hint="Derive it from agencies.admin_base.AgencyScopedInline.",
            obj=model,
            id="agencies.E002",
        )
        for model, model_admin in admin.site._registry.items()
        for inline in model_admin.inlines
        # What only the operator can open needs no walls inside.
        if not isinstance(model_admin, OperatorAdmin) and not issubclass(inline, ScopedChoices)
    ]
    return problems
