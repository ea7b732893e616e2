"""Words that a style sheet writes are no text of gettext's: each has its Spanish beside it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WORDS = re.compile(r'^\s*([^{}\n]+)\{\s*content:\s*"([^"]*[A-Za-z]{2}[^"]*)"', re.MULTILINE)

ALIKE = {"min"}
"""Written alike in both languages."""


def test_each_word_of_a_style_sheet_has_its_spanish() -> None:
    english: set[tuple[str, str]] = set()
    spanish: set[tuple[str, str]] = set()
    for sheet in sorted((ROOT / "static").rglob("*.css")):
        for selector, words in WORDS.findall(sheet.read_text()):
            if words.strip() in ALIKE:
                continue
            plain = selector.replace(":lang(es)", "").strip()
            (spanish if ":lang(es)" in selector else english).add((sheet.name, plain))
    assert english, "the feeds' list has words, or this looks for the wrong thing"
    assert english == spanish
