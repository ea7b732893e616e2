"""What a pack is made of: sections of plain sentences, charts and tables, kept as JSON that gives the same hash for ever."""

import datetime as dt
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import override

from missions_project.lib.days import long_day, short_day
from tactics.reports.shapes import Cell, Column, Table

FORMAT = 3
"""Raised whenever a pack's JSON changes its form; packs of every earlier form still open.

2: ``language``, the one that the pack is written in; in 1 always English. 3: ``model``, the versions behind the period's missions.
"""


@dataclass(frozen=True)
class PackChart:
    """A bar chart of one column of a table. ``low`` and ``high`` name its interval's columns; ``even`` draws a line at 1."""

    slug: str
    title: str
    alt: str
    table: str
    label: str
    values: tuple[str, ...]
    low: str = ""
    high: str = ""
    even: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Section:
    """One question that a citizen asks, answered: sentences first, then charts, then the tables that they are drawn from."""

    slug: str
    title: str
    sentences: Sequence[str]
    tables: Sequence[Table] = ()
    charts: Sequence[PackChart] = field(default_factory=tuple)
    lists: Sequence[tuple[str, Sequence[str]]] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "slug": self.slug,
            "title": self.title,
            "sentences": list(self.sentences),
            "lists": [{"title": title, "items": list(items)} for title, items in self.lists],
            "charts": [
                {
                    "slug": c.slug, "title": c.title, "alt": c.alt, "table": c.table, "label": c.label, "values": list(c.values),
                    "low": c.low, "high": c.high, "even": c.even, "unit": c.unit,
                }
                for c in self.charts
            ],
            "tables": [_table_json(table) for table in self.tables],
        }  # fmt: skip


def _table_json(table: Table) -> dict[str, Any]:
    return {
        "slug": table.slug, "title": table.title, "note": table.note, "empty": table.empty,
        "columns": [
            {"key": c.key, "title": c.title, "kind": c.kind, "digits": c.digits} for c in table.columns
        ],
        "rows": [list(row) for row in table.rows],
    }  # fmt: skip


def table_from(stored: Mapping[str, Any]) -> Table:
    """A stored table, with its values as people read them (``shown``)."""
    columns = tuple(Column(c["key"], c["title"], c["kind"], digits=c["digits"]) for c in stored["columns"])
    rows: list[tuple[Cell, ...]] = [tuple(row) for row in stored["rows"]]
    return Table(stored["slug"], stored["title"], columns, rows, stored["note"], stored["empty"])


def written_in(content: Mapping[str, Any]) -> override:
    """While it lasts, everything said around a pack is in the pack's own language, whoever reads."""
    return override(content.get("language", "en"))


def period_shown(content: Mapping[str, Any]) -> dict[str, str]:
    """The pack's first and last day, for people; in the language that is spoken now."""
    return {name: long_day(dt.date.fromisoformat(content["period"][name])) for name in ("first", "last")}


def period_in_short(content: Mapping[str, Any]) -> str:
    """The same for the foot of a page."""
    days = (short_day(dt.date.fromisoformat(content["period"][name])) for name in ("first", "last"))
    return " – ".join(days)


def made_shown(content: Mapping[str, Any]) -> str:
    """When the pack was made, for people, by the agency's clock."""
    made = dt.datetime.fromisoformat(content["made_at"]).astimezone(ZoneInfo(content["agency"]["time_zone"]))
    return f"{long_day(made.date())}, {made:%H:%M}"


def model_shown(content: Mapping[str, Any]) -> str:
    """Which versions of models were behind the period's missions, as every file says it; packs of forms 1 and 2 did not keep it."""
    return _("Model: %(model)s") % {"model": content.get("model") or _("not kept with this pack")}


def plain(value: Any) -> Any:
    """The value as JSON holds it for ever: floats of six digits, never -0, NaN or infinity (these are None).

    >>> plain({"a": (0.1234567, float("nan"), -0.0)})
    {'a': [0.123457, None, 0.0]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bool) or value is None or isinstance(value, str | int):
        return value
    number = float(value)
    # PostgreSQL's numbers know no -0: read back, the pack would have another hash.
    return float(f"{number:.6g}") + 0.0 if math.isfinite(number) else None


def canonical(content: Mapping[str, Any]) -> bytes:
    """The one way in which a pack's content is written for its hash: UTF-8 JSON, keys sorted, no spaces."""
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content's canonical JSON, 64 hex digits.

    >>> content_hash({"b": 1, "a": "é"}) == content_hash({"a": "é", "b": 1})
    True
    """
    return hashlib.sha256(canonical(content)).hexdigest()
