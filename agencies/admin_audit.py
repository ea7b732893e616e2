"""What an administrator changes is kept: who, when, why, what it was and what it became; and shown on the row's page."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Model
from django.forms.boundfield import BoundField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import translation
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_clock import habit_of, rendered_for
from agencies.engine.free_text import text_about_person
from agencies.history import changes_of, plain_value
from agencies.models import AuditEvent
from agencies.services import audit_last, audit_record
from agencies.words import said

WHY = "change_reason"
WHY_HELP = gettext_lazy(
    "One sentence for those who read the history: what is it for? Kept with your name and what changed. Write nothing "
    "about a person."
)
PER_PAGE = 50


def why_refused(text: str) -> str:
    """What is wrong with a reason, in words; empty where nothing is."""
    about = text_about_person(text)
    return (
        _("This seems to hold %(about)s, which is never kept. Write about the setting only.")
        % {"about": said(about)}
        if about
        else ""
    )


class WhyField(forms.CharField):
    """The reason for a change. By itself it is no change: a reason without one is not kept."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            max_length=500,
            label=gettext_lazy("Why this change"),
            help_text=WHY_HELP,
            widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        )

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False

    def validate(self, value: Any) -> None:
        super().validate(value)
        if problem := why_refused(value or ""):
            raise ValidationError(problem)


class _WhyForm(forms.Form):
    """The reason alone, for pages whose other fields are not one form."""

    change_reason = WhyField()


def why_asked(given: Any, page: str) -> BoundField:
    """The field of the reason for a page, with what was typed where ``given`` is a form's data. ``page`` begins its id."""
    return _WhyForm(given, auto_id=f"{page}-%s")[WHY]


def why_given(request: HttpRequest) -> str:
    """The reason that came with a press, as it is kept."""
    return request.POST.get(WHY, "").strip()[:500]


class WhyFormSet(forms.BaseModelFormSet):  # type: ignore[type-arg]  # of whichever model the list is
    """Rows that are changed in a list: one reason for all that one press changes."""

    @cached_property
    def why(self) -> BoundField:
        return why_asked(self.data if self.is_bound else None, "list")

    def clean(self) -> None:
        super().clean()
        if self.why.errors:
            raise ValidationError(list(self.why.errors))


class AuditedAdminMixin:
    """Put before an ``AgencyScopedAdmin``: every row that it adds, changes or deletes leaves an ``AuditEvent``.

    Its forms, its list where rows are changed there, and its deletions ask why, and its history page shows who changed what, when and why, column by column.
    """

    audit_hidden_fields: tuple[str, ...] = ()
    """Fields whose values are not written down, only that they changed."""

    def _may_save(self, request: HttpRequest, obj: Any) -> bool:
        may = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)  # type: ignore[attr-defined]
        return bool(may)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if self._may_save(request, obj):
            own = self.form  # type: ignore[attr-defined]  # the ModelAdmin's
            base = kwargs.get("form") or (getattr(self, "add_form", None) if obj is None else None) or own
            # A class of its own for each request: the field must not appear on forms that others share.
            kwargs["form"] = type(base)(
                base.__name__, (base,), {WHY: WhyField(), "__module__": base.__module__}
            )
        return super().get_form(request, obj, change=change, **kwargs)  # type: ignore[misc]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        if not self._may_save(request, obj):
            return fieldsets
        # An admin that names no fields has them all from its form, this one too: asked twice, the first answer would be lost.
        once = [
            (title, options | {"fields": [name for name in options["fields"] if name != WHY]})
            for title, options in fieldsets
        ]
        return [*once, (_("Why"), {"fields": (WHY,)})]

    def get_changelist_formset(self, request: HttpRequest, **kwargs: Any) -> Any:
        return super().get_changelist_formset(request, **{"formset": WhyFormSet, **kwargs})  # type: ignore[misc]

    def audit(
        self, request: HttpRequest, obj: Any, action: str, detail: dict[str, Any], why: str = ""
    ) -> None:
        audit_record(
            agency=self.agency_of(obj) if action != "deleted" or self.agency_of(obj) != obj else None,  # type: ignore[attr-defined]
            actor=request.user,  # type: ignore[arg-type]  # the admin lets nobody anonymous in
            action=f"{obj._meta.model_name}.{action}",
            subject=obj,
            detail={"id": obj.pk, **detail},
            why=why,
            row=obj,
        )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)  # type: ignore[misc]
        # In English, as the log is kept: the next reader may read another language than whoever makes the change.
        with translation.override("en"):
            changed = self._changed(form, formsets)
        if changed or not change:
            # A row of the list has no reason of its own: that of the press is beside the rows.
            why = form.cleaned_data[WHY] if WHY in form.cleaned_data else why_given(request)
            self.audit(request, form.instance, "changed" if change else "added", {"changed": changed}, why)

    def _changed(self, form: Any, formsets: Any) -> dict[str, Any]:
        changed: dict[str, Any] = {
            name: "changed"
            if name in self.audit_hidden_fields
            else [plain_value(_before(form, name)), plain_value(form.cleaned_data.get(name))]
            for name in form.changed_data
        }
        for formset in formsets:
            for row in [*formset.new_objects, *(row for row, __ in formset.changed_objects)]:
                changed[f"{row._meta.verbose_name_raw} {row.pk}"] = str(row)
            for row in formset.deleted_objects:
                changed[f"{row._meta.verbose_name_raw} deleted"] = str(row)
        return changed

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        # Said before the deletion, when the row still has its number; written after it, as the last lock.
        with transaction.atomic(), audit_last():
            self.audit(request, obj, "deleted", {}, why_given(request))
            super().delete_model(request, obj)  # type: ignore[misc]

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        with transaction.atomic(), audit_last():
            for obj in queryset:
                self.audit(request, obj, "deleted", {}, why_given(request))
            super().delete_queryset(request, queryset)  # type: ignore[misc]

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        if request.method == "POST" and (problem := why_refused(request.POST.get(WHY, ""))):
            messages.error(request, _("Nothing was deleted. Why: %(problem)s") % {"problem": problem})
            return HttpResponseRedirect(request.path)
        extra = {"why": why_asked(None, "delete"), **(extra_context or {})}
        answer: HttpResponse = super().delete_view(request, object_id, extra)  # type: ignore[misc]
        return answer

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        """Before several rows are deleted the page asks why; a reason that may not be kept brings the question back."""
        if request.POST.get("post") and (problem := why_refused(request.POST.get(WHY, ""))):
            messages.error(request, _("Nothing was deleted. Why: %(problem)s") % {"problem": problem})
            again = request.POST.copy()
            del again["post"]
            request.POST = again  # type: ignore[assignment]  # Django's own setter takes it
        answer = super().response_action(request, queryset, *args, **kwargs)  # type: ignore[misc]
        if isinstance(answer, TemplateResponse) and answer.context_data is not None:
            given = {WHY: request.POST[WHY]} if WHY in request.POST else None
            answer.context_data["why"] = why_asked(given, "delete")
        return answer

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The row's own audit events, newest first, with what each column was and became. Not Django's log: that has no values."""
        answer: HttpResponse = super().history_view(request, object_id, extra_context)  # type: ignore[misc]
        if not isinstance(answer, TemplateResponse):
            return answer
        row = answer.context_data["object"]  # type: ignore[index]
        events = AuditEvent.objects.filter(model=row._meta.label_lower, row_id=row.pk).select_related(
            "actor", "agency"
        )
        page = Paginator(events, PER_PAGE).get_page(request.GET.get("p"))
        habit = habit_of(self.agency_of(row))  # type: ignore[attr-defined]
        answer.context_data |= {  # type: ignore[operator]
            "events": [(event, changes_of(event)) for event in page],
            "event_page": page,
            "time_zone": str(habit.zone),
        }
        answer.template_name = "admin/agencies/history.html"
        return rendered_for(habit, lambda: answer)


def _before(form: Any, name: str) -> Any:
    """What a column held: forms know related rows by their numbers, which say nothing to a reader."""
    initial = form.initial.get(name)
    field = form.fields.get(name)
    if isinstance(field, forms.ModelMultipleChoiceField) or not isinstance(field, forms.ModelChoiceField):
        return initial
    if initial is None or isinstance(initial, Model):
        return initial
    assert field.queryset is not None
    return field.queryset.model._default_manager.filter(pk=initial).first() or initial
