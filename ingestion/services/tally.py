"""The account of a run: every received row is in exactly one class, and the sum is checked before it is written."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ingestion.engine.records import NormalisedChunk, QuarantinedValue
from ingestion.services.facts import UpsertCounts

CLASSES = ("inserted", "updated", "unchanged", "quarantined", "refused")
# Codes are short, but a feed without codes is counted by its descriptions: their number has no limit.
MAX_CODES_A_RULE = 300
OTHER_CODES = "(others)"


class Tally:
    """Counts of one run, carried from chunk to chunk and, through the run row, from attempt to attempt."""

    def __init__(
        self,
        counts: dict[str, int] | None = None,
        refusals: dict[str, dict[str, int]] | None = None,
        rejections: dict[str, int] | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter(counts or {})
        self.rejections: Counter[str] = Counter(rejections or {})
        self.refusals: dict[str, Counter[str]] = {
            rule: Counter(codes) for rule, codes in (refusals or {}).items()
        }

    @property
    def received(self) -> int:
        return self.counts["received"]

    def add(self, chunk: NormalisedChunk, stored: UpsertCounts) -> None:
        """Account for one chunk. Raises ``RuntimeError`` if a row were lost or counted twice."""
        self.count(
            received=chunk.received,
            inserted=stored.inserted,
            updated=stored.updated,
            unchanged=stored.unchanged + len(chunk.superseded),
            quarantined=len(chunk.quarantined),
            refused=sum(chunk.refused.values()),
        )
        self.rejections.update(value.rejection.code for value in chunk.quarantined)
        for (rule, code), number in chunk.refused.items():
            self.refuse(rule, code, number)
        if self.received != sum(self.counts[name] for name in CLASSES):
            raise RuntimeError(
                f"A row was lost or counted twice: {dict(self.counts)}. Nothing of it was kept."
            )

    def count(self, **added: int) -> None:
        """Add to classes by name."""
        self.counts.update(added)

    def refuse(self, rule: str, code: str, number: int = 1) -> None:
        """Say by which rule and code rows were refused; they are counted by ``count``."""
        codes = self.refusals.setdefault(rule, Counter())
        codes[code if code in codes or len(codes) < MAX_CODES_A_RULE else OTHER_CODES] += number

    def add_rows(
        self,
        *,
        received: int,
        stored: UpsertCounts,
        quarantined: Sequence[QuarantinedValue] = (),
        refused: int = 0,
    ) -> None:
        """Account for rows that were not normalised as incidents. Raises ``RuntimeError`` as ``add`` does."""
        self.counts.update(
            received=received,
            inserted=stored.inserted,
            updated=stored.updated,
            unchanged=stored.unchanged,
            quarantined=len(quarantined),
            refused=refused,
        )
        self.rejections.update(value.rejection.code for value in quarantined)
        if self.received != sum(self.counts[name] for name in CLASSES):
            raise RuntimeError(
                f"A row was lost or counted twice: {dict(self.counts)}. Nothing of it was kept."
            )

    def fields(self) -> dict[str, Any]:
        """The account as fields of the run row; every class is named, also with 0."""
        return {
            "counts": {name: self.counts[name] for name in ("received", *CLASSES)},
            "refusals": {rule: dict(codes) for rule, codes in sorted(self.refusals.items())},
            "rejections": dict(sorted(self.rejections.items())),
        }
