"""E-mails: said once as pieces, sent as plain text and as HTML that say the same, with nothing in them that is loaded from elsewhere."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import get_language, get_language_bidi

from missions_project.lib.design import theme

PRODUCT = "Missions"
_ADDRESS = re.compile(r"https?://[^\s<>\"“”]*[^\s<>\"“”.,;:!?)]")


@dataclass(frozen=True)
class Words:
    """A paragraph. Addresses of this installation in it can be clicked; those of others, which a name may hold, cannot."""

    text: str

    @property
    def plain(self) -> str:
        return self.text


@dataclass(frozen=True)
class Items:
    """A list of short lines."""

    items: Sequence[str]

    @property
    def plain(self) -> str:
        return "\n".join(f"- {one}" for one in self.items)


@dataclass(frozen=True)
class Rows:
    """A small table: a name, its value, and a note that may be empty."""

    rows: Sequence[tuple[str, str, str]]

    @property
    def plain(self) -> str:
        return "\n".join(
            f"- {name}: {value}{f' ({note})' if note else ''}" for name, value, note in self.rows
        )


@dataclass(frozen=True)
class Button:
    """Where the reader goes next: a button that says ``words``; as plain text the address itself."""

    address: str
    words: str

    @property
    def plain(self) -> str:
        return self.address


Piece = Words | Items | Rows | Button


@dataclass(frozen=True)
class Letter:
    """One e-mail. ``foot`` says why the person gets it and how to stop it; ``stop`` is the address where it can be stopped.

    ``sender`` stands above the heading, the agency's name as a rule. Plain text has neither of them: its subject says both.
    ``links`` are addresses elsewhere that may be clicked in a paragraph too.
    """

    subject: str
    sender: str
    heading: str
    pieces: Sequence[Piece]
    foot: Sequence[str]
    stop: str = ""
    links: Sequence[str] = ()

    @property
    def plain(self) -> str:
        parts = [*(piece.plain for piece in self.pieces if piece.plain), "\n".join(self.foot)]
        return "\n\n".join(part for part in parts if part)

    @property
    def html(self) -> str:
        """The page that mail programs show: its colours are the pages' own, by day and by night."""
        return render_to_string(
            "email/base.html",
            {
                "letter": self,
                "pieces": [(type(one).__name__, _shown(one, self.links)) for one in self.pieces if one.plain],
                "foot": [clickable(line, self.links) for line in self.foot],
                "language": get_language() or settings.LANGUAGE_CODE,
                "direction": "rtl" if get_language_bidi() else "ltr",
                "day": _names(theme()),
                "night": _names(theme(dark=True)),
            },
        )


def message_of(letter: Letter, to: Sequence[str]) -> EmailMultiAlternatives:
    """The letter as a message with both parts, ready for attachments and to be sent."""
    # A program answered it, so that no "I am on leave" comes back (RFC 3834).
    headers = {"Auto-Submitted": "auto-generated"}
    if letter.stop:
        headers["List-Unsubscribe"] = f"<{letter.stop}>"
    message = EmailMultiAlternatives(
        # A subject of two lines is how a header is smuggled in.
        " ".join(letter.subject.split()),
        letter.plain,
        settings.DEFAULT_FROM_EMAIL,
        list(to),
        headers=headers,
    )
    message.attach_alternative(letter.html, "text/html")
    return message


def own_address(path: str) -> str:
    """The full address of one of our pages, for a reader who is elsewhere."""
    return f"{settings.PUBLIC_URL.rstrip('/')}{path}"


def clickable(text: str, links: Sequence[str] = ()) -> list[tuple[str, bool]]:
    """The text in parts, each with whether it is an address to click: one of this installation's, or one of ``links``.

    What people typed may name an address elsewhere. In a mail of the agency it would lead wherever they like.
    """
    parts: list[tuple[str, bool]] = []
    at, ours = 0, own_address("/")
    for found in _ADDRESS.finditer(text):
        address = found.group()
        if address.startswith(ours) or address in links:
            parts += [(text[at : found.start()], False), (address, True)]
            at = found.end()
    return [part for part in [*parts, (text[at:], False)] if part[0]]


def pieces_of(text: str, buttons: Mapping[str, str]) -> list[Piece]:
    """A plain text that somebody else wrote, as pieces: lists, paragraphs, and a button where a paragraph is one of these addresses.

    >>> pieces_of("Hello.\\n\\n- one\\n- two", {})
    [Words(text='Hello.'), Items(items=['one', 'two'])]
    """
    found: list[Piece] = []
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in part.strip().splitlines()]
        if len(lines) == 1 and lines[0] in buttons:
            found.append(Button(lines[0], buttons[lines[0]]))
        elif lines and all(line.startswith("- ") for line in lines):
            found.append(Items([line[2:] for line in lines]))
        elif lines:
            found.append(Words(" ".join(lines)))
    return found


def _shown(piece: Piece, links: Sequence[str]) -> Any:
    return clickable(piece.text, links) if isinstance(piece, Words) else piece


def _names(colours: Mapping[str, str]) -> dict[str, str]:
    """Names that a template can ask for: ``accent_soft``."""
    return {name.replace("-", "_"): colour for name, colour in colours.items()}
