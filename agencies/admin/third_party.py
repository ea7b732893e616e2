"""Other packages' admin pages: closed, but for the schedules, which are the operator's."""

from typing import Any

from django.contrib import admin
from django_celery_beat import admin as beat_admin
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from agencies.admin_base import AgencyScopedAdmin, OperatorAdmin

# Groups, tokens, e-mail addresses and second factors know no agency: left open, one agency's
# administrator would see, and could delete, another's. Those that came before us in INSTALLED_APPS.
for _model, _model_admin in list(admin.site._registry.items()):
    if not isinstance(_model_admin, AgencyScopedAdmin):
        admin.site.unregister(_model)


class OperatorInlineMixin:
    """The operator's page decides; an inline has no further wall."""

    def has_view_permission(self, request: Any, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


class PeriodicTaskInline(OperatorInlineMixin, beat_admin.PeriodicTaskInline):  # type: ignore[misc]
    pass


@admin.register(PeriodicTask)
class OperatorPeriodicTaskAdmin(OperatorAdmin, beat_admin.PeriodicTaskAdmin):  # type: ignore[misc]
    """django-celery-beat's own page, without its inline script (the policy blocks it)."""

    form = beat_admin.PeriodicTaskForm
    change_form_template = "admin/change_form.html"


class OperatorScheduleAdmin(OperatorAdmin):
    inlines = [PeriodicTaskInline]


@admin.register(CrontabSchedule)
class OperatorCrontabAdmin(OperatorScheduleAdmin):
    list_display = ("__str__", "human_readable")


admin.site.register([ClockedSchedule, IntervalSchedule, SolarSchedule], OperatorScheduleAdmin)
