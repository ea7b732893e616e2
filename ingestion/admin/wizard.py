"""The mapping wizard: from a file that nobody has described to a feed that imports, in four pages.

Upload → columns (with dates as they are read and places on a map) → codes → review → import. The state is the
feed's draft and the upload in the spool; a page shows it and changes it, nothing travels in hidden fields.
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agencies.engine.geometry import geojson_from_polygon
from agencies.models import CrimeType
from agencies.selectors import agency_area, leaflet_settings
from ingestion import services
from ingestion.admin.preview import column_rows, place_features, review_rows
from ingestion.engine.mapping import MappingError
from ingestion.forms import CodesForm, ColumnsForm, FetchForm, UploadForm, problem_words
from ingestion.models import Feed
from ingestion.services import drafts
from ingestion.services.draft_files import table_look_soon
from ingestion.services.feeds import SAMPLE_ROWS
from ingestion.sources import is_pull, source_class
from ingestion.tasks import import_task
from missions_project.lib.errors import MissionsError

STEPS = (
    ("upload", gettext_lazy("File")),
    ("columns", gettext_lazy("Columns")),
    ("codes", gettext_lazy("Codes")),
    ("review", gettext_lazy("Review")),
)
EXAMPLES = 6
SHOWN_DECIDED = 400


class WizardMixin:
    """The wizard's addresses and pages, for the feed's admin."""

    admin_site: Any
    get_object: Callable[..., Any]
    has_change_permission: Callable[..., bool]

    def get_urls(self) -> list[URLPattern]:
        pages = {
            "upload": self.upload_view,
            "columns": self.columns_view,
            "places.geojson": self.places_view,
            "codes": self.codes_view,
            "review": self.review_view,
            "discard": self.discard_view,
        }
        own = [
            path(
                f"<int:feed_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"ingestion_feed_{name.split('.')[0]}",
            )
            for name, view in pages.items()
        ]
        return [*own, *super().get_urls()]  # type: ignore[misc]

    def _feed(self, request: HttpRequest, feed_id: int) -> Feed:
        feed = self.get_object(request, str(feed_id))
        if feed is None:
            raise Http404(_("No such feed."))
        if not self.has_change_permission(request, feed):
            raise PermissionDenied
        found: Feed = feed
        return found

    def _page(self, request: HttpRequest, feed: Feed, step: str, **context: Any) -> HttpResponse:
        names = [name for name, _ in STEPS]
        steps = [
            {
                "label": label,
                "state": "now"
                if name == step
                else "done"
                if names.index(name) < names.index(step)
                else "later",
                "url": reverse(f"admin:ingestion_feed_{name}", args=[feed.pk]),
            }
            for name, label in STEPS
        ]
        shared = {
            **self.admin_site.each_context(request),
            "opts": Feed._meta,
            "feed": feed,
            "steps": steps,
            "title": f"{feed}: {dict(STEPS)[step].lower()}",
        }
        return TemplateResponse(request, f"admin/ingestion/feed/wizard_{step}.html", {**shared, **context})

    def _gone(self, request: HttpRequest, feed: Feed, exc: MissionsError) -> HttpResponse:
        messages.error(request, str(exc))
        return redirect("admin:ingestion_feed_upload", feed.pk)

    def upload_view(self, request: HttpRequest, feed_id: int) -> HttpResponse:
        """Take a file or fetch a sample, find out how it is written, and guess what its columns mean."""
        feed = self._feed(request, feed_id)
        kind_before = feed.kind
        pulled = is_pull(feed.kind)
        if pulled and services.feed_is_whole_file(feed.kind):
            messages.info(request, _("Nothing is mapped for such a feed: enter its address, save, and pull."))
            return redirect("admin:ingestion_feed_change", feed.pk)
        form = (
            FetchForm(request.POST if request.method == "POST" else None)
            if pulled
            else UploadForm(request.POST or None, request.FILES or None)
        )
        if request.method == "POST" and (pulled or form.is_valid()):
            try:
                if pulled:
                    services.draft_fetch(feed=feed)
                elif services.feed_is_whole_file(feed.kind):
                    return self._import_whole(request, feed, form.cleaned_data["file"])
                else:
                    file = form.cleaned_data["file"]
                    services.draft_start(feed=feed, chunks=file.chunks(), file_name=file.name)
            except (MissionsError, ValidationError) as exc:
                form.is_valid()
                form.add_error(None if pulled else "file", str(exc))
            else:
                if feed.kind != kind_before:
                    messages.info(
                        request,
                        _("The feed's kind was set to that of the file: %(label)s.")
                        % {"label": source_class(feed.kind).label},
                    )
                return redirect("admin:ingestion_feed_columns", feed.pk)
        table_look_soon()
        return self._page(request, feed, "upload", form=form, pulled=pulled)

    def _import_whole(self, request: HttpRequest, feed: Feed, file: Any) -> HttpResponse:
        """Calendars and weather say themselves what they hold: nothing is mapped, the import is queued at once."""
        spool_name = services.spool_store(chunks=file.chunks())
        try:
            run = services.import_run_queue(
                feed=feed,
                spool_name=spool_name,
                file_name=file.name,
                requested_by=request.user,  # type: ignore[arg-type]  # the admin lets nobody anonymous in
            )
        except (MissionsError, ValidationError):
            services.spool_delete(name=spool_name)
            raise
        import_task.delay_on_commit(run.pk)
        messages.success(request, _("The import has been queued."))
        return redirect("admin:ingestion_importrun_change", run.pk)

    def columns_view(self, request: HttpRequest, feed_id: int) -> HttpResponse:
        """Which column is which field; below, how dates and places are read so."""
        feed = self._feed(request, feed_id)
        try:
            look, mapping = drafts.draft_look(feed, sample=SAMPLE_ROWS), drafts.draft_mapping(feed)
        except MissionsError as exc:
            return self._gone(request, feed, exc)
        form = ColumnsForm(request.POST or None, header=look.header, mapping=mapping)
        if request.method == "POST" and form.is_valid():
            services.draft_mapping_save(feed=feed, mapping=form.mapping)
            return redirect(
                "admin:ingestion_feed_columns" if "check" in request.POST else "admin:ingestion_feed_codes",
                feed.pk,
            )
        return self._page(
            request,
            feed,
            "columns",
            form=form,
            rows=column_rows(form, look.sample),
            times=drafts.time_examples(feed, mapping, look.sample[:EXAMPLES]),
            zone=mapping.time_zone or feed.agency.time_zone,
            problems=[]
            if request.method == "POST"
            else [problem_words(problem) for problem in mapping.problems(look.header)],
            leaflet=leaflet_settings(request, feed.agency),
            places_url=reverse("admin:ingestion_feed_places", args=[feed.pk]),
        )

    def places_view(self, request: HttpRequest, feed_id: int) -> HttpResponse:
        """The first rows as points and the agency's boundary, for the map of the columns page."""
        feed = self._feed(request, feed_id)
        try:
            features = place_features(feed)
        except (MissionsError, MappingError) as exc:
            return JsonResponse({"type": "FeatureCollection", "features": [], "message": str(exc)})
        area = agency_area(feed.agency)
        boundary = geojson_from_polygon(area) if area is not None else None
        return JsonResponse({"type": "FeatureCollection", "features": features, "boundary": boundary})

    def codes_view(self, request: HttpRequest, feed_id: int) -> HttpResponse:
        """Which code is which crime type; those of national codes and refused ones need nobody."""
        feed = self._feed(request, feed_id)
        try:
            codes = drafts.draft_codes(feed)
        except MappingError as exc:
            messages.error(request, str(exc))
            return redirect("admin:ingestion_feed_columns", feed.pk)
        except MissionsError as exc:
            return self._gone(request, feed, exc)
        names = dict(CrimeType.objects.filter(agency=feed.agency).values_list("slug", "name"))
        form = CodesForm(request.POST or None, codes=codes, names=names)
        if request.method == "POST" and form.is_valid():
            problems = services.draft_codes_save(feed=feed, choices=form.choices())
            if not problems:
                return redirect("admin:ingestion_feed_review", feed.pk)
            for index, code in enumerate(form.codes):
                for message in problems.get(code.code, []):
                    form.add_error(f"type_{index}", message)
        decided = [code for code in codes if code.outcome in ("mapped", "refused")]
        return self._page(
            request,
            feed,
            "codes",
            form=form,
            waiting=len(codes) - len(decided),
            decided=[(code, names.get(code.crime_type, "")) for code in decided[:SHOWN_DECIDED]],
            n_decided=len(decided),
            rows=sum(code.rows for code in codes),
            limit=drafts.CODE_ROWS,
        )

    def review_view(self, request: HttpRequest, feed_id: int) -> HttpResponse:
        """What becomes of the first rows; then the mapping is saved and the import queued."""
        feed = self._feed(request, feed_id)
        try:
            result = drafts.draft_review(feed)
            if request.method == "POST":
                run = services.draft_commit(feed=feed, requested_by=request.user)  # type: ignore[arg-type]
                import_task.delay_on_commit(run.pk)
                messages.success(request, _("The mapping is saved. The import has been queued."))
                return redirect("admin:ingestion_importrun_change", run.pk)
        except (MappingError, ValidationError) as exc:
            messages.error(request, str(exc))
            return redirect("admin:ingestion_feed_columns", feed.pk)
        except MissionsError as exc:
            return self._gone(request, feed, exc)
        return self._page(
            request, feed, "review", result=result, pulled=is_pull(feed.kind), **review_rows(feed, result)
        )

    def discard_view(self, request: HttpRequest, feed_id: int) -> HttpResponse:
        """Forget the upload."""
        feed = self._feed(request, feed_id)
        if request.method == "POST":
            services.draft_discard(feed=feed)
            messages.info(request, _("The upload is deleted; the feed is as it was."))
        return redirect("admin:ingestion_feed_changelist")
