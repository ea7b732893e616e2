"""Is the chain of sealed forecasts whole? What was changed, taken out or put elsewhere shows."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Max
from django.utils.translation import gettext as _

from agencies.models import Agency
from forecasting.models import ForecastRun, ForecastSeal, LiveRecord, LiveScore, RiskSurface
from forecasting.seals import columns_differ, fingerprint, matches, run_differs
from missions_project.lib.errors import MissionsError
from missions_project.lib.progress import Progress, no_progress
from missions_project.lib.runs import RunStatus

_AT_ONCE = 100


@dataclass
class ChainReport:
    """What looking through the chain found. ``problems`` are sentences, oldest seal first; none means that it is whole."""

    seals: int = 0
    surfaces: int = 0
    head: str = ""
    states: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.problems


def live_chain(agency: Agency, *, published: str = "", progress: Progress = no_progress) -> ChainReport:
    """Look through the agency's whole chain: hashes, order, times, surfaces, runs without a seal, scores without one.

    ``published`` is an earlier ``NUMBER:HASH`` that somebody wrote down: a chain that was made anew from the start agrees with
    itself, and not with that. Raises ``MissionsError`` where it is no such text. One query a hundred seals and three more;
    surfaces are read a hundred forecasts at a time.
    """
    expected = _published(published)
    record = LiveRecord.objects.filter(agency=agency).first()
    report = ChainReport(head=record.head if record else "")
    before: ForecastSeal | None = None
    total = ForecastSeal.objects.filter(agency=agency).count()
    first_at: dt.datetime | None = None
    for part in _in_parts(agency):
        surfaces = _surfaces_of(part)
        redone = _newest_of_runs(part)
        for seal in part:
            progress(report.seals, total, "Checking seals")
            first_at = first_at or seal.sealed_at
            report.problems += _wrong(seal, before)
            rows = surfaces.get(seal.run_id or 0, [])
            if seal.run_id and redone.get(seal.run_id) == seal.number:
                report.surfaces += len(rows)
                if not matches(seal, rows):
                    report.problems.append(
                        f"{_name(seal)}: the stored surfaces are not the ones that were sealed."
                    )
                elif seal.run and run_differs(seal, seal.run):
                    report.problems.append(f"{_name(seal)}: the run’s data or configuration was changed.")
            if expected and seal.number == expected[0] and seal.hash != expected[1]:
                report.problems.append(f"{_name(seal)}: its hash is not the one that was published.")
            report.states[seal.state] += 1
            report.seals += 1
            before = seal
    progress(total, total, "Checking seals")
    report.problems += _ends(record, before, expected)
    if first_at is not None:
        report.problems += _unsealed(agency, first_at)
        report.problems += _odd_scores(agency)
    return report


def _published(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    number, _colon, digest = text.strip().partition(":")
    if not number.isdecimal() or len(digest) != 64:
        raise MissionsError(
            _("“%(text)s” is no published end of a chain.") % {"text": text[:90]},
            next_step=_("give it as NUMBER:HASH, the way `live_record verify` prints it."),
        )
    return int(number), digest.lower()


def _in_parts(agency: Agency) -> Iterator[list[ForecastSeal]]:
    rows = ForecastSeal.objects.filter(agency=agency).select_related("run", "shift").defer("run__log")
    # By number and not by key: one that was put in between afterwards has a later key.
    rows, after = rows.order_by("number"), 0
    while part := list(rows.filter(number__gt=after)[:_AT_ONCE]):
        yield part
        after = part[-1].number


def _surfaces_of(part: list[ForecastSeal]) -> dict[int, list[RiskSurface]]:
    found: dict[int, list[RiskSurface]] = defaultdict(list)
    runs = [seal.run_id for seal in part if seal.run_id]
    rows = RiskSurface.objects.filter(run__in=runs).select_related("model_version")
    for row in rows.defer("model_version__summary"):
        found[row.run_id].append(row)
    return found


def _newest_of_runs(part: list[ForecastSeal]) -> dict[int, int]:
    """The last seal of each run: one that was killed after sealing and done again has the later one's surfaces."""
    runs = [seal.run_id for seal in part if seal.run_id]
    rows = (
        ForecastSeal.objects.filter(run__in=runs).order_by().values_list("run").annotate(last=Max("number"))
    )
    return dict(rows)


def _name(seal: ForecastSeal) -> str:
    return f"Seal {seal.number} ({seal.shift} {seal.on:%Y-%m-%d})"


def _wrong(seal: ForecastSeal, before: ForecastSeal | None) -> Iterator[str]:
    number = before.number + 1 if before else 1
    if seal.number != number:
        gone = (
            f"seal {number} is" if seal.number == number + 1 else f"seals {number} to {seal.number - 1} are"
        )
        yield f"Before {_name(seal)}: {gone} missing."
    if fingerprint(seal.statement) != seal.hash:
        yield f"{_name(seal)}: its statement was changed, it does not give its hash."
    elif names := columns_differ(seal):
        yield f"{_name(seal)}: {', '.join(names)} differ from what was sealed."
    if seal.number == number and seal.previous != (before.hash if before else ""):
        yield f"{_name(seal)}: it does not follow the seal before it; one of them was changed or moved."
    if before and seal.sealed_at < before.sealed_at:
        yield f"{_name(seal)}: it was sealed before the seal that it follows."


def _ends(
    record: LiveRecord | None, last: ForecastSeal | None, published: tuple[int, str] | None
) -> Iterator[str]:
    counted, head = (record.n_seals, record.head) if record else (0, "")
    reached, digest = (last.number, last.hash) if last else (0, "")
    if counted > reached:
        yield f"The chain ends with seal {reached}; {counted} were made: the last ones are missing."
    elif (counted, head) != (reached, digest):
        yield f"The chain ends with seal {reached} and not where the record says that it ends."
    if published and published[0] > reached:
        yield f"Seal {published[0]} was published, and the chain ends with seal {reached}."


def _unsealed(agency: Agency, first_at: dt.datetime) -> Iterator[str]:
    """Whoever takes the last seals out and mends the record leaves forecasts without a seal."""
    runs = ForecastRun.objects.filter(
        agency=agency, status=RunStatus.SUCCEEDED, finished_at__gt=first_at, seals__isnull=True
    )
    for run in runs.select_related("shift").order_by("pk")[:20]:
        yield f"Forecast {run.pk} ({run}) is finished and has no seal."


def _odd_scores(agency: Agency) -> Iterator[str]:
    allowed = (ForecastSeal.State.SCORED, ForecastSeal.State.FINAL)
    rows = LiveScore.objects.filter(agency=agency).exclude(seal__state__in=allowed, seal__is_late=False)
    for score in rows.select_related("seal", "shift", "crime_type")[:20]:
        yield f"The score of {score}: seal {score.seal.number} is “{score.seal.get_state_display()}” and has none."
