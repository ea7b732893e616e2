"""Writing studies: set up, frozen, cancelled; and when which analysis is due."""

import datetime as dt
import hashlib
import json
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.forms.models import model_to_dict
from django.utils import timezone
from django.utils.translation import gettext as _

from agencies.models import Agency, Beat, CrimeType, District, Shift, User
from agencies.services import audit_record
from forecasting.models import Grid, RiskSurface
from missions_project.lib.errors import MissionsError
from missions_project.lib.runs import RunStatus
from patrols.models import MissionPlan
from patrols.selectors import active_policy
from tactics.models import ImpactReport, ImpactStudy

ANALYSIS_VERSION = "1"
"""Raised whenever an analysis would give other figures from the same data: part of every study's hash."""
ROLLING_NAME = "All missions so far"
ROLLING_AFTER_DAYS = 28
"""The rolling study begins when the first published plan is so old: before, there is too little to say."""
ROLLING_DAYS = 365
SETTLE_DAYS = 14
POWER_DAYS = 28
State, Kind, Purpose = ImpactStudy.State, ImpactStudy.Kind, ImpactReport.Purpose


def study_create(*, agency: Agency, actor: User | None, **fields: Any) -> ImpactStudy:
    """Set up a study as a draft. Raises ``ValidationError`` for what does not fit, also another agency's rows."""
    study = ImpactStudy(agency=agency, created_by=actor, **fields)
    _check(study)
    study.save()
    return study


def study_change(*, study: ImpactStudy, **fields: Any) -> ImpactStudy:
    """Change a draft. What it could show is worked out anew where the design changes. Raises ``MissionsError`` if frozen."""
    if not study.is_open:
        raise MissionsError(
            _("This study is frozen: nothing of it can be changed."),
            next_step=_("cancel it and set up another."),
        )
    changed = {name for name, value in fields.items() if getattr(study, name) != value}
    for name, value in fields.items():
        setattr(study, name, value)
    words = {"name", "question", "minimum_detectable", "net_minimum_detectable", "minimum_basis"}
    if changed - words and not changed & {"minimum_detectable"}:
        # What a study could show belongs to its design: another design, another figure.
        study.minimum_detectable = study.net_minimum_detectable = None
        study.minimum_basis = ""
    _check(study)
    study.save()
    return study


def _check(study: ImpactStudy) -> None:
    study.full_clean()
    for name, model in (
        ("crime_types", CrimeType), ("districts", District), ("beats", Beat), ("shifts", Shift),
    ):  # fmt: skip
        wanted = set(getattr(study, name))
        known = set(
            model._default_manager.filter(agency=study.agency, pk__in=wanted).values_list("pk", flat=True)
        )
        if wanted - known:
            raise MissionsError(
                _("The study names %(kind)s that this agency does not have.")
                % {"kind": model._meta.verbose_name_plural},
                next_step=_("choose from the lists on the page."),
            )


def study_specification(study: ImpactStudy, *, at: dt.datetime) -> dict[str, Any]:
    """Everything that decides the figures: the design with its names, the policy and grid of now. Seven queries."""
    agency = study.agency
    policy = active_policy(agency)

    def named(model: Any, keys: list[int], *names: str) -> list[dict[str, Any]]:
        rows = model.objects.filter(agency=agency, pk__in=keys).order_by("pk")
        return list(rows.values("id", *names))

    return {
        "format": 1,
        "agency": agency.slug,
        "name": study.name,
        "question": study.question,
        "kind": study.kind,
        "crime_types": named(CrimeType, study.crime_types, "slug", "name", "nibrs_code"),
        "districts": named(District, study.districts, "code", "name"),
        "beats": named(Beat, study.beats, "code"),
        "shifts": named(Shift, study.shifts, "slug", "name"),
        "first": study.first.isoformat() if study.first else None,
        "last": study.last.isoformat() if study.last else None,
        "window_hours": study.window_hours,
        "stop_at_next_draw": study.stop_at_next_draw,
        "estimand": study.estimand,
        "headline": "net effect of the plan",
        "with_plain": study.with_plain,
        "family": study.family,
        "confidence": study.confidence,
        "draws": study.draws,
        "settle_days": study.settle_days,
        "minimum_detectable": study.minimum_detectable,
        "net_minimum_detectable": study.net_minimum_detectable,
        "minimum_basis": study.minimum_basis,
        "policy": model_to_dict(policy, exclude=["agency", "is_active"]) if policy else None,
        "grid": Grid.objects.filter(agency=agency, is_active=True).values_list("hash", flat=True).first(),
        "frozen_on": at.astimezone(ZoneInfo(agency.time_zone)).date().isoformat(),
        "code_version": ANALYSIS_VERSION,
    }


def specification_hash(specification: dict[str, Any]) -> str:
    """SHA-256 of a specification as 64 hex digits; any change of any part changes it."""
    text = json.dumps(specification, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def seed_of(design_hash: str) -> int:
    """The seed that follows from a hash: nobody can try seeds until one pleases."""
    return int(design_hash[:15], 16)


@transaction.atomic
def study_freeze(*, study: ImpactStudy, actor: User) -> ImpactStudy:
    """Freeze a draft: from here on nothing of it changes, and it is reported whatever comes out.

    Raises ``MissionsError`` where it is no draft, or where nobody has worked out what it could show.
    """
    study = ImpactStudy.objects.select_for_update().get(pk=study.pk)
    if not study.is_open:
        raise MissionsError(_("This study is no longer a draft."), next_step=_("reload its page."))
    if study.minimum_detectable is None:
        raise MissionsError(
            _("What this study could show is not known yet."),
            next_step=_(
                "work out the smallest effect first, on this page; a study that can show nothing should not run."
            ),
        )
    _check(study)
    now = timezone.now()
    specification = json.loads(json.dumps(study_specification(study, at=now), default=str))
    study.specification = specification
    study.design_hash = specification_hash(specification)
    study.seed = seed_of(study.design_hash)
    study.code_version = ANALYSIS_VERSION
    study.frozen_at, study.frozen_by, study.state = now, actor, State.FROZEN
    study.next_report_at = due_at(study)
    study.full_clean()
    study.save()
    audit_record(
        agency=study.agency, actor=actor, action="study frozen", subject=study,
        detail={"hash": study.design_hash, "specification": specification},
    )  # fmt: skip
    return study


def due_at(study: ImpactStudy) -> dt.datetime:
    """When late reports are in: so many days after the day on which the last shift's window ends."""
    assert study.last is not None  # only the rolling study has no end, and it is never frozen
    day = study.last + dt.timedelta(days=2 + study.settle_days)
    return dt.datetime.combine(day, dt.time(3), ZoneInfo(study.agency.time_zone))


def study_cancel(*, study: ImpactStudy, actor: User, reason: str) -> ImpactStudy:
    """Cancel a study that has not been reported. It stays in the list with the reason. Raises ``MissionsError`` otherwise."""
    if not reason.strip():
        raise MissionsError(_("Nobody would know why."), next_step=_("write a reason."))
    won = (
        ImpactStudy.objects.filter(pk=study.pk, kind=Kind.REGISTERED)
        .exclude(state__in=[State.REPORTED, State.CANCELLED])
        .update(
            state=State.CANCELLED,
            cancelled_at=timezone.now(),
            cancelled_by=actor,
            cancelled_reason=reason.strip()[:300],
            next_report_at=None,
        )
    )
    if won != 1:
        raise MissionsError(
            _("This study cannot be cancelled: it is reported, cancelled already, or the system's own."),
            next_step=_("reload its page."),
        )
    study.refresh_from_db()
    audit_record(
        agency=study.agency,
        actor=actor,
        action="study cancelled",
        subject=study,
        detail={"reason": reason},
    )
    return study


def rolling_study_ensure(*, agency: Agency, now: dt.datetime | None = None) -> ImpactStudy:
    """Return the agency's study over all plans; make it where there is none, of all active crime types."""
    known = ImpactStudy.objects.filter(agency=agency, kind=Kind.ROLLING).first()
    if known is not None:
        return known
    types = list(CrimeType.objects.filter(agency=agency, is_active=True).values_list("pk", flat=True))
    if not types:
        raise MissionsError(
            _("Agency “%(agency_slug)s” has no active crime type.") % {"agency_slug": agency.slug},
            next_step=_("Admin → Crime types → Add."),
        )
    study = ImpactStudy(
        agency=agency,
        name=ROLLING_NAME,
        kind=Kind.ROLLING,
        question="Do missions prevent crime, over all published plans so far?",
        crime_types=types,
        state=State.RUNNING,
        next_report_at=now or timezone.now(),
    )
    study.full_clean()
    try:
        with transaction.atomic():
            study.save()
    except IntegrityError:
        return ImpactStudy.objects.get(agency=agency, kind=Kind.ROLLING)
    return study


def report_queue(
    *,
    study: ImpactStudy,
    purpose: str = Purpose.REPORT,
    actor: User | None = None,
    today: dt.date | None = None,
    early: bool = False,
) -> ImpactReport:
    """Put an analysis in the queue. Raises ``MissionsError`` for one that is not due yet, or already in the queue.

    A frozen study is not looked at before its end: looking early and stopping when it pleases finds effects everywhere.
    ``early`` is for shells and tests with planted histories.
    """
    today = today or timezone.localdate(timezone=ZoneInfo(study.agency.time_zone))
    if purpose == Purpose.POWER:
        if not study.is_open:
            raise MissionsError(_("This study is no longer a draft."), next_step=_("reload its page."))
        last = _newest_plan(study.agency)
        first = last - dt.timedelta(days=POWER_DAYS - 1)
    elif study.is_rolling:
        _rolling_types(study)
        first, last = today - dt.timedelta(days=ROLLING_DAYS), today - dt.timedelta(days=SETTLE_DAYS)
    else:
        _check_due(study, early)
        assert study.first is not None and study.last is not None  # noqa: PT018  # a constraint says so
        first, last = study.first, study.last
    report = ImpactReport(
        agency=study.agency,
        study=study,
        purpose=purpose,
        first=first,
        last=last,
        seed=study.seed,
        design_hash=study.design_hash,
        code_version=ANALYSIS_VERSION,
        requested_by=actor,
    )
    if not study.frozen_at:
        specification = study_specification(study, at=timezone.now())
        report.config_snapshot = json.loads(json.dumps(specification, default=str))
        report.design_hash = specification_hash(report.config_snapshot)
        report.seed = seed_of(report.design_hash)
    else:
        report.config_snapshot = study.specification
    # The database says whether another one is open: two presses at once both find none here.
    report.full_clean(validate_constraints=False)
    try:
        with transaction.atomic():
            report.save()
    except IntegrityError as exc:
        raise MissionsError(
            _("This analysis is already in the queue or under way."),
            next_step=_("wait for it, or cancel it."),
        ) from exc
    return report


def _newest_plan(agency: Agency) -> dt.date:
    plans = MissionPlan.objects.filter(agency=agency, state=MissionPlan.State.PUBLISHED)
    newest = plans.filter(period_to__lte=timezone.now()).aggregate(newest=Max("on"))["newest"]
    if newest is None:
        raise MissionsError(
            _(
                "No plan has been published and carried out yet: what a study could show is not known from your own past."
            ),
            next_step=_(
                "publish plans for a few weeks, or enter the smallest effect that the study is meant to show by hand."
            ),
        )
    found: dt.date = newest
    return found


def _rolling_types(study: ImpactStudy) -> None:
    """The rolling study follows the agency: all active types that its newest plan's forecast knows."""
    newest = (
        MissionPlan.objects.filter(agency=study.agency, state=MissionPlan.State.PUBLISHED)
        .order_by("-period_from")
        .values_list("forecast_run_id", flat=True)
        .first()
    )
    known = RiskSurface.objects.filter(agency=study.agency, run=newest).values("crime_type")
    types = CrimeType.objects.filter(agency=study.agency, is_active=True, pk__in=known).order_by("pk")
    if keys := list(types.values_list("pk", flat=True)):
        study.crime_types = keys
        study.save(update_fields=["crime_types"])


def _check_due(study: ImpactStudy, early: bool) -> None:
    if study.state not in (State.FROZEN, State.RUNNING, State.REPORTED):
        raise MissionsError(
            _("This study is not frozen.") if study.is_open else _("This study was cancelled."),
            next_step=_("freeze it first.") if study.is_open else _("set up another."),
        )
    due = due_at(study)
    if not early and timezone.now() < due:
        raise MissionsError(
            _("This study is analysed from %(due)s on, when late reports are in.")
            % {"due": f"{due:%Y-%m-%d}"},
            next_step=_("wait: looking before the end finds effects that are not there."),
        )


def report_cancel(*, report: ImpactReport, actor: User) -> None:
    """Stop an analysis: at once where it waits, within seconds where it runs. Nothing else is lost."""
    stopped = ImpactReport.objects.filter(pk=report.pk, status=RunStatus.QUEUED).update(
        status=RunStatus.FAILED,
        finished_at=timezone.now(),
        error=f"Cancelled by {actor} before it began. Next step: start it again when it suits.",
    )
    if not stopped:
        ImpactReport.objects.filter(pk=report.pk, status=RunStatus.RUNNING).update(
            cancel_asked_at=timezone.now(), cancel_asked_by=actor
        )


def reports_due(*, now: dt.datetime) -> list[ImpactReport]:
    """Queue the analyses whose time has come; studies begin with their first shift. Four queries where none is due.

    The rolling study is due once a month, at the earliest four weeks after the agency's first published plan.
    """
    ImpactStudy.objects.filter(state=State.FROZEN, specification__first__lte=now.date().isoformat()).update(
        state=State.RUNNING
    )
    _rolling_begin(now)
    made = []
    due = ImpactStudy.objects.filter(
        Q(kind=Kind.ROLLING) | Q(state=State.RUNNING), next_report_at__lte=now
    ).select_related("agency")
    for study in due:
        following = next_month(study, now) if study.is_rolling else now + dt.timedelta(days=1)
        # Whoever moves the date has it; a frozen study's goes on until it is reported.
        if ImpactStudy.objects.filter(pk=study.pk, next_report_at=study.next_report_at).update(
            next_report_at=following
        ):
            try:
                made.append(report_queue(study=study))
            except MissionsError:
                # In the queue already, by a person: it will be reported all the same.
                continue
    return made


def _rolling_begin(now: dt.datetime) -> None:
    has_one = ImpactStudy.objects.filter(agency=OuterRef("pk"), kind=Kind.ROLLING)
    plans = MissionPlan.objects.filter(
        agency=OuterRef("pk"),
        state=MissionPlan.State.PUBLISHED,
        period_from__lt=now - dt.timedelta(days=ROLLING_AFTER_DAYS),
    )
    for agency in Agency.objects.filter(~Exists(has_one), Exists(plans)):
        rolling_study_ensure(agency=agency, now=now)


def next_month(study: ImpactStudy, now: dt.datetime) -> dt.datetime:
    """The first of the next month, three in the morning by the agency's clock."""
    zone = ZoneInfo(study.agency.time_zone)
    local = now.astimezone(zone)
    first = dt.date(local.year + local.month // 12, local.month % 12 + 1, 1)
    return dt.datetime.combine(first, dt.time(3), zone)
