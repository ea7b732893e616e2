"""What a retention policy can be about: one registered kind each, in whichever room its rows live."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from agencies.models import Agency, AuditEvent
from agencies.services import audit_retirement
from ingestion.engine.coarsen import COARSE_M, DAY, HOUR
from ingestion.models import (
    FACT_KINDS,
    Fact,
    ImportRun,
    QuarantinedRow,
    RecordKind,
    ScheduledEvent,
    VehiclePosition,
    WeatherHour,
    fact_model,
)
from ingestion.services.coarse_facts import facts_coarsen
from ingestion.services.spool import spool_delete
from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy
from missions_project.lib.runs import RunStatus

Rows = Callable[[Agency, datetime], QuerySet[Any]]


@dataclass(frozen=True)
class RetentionKind:
    """One kind of row that can be deleted, or made coarse, when it is old.

    ``old`` gives the agency's rows from before an instant; ``coarse`` those of them that are not coarse yet, and
    ``coarsen`` makes the given rows coarse and returns how many. ``delete`` deletes the rows with these keys; by default
    the rows alone. Both are called inside one transaction, with a few thousand rows at most.
    """

    key: str
    label: str
    help: str
    old: Rows
    coarse: Rows | None = None
    coarsen: Callable[[Sequence[int]], int] | None = None
    delete: Callable[[Sequence[int]], int] | None = None
    minimum_days: int = 1
    """Policies shorter than this are refused: what is needed to run the product, or by law, is kept."""


_kinds: dict[str, RetentionKind] = {}


def retention_kind_register(kind: RetentionKind) -> None:
    """Make a kind known. Two with one key are a programming error."""
    if kind.key in _kinds:
        raise ValueError(f"Retention kind {kind.key!r} is registered twice.")
    _kinds[kind.key] = kind


def retention_kinds() -> list[RetentionKind]:
    """Every kind, in the order of registration."""
    return list(_kinds.values())


def retention_kind(key: str) -> RetentionKind:
    """The kind with this key. Raises ``MissionsError`` that names the known ones."""
    if key not in _kinds:
        raise MissionsError(
            _("There is no kind of record “%(key)s” to keep or delete.") % {"key": key},
            next_step=_("use one of %(kinds)s.") % {"kinds": ", ".join(_kinds)},
        )
    return _kinds[key]


Notice = Callable[[Agency, str, str, int], str]
"""(agency, kind's key, "deleted" or "coarse", days) → what a person should know, or nothing."""
_notices: list[Notice] = []


def retention_notice_register(notice: Notice) -> None:
    """Have this room warn about policies that would take away what it uses. Registering twice has no effect."""
    if notice not in _notices:
        _notices.append(notice)


def retention_notices(
    agency: Agency, kind: str, *, coarsen_after_days: int | None, delete_after_days: int | None
) -> list[str]:
    """What the rooms have to say about such a policy."""
    said = []
    for action, days in (("deleted", delete_after_days), ("coarse", coarsen_after_days)):
        if days is not None:
            said += [notice(agency, kind, action, days) for notice in _notices]
    return [text for text in said if text]


def _old_facts(model: type[Fact]) -> Rows:
    return lambda agency, before: model._default_manager.filter(agency=agency, occurred_from__lt=before)


def _fine_facts(model: type[Fact]) -> Rows:
    coarse = Q(place_precision_m__gte=COARSE_M, time_precision__in=(HOUR, DAY))
    # Negated by hand: exclude() would keep no row whose precision is unknown from being coarse.
    fine = Q(place_precision_m__isnull=True) | ~coarse
    return lambda agency, before: _old_facts(model)(agency, before).filter(fine)


def _old_quarantine(agency: Agency, before: datetime) -> QuerySet[Any]:
    return QuarantinedRow.objects.filter(agency=agency, run__queued_at__lt=before)


def _old_runs(agency: Agency, before: datetime) -> QuerySet[Any]:
    """Finished imports without waiting rows; each feed's newest stays: its health is read from it."""
    newest = ImportRun.objects.filter(agency=agency).order_by().values("feed").annotate(last=Max("pk"))
    return (
        ImportRun.objects.filter(agency=agency, queued_at__lt=before)
        .filter(status__in=(RunStatus.SUCCEEDED, RunStatus.FAILED))
        .exclude(pk__in=newest.values("last"))
        .exclude(Exists(QuarantinedRow.objects.filter(run=OuterRef("pk"))))
    )


def _delete_runs(keys: Sequence[int]) -> int:
    rows = ImportRun.objects.filter(pk__in=keys)
    for name in rows.exclude(spool_name="").values_list("spool_name", flat=True):
        spool_delete(name=name)
    return rows.delete()[0]


def _old_audit(agency: Agency, before: datetime) -> QuerySet[Any]:
    """Those before the first that is young enough: clocks step back, and a hole in the chain would look like tampering."""
    own = AuditEvent.objects.filter(agency=agency)
    young = (
        own.filter(at__gte=before).order_by().values("agency").annotate(first=Min("sequence")).values("first")
    )
    return own.filter(sequence__lt=Coalesce(Subquery(young), 2**62))


def _old_positions(agency: Agency, before: datetime) -> QuerySet[Any]:
    return VehiclePosition.objects.filter(agency=agency, at__lt=before)


def _old_events(agency: Agency, before: datetime) -> QuerySet[Any]:
    return ScheduledEvent.objects.filter(agency=agency, ends_at__lt=before)


def _old_weather(agency: Agency, before: datetime) -> QuerySet[Any]:
    return WeatherHour.objects.filter(agency=agency, valid_at__lt=before)


for _record_kind in FACT_KINDS:
    _model = fact_model(_record_kind)
    retention_kind_register(
        RetentionKind(
            key=_record_kind.value,
            label=cast(str, _record_kind.label),
            help=gettext_lazy("By the time when it happened. Forecasts learn from these."),
            old=_old_facts(_model),
            coarse=_fine_facts(_model),
            coarsen=lambda keys, model=_model: facts_coarsen(model=model, keys=keys),  # type: ignore[misc]
        )
    )
retention_kind_register(
    RetentionKind(
        key=RecordKind.POSITIONS.value,
        label=cast(str, RecordKind.POSITIONS.label),
        help=gettext_lazy(
            "By the time of the position. Dosage is worked out from these; forecasts never see them."
        ),
        old=_old_positions,
    )
)
retention_kind_register(
    RetentionKind(
        key=RecordKind.EVENTS.value,
        label=cast(str, RecordKind.EVENTS.label),
        help=gettext_lazy(
            "By their end, those that were typed in and those called off as well. Forecasts learn from these."
        ),
        old=_old_events,
    )
)
retention_kind_register(
    RetentionKind(
        key=RecordKind.WEATHER.value,
        label=cast(str, RecordKind.WEATHER.label),
        help=gettext_lazy(
            "By the hour or day that they are about, every issue of it. Forecasts learn from these."
        ),
        old=_old_weather,
    )
)
retention_kind_register(
    RetentionKind(
        key="quarantine",
        label=gettext_lazy("Rows kept aside"),
        help=gettext_lazy("By the import that kept them aside, settled or not."),
        old=_old_quarantine,
    )
)
retention_kind_register(
    RetentionKind(
        key="imports",
        label=gettext_lazy("Import runs and files"),
        help=gettext_lazy(
            "The account of each import with its log, and what is left of its file in the spool. A feed's newest import and "
            "imports with rows kept aside stay."
        ),
        old=_old_runs,
        delete=_delete_runs,
    )
)
retention_kind_register(
    RetentionKind(
        key="audit",
        label=gettext_lazy("Audit log"),
        help=gettext_lazy(
            "Who saw, changed and exported what. At least a year is kept; what goes leaves a sealed stub that `verify_audit_log` checks."
        ),
        old=_old_audit,
        delete=audit_retirement("Older than the agency's retention policy keeps."),
        minimum_days=365,
    )
)
