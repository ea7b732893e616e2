"""A layer of an ArcGIS FeatureServer or MapServer, as county and city GIS offices publish them."""

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.privacy import screen_columns
from ingestion.sources.base import Page, SourceError, parameter, register
from ingestion.sources.json_rows import cell, check_column_name, parsed_json, sample_table
from missions_project.lib.http import Fetched, Fetcher, TryAgain
from missions_project.lib.lazy import gettext_lazy

GEOMETRY = {"geo.longitude": "x", "geo.latitude": "y"}
"""The columns that stand for the point's longitude and latitude (WGS84)."""
_LAYER = re.compile(r"https?://.+/(?:FeatureServer|MapServer)/\d+", re.IGNORECASE)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LATER = {"429", "500", "502", "503", "504"}
_KEY_WANTED = {"498", "499", "403"}


@dataclass(frozen=True)
class ArcGisParameters:
    """What an administrator sets for an ArcGIS feed."""

    url: str = parameter(
        "",
        label=gettext_lazy("Layer"),
        help=gettext_lazy("The layer's address, which ends in FeatureServer/0 or MapServer/3."),
        required=True,
    )
    token: str = parameter(
        "", label=gettext_lazy("Token"), help=gettext_lazy("Only for layers that want one."), secret=True
    )
    updated_column: str = parameter(
        "",
        label=gettext_lazy("Column of the last change"),
        help=gettext_lazy(
            "A date column by which only new and changed rows are asked for. Empty: the layer's own edit date if it "
            "keeps one; without any, each pull reads the whole layer."
        ),
    )
    since_column: str = parameter(
        "",
        label=gettext_lazy("Date column for “From day”"),
        help=gettext_lazy("Empty: the column that is mapped as occurred (from)."),
    )
    since: str = parameter(
        "",
        label=gettext_lazy("From day"),
        help=gettext_lazy("YYYY-MM-DD: rows that occurred earlier are not asked for. Empty: all."),
    )
    where: str = parameter(
        "",
        label=gettext_lazy("Only rows where"),
        help=gettext_lazy("An SQL condition, e.g. BEAT = '12'. Empty: all."),
    )
    page_rows: int = parameter(
        2_000,
        label=gettext_lazy("Rows a page"),
        help=gettext_lazy("The server's own limit counts too (usually 1,000 or 2,000)."),
        minimum=1,
    )
    overlap_minutes: int = parameter(
        60,
        label=gettext_lazy("Overlap (minutes)"),
        help=gettext_lazy("Each pull asks again for what changed shortly before the last one."),
        minimum=0,
    )


@dataclass(frozen=True)
class _Layer:
    """What the layer says about itself."""

    key: str
    fields: tuple[str, ...]
    max_rows: int
    edited: str
    can_order: bool
    is_points: bool


@register
class ArcGis:
    """Pages by object id: "the next so many after the last one", which no insertion elsewhere can shift.

    The cursor holds ``after`` (the last object id of this pull), ``since`` and ``newest`` (epoch milliseconds of the
    column of the last change). A server that cannot order rows is asked for its list of ids first.
    """

    kind: ClassVar[str] = "arcgis"
    label: ClassVar[str] = gettext_lazy("ArcGIS layer")
    help: ClassVar[str] = gettext_lazy("A layer of an ArcGIS FeatureServer or MapServer.")
    Parameters: ClassVar[type] = ArcGisParameters

    def __init__(self, parameters: ArcGisParameters | None = None) -> None:
        self.parameters = parameters or ArcGisParameters()
        if self.parameters.url and not _LAYER.fullmatch(self.parameters.url.rstrip("/")):
            raise SourceError(
                _("The address is not that of a layer."),
                _("Enter the one that ends in FeatureServer/ and a number, without a question mark."),
            )
        if self.parameters.since and not _DAY.fullmatch(self.parameters.since):
            raise SourceError(
                _("%(since)s is no day.") % {"since": repr(self.parameters.since)},
                _("Write it as YYYY-MM-DD."),
            )

    def where(self) -> str:
        return self.parameters.url.partition("://")[2]

    def pages(
        self, mapping: FeedMapping, cursor: Mapping[str, Any], fetcher: Fetcher, now: datetime
    ) -> Generator[Page, None, None]:
        layer = self._describe(fetcher)
        columns = mapping.column_names
        missing = [name for name in columns if name not in layer.fields and name not in GEOMETRY]
        if missing:
            raise SourceError(
                _("The layer no longer has the columns %(missing)s. It has: %(fields)s.")
                % {"missing": ", ".join(missing), "fields": ", ".join(layer.fields)},
                _("Mend the feed's mapping."),
                column=missing[0],
            )
        state: dict[str, Any] = {"after": None, "since": None, "newest": None, **cursor}
        size = min(self.parameters.page_rows, layer.max_rows)
        ids = None if layer.can_order else self._ids(fetcher, layer, mapping, state)
        while True:
            bound = None
            if ids is not None:
                wave, ids = ids[:size], ids[size:]
                if not wave:
                    yield Page(cursor=self._next(state))
                    return
                bound = wave[-1]
            rows, more = self._query(
                fetcher, layer, columns, self._conditions(layer, mapping, state, bound), size
            )
            if rows and state["after"] is not None and int(rows[-1][0][layer.key]) <= state["after"]:
                raise SourceError(
                    _(
                        "The server sends the same rows again and again: it does not understand how pages are asked for."
                    ),
                    _("Use the layer's CSV download with the kind “CSV from an address”."),
                )
            for attributes, __ in rows:
                state["after"] = max(state["after"] or 0, int(attributes[layer.key]))
                changed = attributes.get(layer.edited) if layer.edited else None
                if changed is not None and cell(changed).lstrip("-").isdigit():
                    state["newest"] = max(state["newest"] or 0, int(changed))
            if bound is not None:
                # The ids of a wave that were deleted meanwhile must not be asked for again and again.
                state["after"], more = bound, True
            yield Page(
                rows=[_texts(columns, attributes, geometry) for attributes, geometry in rows],
                cursor=dict(state) if more else self._next(state),
            )
            if not more:
                return

    def sample(self, rows: int, fetcher: Fetcher) -> tuple[tuple[str, ...], list[list[str]]]:
        layer = self._describe(fetcher)
        header = (*layer.fields, *(GEOMETRY if layer.is_points else ()))
        refused = {violation.column for violation in screen_columns(header)}
        asked = [name for name in header if name not in refused]
        found, _columns = self._query(fetcher, layer, asked, "1=1", min(rows, layer.max_rows))
        return sample_table(header, [_texts(header, attributes, geometry) for attributes, geometry in found])

    def _describe(self, fetcher: Fetcher) -> _Layer:
        data = self._ask(fetcher, "", {})
        fields = [f for f in data.get("fields") or [] if isinstance(f, dict) and f.get("name")]
        key = data.get("objectIdField") or next(
            (f["name"] for f in fields if f.get("type") == "esriFieldTypeOID"), ""
        )
        if not key:
            raise SourceError(
                _("The layer has no object ids, so its pages cannot be told apart."),
                _("Choose another layer, or its CSV download with the kind “CSV from an address”."),
            )
        abilities = data.get("advancedQueryCapabilities") or {}
        edited = (
            self.parameters.updated_column or (data.get("editFieldsInfo") or {}).get("editDateField") or ""
        )
        names = tuple(str(f["name"]) for f in fields)
        if edited and edited not in names:
            raise SourceError(
                _("The layer has no column %(edited)s for the last change.") % {"edited": repr(edited)},
                _("Correct it on the feed's page."),
            )
        return _Layer(
            key=check_column_name(str(key)),
            fields=names,
            max_rows=max(1, int(data.get("maxRecordCount") or 1_000)),
            edited=edited,
            can_order=bool(abilities.get("supportsOrderBy", True)),
            is_points=data.get("geometryType") == "esriGeometryPoint",
        )

    def _conditions(
        self, layer: _Layer, mapping: FeedMapping, state: Mapping[str, Any], bound: int | None
    ) -> str:
        parts = [f"({self.parameters.where})"] if self.parameters.where.strip() else []
        if self.parameters.since:
            day = self.parameters.since_column or mapping.columns["occurred_from"]
            parts.append(f"{check_column_name(day)} >= TIMESTAMP '{self.parameters.since} 00:00:00'")
        if layer.edited and state["since"] is not None:
            moment = datetime.fromtimestamp(int(state["since"]) / 1000, UTC)
            parts.append(f"{check_column_name(layer.edited)} >= TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S}'")
        if state["after"] is not None:
            parts.append(f"{layer.key} > {int(state['after'])}")
        if bound is not None:
            parts.append(f"{layer.key} <= {bound}")
        return " AND ".join(parts) or "1=1"

    def _ids(
        self, fetcher: Fetcher, layer: _Layer, mapping: FeedMapping, state: Mapping[str, Any]
    ) -> list[int]:
        where = self._conditions(layer, mapping, state, None)
        data = self._ask(fetcher, "/query", {"where": where, "returnIdsOnly": "true"})
        return sorted(int(number) for number in data.get("objectIds") or [])

    def _query(
        self, fetcher: Fetcher, layer: _Layer, columns: Sequence[str], where: str, size: int
    ) -> tuple[list[tuple[dict[str, Any], Any]], bool]:
        """Attributes and geometry of the rows, and whether there are more."""
        wanted = [name for name in dict.fromkeys((layer.key, layer.edited, *columns)) if name in layer.fields]
        query = {
            "where": where,
            "outFields": ",".join(wanted),
            "outSR": "4326",
            "resultRecordCount": str(size),
        }
        query["returnGeometry"] = "true" if GEOMETRY.keys() & set(columns) else "false"
        if layer.can_order:
            query["orderByFields"] = f"{layer.key} ASC"
        data = self._ask(fetcher, "/query", query)
        features = data.get("features")
        if not isinstance(features, list):
            raise SourceError(
                _("The layer answered with JSON that holds no features."), _("check the layer's address.")
            )
        rows = [(f.get("attributes") or {}, f.get("geometry")) for f in features if isinstance(f, dict)]
        if any(layer.key not in attributes for attributes, _ in rows):
            raise SourceError(
                _("The layer sends rows without %(key)s, so its pages cannot be told apart.")
                % {"key": layer.key},
                _("try again later."),
            )
        # Some servers forget the flag; a full page may always have a successor.
        return rows, bool(rows) and (bool(data.get("exceededTransferLimit")) or len(rows) >= size)

    def _next(self, state: Mapping[str, Any]) -> dict[str, Any]:
        if state["newest"] is None:
            return {"since": state["since"]}
        overlap = timedelta(minutes=self.parameters.overlap_minutes) / timedelta(milliseconds=1)
        return {"since": int(state["newest"] - overlap)}

    def _ask(self, fetcher: Fetcher, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """POST, so that the token stands in no server's access log; errors come with status 200 and are read here."""
        url = self.parameters.url.rstrip("/") + path
        form = {**query, "f": "json"}
        if self.parameters.token:
            form["token"] = self.parameters.token
        found: dict[str, Any] = {}

        def check(fetched: Fetched) -> None:
            data = parsed_json(fetched, url)
            if not isinstance(data, dict):
                raise SourceError(
                    _("The server answered with JSON that is no layer."), _("check the layer's address.")
                )
            error = data.get("error")
            if isinstance(error, dict):
                self._refused(error)
            found.clear()
            found.update(data)

        fetcher.get(url, form=form, check=check)
        return found

    def _refused(self, error: Mapping[str, Any]) -> None:
        code = cell(error.get("code"))
        words = " ".join([cell(error.get("message")), *map(cell, error.get("details") or [])]).strip()
        if self.parameters.token:
            words = words.replace(self.parameters.token, "…")
        if code in _LATER:
            raise TryAgain(_("the server answered 200, but with the error %(code)s") % {"code": code})
        if code in _KEY_WANTED:
            raise SourceError(
                _("The server wants a (new) token (%(code)s).") % {"code": code},
                _("Make one in the portal and enter it on the feed's page."),
            )
        raise SourceError(
            _("The server does not accept the query (%(code)s): %(words)s")
            % {"code": code, "words": words[:300]},
            _("Check the feed's condition and the names of its columns."),
        )


def _texts(columns: Sequence[str], attributes: Mapping[str, Any], geometry: Any) -> list[str]:
    place = geometry if isinstance(geometry, Mapping) else {}
    # An empty point comes as "NaN", which is no text of a coordinate.
    return [
        _number(place.get(GEOMETRY[name])) if name in GEOMETRY else cell(attributes.get(name))
        for name in columns
    ]


def _number(value: Any) -> str:
    text = cell(value)
    return "" if text.lower() == "nan" else text


def service_layers(url: str, fetcher: Fetcher) -> dict[str, int]:
    """The layers of a map service by name, for servers that add one each year under a new number."""
    found: dict[str, int] = {}

    def check(fetched: Fetched) -> None:
        data = parsed_json(fetched, url)
        layers = data.get("layers") if isinstance(data, dict) else None
        if not isinstance(layers, list):
            raise SourceError(_("The map service lists no layers."), _("check its address in a browser."))
        found.update(
            {str(layer["name"]): int(layer["id"]) for layer in layers if "name" in layer and "id" in layer}
        )

    fetcher.get(url, query={"f": "json"}, check=check)
    return found
