"""What another meaning of a code would do: to rows that wait, and to rows that are stored."""

from django.db.models import Count

from agencies import previews
from agencies.dashboards import Cell, Panel
from agencies.models import Agency
from ingestion.models import Incident, OffenceCode
from ingestion.selectors import unmapped_codes


def meaning(code: OffenceCode | None) -> str:
    """What rows with the code become, in words."""
    if code is None:
        return "kept aside as unmapped"
    if code.is_ignored:
        return "counted as refused, not stored"
    return f"stored as {code.crime_type}" if code.crime_type else "kept aside as unmapped"


def code_panels(agency: Agency, before: OffenceCode | None, after: OffenceCode) -> list[Panel]:
    """Rows with the code: those to come, those that wait, those that are stored. Five queries."""
    waiting = sum(row.rows for row in unmapped_codes(after.feed) if row.code == after.code)
    stored = (
        Incident.objects.filter(agency=agency, feed=after.feed, code=after.code)
        .order_by()
        .values_list("crime_type__name")
        .annotate(n=Count("pk"))
    )
    rows = [
        [Cell("Rows of coming imports"), Cell("", number=True), Cell(meaning(before)), Cell(meaning(after))],
        [
            Cell("Rows that wait for a mapping"),
            Cell(f"{waiting:,}", number=True),
            Cell("kept aside"),
            Cell(f"{meaning(after)}, once they are read again" if waiting else "–"),
        ],
    ]
    for name, number in stored:
        rows.append(
            [
                Cell(f"Stored incidents: {name or 'no type'}"),
                Cell(f"{number:,}", number=True),
                Cell(f"stored as {name}"),
                Cell("stay as they are until their rows come again"),
            ]
        )
    return [Panel("Rows with this code", ("Rows", "Number", "Now", "With this form"), rows, "")]


previews.register(OffenceCode, code_panels, order=20)
