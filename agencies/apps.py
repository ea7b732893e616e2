"""Django's handle on this room."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_delete
from django.utils.translation import gettext_lazy as _


class AgenciesConfig(AppConfig):
    name = "agencies"
    verbose_name = _("Agencies")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from agencies import sign_in_log
        from agencies.audit_guards import guards_after_migrate
        from agencies.configuration.own import register_own
        from agencies.grants import register_grants
        from agencies.services.audit_log import retire_with_agency

        register_own()
        register_grants()
        sign_in_log.connect()
        post_migrate.connect(guards_after_migrate, sender=self, dispatch_uid="agencies.audit_guards")
        pre_delete.connect(
            retire_with_agency, sender="agencies.Agency", dispatch_uid="agencies.audit_retires"
        )
