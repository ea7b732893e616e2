"""Files that leave the product: streamed, safe to open in a spreadsheet, each saying what it is."""

import datetime as dt
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from missions_project.lib.cells import PlainWriter, plain_cell

LINES_AT_ONCE = 500
NO_MODEL = gettext_noop("none; records as they are stored")
GEOJSON = "application/geo+json"
FACTS_HEADER = "X-Missions-Facts"
_FORMULA_IN_LINE = re.compile(r"([,;\t]\s*)(?=[=+\-@])")


@dataclass(frozen=True)
class About:
    """What every export says of itself: whose, of what, what was asked for, on which clock, by which models, made when."""

    what: str
    agency: str
    asked: str
    zone: str
    model: str
    more: tuple[str, ...] = ()
    made_at: dt.datetime = field(default_factory=timezone.now)

    @property
    def lines(self) -> list[str]:
        """One line each, for the head of a file."""
        return [
            f"{self.what}, {self.agency}",
            _("%(asked)s; times in %(zone)s") % {"asked": self.asked, "zone": self.zone},
            *self.more,
            _("Model: %(model)s") % {"model": _(self.model)},
            _("Generated at %(made_at)s")
            % {"made_at": f"{self.made_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"},
        ]

    @property
    def facts(self) -> dict[str, Any]:
        """The same for machines: the ``about`` of a GeoJSON or JSON file."""
        return {
            "what": self.what,
            "agency": self.agency,
            "filters": self.asked,
            "time_zone": self.zone,
            "model": self.model,
            "notes": list(self.more),
            "generated_at": self.made_at.astimezone(dt.UTC).isoformat(timespec="seconds"),
        }


class _Echo:
    def write(self, value: str) -> str:
        return value


def csv_lines(about: Sequence[str], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield a CSV file line by line: first what the file is, as comments, then the header, then the rows."""
    writer = PlainWriter(_Echo())
    for line in about:
        # A line break would begin a row of its own, a comma a cell: an agency called "A,=cmd" must stay a comment.
        yield "# " + _FORMULA_IN_LINE.sub(r"\1'", " ".join(line.splitlines())) + "\r\n"
    # Names of columns may come from a file that somebody sent.
    yield writer.row(columns)
    for row in rows:
        yield writer.row(row)


def in_blocks(pieces: Iterator[str]) -> Iterator[str]:
    """Yield text in larger pieces: a write to the socket for every row of a million takes longer than the query."""
    while block := "".join(islice(pieces, LINES_AT_ONCE)):
        yield block


def csv_response(
    name: str, *, about: About, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> StreamingHttpResponse:
    """Stream a CSV download with flat memory."""
    return StreamingHttpResponse(
        in_blocks(csv_lines(about.lines, columns, rows)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def geojson_response(name: str, *, about: About, features: Iterable[dict[str, Any]]) -> StreamingHttpResponse:
    """Stream a FeatureCollection with flat memory; text in properties is as safe in a spreadsheet as in CSV."""
    return StreamingHttpResponse(
        in_blocks(_geojson(about, features)),
        content_type=GEOJSON,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def with_facts(response: HttpResponseBase, facts: Mapping[str, Any]) -> HttpResponseBase:
    """Say beside a file what it is, where its form has no room for that: one line of JSON in the header ``X-Missions-Facts``."""
    # ASCII alone: a header of other letters comes out of a proxy as rubbish.
    response[FACTS_HEADER] = json.dumps(facts, ensure_ascii=True)
    return response


def _geojson(about: About, features: Iterable[dict[str, Any]]) -> Iterator[str]:
    facts = {key: plain_cell(value) for key, value in about.facts.items()}
    yield f'{{"type":"FeatureCollection","about":{json.dumps(facts)},"features":['
    for number, feature in enumerate(features):
        properties = {key: plain_cell(value) for key, value in feature["properties"].items()}
        text = json.dumps(feature | {"properties": properties}, separators=(",", ":"), default=str)
        yield f",{text}" if number else text
    yield "]}"
