"""Writing packs: made in the background, published by a person, set aside; findings raised and answered."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from agencies.engine.free_text import text_about_person
from agencies.models import Agency, User
from agencies.services import audit_record
from agencies.words import said
from ingestion.selectors import data_hash
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress
from missions_project.lib.runs import RunReporter, RunStatus, run_execution
from patrols.selectors import models_behind
from tactics.models import ExposureFinding, TransparencyPack
from tactics.transparency.audit import AuditPart, ExposureAudit, disparities, exposure_audit
from tactics.transparency.inputs import exposure_inputs
from tactics.transparency.kept import changes_section, complaints_section, impact_section
from tactics.transparency.patrolled import exposure_section, overrides_section, where_section
from tactics.transparency.selectors import last_published, open_findings
from tactics.transparency.shapes import FORMAT, content_hash, plain
from tactics.transparency.told import accuracy_section, data_section, forecast_section, randomised_section

LONGEST_DAYS = 731
State = TransparencyPack.State


def pack_queue(
    *,
    agency: Agency,
    first: dt.date,
    last: dt.date,
    requested_by: User | None = None,
    language: str = "en",
    today: dt.date | None = None,
) -> TransparencyPack:
    """Queue a pack of a period that is over. Three queries. Raises ``MissionsError`` for one that is not, or while one is made.

    ``language`` is the one that the public reads: all of the pack is written in it, once and for good.

    Today is not over: a pack that told of the running shift would tell where cars are.
    """
    today = today or timezone.localdate(timezone=ZoneInfo(agency.time_zone))
    if language not in dict(settings.LANGUAGES):
        raise MissionsError(
            _("A pack cannot be written in this language."), next_step=_("choose one of the list.")
        )
    if last < first:
        raise MissionsError(_("The period ends before it begins."), next_step=_("choose another last day."))
    if last >= today:
        raise MissionsError(
            _("A pack tells of days that are over."), next_step=_("choose %(day)s or earlier as last day.") % {"day": today - dt.timedelta(days=1)}
        )  # fmt: skip
    if (last - first).days + 1 > LONGEST_DAYS:
        raise MissionsError(_("A pack covers two years at most."), next_step=_("choose a later first day."))
    newest = TransparencyPack.objects.filter(agency=agency).aggregate(newest=Max("number"))["newest"] or 0
    pack = TransparencyPack(
        agency=agency, number=newest + 1, language=language, first=first, last=last, requested_by=requested_by,
        previous=last_published(agency),
    )  # fmt: skip
    pack.full_clean(validate_constraints=False)
    try:
        with transaction.atomic():
            pack.save()
    except IntegrityError as exc:
        raise MissionsError(
            _("A pack is being made already."), next_step=_("wait until it is done, then make the next one.")
        ) from exc
    return pack


def pack_make(*, pack: TransparencyPack, progress: Progress | None = None) -> TransparencyPack:
    """Work the pack out: audit, sections, hash, findings. Raises ``MissionsError`` naming what is missing, and says so on the row.

    Two packs of the same period and data differ in number, time and the log of changes only.
    """
    with run_execution(pack, progress) as reporter:
        # What is stored, hashed and published is in one language, whoever asked for it.
        with override(pack.language):
            content = _content(pack, reporter)
        reporter.record(
            content=content,
            content_hash=content_hash(content),
            made_at=dt.datetime.fromisoformat(content["made_at"]),
            data_hash=data_hash(pack.agency, until=timezone.now()),
        )
    return pack


def _content(pack: TransparencyPack, reporter: RunReporter) -> dict[str, Any]:
    agency, first, last = pack.agency, pack.first, pack.last
    now = timezone.now().replace(microsecond=0)
    given = exposure_inputs(agency, first, last, progress=reporter.progress)
    reporter.log(f"{given.design.plans:,} plans read, blocks of {given.blocks}.")
    audit = exposure_audit(agency, given, first, last)
    raised = _raise(pack, audit, now)
    reporter.log(f"Exposure audit: {len(raised)} findings newly raised.")
    previous = pack.previous
    since = (
        previous.made_at
        if previous and previous.made_at
        else dt.datetime.combine(first, dt.time(), ZoneInfo(agency.time_zone))
    )
    told = [
        forecast_section(agency),
        data_section(agency),
        accuracy_section(agency),
        randomised_section(agency, given.design),
        where_section(given, audit),
        exposure_section(audit, _findings_told(pack)),
        overrides_section(agency, first, last),
        complaints_section(agency, first, last),
        impact_section(agency),
        changes_section(agency, since=since, until=now, previous=previous.number if previous else None),
    ]
    content: dict[str, Any] = plain(
        {
            "format": FORMAT,
            "language": pack.language,
            "agency": {"slug": agency.slug, "name": agency.name, "time_zone": agency.time_zone},
            "number": pack.number,
            "period": {"first": first.isoformat(), "last": last.isoformat()},
            "made_at": now.isoformat(),
            "model": models_behind(agency, first, last),
            "previous": {"number": previous.number, "hash": previous.content_hash} if previous else None,
            "threshold": audit.threshold,
            "sections": [section.as_json() for section in told],
        }
    )
    return content


def _raise(pack: TransparencyPack, audit: ExposureAudit, now: dt.datetime) -> list[ExposureFinding]:
    """Raise what is beyond the threshold, but for what still waits for an answer. One query, one more for each finding.

    One finding for each way of cutting the city and each basis, with its largest disparity first: a council reads eight answers,
    not eighty.
    """
    waiting = set(open_findings(pack.agency).values_list("basis", "kind"))
    grouped: dict[tuple[str, str], list[tuple[AuditPart, int]]] = {}
    for part, at in disparities(audit):
        if (part.basis, part.kind.name) not in waiting:
            grouped.setdefault((part.basis, part.kind.name), []).append((part, at))
    made = []
    for (basis, kind), found in grouped.items():
        worst, *others = [_figures(part, at) for part, at in found]
        finding = ExposureFinding(
            agency=pack.agency, pack=pack, basis=basis, kind=kind, **worst, others=others, threshold=audit.threshold,
            first=pack.first, last=pack.last, raised_at=now,
        )  # fmt: skip
        finding.full_clean()
        finding.save()
        made.append(finding)
    return made


def _figures(part: AuditPart, at: int) -> dict[str, Any]:
    figures: dict[str, Any] = plain(
        {"ratio": part.found.ratio[at], "low": part.found.low[at], "high": part.found.high[at]}
    )
    return {"measure": str(part.measure), "area": part.kind.areas[at], **figures}


def _findings_told(pack: TransparencyPack) -> list[ExposureFinding]:
    """This pack's findings, those that still wait, and those answered since the last pack."""
    rows = ExposureFinding.objects.filter(agency=pack.agency).order_by("raised_at", "pk")
    since = pack.previous.made_at if pack.previous else None
    return [
        one
        for one in rows
        if one.pack_id == pack.pk or one.answered_at is None or since is None or one.answered_at >= since
    ]


@transaction.atomic
def pack_publish(*, pack: TransparencyPack, actor: User) -> TransparencyPack:
    """Publish a draft: from here on nothing of it changes. Four queries.

    Raises ``MissionsError`` where findings of earlier packs wait for an answer, where another pack was published since it was
    made, or where its content is not what was made.
    """
    pack = (
        TransparencyPack.objects.select_for_update(of=("self",))
        .select_related("agency", "previous")
        .get(pk=pack.pk)
    )
    if pack.state != State.DRAFT or pack.status != RunStatus.SUCCEEDED:
        raise MissionsError(_("This pack is no draft that is done."), next_step=_("reload its page."))
    unanswered = open_findings(pack.agency).exclude(pack=pack).count()
    if unanswered:
        raise MissionsError(
            ngettext(
                "%(count)s finding of earlier exposure audits waits for an answer.",
                "%(count)s findings of earlier exposure audits wait for an answer.",
                unanswered,
            )
            % {"count": unanswered},
            next_step=_("answer them first: Admin → Exposure findings."),
        )
    newest = last_published(pack.agency)
    if (newest.pk if newest else None) != pack.previous_id:
        raise MissionsError(
            _("Another pack was published since this one was made."),
            next_step=_("make it anew, so that it tells what changed since then."),
        )
    if content_hash(pack.content) != pack.content_hash:
        raise MissionsError(
            _("This pack's content is not what was made: its hash differs."),
            next_step=_("make it anew, and find out who changed the database."),
        )
    pack.state, pack.published_at, pack.published_by = State.PUBLISHED, timezone.now(), actor
    pack.full_clean()
    pack.save(update_fields=["state", "published_at", "published_by"])
    audit_record(
        agency=pack.agency,
        actor=actor,
        action="pack published",
        subject=pack,
        detail={"hash": pack.content_hash},
    )
    return pack


def pack_discard(*, pack: TransparencyPack, actor: User) -> None:
    """Set a draft aside. Its findings stay, and stay to be answered. Raises ``MissionsError`` for a published one."""
    won = (
        TransparencyPack.objects.filter(pk=pack.pk, state=State.DRAFT)
        .exclude(status__in=[RunStatus.QUEUED, RunStatus.RUNNING])
        .update(state=State.DISCARDED)
    )
    if won != 1:
        raise MissionsError(_("Only a draft that is done can be set aside."), next_step=_("reload its page."))
    audit_record(agency=pack.agency, actor=actor, action="pack set aside", subject=pack)


def answer_problem(answer: str) -> MissionsError | None:
    """What is wrong with an answer, as the error that ``finding_answer`` would raise; None for a good one. No query."""
    words = answer.strip()
    if len(words) < 20:
        return MissionsError(
            _("Nobody could learn anything from so few words."),
            next_step=_("say why it is so, and what is done about it."),
        )
    if about := text_about_person(words):
        return MissionsError(
            _("This seems to hold %(about)s, and the answer will be public.") % {"about": said(about)},
            next_step=_("write about the place only."),
        )
    return None


def finding_answer(*, finding: ExposureFinding, actor: User, answer: str) -> ExposureFinding:
    """Answer a finding, once and for good. Two queries. Raises ``MissionsError`` for an empty answer, or one about a person."""
    words = answer.strip()
    if problem := answer_problem(words):
        raise problem
    won = ExposureFinding.objects.filter(pk=finding.pk, answered_at=None).update(
        answer=words[:2000], answered_by=actor, answered_at=timezone.now()
    )
    if won != 1:
        raise MissionsError(
            _("This finding is answered already; answers are kept as they are."),
            next_step=_("reload its page."),
        )
    finding.refresh_from_db()
    audit_record(
        agency=finding.agency,
        actor=actor,
        action="exposure finding answered",
        subject=finding,
        detail={"answer": words[:500]},
    )
    return finding
