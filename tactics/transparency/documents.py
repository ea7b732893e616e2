"""The three documents that councils ask for, filled in from a pack: what only people can say is marked as a blank."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from missions_project.lib.errors import MissionsError
from missions_project.lib.lazy import gettext_lazy
from tactics.models import TransparencyPack
from tactics.reports.shapes import Table
from tactics.transparency.shapes import made_shown, model_shown, period_shown, table_from, written_in

MOST_ROWS = 60
"""Rows of a table in a document; the pack holds all of them."""


@dataclass(frozen=True)
class Block:
    """One piece of a document: a heading, a paragraph, a blank for people, a list, or a table."""

    kind: Literal["heading", "text", "blank", "list", "table"]
    text: str = ""
    items: tuple[str, ...] = ()
    table: Table | None = None


Content = Mapping[str, Any]


def _heading(text: str) -> Block:
    return Block("heading", text)


def _blank(question: str) -> Block:
    return Block("blank", _("[To be written by the agency: %(question)s]") % {"question": question})


def _section(content: Content, slug: str) -> dict[str, Any]:
    found: dict[str, Any] = next(
        (one for one in content["sections"] if one["slug"] == slug),
        {"sentences": [], "tables": [], "lists": []},
    )
    return found


def _told(content: Content, slug: str, *, tables: tuple[str, ...] | None = None) -> Iterator[Block]:
    """A section's sentences, lists and tables; ``tables`` chooses some by the beginning of their names."""
    for sentence in _section(content, slug)["sentences"]:
        yield Block("text", sentence)
    yield from _lists(content, slug)
    yield from _tables(content, slug, tables)


def _lists(content: Content, slug: str) -> Iterator[Block]:
    for one in _section(content, slug)["lists"]:
        yield Block("text", f"{one['title']}:")
        yield Block("list", items=tuple(one["items"]))


def _tables(content: Content, slug: str, tables: tuple[str, ...] | None = None) -> Iterator[Block]:
    for table in _section(content, slug)["tables"]:
        if tables is None or table["slug"].startswith(tables):
            yield Block("table", table["title"], table=table_from(table))


def _impact_report(content: Content) -> Iterator[Block]:
    yield _heading(_("1. What the technology does"))
    yield Block(
        "text",
        _(
            "The system estimates, for each shift and each square of a map, how many reported crimes of chosen types to expect, and draws "
            "by chance which squares get a directed patrol of some minutes. It works with places. It holds no data about persons, makes "
            "no list of persons, and identifies nobody."
        ),
    )
    yield from _told(content, "forecast")
    yield _heading(_("2. Purpose"))
    yield _blank(
        _("which problem the agency wants to solve, and why this way; which alternatives were considered")
    )
    yield _heading(_("3. Where and when it is used"))
    yield from _told(content, "where", tables=("where-0",))
    yield _heading(_("4. Data: what is read, from where, and what never is"))
    yield from _told(content, "data")
    yield from _told(content, "complaints")
    yield _heading(_("5. Effects on civil rights and on groups of people"))
    yield from _told(content, "exposure", tables=("findings",))
    yield _blank(
        _(
            "what the agency learnt from residents and community groups about these effects, and what it changed"
        )
    )
    yield _blank(
        _("safeguards against using a box as a reason to stop anybody: training, supervision, discipline")
    )
    yield _heading(_("6. How patrols are chosen"))
    yield from _told(content, "randomised")
    yield _heading(_("7. Accuracy"))
    yield from _told(content, "accuracy")
    yield _heading(_("8. Effects on crime"))
    yield from _told(content, "impact")
    yield _heading(_("9. Cost"))
    yield _blank(
        _("cost of purchase, of each year's operation and of people's time; where the money comes from")
    )
    yield _heading(_("10. Third parties"))
    yield _blank(
        _(
            "who hosts and maintains the system; contracts; who outside the agency can see what, and on what legal ground"
        )
    )
    yield _heading(_("11. Public notice and consultation"))
    yield _blank(_("dates of public meetings, comments received, answers given"))


def _use_policy(content: Content) -> Iterator[Block]:
    yield _heading(_("1. Purpose"))
    yield _blank(_("the purposes for which the system may be used, and no others"))
    yield _heading(_("2. Authorised use"))
    yield Block("list", items=(
        _("Directed patrols to squares drawn by chance, for the crime types listed below."),
        _("Visits of some minutes, with the tactics of the agency's own catalogue; enforcement is never recommended by the system."),
        _("Studies of what patrols do to crime, set up before they begin and reported whatever comes out."),
    ))  # fmt: skip
    yield from _tables(content, "forecast")
    yield _heading(_("3. Prohibited use"))
    yield Block("list", items=(
        _("A box on the map is not reasonable suspicion. It is no ground to stop, search, question or cite anybody."),
        _("No forecast about persons, and no list of persons."),
        _("No forecast of offences that are found where police look for them (the list is below)."),
        _("No use of race, ethnicity, income, education or ownership of homes in a forecast or a plan."),
        _("No use of the record of patrols to judge single officers, unless another policy of the agency says so: [To be confirmed by the agency]."),
    ))  # fmt: skip
    yield from _lists(content, "forecast")
    yield _blank(_("discipline for prohibited use, and who decides on it"))
    yield _heading(_("4. Data that is collected and used"))
    yield from _told(content, "data")
    yield _heading(_("5. Who may use it"))
    yield Block("text", _("Officers see their own missions. Supervisors assign, add and withdraw missions. Analysts set up studies and "
                "export figures. Administrators configure. Auditors read everything and change nothing."))  # fmt: skip
    yield _blank(_("which positions hold which of these roles, and who grants them"))
    yield _heading(_("6. How patrols are chosen, and how people may depart from it"))
    yield from _told(content, "randomised", tables=())
    yield from _told(content, "overrides", tables=())
    yield _heading(_("7. How long data is kept"))
    yield Block(
        "text",
        _(
            "Kept times are set for each kind of data in the system (Admin → Retention) and carried out by it."
        ),
    )
    yield _blank(_("the times, and the records schedule or law that they follow"))
    yield _heading(_("8. Public access and sharing with third parties"))
    yield Block(
        "text",
        _(
            "Transparency packs are public once published. Coming plans, single squares and positions of units are not, for the safety of "
            "officers."
        ),
    )
    yield _blank(_("with whom else data is shared, and on what legal ground"))
    yield _heading(_("9. Training"))
    yield _blank(_("who is trained in what, when, and by whom"))
    yield _heading(_("10. Audit and oversight"))
    yield Block(
        "text",
        _(
            "With each pack the exposure audit compares patrol with residents and reported crime. An area with more than %(most)s times "
            "its part, or less than %(least)s times, is a finding that must be answered before the next pack."
        )
        % {"most": f"{content['threshold']:g}", "least": f"{1 / content['threshold']:.2f}"},
    )
    yield _blank(_("who answers findings, who hears complaints, how often the council is told"))


def _annual_report(content: Content) -> Iterator[Block]:
    yield _heading(_("1. How the technology was used"))
    yield from _told(content, "where", tables=("where-",))
    yield _heading(_("2. What it cost"))
    yield _blank(_("cost of the year, and what the next one will cost"))
    yield _heading(_("3. Was it accurate?"))
    yield from _told(content, "accuracy")
    yield _heading(_("4. Did it work?"))
    yield from _told(content, "impact")
    yield _heading(_("5. Who got how much patrol"))
    yield from _told(content, "exposure")
    yield _heading(_("6. What people changed"))
    yield from _told(content, "overrides")
    yield _heading(_("7. What was wrong with the data"))
    yield from _told(content, "complaints")
    yield _heading(_("8. What was changed in the configuration"))
    yield from _told(content, "changes")
    yield _heading(_("9. Complaints, violations and audits"))
    yield _blank(_("complaints received about the technology, and what became of each"))
    yield _blank(_("violations of the use policy, and what was done"))
    yield _blank(_("public records requests, and how long answers took"))
    yield _heading(_("10. What the agency asks of the council"))
    yield _blank(_("whether to continue, change or end the use, and why"))


DOCUMENTS: dict[str, tuple[str, Callable[[Content], Iterator[Block]]]] = {
    "impact-report": (gettext_lazy("Surveillance impact report"), _impact_report),
    "use-policy": (gettext_lazy("Use policy"), _use_policy),
    "annual-report": (gettext_lazy("Annual report"), _annual_report),
}


def document_blocks(pack: TransparencyPack, slug: str) -> list[Block]:
    """The document's pieces in order, with what it is filled in from at its head. Raises ``MissionsError`` for an empty pack."""
    if not pack.content:
        raise MissionsError(
            _("%(pack)s holds nothing yet.") % {"pack": pack}, next_step=_("wait until it is made.")
        )
    period = period_shown(pack.content)
    head = [
        Block(
            "text",
            _(
                "%(agency)s. Place-based forecasts and randomised directed patrol. Filled in from transparency pack %(number)s (%(first)s "
                "to %(last)s), SHA-256 %(hash)s."
            )
            % {
                "agency": pack.content["agency"]["name"],
                "number": pack.number,
                "first": period["first"],
                "last": period["last"],
                "hash": pack.content_hash,
            },
        ),
        Block(
            "text",
            _("Times are those of %(time_zone)s. Made %(made_at)s.")
            % {"time_zone": pack.content["agency"]["time_zone"], "made_at": made_shown(pack.content)},
        ),
        Block("text", model_shown(pack.content)),
        Block(
            "text", _("A draft: figures are filled in; what stands in marked brackets only people can write.")
        ),
    ]
    return head + list(DOCUMENTS[slug][1](pack.content))


def document_html(pack: TransparencyPack, slug: str) -> str:
    """The document as one HTML file that any word processor opens."""
    with written_in(pack.content):
        context = {
            "title": DOCUMENTS[slug][0],
            "blocks": document_blocks(pack, slug),
            "pack": pack,
            "most": MOST_ROWS,
        }
        return render_to_string("tactics/transparency/document.html", context)


def document_docx(pack: TransparencyPack, slug: str) -> bytes:
    """The document as DOCX, with real headings, lists and tables; blanks are highlighted."""
    with written_in(pack.content):
        return _docx(pack, slug)


def _docx(pack: TransparencyPack, slug: str) -> bytes:
    # Not at the top: every command and worker would wait for a library that only documents need.
    from docx import Document
    from docx.enum.text import WD_COLOR_INDEX
    from docx.shared import Pt

    made = Document()
    title = str(DOCUMENTS[slug][0])
    made.core_properties.title = title
    made.core_properties.language = pack.language
    # Without one the file says when the library's own template was made.
    made.core_properties.created = made.core_properties.modified = dt.datetime.fromisoformat(
        pack.content["made_at"]
    )
    made.core_properties.author = pack.content["agency"]["name"]
    made.styles["Normal"].font.size = Pt(10.5)
    made.add_heading(title, 0)
    for block in document_blocks(pack, slug):
        if block.kind == "heading":
            made.add_heading(block.text, 1)
        elif block.kind == "list":
            for item in block.items:
                made.add_paragraph(item, style="List Bullet")
        elif block.kind == "table" and block.table is not None:
            _docx_table(made, block.table)
        else:
            run = made.add_paragraph().add_run(block.text)
            if block.kind == "blank":
                run.font.highlight_color = WD_COLOR_INDEX.YELLOW
    out = BytesIO()
    made.save(out)
    return out.getvalue()


def _docx_table(made: Any, table: Table) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    made.add_heading(table.title, 2)
    if not table.rows:
        made.add_paragraph(table.empty)
        return
    rows = table.shown[:MOST_ROWS]
    grid = made.add_table(rows=1 + len(rows), cols=len(table.columns), style="Light Grid Accent 1")
    for at, column in enumerate(table.columns):
        grid.rows[0].cells[at].text = column.title
    # Row by row: asking a table for a cell by numbers reads the whole table each time.
    for line, row in zip(grid.rows[1:] if len(rows) else [], rows, strict=True):
        for cell, (column, text) in zip(line.cells, row, strict=True):
            cell.text = text
            if column.is_number:
                cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
    for line in grid.rows:
        for cell in line.cells:
            for paragraph in cell.paragraphs:
                for run in paragraph.runs:
                    run.font.size = Pt(8)
    if note := note_below(table, len(rows)):
        made.add_paragraph(note)


def note_below(table: Table, shown: int) -> str:
    """What stands below a table: its own note, and how many of its rows are not here."""
    more = len(table.rows) - shown
    left_out = (
        ngettext("%(count)s more row is in the pack.", "%(count)s more rows are in the pack.", more)
        % {"count": more}
        if more > 0
        else ""
    )
    return " ".join(part for part in (table.note, left_out) if part)
