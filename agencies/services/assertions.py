"""That an identity provider's signed word opens a session once only."""

import hashlib
from datetime import datetime

from agencies.models import SpentAssertion


def assertion_spend(*, provider: str, number: str, until: datetime, now: datetime) -> bool:
    """Note that the assertion was used, and return whether this was the first time. Three queries; of two at once, one is first.

    ``until``: when it ends by itself; older notes are forgotten.
    """
    SpentAssertion.objects.filter(until__lte=now).delete()
    digest = hashlib.sha256(f"{provider}\n{number}".encode()).hexdigest()
    _spent, is_first = SpentAssertion.objects.get_or_create(digest=digest, defaults={"until": until})
    return is_first
