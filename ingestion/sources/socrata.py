"""A data set on a Socrata portal (data.cityofchicago.org and some hundred others), by its SODA 2.1 interface."""

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.privacy import screen_columns
from ingestion.sources.base import Page, SourceError, parameter, register
from ingestion.sources.json_rows import (
    cell,
    check_column_name,
    composed,
    looked_up,
    parsed_json,
    parts_of,
    sample_table,
)
from missions_project.lib.http import Fetched, Fetcher
from missions_project.lib.lazy import gettext_lazy

SMALLEST_CAP = 1_000
_DATASET = re.compile(r"[a-z0-9]{4}-[a-z0-9]{4}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_POINTS = {"point": ("coordinates.0", "coordinates.1"), "location": ("longitude", "latitude")}


@dataclass(frozen=True)
class SocrataParameters:
    """What an administrator sets for a Socrata feed."""

    domain: str = parameter(
        "",
        label=gettext_lazy("Portal"),
        help=gettext_lazy("Its host name, e.g. data.cityofchicago.org."),
        required=True,
    )
    dataset: str = parameter(
        "",
        label=gettext_lazy("Data set"),
        help=gettext_lazy("Its four-by-four identifier, e.g. ijzp-q8t2."),
        required=True,
    )
    app_token: str = parameter(
        "",
        label=gettext_lazy("App token"),
        help=gettext_lazy(
            "Free, from the portal's developer page. Without one the portal allows few requests."
        ),
        secret=True,
    )
    since: str = parameter(
        "",
        label=gettext_lazy("From day"),
        help=gettext_lazy("YYYY-MM-DD: rows that occurred earlier are not asked for. Empty: all."),
    )
    where: str = parameter(
        "",
        label=gettext_lazy("Only rows where"),
        help=gettext_lazy("A SoQL condition, e.g. beat = '0421'. Empty: all rows."),
    )
    page_rows: int = parameter(
        10_000, label=gettext_lazy("Rows a page"), help=gettext_lazy("Up to 50,000."), minimum=1
    )
    overlap_minutes: int = parameter(
        60,
        label=gettext_lazy("Overlap (minutes)"),
        help=gettext_lazy(
            "Each pull asks again for what changed shortly before the last one: portals publish with a delay."
        ),
        minimum=0,
    )


def base_url(domain: str) -> str:
    """The portal's address. A scheme of its own is kept: servers for trials have no certificate."""
    return domain.rstrip("/") if "://" in domain else f"https://{domain.strip('/ ')}"


@register
class Socrata:
    """Pages by row identifier; later pulls ask only for rows that were updated since.

    The cursor holds ``since`` (rows updated from then on), ``after`` (the last row identifier of this pull; none
    between two pulls), ``newest`` (the latest update seen) and ``began`` (the portal's clock at the first page).
    Row identifiers are ordered by the portal, not by their letters: only the last one seen leads on.
    """

    kind: ClassVar[str] = "socrata"
    label: ClassVar[str] = gettext_lazy("Socrata portal")
    help: ClassVar[str] = gettext_lazy("A data set on a city's Socrata portal.")
    Parameters: ClassVar[type] = SocrataParameters

    def __init__(self, parameters: SocrataParameters | None = None) -> None:
        self.parameters = parameters or SocrataParameters()
        if self.parameters.dataset and not _DATASET.fullmatch(self.parameters.dataset):
            raise SourceError(
                _("%(dataset)s is no data set identifier.") % {"dataset": repr(self.parameters.dataset)},
                _("Enter the four-by-four from the data set's address, e.g. ijzp-q8t2."),
            )
        if self.parameters.since and not _DAY.fullmatch(self.parameters.since):
            raise SourceError(
                _("%(since)s is no day.") % {"since": repr(self.parameters.since)},
                _("Write it as YYYY-MM-DD."),
            )

    def where(self) -> str:
        return f"{self.parameters.dataset} on {base_url(self.parameters.domain).partition('://')[2]}"

    def _url(self) -> str:
        return f"{base_url(self.parameters.domain)}/resource/{self.parameters.dataset}.json"

    def _headers(self) -> dict[str, str]:
        token = self.parameters.app_token
        return {"X-App-Token": token} if token else {}

    def pages(
        self, mapping: FeedMapping, cursor: Mapping[str, Any], fetcher: Fetcher, now: datetime
    ) -> Generator[Page, None, None]:
        columns = mapping.column_names
        parts = (part for name in columns for part in parts_of(name))
        asked = tuple(dict.fromkeys(check_column_name(part.partition(".")[0]) for part in parts))
        select = ",".join((":id", ":updated_at", *(name for name in asked if not name.startswith(":"))))
        state = {"since": "", "after": "", "newest": "", "began": "", **cursor}
        size = min(self.parameters.page_rows, 50_000)
        while True:
            where = self._conditions(mapping, state)
            query = {"$select": select, "$order": ":id", "$limit": str(size)}
            query |= {"$where": where} if where else {}
            fetched, rows = self._rows(fetcher, query)
            if rows and state["after"] and cell(rows[-1].get(":id")) == state["after"]:
                raise SourceError(
                    _(
                        "%(where)s sends the same page again and again: it does not understand how pages are asked for."
                    )
                    % {"where": self.where()},
                    _("Use its CSV export with the kind “CSV from an address”."),
                )
            if rows:
                state["newest"] = max(state["newest"], *(cell(row.get(":updated_at")) for row in rows))
                state["after"] = cell(rows[-1].get(":id"))
            state["began"] = state["began"] or _server_time(fetched, now)
            # Some portals cut a page at 1,000, 5,000 or 10,000 rows whatever was asked for: such a page is not the last.
            last = len(rows) < min(size, SMALLEST_CAP)
            if not last and not state["after"]:
                raise SourceError(
                    _("%(where)s gives its rows no identifiers, so its pages cannot be told apart.")
                    % {"where": self.where()},
                    _("Use its CSV export with the kind “CSV from an address”."),
                )
            yield Page(
                rows=[[composed(row, name) for name in columns] for row in rows],
                cursor=self._next(state) if last else dict(state),
            )
            if last:
                return

    def _rows(self, fetcher: Fetcher, query: Mapping[str, str]) -> tuple[Fetched, list[dict[str, Any]]]:
        found: list[Any] = []

        def check(fetched: Fetched) -> None:
            data = parsed_json(fetched, self._url())
            if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
                raise SourceError(
                    _("%(where)s answered with JSON that is no list of rows.") % {"where": self.where()},
                    _("check the portal's address."),
                )
            found[:] = data

        return fetcher.get(self._url(), query=query, headers=self._headers(), check=check), found

    def _conditions(self, mapping: FeedMapping, state: Mapping[str, str]) -> str:
        parts = [f"({self.parameters.where})"] if self.parameters.where.strip() else []
        if self.parameters.since:
            day = parts_of(mapping.columns["occurred_from"])[0]
            parts.append(f"{check_column_name(day)} >= '{self.parameters.since}T00:00:00'")
        for name, key in ((":updated_at >=", "since"), (":id >", "after")):
            if state[key]:
                # A quote in a row's identifier must not end the text that it stands in.
                parts.append(f"{name} '{state[key].replace(chr(39), chr(39) * 2)}'")
        return " AND ".join(parts)

    def _next(self, state: Mapping[str, str]) -> dict[str, str]:
        """Where the next pull begins. What was republished while this one ran is asked for again."""
        known = [text for text in (state["newest"], state["began"]) if text]
        if not state["newest"]:
            # Nothing new came: the clock alone would step over rows that are published late.
            return {"since": state["since"]}
        since = min(known, key=_instant)
        moment = _instant(since) - timedelta(minutes=self.parameters.overlap_minutes)
        return {"since": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")}

    def sample(self, rows: int, fetcher: Fetcher) -> tuple[tuple[str, ...], list[list[str]]]:
        """The first rows, of all columns but those about persons: of those only the names are asked for."""
        url = f"{base_url(self.parameters.domain)}/api/views/{self.parameters.dataset}.json"
        described: list[dict[str, Any]] = []

        def check(fetched: Fetched) -> None:
            data = parsed_json(fetched, url)
            described[:] = [
                c for c in looked_up(data, "columns") or [] if isinstance(c, dict) and c.get("fieldName")
            ]

        fetcher.get(url, headers=self._headers(), check=check)
        if not described:
            raise SourceError(
                _("%(where)s describes no columns.") % {"where": self.where()},
                _("Check that it is a table and not a map or chart."),
            )
        header: list[str] = []
        asked: list[str] = []
        for column in described:
            name, kind = str(column["fieldName"]), str(column.get("dataTypeName", "text"))
            if name.startswith(":@"):
                continue
            parts = _POINTS.get(kind)
            header += [f"{name}.{part}" for part in parts] if parts else [name]
            if not screen_columns([name]):
                asked.append(check_column_name(name))
        query = {"$select": ",".join(asked), "$limit": str(rows)}
        _columns, found = self._rows(fetcher, query)
        return sample_table(header, [[cell(looked_up(row, name)) for name in header] for row in found])


def _server_time(fetched: Fetched, now: datetime) -> str:
    """The portal's own clock: ours may be wrong, and a watermark from the future loses rows for ever."""
    try:
        moment = parsedate_to_datetime(fetched.headers.get("date", ""))
    except (TypeError, ValueError):
        moment = now
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _instant(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime(1970, 1, 2, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
