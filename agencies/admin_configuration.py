"""Pages of an agency's configuration: take it along as one file, make an agency from one, make one like this."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite, site
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.admin_base import administered_agencies
from agencies.configuration import (
    MAX_BYTES,
    ConfigurationError,
    ImportedConfiguration,
    configuration_clone,
    configuration_export,
    configuration_import,
    configuration_parse,
    configuration_text,
    sections,
)
from agencies.models import Agency
from agencies.services import audit_record
from agencies.uploads import upload_delete, upload_path, upload_store
from missions_project.lib.errors import MissionsError

SALT = "agencies.configuration-upload"
SLUG_HELP = gettext_lazy("Part of every address and command, e.g. “lakeside”. It must be free.")
NAME_HELP = gettext_lazy("Shown in the top bar and on every print-out and export.")
FROM_FILE = gettext_lazy("Empty: the one in the file.")
OFF_HELP = gettext_lazy(
    "Feeds, drop folders and planning schedules are there but do nothing until somebody switches them on. Leave it ticked "
    "unless the other installation is to go on in place of this one."
)


class CloneForm(forms.Form):
    """How the new agency is called."""

    slug = forms.SlugField(label=gettext_lazy("Slug"), help_text=SLUG_HELP)
    name = forms.CharField(max_length=120, label=gettext_lazy("Name"), help_text=NAME_HELP)
    switched_off = forms.BooleanField(
        required=False, initial=True, label=gettext_lazy("Start switched off"), help_text=OFF_HELP
    )


class ImportForm(CloneForm):
    """The same, with the file first and the file's own names where none are given."""

    field_order = ("file", "slug", "name", "switched_off")
    file = forms.FileField(
        required=False,
        label=gettext_lazy("File"),
        help_text=gettext_lazy("What this page or “config_export” has written: one JSON file."),
    )
    slug = forms.SlugField(
        required=False,
        label=gettext_lazy("Slug"),
        help_text=format_lazy("{} {}", SLUG_HELP, FROM_FILE),
    )
    name = forms.CharField(
        required=False,
        max_length=120,
        label=gettext_lazy("Name"),
        help_text=format_lazy("{} {}", NAME_HELP, FROM_FILE),
    )


def _only_operator(request: HttpRequest) -> None:
    if not request.user.is_superuser:
        raise PermissionDenied(_("Only the operator makes agencies."))


def _agency(request: HttpRequest, pk: int) -> Agency:
    agency = administered_agencies(request).filter(pk=pk).first()
    if agency is None:
        raise Http404(_("No such agency."))
    return agency


def _named(numbers: dict[str, int]) -> list[tuple[str, int]]:
    """The tables of a configuration as people call them, with their numbers of rows."""
    return [
        (str(section.model._meta.verbose_name_plural), numbers.get(section.name, 0)) for section in sections()
    ]


def _page(request: HttpRequest, title: str, **context: Any) -> HttpResponse:
    common = {**site.each_context(request), "title": title, "opts": Agency._meta}
    return render(request, "admin/agencies/configuration.html", common | context)


def _clone(request: HttpRequest, agency: Agency, form: CloneForm) -> HttpResponse | list[str]:
    """Make the agency like this one; what is wrong with it, where it cannot be made."""
    try:
        made = configuration_clone(agency=agency, actor=request.user, **form.cleaned_data)  # type: ignore[arg-type]
    except ConfigurationError as exc:
        words = {"message": exc.message, "next_step": exc.next_step}
        form.add_error(None, _("%(message)s Next step: %(next_step)s") % words)
        return exc.problems
    return _made(request, made)


def configuration_view(request: HttpRequest, pk: int) -> HttpResponse:
    """What travels, the button that takes it along and, for the operator, the form that makes an agency like this."""
    agency = _agency(request, pk)
    if request.method == "POST":
        _only_operator(request)
    form = CloneForm(request.POST or None) if request.user.is_superuser else None
    told = _clone(request, agency, form) if form is not None and form.is_valid() else []
    if isinstance(told, HttpResponse):
        return told
    counted = _named({name: len(rows) for name, rows in configuration_export(agency)["sections"].items()})
    context = {
        "counted": [(name, number) for name, number in counted if number],
        "empty": [name for name, number in counted if not number],
    }
    return _page(
        request,
        _("Configuration of %(agency)s") % {"agency": agency},
        agency=agency,
        form=form,
        problems=told,
        **context,
    )


def download_view(request: HttpRequest, pk: int) -> HttpResponse:
    """The file. That it was taken is kept."""
    agency = _agency(request, pk)
    text = configuration_text(configuration_export(agency))
    audit_record(
        agency=agency,
        actor=request.user,  # type: ignore[arg-type]  # admin_view: signed in
        action="agency.configuration_exported",
        subject=agency.name,
        row=agency,
    )
    answer = HttpResponse(text, content_type="application/json; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{agency.slug}-configuration.json"'
    return answer


def _made(request: HttpRequest, made: ImportedConfiguration) -> HttpResponse:
    messages.success(
        request,
        _("%(agency)s is there, with %(count)s rows. Add its administrator next.")
        % {"agency": made.agency, "count": f"{sum(made.counts.values()):,}"},
    )
    for sentence in made.by_hand:
        messages.warning(request, sentence)
    return HttpResponseRedirect(reverse("admin:agencies_agency_change", args=[made.agency.pk]))


def _taken(request: HttpRequest, made: ImportedConfiguration, name: str) -> HttpResponse:
    """The agency is there: its file is no longer needed."""
    upload_delete(name)
    return _made(request, made)


def _waiting(request: HttpRequest, form: ImportForm) -> str:
    """The name of the file that waits: newly sent, or the one that the page was about. Raises ``MissionsError``."""
    if (sent := form.cleaned_data["file"]) is not None:
        return upload_store(sent.chunks())
    try:
        user_pk, name = signing.loads(request.POST.get("upload", ""), salt=SALT)
    except (signing.BadSignature, ValueError) as exc:
        raise MissionsError(_("No file was chosen."), next_step=_("choose one.")) from exc
    # Signed for one person: a form that is passed on opens nothing.
    if user_pk != request.user.pk:
        raise Http404(_("No such upload."))
    return str(name)


def _try(request: HttpRequest, form: ImportForm, context: dict[str, Any]) -> HttpResponse | None:
    """Look at the file, or make the agency from it. What is wrong goes onto the form, what it would make into the context."""
    wants = {name: form.cleaned_data[name] for name in ("slug", "name", "switched_off")}
    look = "make" not in request.POST
    try:
        name = _waiting(request, form)
        # Kept on the page whatever comes of it: the person mends the slug, and need not choose the file again.
        context["upload"] = signing.dumps([request.user.pk, name], salt=SALT)
        with upload_path(name).open("rb") as file:
            document = configuration_parse(file.read(MAX_BYTES + 1))
        made = configuration_import(document=document, actor=request.user, dry_run=look, **wants)  # type: ignore[arg-type]
    except ConfigurationError as exc:
        words = {"message": exc.message, "next_step": exc.next_step}
        form.add_error(None, _("%(message)s Next step: %(next_step)s") % words)
        context["problems"] = exc.problems
        return None
    except MissionsError as exc:
        form.add_error("file", str(exc))
        return None
    context |= {"made": made, "would_be": _named(made.counts)}
    return None if look else _taken(request, made, name)


def import_view(request: HttpRequest) -> HttpResponse:
    """Choose a file; look at what it would make; make it. The first look changes nothing."""
    _only_operator(request)
    form = ImportForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"form": form, "importing": True}
    done = _try(request, form, context) if form.is_valid() else None
    return done or _page(request, _("Import a configuration"), **context)


def urls(admin_site: AdminSite) -> list[URLPattern]:
    """The addresses, for the agency's admin."""
    view = admin_site.admin_view
    return [
        path("configuration/import/", view(import_view), name="agencies_configuration_import"),
        path("<int:pk>/configuration/", view(configuration_view), name="agencies_configuration_page"),
        path("<int:pk>/configuration.json", view(download_view), name="agencies_configuration_file"),
    ]
