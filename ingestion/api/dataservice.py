"""HunchLab 2.0's upload: a client of 2014 sends its event CSV here and asks until it is done."""

import uuid

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingestion.api.push import TooLarge, problem
from ingestion.api.tokens import PUSH, FeedTokenAuthentication, HasScope, TokenThrottle, feed_of, token_of
from ingestion.engine.mapping import RECORD_KINDS
from ingestion.models import ImportRun
from ingestion.selectors.uploads import STATUS_WORDS, upload_log, upload_run
from ingestion.services import upload_queue
from ingestion.tasks import import_task
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus

_JOB = inline_serializer(
    "ImportJob",
    {
        "import_job_id": serializers.CharField(),
        "processing_status": serializers.ChoiceField(["SUBM", "PROC", "COMP", "FAIL"]),
        "log": serializers.CharField(required=False),
    },
)
_FILE = inline_serializer(
    "EventFile",
    {"file": serializers.FileField(), "srid": serializers.IntegerField(required=False, default=4326)},
)


class DataService(APIView):
    """``POST /api/dataservice/``."""

    authentication_classes = [FeedTokenAuthentication]
    permission_classes = [HasScope]
    throttle_classes = [TokenThrottle]
    parser_classes = [MultiPartParser, FormParser]
    problems = (400, 401, 403, 406, 413, 415, 429)
    scope = PUSH

    @extend_schema(
        summary="Upload an event CSV",
        tags=["HunchLab 2.0"],
        request={"multipart/form-data": _FILE},
        responses={202: _JOB},
    )
    def post(self, request: Request) -> Response:
        """Takes the file and answers at once; ask for the job until it is no longer 202."""
        feed = feed_of(request)
        if feed.record_kind not in RECORD_KINDS:
            return problem(
                "wrong_feed",
                _("Feed “%(slug)s” takes no event files. Next step: use another token.")
                % {"slug": feed.slug},
                400,
            )
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.UPLOAD_MAX_BYTES:
            raise TooLarge(
                _("The file is larger than %(upload_max_bytes)s bytes. Next step: split it.")
                % {"upload_max_bytes": f"{settings.UPLOAD_MAX_BYTES:,}"}
            )
        file = request.FILES.get("file")
        if file is None:
            return problem("no_file", _("The form has no file. Next step: send it as the part “file”."), 400)
        try:
            run = upload_queue(
                feed=feed,
                file=file.file,
                file_name=file.name or "upload.csv",
                srid=request.POST.get("srid", ""),
                requested_by=token_of(request).user,
            )
        except MissionsError as exc:
            return problem("not_readable", str(exc), 400)
        import_task.delay_on_commit(run.pk)
        return Response(
            {"import_job_id": str(run.job_id), "processing_status": "SUBM"}, status=status.HTTP_202_ACCEPTED
        )


class ImportJob(APIView):
    """``GET /api/dataservice/<import_job_id>``, with or without a slash at its end."""

    authentication_classes = [FeedTokenAuthentication]
    permission_classes = [HasScope]
    throttle_classes = [TokenThrottle]
    problems = (401, 403, 404, 406, 429)
    scope = PUSH

    @extend_schema(summary="How far an upload is", tags=["HunchLab 2.0"], responses={200: _JOB, 202: _JOB})
    def get(self, request: Request, job_id: str) -> Response:
        """202 while it waits or runs, then 200 with the log: counts, and each row kept aside with its reason."""
        run = upload_run(feed_of(request), _uuid(job_id))
        if run is None:
            raise NotFound(_("This feed has no such upload."))
        return Response(_job(run), status=200 if run.is_finished else 202)


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFound(_("This feed has no such upload.")) from None


def _job(run: ImportRun) -> dict[str, str]:
    return {
        "import_job_id": str(run.job_id),
        "processing_status": STATUS_WORDS[RunStatus(run.status)],
        "log": upload_log(run),
    }
