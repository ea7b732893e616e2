"""The audit log as a chain: each row carries a fingerprint of itself and of the row before, so that no row can be changed,
taken out or moved without the next one telling.

No Django, no clock, no keys: rows in, findings out. ``fits`` is handed in to say whether a seal is this installation's.

Notes
-----
A hash chain in the manner of S. Haber and W. S. Stornetta, "How to time-stamp a digital document", Journal of Cryptology 3
(1991); its last link is kept apart (the head), since a chain alone cannot tell that its end was cut off.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

VERSION = 1
START = "0" * 64
"""What the first row of a chain stands on."""
MAX_MOVED = 200
"""Among so many damaged rows it is tried whether they only changed places."""


@dataclass(frozen=True)
class Row:
    """One row as it is stored. ``at`` is aware; ``hash``, ``previous`` and ``seal`` are what the row claims."""

    chain: str
    sequence: int
    previous: str
    at: datetime
    actor: int | None
    actor_name: str
    action: str
    subject: str
    why: str
    model: str
    row: int | None
    detail: Any
    hash: str = ""
    seal: str = ""


@dataclass(frozen=True)
class Mark:
    """A place in a chain: after so many rows, this fingerprint. Heads and checkpoints are marks."""

    sequence: int
    hash: str
    seal: str = ""


@dataclass(frozen=True)
class Finding:
    """What is wrong, with the number of the row in its chain. ``kind``: changed, removed, moved, added, forged or head."""

    kind: str
    sequence: int
    text: str


def _plain(value: Any) -> Any:
    """A JSON value in the one spelling that every database gives back: 1000.0, 1e3 and 1000 are one number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def canonical(row: Row, *, sequence: int | None = None, previous: str | None = None) -> bytes:
    """The row's text of which the fingerprint is taken: JSON with sorted keys, times in UTC to the microsecond."""
    fields = {
        "v": VERSION,
        "chain": row.chain,
        "sequence": row.sequence if sequence is None else sequence,
        "previous": row.previous if previous is None else previous,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": row.actor,
        "actor_name": row.actor_name,
        "action": row.action,
        "subject": row.subject,
        "why": row.why,
        "model": row.model,
        "row": row.row,
        "detail": _plain(row.detail),
    }
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def row_hash(row: Row) -> str:
    """The row's fingerprint, 64 hexadecimal digits.

    >>> row = Row("agency:1", 1, START, datetime(2026, 5, 1, tzinfo=UTC), 7, "ada", "x.changed", "X", "", "", None, {"n": 2.0})
    >>> row_hash(row)[:16]
    '061d96e2cf6d4165'
    """
    return hashlib.sha256(canonical(row)).hexdigest()


def findings(
    rows: Iterable[Row], *, start: Mark, head: Mark, fits: Callable[[str, str], str]
) -> Iterator[Finding]:
    """Walk one chain in the order of its numbers and say everything that is wrong with it; nothing where it is whole.

    ``start`` is the last checkpoint (0 and ``START`` where no row was ever retired), ``head`` where the chain should end.
    ``fits(hash, seal)`` returns what is wrong with a row's seal in words, or nothing. Constant memory but for damaged rows.
    """
    last = start
    damaged: list[Row] = []
    hashes: dict[int, str] = {}
    late: list[Finding] = []
    for row in rows:
        if row.sequence > last.sequence + 1:
            yield _removed(last.sequence + 1, row.sequence - 1)
        elif row.previous != last.hash:
            late.append(
                Finding("moved", row.sequence, f"row {row.sequence} does not follow row {last.sequence}.")
            )
        if row_hash(row) != row.hash:
            damaged.append(row)
        elif problem := fits(row.hash, row.seal):
            yield Finding("forged", row.sequence, f"row {row.sequence} was not written here: {problem}.")
        if row.sequence > head.sequence:
            yield Finding("added", row.sequence, f"row {row.sequence} lies behind the end of the chain.")
        if len(hashes) <= MAX_MOVED:
            hashes[row.sequence] = row.hash
        last = Mark(row.sequence, row.hash)
    told: set[int] = set()
    for row in damaged:
        told.add(row.sequence)
        was = _place(row, damaged) if len(damaged) <= MAX_MOVED else None
        if was is None:
            yield Finding("changed", row.sequence, f"row {row.sequence} was changed after it was written.")
        else:
            yield Finding("moved", row.sequence, f"row {row.sequence} was written as row {was}.")
    # Beside a row that is known to be damaged, a broken link says nothing new.
    yield from (found for found in late if not {found.sequence, found.sequence - 1} & told)
    if last.sequence < head.sequence:
        yield _removed(last.sequence + 1, head.sequence)
    elif last.sequence == head.sequence and last.hash != head.hash:
        yield Finding("head", head.sequence, f"row {head.sequence} is not the one that the chain ended with.")


def _removed(first: int, last: int) -> Finding:
    words = f"row {first} is" if first == last else f"rows {first} to {last} are"
    return Finding("removed", first, f"{words} missing.")


def _place(row: Row, damaged: list[Row]) -> int | None:
    """The number under which the row was written, where it now bears another damaged row's."""
    for other in damaged:
        if hashlib.sha256(canonical(row, sequence=other.sequence)).hexdigest() == row.hash:
            return other.sequence
    return None
