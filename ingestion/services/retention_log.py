"""What retention did, in the agency's audit log."""

from collections.abc import Mapping
from typing import Any

from agencies.models import Agency
from agencies.services import audit_record
from ingestion.services.retention_kinds import retention_kind


def retention_record(
    *, agency: Agency, kind: str, counts: Mapping[str, int], delete_after_days: int | None, coarsen_after_days: int | None,
    **more: Any,
) -> None:  # fmt: skip
    """Write how many rows were deleted or made coarse, and under which rule. Inside the transaction that makes it true."""
    audit_record(
        agency=agency,
        actor=None,
        action="retention.done",
        subject=f"{retention_kind(kind).label}: "
        + ", ".join(f"{number:,} {action}" for action, number in sorted(counts.items())),
        detail={
            "kind": kind,
            **counts,
            "delete_after_days": delete_after_days,
            "coarsen_after_days": coarsen_after_days,
            **more,
        },
    )
