"""The admin's walls between agencies: every ModelAdmin of ours stands on this base, and a system check sees to it."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.checks import CheckMessage, Error, register
from django.db import models
from django.http import HttpRequest

from agencies.models import Agency, Membership, Role, User


def administered_agencies(request: HttpRequest) -> models.QuerySet[Agency]:
    """The agencies whose administrator the person is; all of them for the operator. Lazy."""
    user = request.user
    if not user.is_authenticated or not user.is_active:
        return Agency.objects.none()
    if user.is_superuser:
        return Agency.objects.all()
    return Agency.objects.filter(membership__user=user, membership__role=Role.ADMIN)


class AgencyScopedForm(forms.ModelForm):  # type: ignore[type-arg]
    """Refuses a related row of another agency, whatever the browser sent."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        agency = (cleaned or {}).get("agency") or getattr(self.instance, "agency", None)
        for name, value in (cleaned or {}).items():
            rows = value if isinstance(value, models.QuerySet) else [value]
            if any(
                isinstance(row, models.Model) and getattr(row, "agency", agency) != agency for row in rows
            ):
                self.add_error(name, "This belongs to another agency.")
        return cleaned


class AgencyScopedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A ModelAdmin that shows and saves rows of the person's own agencies only.

    ``agency_path`` is the lookup from the model to its agency. Rows elsewhere do not exist: not in lists, not
    in choices, not by address.
    """

    agency_path = "agency"
    form = AgencyScopedForm

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        queryset = super().get_queryset(request)
        if request.user.is_superuser:
            return queryset
        path = "pk" if self.agency_path == "self" else self.agency_path
        return queryset.filter(**{f"{path}__in": administered_agencies(request)})

    def _is_administrator(self, request: HttpRequest) -> bool:
        if not hasattr(request, "_administers"):
            request._administers = administered_agencies(request).exists()  # type: ignore[attr-defined]
        return bool(request._administers)  # type: ignore[attr-defined]

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

    def _is_own(self, request: HttpRequest, obj: Any) -> bool:
        if request.user.is_superuser:
            return True
        target = obj
        for step in [] if self.agency_path == "self" else self.agency_path.split("__"):
            target = getattr(target, step)
        return administered_agencies(request).filter(pk=target.pk).exists()

    def _own_choices(self, request: HttpRequest, model: type[models.Model]) -> models.QuerySet[Any] | None:
        if model is Agency:
            return administered_agencies(request)
        if any(field.name == "agency" for field in model._meta.fields):
            return model._default_manager.filter(agency__in=administered_agencies(request))
        if model is User:
            # People of other agencies are not this administrator's to see.
            own = Membership.objects.filter(agency__in=administered_agencies(request))
            return model._default_manager.filter(
                models.Q(memberships__in=own) | models.Q(memberships=None)
            ).distinct()
        return None

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if (choices := self._own_choices(request, db_field.related_model)) is not None:
            kwargs["queryset"] = choices
        if db_field.name == "agency":
            own = list(administered_agencies(request)[:2])
            if len(own) == 1:
                kwargs.setdefault("initial", own[0].pk)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if (choices := self._own_choices(request, db_field.related_model)) is not None:
            kwargs["queryset"] = choices
        return super().formfield_for_manytomany(db_field, request, **kwargs)


class OperatorAdmin(AgencyScopedAdmin):
    """Rows that belong to the installation, not to an agency: the operator's alone."""

    agency_path = "self"

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
    """Fail start-up when a registered ModelAdmin could show one agency's rows to another."""
    return [
        Error(
            f"{type(model_admin).__name__} for {model._meta.label} is not agency-scoped.",
            hint="Derive it from agencies.admin_base.AgencyScopedAdmin, or OperatorAdmin.",
            obj=model,
            id="agencies.E001",
        )
        for model, model_admin in admin.site._registry.items()
        if not isinstance(model_admin, AgencyScopedAdmin)
    ]
