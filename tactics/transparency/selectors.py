"""Reading packs and findings."""

import datetime as dt

from django.db.models import Count, Q, QuerySet

from agencies.models import Agency
from tactics.models import ExposureFinding, TransparencyPack, TransparencyPolicy

State = TransparencyPack.State


def last_published(agency: Agency) -> TransparencyPack | None:
    """Return the newest published pack, without its content; None before the first. One query."""
    rows = TransparencyPack.objects.filter(agency=agency, state=State.PUBLISHED).defer("content")
    return rows.order_by("-number").first()


def published_packs(agency: Agency) -> list[TransparencyPack]:
    """Return the published packs, newest first, without their content. One query."""
    rows = TransparencyPack.objects.filter(agency=agency, state=State.PUBLISHED)
    return list(rows.defer("content", "log").order_by("-number"))


def packs_of(agency: Agency) -> list[TransparencyPack]:
    """Return all packs, newest first, without their content, each with its open findings (``n_open``). One query."""
    rows = TransparencyPack.objects.filter(agency=agency).annotate(
        n_open=Count("findings", filter=Q(findings__answered_at=None))
    )
    return list(
        rows.defer("content", "log").select_related("requested_by", "published_by").order_by("-number")
    )


def pack_of(agency: Agency, number: int) -> TransparencyPack | None:
    """Return one of the agency's packs with its content, whatever its state; None for another. One query."""
    rows = TransparencyPack.objects.filter(agency=agency, number=number)
    return rows.select_related("agency", "requested_by", "published_by").first()


def published_pack(agency: Agency, number: int) -> TransparencyPack | None:
    """Return a published pack with its content; None for a draft or none. One query."""
    return TransparencyPack.objects.filter(agency=agency, number=number, state=State.PUBLISHED).first()


def open_findings(agency: Agency) -> QuerySet[ExposureFinding]:
    """Return the findings that wait for an answer. One query when read."""
    return ExposureFinding.objects.filter(agency=agency, answered_at=None)


def findings_of(pack: TransparencyPack) -> list[ExposureFinding]:
    """Return the findings that a pack raised, with their answers as they are now. One query."""
    return list(pack.findings.select_related("answered_by").order_by("pk"))


def is_public(agency: Agency) -> bool:
    """Whether anybody may read the agency's published packs. One query."""
    return TransparencyPolicy.objects.filter(agency=agency, is_public=True).exists()


def next_period(agency: Agency, today: dt.date) -> tuple[dt.date, dt.date]:
    """Return the period that the next pack would cover: from the day after the last published one to the last full month's end.

    Three full months where none is published. One query. Where less than a month has passed, up to yesterday.
    """
    end = today.replace(day=1) - dt.timedelta(days=1)
    published = last_published(agency)
    if published is None:
        begin = end.replace(day=1)
        for _ in range(2):
            begin = (begin - dt.timedelta(days=1)).replace(day=1)
        return begin, end
    begin = published.last + dt.timedelta(days=1)
    return begin, max(end if end >= begin else today - dt.timedelta(days=1), begin)
