"""Check an exported audit log without the product: Python alone, no network, no access to the database.

    python3 verify_audit_export.py audit-log.jsonl [EARLIER.jsonl …]

Every row's fingerprint is taken anew and compared; in a file without gaps each row must stand on the one before. Earlier exports
of the same agency must hold the same rows. Ends with 1 where something does not fit.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIELDS = (
    "chain",
    "sequence",
    "previous",
    "at",
    "actor",
    "actor_name",
    "action",
    "subject",
    "why",
    "model",
    "row",
)


def plain(value: Any) -> Any:
    """A value in the one spelling that is hashed: 1000.0 and 1000 are one number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def fingerprint(row: dict[str, Any]) -> str:
    """SHA-256 of the row's fields as JSON with sorted keys, 64 hexadecimal digits."""
    fields = {"v": 1, **{name: row[name] for name in FIELDS}, "detail": plain(row["detail"])}
    return hashlib.sha256(
        json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    ).hexdigest()


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the file says of itself (nothing, where an earlier version's command wrote it) and its rows."""
    # Not splitlines: a text may hold other characters that count as line ends.
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    return (lines[0], lines[1:]) if lines and "about" in lines[0] else ({"whole": True}, lines)


def problems(head: dict[str, Any], rows: list[dict[str, Any]]) -> Iterator[str]:
    """Everything that does not fit within one file."""
    before: dict[str, Any] | None = None
    for row in rows:
        if fingerprint(row) != row["hash"]:
            yield f"row {row['sequence']} was changed: its fingerprint does not fit."
        if before is not None and head.get("whole"):
            if row["sequence"] != before["sequence"] + 1:
                yield f"between row {before['sequence']} and row {row['sequence']} rows are missing."
            elif row["previous"] != before["hash"]:
                yield f"row {row['sequence']} does not stand on row {before['sequence']}."
        before = row
    end = head.get("end") or {}
    if before is not None and end and before["sequence"] == end["sequence"] and before["hash"] != end["hash"]:
        yield f"row {before['sequence']} is not the one that the chain ended with."


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__)
        return 2
    seen: dict[tuple[str, int], tuple[str, str]] = {}
    wrong = 0
    for name in arguments:
        head, rows = read(Path(name))
        found = list(problems(head, rows))
        for row in rows:
            digest, where = seen.setdefault((row["chain"], row["sequence"]), (row["hash"], name))
            if digest != row["hash"]:
                found.append(f"row {row['sequence']} is another one than in {where}.")
        for text in found:
            print(f"{name}: {text}")
        wrong += len(found)
        last = rows[-1] if rows else None
        print(
            f"{name}: {len(rows):,} rows, {len(found):,} findings"
            + (f"; the last is {last['sequence']} {last['hash']}" if last else "")
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
