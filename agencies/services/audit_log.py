"""Checking the audit log, retiring its oldest rows, and handing it to auditors."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from django.db import connection, transaction
from django.db.models import Max, Min, QuerySet
from django.utils.translation import gettext as _

from agencies.audit_guards import guards_missing
from agencies.engine.audit_chain import START, Finding, Mark, Row, findings
from agencies.models import Agency, AuditChain, AuditCheckpoint, AuditEvent
from agencies.models_audit import CHECKPOINT_SEAL, HEAD_SEAL, INSTALLATION, ROW_SEAL, chain_locked, chain_of
from missions_project.lib.errors import MissionsError
from missions_project.lib.exports import NO_MODEL, About, csv_lines
from missions_project.lib.progress import Progress, no_progress
from missions_project.lib.seals import seal, seal_problem

BLOCK_ROWS = 2_000
COLUMNS = (
    *("chain", "sequence", "at", "actor", "actor_name", "action", "subject", "why", "model", "row", "detail"),
    *("previous", "hash", "seal"),
)


@dataclass(frozen=True)
class ChainReport:
    """What was found in one chain: its rows, those retired before, where it ends, and everything that is wrong."""

    chain: str
    rows: int
    retired: int
    head: Mark
    problems: tuple[str, ...]


def audit_verify(*, agency: Agency | None = None, progress: Progress = no_progress) -> list[ChainReport]:
    """Walk every chain, or one agency's, and say what was changed, removed, moved or added. Changes nothing.

    One snapshot of each chain: rows that are written meanwhile are left for the next time.
    """
    if agency is not None:
        return [_verify(chain_of(agency.pk), agency.slug, progress)]
    keys = set(AuditChain.objects.values_list("key", flat=True))
    # A chain whose end was deleted must not pass for one that never was.
    keys |= set(AuditEvent.objects.order_by().values_list("chain", flat=True).distinct())
    keys |= set(AuditCheckpoint.objects.order_by().values_list("chain", flat=True).distinct())
    slugs = {chain_of(pk): slug for pk, slug in Agency.objects.values_list("pk", "slug")}
    return [_verify(key, slugs.get(key, key), progress) for key in sorted(keys, key=_as_made)]


def _as_made(key: str) -> tuple[bool, int, str]:
    """Sorts agencies as they were made ("agency:9" before "agency:10"), and the installation's own chain last."""
    return key == INSTALLATION, len(key), key


def _verify(key: str, label: str, progress: Progress) -> ChainReport:
    problems: list[str] = []
    chain = AuditChain.objects.filter(key=key).first()
    checkpoints = list(AuditCheckpoint.objects.filter(chain=key).order_by("sequence"))
    rows = AuditEvent.objects.filter(chain=key).order_by("sequence")
    if chain is None:
        chain = AuditChain(key=key)
        if checkpoints or rows.exists():
            problems.append("the record of where it ends is missing.")
    elif chain.length and (wrong := seal_problem(HEAD_SEAL, chain.sealed_text(), chain.seal)):
        problems.append(f"the record of where it ends was not written here: {wrong}.")
    for stub in checkpoints:
        if wrong := seal_problem(CHECKPOINT_SEAL, stub.sealed_text(), stub.seal):
            problems.append(f"the checkpoint at row {stub.sequence} was not written here: {wrong}.")
    start = Mark(checkpoints[-1].sequence, checkpoints[-1].hash) if checkpoints else Mark(0, START)
    seen = 0

    def counted() -> Iterator[Row]:
        nonlocal seen
        # A row that an interrupted retirement left under its checkpoint is still there, and nothing is wrong with it.
        for event in rows.filter(sequence__gt=start.sequence).iterator(chunk_size=BLOCK_ROWS):
            seen += 1
            if seen % BLOCK_ROWS == 0:
                progress(seen, chain.length - start.sequence, f"Audit log of {label}")
            if (
                event.sequence > chain.length
                and AuditChain.objects.filter(key=key, length__gte=event.sequence).exists()
            ):
                return
            yield event.as_row()
            problems.extend(_links(event))

    head = Mark(chain.length, chain.head, chain.seal)
    found = findings(
        counted(),
        start=start,
        head=head,
        fits=lambda digest, sealed: seal_problem(ROW_SEAL, digest.encode(), sealed),
    )
    problems.extend(finding.text for finding in sorted(found, key=_by_place))
    return ChainReport(key, seen, start.sequence, head, tuple(problems))


def _by_place(finding: Finding) -> int:
    return finding.sequence


def _links(event: AuditEvent) -> Iterator[str]:
    """What the fingerprint does not cover: the links by which pages find the row and its person."""
    if event.actor_id not in (None, event.actor_number):
        yield f"row {event.sequence} was given another person."
    if chain_of(event.agency_id) != event.chain:
        yield f"row {event.sequence} was given to another agency."


def audit_retire(*, events: QuerySet[AuditEvent], why: str) -> int:
    """Delete the oldest rows of one chain and leave a sealed checkpoint on which the next row stands. Returns their number.

    Raises ``MissionsError`` where the rows are not exactly the chain's beginning: a hole could not be told from tampering.
    """
    with transaction.atomic():
        span = events.order_by().aggregate(
            first=Min("sequence"), last=Max("sequence"), oldest=Min("at"), newest=Max("at")
        )
        if span["last"] is None:
            return 0
        keys = set(events.order_by().values_list("chain", flat=True).distinct())
        key = keys.pop()
        chain_locked(key)
        before = AuditCheckpoint.objects.filter(chain=key).aggregate(last=Max("sequence"))["last"] or 0
        number = events.count()
        if keys or span["first"] != before + 1 or number != span["last"] - before:
            raise MissionsError(
                _("These audit rows are not the oldest of one agency; nothing was deleted."),
                next_step=_("run `manage.py verify_audit_log`, which says what is missing."),
            )
        stub = AuditCheckpoint(
            chain=key, sequence=span["last"], rows=number, oldest_at=span["oldest"], newest_at=span["newest"],
            hash=AuditEvent.objects.get(chain=key, sequence=span["last"]).hash, why=why[:200],
        )  # fmt: skip
        stub.seal = seal(CHECKPOINT_SEAL, stub.sealed_text())
        stub.full_clean()
        stub.save()
        events.delete()
    return number


def audit_rows(
    *, agency: Agency | None, since: datetime | None = None, until: datetime | None = None
) -> QuerySet[AuditEvent]:
    """The rows of one agency (``None``: of the installation itself) in the order in which they were written.

    Of a time: everything from its first row to its last, without a gap, so that each row can be checked against the one before.
    Lazy, but for one query where a time is asked for.
    """
    rows = AuditEvent.objects.filter(chain=chain_of(agency.pk if agency else None)).order_by("sequence")
    if since is None and until is None:
        return rows
    within = rows.order_by()
    if since is not None:
        within = within.filter(at__gte=since)
    if until is not None:
        within = within.filter(at__lt=until)
    span = within.aggregate(first=Min("sequence"), last=Max("sequence"))
    if span["last"] is None:
        return rows.none()
    return rows.filter(sequence__gte=span["first"], sequence__lte=span["last"])


def audit_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """The rows as JSON lines, with everything of which their fingerprints are taken: an auditor needs no access to check them."""
    for event in events.iterator(chunk_size=BLOCK_ROWS):
        yield json.dumps(_exported(event.as_row()), ensure_ascii=False, sort_keys=True) + "\n"


def audit_table(events: QuerySet[AuditEvent]) -> Iterator[list[Any]]:
    """The rows in the order of ``COLUMNS``, for a table."""
    for event in events.iterator(chunk_size=BLOCK_ROWS):
        told = _exported(event.as_row())
        told["detail"] = json.dumps(told["detail"], ensure_ascii=False, sort_keys=True)
        yield [told[name] for name in COLUMNS]


def audit_about(*, agency: Agency | None, asked: str, taken_by: object, is_whole: bool) -> About:
    """What a file of the log says of itself. ``is_whole``: no row between its first and its last is left out. No query."""
    checks = (
        _("No row between the first and the last is left out: each can be checked against the one before")
        if is_whole
        else _("Only the rows asked for: each can be checked by itself, not against the one before")
    )
    return About(
        what=_("Audit log"),
        agency=agency.name if agency else _("the installation itself, no agency"),
        asked=asked,
        zone="UTC",
        model=NO_MODEL,
        more=(_("Downloaded by %(user)s") % {"user": taken_by}, checks),
    )


def audit_head(*, agency: Agency | None, about: About, is_whole: bool) -> str:
    """The first of the JSON lines: what the file is, and where the log ended while it was made. One query.

    The end, kept elsewhere, shows later that nothing was cut off.
    """
    chain = AuditChain.objects.filter(key=chain_of(agency.pk if agency else None)).first()
    end = {"sequence": chain.length, "hash": chain.head, "seal": chain.seal} if chain else {}
    return json.dumps({"about": about.facts, "whole": is_whole, "end": end}, ensure_ascii=False) + "\n"


def audit_csv(events: QuerySet[AuditEvent], to: TextIO, *, about: Sequence[str] = ()) -> int:
    """Write the rows as CSV, what it is before them, and return their number.

    Texts that a spreadsheet would run are defused; check the JSON lines instead.
    """
    number = 0

    def counted() -> Iterator[list[Any]]:
        nonlocal number
        for row in audit_table(events):
            number += 1
            yield row

    to.writelines(csv_lines(about, COLUMNS, counted()))
    return number


def _exported(row: Row) -> dict[str, Any]:
    return asdict(row) | {"at": row.at.astimezone(UTC).isoformat(timespec="microseconds")}


def audit_guard_problems() -> list[str]:
    """What lets the database change audit rows although it should not."""
    return [f"the database's guard {name} is missing." for name in guards_missing(connection)]


Work = Callable[[Sequence[int]], int]


def audit_retirement(why: str) -> Work:
    """What the retention job calls with the numbers of the rows to retire."""
    return lambda keys: audit_retire(events=AuditEvent.objects.filter(pk__in=keys), why=why)


def retire_with_agency(sender: Any, instance: Agency, **kwargs: Any) -> None:
    """Receiver of ``pre_delete``: an agency's log goes with it, and leaves a stub that says how much it was."""
    events = AuditEvent.objects.filter(chain=chain_of(instance.pk))
    audit_retire(events=events, why="The agency was deleted.")


def audit_known_problems(lines: Sequence[str]) -> list[str]:
    """What differs from the ends that an earlier check printed ("agency:3 812 9f86d0…"). Two queries a line."""
    problems = []
    for line in lines:
        key, place, digest = [*line.split(), "", "", ""][:3]
        if not place.isdecimal() or len(digest) != len(START) or int(place) == 0:
            continue
        event = AuditEvent.objects.filter(chain=key, sequence=int(place)).first()
        if event is not None and event.hash != digest:
            problems.append(f"{key}: row {place} is not the one that was there when the earlier check ran.")
        elif (
            event is None and not AuditCheckpoint.objects.filter(chain=key, sequence__gte=int(place)).exists()
        ):
            problems.append(f"{key}: row {place} was there when the earlier check ran, and is not now.")
    return problems
