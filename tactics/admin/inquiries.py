"""Questions of the history and proposals in the admin: to look at. They are asked and decided on their own pages."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_base import AgencyScopedAdmin, ReadOnlyAdminMixin
from agencies.admin_runs import RunAdminMixin
from tactics.models import Inquiry, PolicyProposal


@admin.register(Inquiry)
class InquiryAdmin(RunAdminMixin, ReadOnlyAdminMixin, AgencyScopedAdmin):  # type: ignore[misc]  # mixins before the base
    none_yet = gettext_lazy(
        "They are asked on pages under Studies: Design an experiment, Optimise, Time until the next crime."
    )
    list_filter = ("kind", "status")  # type: ignore[misc]  # the mixin declares it for one model
    run_hidden_fields = ("answer", "choices_hash")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("agency").defer("answer")

    def run_links(self, request: HttpRequest, run: Any) -> list[tuple[str, str]]:
        pages = {
            Inquiry.Kind.EXPERIMENT: "tactics:design",
            Inquiry.Kind.PROPOSALS: "tactics:optimise",
            Inquiry.Kind.CURVES: "tactics:curves",
        }
        return [(_("Open its page"), reverse(pages[Inquiry.Kind(run.kind)], args=[run.agency.slug]))]


@admin.register(PolicyProposal)
class PolicyProposalAdmin(ReadOnlyAdminMixin, AgencyScopedAdmin):
    none_yet = gettext_lazy("They are made and decided under Studies → Optimise.")
    list_display = ("__str__", "purpose", "status", "made_at", "decided_by", "reason", "agency")
    list_filter = ("status", "agency")
    list_select_related = ("agency", "decided_by")
