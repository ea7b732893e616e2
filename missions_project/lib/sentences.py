"""Sentences that an engine made of figures and names, said again in the reader's language.

Engines know no languages, and their sentences are stored as they were made. What a sentence was made of is found by
the pattern that it was made with; the pattern is what translators see.
"""

import re
from collections.abc import Iterable
from functools import cached_property

from django.utils.translation import get_language, gettext

_PLACE = re.compile(r"%\((\w+)\)s")


def _expression(pattern: str) -> re.Pattern[str]:
    # Every second part is a placeholder's name.
    parts = _PLACE.split(pattern)
    found = "".join(
        f"(?P<{part}>.+?)" if at % 2 else re.escape(part.replace("%%", "%")) for at, part in enumerate(parts)
    )
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
