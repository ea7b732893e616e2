"""A request that is sent twice is done once: the second gets the first one's answer."""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from agencies.models import Agency, User
from agencies.services import audit_last
from ingestion.models import ApiAnswer
from missions_project.lib.rest.problems import Conflict

KEPT = timedelta(days=2)
_KEY = re.compile(r"[!-~]{1,100}")
Done = tuple[int, Any]


def answered_once(
    request: Request, agency: Agency, user: User, asker: str, change: Callable[[], Done]
) -> Done:
    """Make a change, or return what it was answered when the same Idempotency-Key came before.

    The answer is kept in the change's own transaction: after a crash both are there or neither. What failed changed
    nothing, keeps nothing and may be tried again. Raises ``ValidationError`` for a key that is none, ``Conflict`` for one
    that came with another request. Without a key: the change alone, in one transaction. Three queries more with one.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        with transaction.atomic(), audit_last():
            return change()
    if not _KEY.fullmatch(key):
        raise ValidationError(
            {"Idempotency-Key": [_("Use 1 to 100 printable ASCII characters without blanks.")]}
        )
    fingerprint = _fingerprint(request)
    if (found := _kept(agency, asker, key, fingerprint)) is not None:
        return found
    try:
        with transaction.atomic(), audit_last():
            ApiAnswer.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
            # First, so that a second request at the same moment waits here and not after having changed something.
            row = ApiAnswer.objects.create(
                agency=agency, asker=asker, user=user, key=key, fingerprint=fingerprint, status=0
            )
            status, data = change()
            body = None if data is None else _plain(data)
            ApiAnswer.objects.filter(pk=row.pk).update(status=status, body=body)
            return status, body
    except IntegrityError:
        if (found := _kept(agency, asker, key, fingerprint)) is not None:
            return found
        raise


def _plain(data: Any) -> Any:
    return json.loads(JSONRenderer().render(data))


def _fingerprint(request: Request) -> str:
    digest = hashlib.sha256(f"{request.method} {request.get_full_path()}\n".encode())
    digest.update(JSONRenderer().render(request.data))
    return digest.hexdigest()


def _kept(agency: Agency, asker: str, key: str, fingerprint: str) -> Done | None:
    row = ApiAnswer.objects.filter(
        agency=agency, asker=asker, key=key, created_at__gte=timezone.now() - KEPT
    ).first()
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise Conflict(
            _(
                "This Idempotency-Key came with another request before. Next step: use a new key for each new request."
            ),
            code="key_used_before",
        )
    return row.status, row.body
