"""A pack and the three documents as PDF, from the same content as their pages: for print, for a council's file, for the shelf."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from missions_project.lib.errors import MissionsError
from tactics.models import TransparencyPack
from tactics.reports.shapes import Table
from tactics.transparency.charts import bars_within, chart_figure
from tactics.transparency.documents import DOCUMENTS, MOST_ROWS, document_blocks, note_below
from tactics.transparency.shapes import model_shown, period_in_short, period_shown, table_from, written_in

if TYPE_CHECKING:
    from missions_project.lib.pdf.writing import Writing

KIND = "application/pdf"


def pack_pdf(pack: TransparencyPack) -> bytes:
    """The whole pack, in its own language. The same pack gives the same bytes. Raises ``MissionsError`` for an empty one."""
    if not pack.content:
        raise MissionsError(
            _("%(pack)s holds nothing yet.") % {"pack": pack}, next_step=_("wait until it is made.")
        )
    with written_in(pack.content):
        return _pack(pack)


def document_pdf(pack: TransparencyPack, slug: str) -> bytes:
    """A document as PDF, to be read and printed; what only people can write is marked, and is written in the DOCX or HTML."""
    with written_in(pack.content):
        title = str(DOCUMENTS[slug][0])
        made = _writing(pack, f"{title}: {pack.content['agency']['name']}", title)
        made.words(pack.content["agency"]["name"], "over")
        made.title(title)
        blocks = document_blocks(pack, slug)
        is_begun = False
        for block in blocks:
            if block.kind == "heading" and not is_begun:
                made.contents(_("Contents"))
                is_begun = True
            if block.kind == "heading":
                made.heading(block.text)
            elif block.kind == "list":
                made.items(block.items)
            elif block.kind == "blank":
                made.blank(block.text)
            elif block.table is not None:
                _table(made, block.table, MOST_ROWS)
            else:
                made.words(block.text)
        return made.made()


def _writing(pack: TransparencyPack, title: str, short: str) -> "Writing":
    # Not at the top: every command and worker would wait for libraries that only PDFs need.
    from missions_project.lib.pdf.paper import paper_of
    from missions_project.lib.pdf.writing import About, Writing

    content = pack.content
    parts = [content["agency"]["name"], short, period_in_short(content)]
    if short != _pack_name(content):
        parts.insert(2, _pack_name(content))
    if pack.state != TransparencyPack.State.PUBLISHED:
        parts.append(_("Draft, not published."))
    about = About(
        title=title,
        author=content["agency"]["name"],
        subject=f"SHA-256 {pack.content_hash}",
        language=content.get("language", "en"),
        foot=[" · ".join(parts), f"SHA-256 {pack.content_hash}"],
        made_at=dt.datetime.fromisoformat(content["made_at"]),
        paper=paper_of(content["agency"]["time_zone"]),
    )
    return Writing(about)


def _pack_name(content: Mapping[str, Any]) -> str:
    return _("Transparency pack %(number)s") % {"number": content["number"]}


def _pack(pack: TransparencyPack) -> bytes:
    content = pack.content
    told = {"name": content["agency"]["name"], "number": content["number"]}
    made = _writing(pack, _("%(name)s: transparency pack %(number)s") % told, _pack_name(content))
    made.words(content["agency"]["name"], "over")
    made.title(_("How forecasts and patrols are used"))
    made.words(
        _("Transparency pack %(number)s: %(first)s to %(last)s. Times are those of %(time_zone)s.")
        % {"number": content["number"], "time_zone": content["agency"]["time_zone"], **period_shown(content)}
    )
    if pack.state != TransparencyPack.State.PUBLISHED:
        made.words(_("Draft, not published."), "draft")
    made.contents(_("Contents"))
    for number, section in enumerate(content["sections"], 1):
        _section(made, number, section)
    made.heading(_("Is this what was published?"))
    for sentence in _how_to_check(pack):
        made.words(sentence)
    made.words(model_shown(content), "quiet")
    made.words(_("Made %(made_at)s.") % {"made_at": content["made_at"]}, "quiet")
    return made.made()


def _section(made: "Writing", number: int, section: Mapping[str, Any]) -> None:
    made.heading(f"{number}. {section['title']}", room=120.0)
    for sentence in section["sentences"]:
        made.words(sentence)
    for one in section["lists"]:
        # With all of a list of some lines, so that no page begins with its last one.
        made.heading(one["title"], level=1, room=40.0 + 12.0 * min(len(one["items"]), 12))
        made.items(one["items"])
    for stored in section["tables"]:
        charts = [chart for chart in section["charts"] if chart["table"] == stored["slug"]]
        _table(made, table_from(stored), 0, [(chart, stored) for chart in charts])


def _table(
    made: "Writing",
    table: Table,
    most: int,
    charts: list[tuple[Mapping[str, Any], Mapping[str, Any]]] | None = None,
) -> None:
    """A table under its title, after the charts that are drawn from it; all its rows, or at most so many."""
    drawn = [
        (
            chart,
            chart_figure(
                chart, stored, most_bars=bars_within(made.inches, len(chart["values"])), is_dense=True
            ),
        )
        for chart, stored in charts or []
        if table.rows
    ]
    made.heading(table.title, level=1, room=made.room_of(drawn[0][1]) if drawn else 90.0)
    for chart, figure in drawn:
        made.picture(figure, chart["alt"])
        if chart["title"] != table.title:
            made.words(chart["title"], "quiet")
    if not table.rows:
        made.words(table.empty, "quiet")
        return
    rows = table.shown[: most or None]
    made.table(
        [(column.title, column.is_number) for column in table.columns],
        [[text for _column, text in row] for row in rows],
    )
    if note := note_below(table, len(rows)):
        made.words(note, "quiet")


def _how_to_check(pack: TransparencyPack) -> list[str]:
    sentences = [
        _(
            "Every figure of this document is in pack.json, which is published beside it. Its SHA-256 is %(hash)s: any change of any figure changes it."
        )
        % {"hash": pack.content_hash}
    ]
    if previous := pack.content["previous"]:
        sentences.append(
            _(
                "It names the pack published before it, number %(number)s with %(hash)s, so that none can be taken out unnoticed."
            )
            % previous
        )
    return [*sentences, _("How to check it: see “Verify” in the program's documentation.")]
