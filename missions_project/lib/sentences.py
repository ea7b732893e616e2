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
            # A name that comes twice stands for the same both times. What is fastened to a word ("file%(hint)s") may be missing.
            some = ".*?" if parts[at - 1][-1:].isalpha() else ".+?"
            found += f"(?P={part})" if part in parts[1:at:2] else f"(?P<{part}>{some})"
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
_STEP = " Next step: "
_BETWEEN = re.compile(r"(?<=[.!?…]) (?=[A-Z“])")
_TAIL = re.compile(r"[.:!?] %\((\w+)\)s$")
MOST_SENTENCES = 12
"""A text of more sentences than this is a document, which nothing of ours stored in one piece."""
LONGEST_RUN = 3
"""So many sentences at most were made by one pattern."""


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
    Several sentences, one behind the other, are said one by one where no one text made them all.

    >>> said_again("Nobody wrote this.")
    'Nobody wrote this.'
    """
    if not text or (get_language() or "en").startswith("en") or not _LETTERS.search(text):
        return text
    told = gettext(text)
    if told != text or not depth:
        return told
    message, found, next_step = text.partition(_STEP)
    if found:
        values = {"message": said_again(message, depth), "next_step": said_again(next_step, depth - 1)}
        return gettext("%(message)s Next step: %(next_step)s") % values
    # A figure or a name holds no end of a sentence: what does has swallowed half of another sentence.
    told = _by_pattern(text, depth, is_sure=True)
    if told == text:
        told = _one_by_one(text, depth)
    return told if told != text else _by_pattern(text, depth, is_sure=False)


def _by_pattern(text: str, depth: int, *, is_sure: bool) -> str:
    by_word, others = _known(get_language() or "en")
    for pattern in (*by_word.get(text.split(" ", 1)[0], ()), *others):
        match = _compiled(pattern).fullmatch(text)
        if match is None:
            continue
        values = match.groupdict()
        # "It failed. %(error)s": what stands at the end may be sentences.
        tail = _TAIL.search(pattern)
        held = [value for name, value in values.items() if tail is None or name != tail[1]]
        if is_sure and any(map(_BETWEEN.search, held)):
            continue
        values = {name: said_again(value, depth - 1) for name, value in values.items()}
        return gettext(pattern) % values
    return text


def _one_by_one(text: str, depth: int) -> str:
    left = _BETWEEN.split(text)
    if not 1 < len(left) <= MOST_SENTENCES:
        return text
    said: list[str] = []
    while left:
        # The longest run that one text made, else a sentence as it is.
        for size in range(min(LONGEST_RUN, len(left)), 0, -1):
            run = " ".join(left[:size])
            told = gettext(run)
            told = told if told != run else _by_pattern(run, depth, is_sure=True)
            if told != run or size == 1:
                said.append(told)
                left = left[size:]
                break
    return " ".join(said)
