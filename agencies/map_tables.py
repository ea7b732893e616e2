"""Tables of what maps show, in every room alike: a hundred rows a page, of one beat or of all."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
from django.core.paginator import Paginator
from django.http import Http404, QueryDict
from django.utils.translation import gettext as _

from agencies.models import Agency, Beat

PAGE_ROWS = 100
FILTERS = ("beat", "district", "page")


def beat_codes(agency: Agency) -> list[str]:
    """Return the codes of the agency's beats, in order. One query."""
    return list(Beat.objects.filter(agency=agency).order_by("code").values_list("code", flat=True))


def of_beat(rows: Sequence[Any], query: QueryDict, codes: Sequence[str]) -> Sequence[Any]:
    """Return the rows whose ``beat`` is the one asked for, all where none is. No query. Raises ``Http404`` for a beat that is none of ``codes``."""
    beat = query.get("beat", "")
    if not beat:
        return rows
    if beat not in codes:
        raise Http404(_("No such beat. Choose one of the list."))
    return [row for row in rows if row.beat == beat]


def paged(
    rows: Sequence[Any] | npt.NDArray[Any], query: QueryDict, codes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return one page of the rows and what the templates ``_table_filter.html`` and ``_table_pages.html`` need. No query.

    A page beyond the last is the last, one that is no number the first. ``asked`` are further fields of the question, which
    another beat or page must not lose; ``tail`` is the question without its page, to stand before ``page=2``.
    """
    rest = query.copy()
    rest.pop("page", None)
    return {
        "page": Paginator(rows, PAGE_ROWS).get_page(query.get("page")),
        "codes": codes,
        "beat": query.get("beat", ""),
        "district": query.get("district", ""),
        "asked": [(name, value) for name, values in query.lists() for value in values if name not in FILTERS],
        "tail": f"{rest.urlencode()}&" if rest else "",
    }
