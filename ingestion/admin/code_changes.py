"""What another meaning of a code would do: to rows that wait, and to rows that are stored."""

from django.db.models import Count
from django.utils.translation import gettext as _

from agencies import previews
from agencies.dashboards import Cell, Panel
from agencies.models import Agency
from ingestion.models import Incident, OffenceCode
from ingestion.selectors import unmapped_codes


def meaning(code: OffenceCode | None) -> str:
    """What rows with the code become, in words."""
    if code is None:
        return _("kept aside as unmapped")
    if code.is_ignored:
        return _("counted as refused, not stored")
    return (
        _("stored as %(crime_type)s") % {"crime_type": code.crime_type}
        if code.crime_type
        else _("kept aside as unmapped")
    )


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
        [
            Cell(_("Rows of coming imports")),
            Cell("", number=True),
            Cell(meaning(before)),
            Cell(meaning(after)),
        ],
        [
            Cell(_("Rows that wait for a mapping")),
            Cell(f"{waiting:,}", number=True),
            Cell(_("kept aside")),
            Cell(
                _("%(meaning)s, once they are read again") % {"meaning": meaning(after)} if waiting else "–"
            ),
        ],
    ]
    for name, number in stored:
        rows.append(
            [
                Cell(_("Stored incidents: %(name)s") % {"name": name or "no type"}),
                Cell(f"{number:,}", number=True),
                Cell(_("stored as %(name)s") % {"name": name}),
                Cell(_("stay as they are until their rows come again")),
            ]
        )
    return [
        Panel(_("Rows with this code"), (_("Rows"), _("Number"), _("Now"), _("With this form")), rows, "")
    ]


previews.register(OffenceCode, code_panels, order=20)
