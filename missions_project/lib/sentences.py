"""Sentences that an engine made of figures and names, said again in the reader's language.

Engines know no languages, and their sentences are stored as they were made. What a sentence was made of is found by
the pattern that it was made with; the pattern is what translators see.
"""

import re
from collections.abc import Iterable
from functools import cache, cached_property

from django.utils.translation import get_language, gettext
from django.utils.translation.trans_real import translation

_PLACE = re.compile(r"%\((\w+)\)s")


def _expression(pattern: str) -> re.Pattern[str]:
    # Every second part is a placeholder's name.
    parts = _PLACE.split(pattern)
    found = ""
    for at, part in enumerate(parts):
        if at % 2 == 0:
            found += re.escape(part.replace("%%", "%"))
        else:
            # A name that comes twice stands for the same both times.
            found += f"(?P={part})" if part in parts[1:at:2] else f"(?P<{part}>.+?)"
    return re.compile(found, re.DOTALL)


class Sentences:
    """The patterns of an engine's sentences, marked with ``gettext_noop``, the more particular before the more general.

    >>> Sentences(["%(share)s %% of %(name)s", "Nothing."]).said("12 % of bars")
    '12 % of bars'
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)

    @cached_property
    def _expressions(self) -> list[tuple[str, re.Pattern[str]]]:
        return [(pattern, _expression(pattern)) for pattern in self._patterns]

    def pattern_of(self, text: str) -> str | None:
        """The pattern that this text was made with; None where it was made with none of these."""
        found = self._found(text)
        return found[0] if found else None

    def said(self, text: str) -> str:
        """The text in the reader's language; what no pattern knows stays as it is. Parts of a text are said alike."""
        if not text or (get_language() or "en").startswith("en"):
            return text
        found = self._found(text)
        if found is None:
            return text
        pattern, values = found
        told = gettext(pattern)
        if values:
            told %= {name: self.said(value) for name, value in values.items()}
        # The engine's own capital, of a name or a weekday, is none of a sentence that begins here.
        begins = text[:1].isupper() and pattern[:1].islower()
        return told[:1].upper() + told[1:] if begins else told

    def _found(self, text: str) -> tuple[str, dict[str, str]] | None:
        # A clause that begins a sentence or a line has got a capital since it was made.
        spellings = tuple(dict.fromkeys((text, text[:1].lower() + text[1:])))
        for pattern, expression in self._expressions:
            for spelt in spellings:
                match = expression.fullmatch(spelt)
                if match:
                    return pattern, match.groupdict()
        return None


LEAST_LETTERS = 6
"""A pattern with fewer letters of its own would fit texts that it never made."""
_LETTERS = re.compile(r"[^\W\d_]")


@cache
def _known(language: str) -> tuple[dict[str, list[str]], list[str]]:
    """The patterns that hold figures or names, by their first word, and those that begin with one; the longest first."""
    by_word: dict[str, list[str]] = {}
    others: list[str] = []
    # Django's catalogue can be asked for its keys and not walked over.
    texts = translation(language)._catalog.keys()  # type: ignore[attr-defined]  # the stubs leave it out
    for one in texts:
        # Plurals are kept as pairs, texts with a context behind a mark: what is stored was made with neither.
        if not isinstance(one, str) or "%(" not in one or "\x04" in one:
            continue
        if len(_LETTERS.findall(_PLACE.sub("", one))) < LEAST_LETTERS:
            continue
        first = one.split(" ", 1)[0]
        (others if "%" in first else by_word.setdefault(first, [])).append(one)
    for patterns in (others, *by_word.values()):
        patterns.sort(key=lambda one: -len(_PLACE.sub("", one)))
    return by_word, others


_compiled = cache(_expression)


def said_again(text: str, depth: int = 3) -> str:
    """A text that was stored in English, in the reader's language: by the catalogue's own texts; unchanged where none made it.

    For errors, logs and progress of work that ran in the background, where nobody reads. Names and figures in it stay.

    >>> said_again("Nobody wrote this.")
    'Nobody wrote this.'
    """
    language = get_language() or "en"
    if not text or language.startswith("en") or not _LETTERS.search(text):
        return text
    told = gettext(text)
    if told != text or not depth:
        return told
    by_word, others = _known(language)
    for pattern in (*by_word.get(text.split(" ", 1)[0], ()), *others):
        match = _compiled(pattern).fullmatch(text)
        if match:
            values = {name: said_again(value, depth - 1) for name, value in match.groupdict().items()}
            return gettext(pattern) % values
    return text
