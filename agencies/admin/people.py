"""People and what they may do. An administrator makes and changes people of their own agency, and no others."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AdminUserCreationForm,
    ReadOnlyPasswordHashWidget,
    UserChangeForm,
)
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_audit import WHY, AuditedAdminMixin
from agencies.admin_base import AgencyScopedAdmin, AgencyScopedInline, administered_agencies, people_of
from agencies.models import Agency, Membership, Role, Unit, User
from agencies.services import person_create
from agencies.sign_in_log import second_factor_remove

HELP = {
    "username": gettext_lazy(
        "To sign in with. Letters, digits and @/./+/-/_ only; unique on this installation."
    ),
    "first_name": gettext_lazy("Shown beside assigned missions and in the audit log."),
    "last_name": gettext_lazy("Shown beside assigned missions and in the audit log."),
    "email": gettext_lazy("To sign in with, too, and for password resets. Nothing else is sent."),
    "is_active": gettext_lazy(
        "Untick instead of deleting: the person can no longer sign in and what they did stays on record."
    ),
    "is_superuser": gettext_lazy("The installation's operator: all agencies, all pages. Seldom needed."),
}


class PasswordSetWidget(ReadOnlyPasswordHashWidget):
    """Whether there is a password. By what it is scrambled, and the first signs of the result, tell an administrator nothing."""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        if any("value" in entry for entry in context["summary"]):
            context["summary"] = [{"label": _("A password is set.")}]
        return context


class PersonChangeForm(UserChangeForm):  # type: ignore[type-arg]
    class Meta(UserChangeForm.Meta):
        model = User
        help_texts = HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if password := self.fields.get("password"):
            password.widget = PasswordSetWidget()


class PersonAddForm(AdminUserCreationForm):  # type: ignore[type-arg]
    """A new person and their place in an agency, in one step: a person without one belongs to nobody."""

    own_agencies: ClassVar[QuerySet[Agency]]
    operator: ClassVar[bool] = False

    agency = forms.ModelChoiceField(
        label=gettext_lazy("Agency"),
        queryset=Agency.objects.none(),
        help_text=gettext_lazy("The agency whose pages the person may open."),
        required=False,
    )
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=Role,
        initial=Role.OFFICER,
        help_text=gettext_lazy(
            "Officer: own missions. Supervisor: shift map, publish, assign. Analyst: risk map, exports. Agency "
            "administrator: everything in this admin. Auditor: reads everything, changes nothing."
        ),
    )
    unit = forms.ModelChoiceField(
        label=gettext_lazy("Unit"),
        queryset=Unit.objects.none(),
        required=False,
        help_text=gettext_lazy("An officer's unit: whose missions they see."),
    )

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email")
        help_texts = HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["agency"].queryset = self.own_agencies  # type: ignore[attr-defined]
        self.fields["agency"].required = not self.operator
        self.fields["unit"].queryset = Unit.objects.filter(agency__in=self.own_agencies)  # type: ignore[attr-defined]
        only = list(self.own_agencies[:2])
        if len(only) == 1 and not self.operator:
            self.fields["agency"].widget = forms.HiddenInput()
            self.fields["agency"].initial = only[0].pk
        if "usable_password" in self.fields:
            self.fields["usable_password"].help_text = _(
                "Disabled: the person signs in through single sign-on only."
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        unit, agency = cleaned.get("unit"), cleaned.get("agency")
        if unit and agency and unit.agency_id != agency.pk:
            self.add_error("unit", _("This unit belongs to another agency."))
        return cleaned


class MembershipInline(AgencyScopedInline):
    model = Membership
    fields = ("agency", "role", "unit", "districts")
    verbose_name_plural = gettext_lazy("what this person may do")
    can_delete = False

    def get_max_num(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return administered_agencies(request).count()

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("widget", forms.CheckboxSelectMultiple)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).filter(agency__in=administered_agencies(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # One's own role: an administrator who demotes themselves locks the agency out.
        return ["role"] if obj is not None and obj.pk == request.user.pk else []


class PersonPasswordForm(AdminPasswordChangeForm):
    """Another password for a person. Django's own words beside it are put together at import, in English for everybody."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "usable_password" in self.fields:
            self.fields["usable_password"].help_text = _(
                "Disabled: the person signs in through single sign-on only, and the present password is lost."
            )


@admin.register(User)
class PersonAdmin(AuditedAdminMixin, AgencyScopedAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    change_password_form = PersonPasswordForm
    form = PersonChangeForm  # type: ignore[assignment]  # a person has no agency column to guard
    add_form = PersonAddForm
    inlines = [MembershipInline]
    list_display = ("username", "last_name", "first_name", "roles", "is_active", "last_login")
    list_filter = ("is_active", "memberships__role")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    audit_hidden_fields = ("password",)
    actions = ("remove_second_factor",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (gettext_lazy("Person"), {"fields": ("first_name", "last_name", "email", "language")}),
        (gettext_lazy("Sign-in"), {"fields": ("is_active", "last_login", "date_joined")}),
    )
    operator_fieldsets = ((gettext_lazy("Installation"), {"fields": ("is_superuser",)}),)
    add_fieldsets = (
        (None, {"fields": ("username", "first_name", "last_name", "email")}),
        (gettext_lazy("Password"), {"fields": ("usable_password", "password1", "password2")}),
        (gettext_lazy("Place in the agency"), {"fields": ("agency", "role", "unit")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return people_of(request).prefetch_related("memberships__agency")

    def _is_own(self, request: HttpRequest, obj: Any) -> bool:
        # Asked for each button and each row of memberships: once a request is enough.
        known: dict[int, bool] = vars(request).setdefault("_own_people", {})
        if obj.pk not in known:
            known[obj.pk] = people_of(request).filter(pk=obj.pk).exists()
        return known[obj.pk]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A deleted person's plans, overrides and audit events would be nobody's.
        if obj is not None and obj.pk == request.user.pk:
            # Whoever did it would be nobody in the log of it.
            return False
        return bool(request.user.is_superuser) and super().has_delete_permission(request, obj)

    def agency_of(self, obj: Any) -> Agency | None:
        membership = obj.memberships.select_related("agency").first() if obj.pk else None
        return membership.agency if membership else None

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return (*fieldsets, *self.operator_fieldsets) if obj and request.user.is_superuser else fieldsets

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is None:
            # A class for this request: choices put on the shared one would be the next person's too.
            form.own_agencies = administered_agencies(request)
            form.operator = request.user.is_superuser
        return form

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj is not None else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        agency = None if change else form.cleaned_data.get("agency")
        if agency is None:
            super().save_model(request, obj, form, change)
            return
        person_create(
            agency=agency,
            user=obj,
            role=form.cleaned_data["role"],
            unit=form.cleaned_data.get("unit"),
            actor=request.user,  # type: ignore[arg-type]  # the admin lets nobody anonymous in
            why=form.cleaned_data.get(WHY, ""),
        )

    def audit(
        self, request: HttpRequest, obj: Any, action: str, detail: dict[str, Any], why: str = ""
    ) -> None:
        if action != "added":  # person_create has written that
            super().audit(request, obj, action, detail, why)

    @admin.action(
        description=gettext_lazy("Remove the second factor of who has lost it"), permissions=["change"]
    )
    def remove_second_factor(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        for person in chosen:
            if person.pk == request.user.pk:
                self.message_user(
                    request,
                    _("Your own second factor is changed on the page of your account."),
                    messages.WARNING,
                )
            elif self.has_change_permission(request, person):
                second_factor_remove(person=person, by=request.user)  # type: ignore[arg-type]  # nobody anonymous comes here
                self.message_user(
                    request,
                    _("%(person)s has no second factor any more, and is signed out everywhere.")
                    % {"person": person},
                )

    @admin.display(description=gettext_lazy("roles"))
    def roles(self, user: User) -> str:
        if user.is_superuser:
            return _("Operator")
        return ", ".join(f"{m.get_role_display()} ({m.agency})" for m in user.memberships.all()) or _("none")


@admin.register(Membership)
class MembershipAdmin(AuditedAdminMixin, AgencyScopedAdmin):
    list_display = ("user", "agency", "role", "unit")
    list_filter = ("agency", "role")
    list_select_related = ("agency", "user", "unit")
    search_fields = ("user__username", "user__last_name")
    fields = ("agency", "user", "role", "unit", "districts")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        if obj is None:
            return fields
        return [*fields, "user", *(["role"] if obj.user_id == request.user.pk else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        own = obj is not None and obj.user_id == request.user.pk and not request.user.is_superuser
        return not own and super().has_delete_permission(request, obj)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("widget", forms.CheckboxSelectMultiple)
        return super().formfield_for_manytomany(db_field, request, **kwargs)
