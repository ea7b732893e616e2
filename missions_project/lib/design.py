"""The design system where no style sheet reaches: e-mails and PDFs wear the colours that pages declare in their own CSS."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from django.contrib.staticfiles import finders

SHEET = "missions_project/app.css"
_THEME = re.compile(r":root\s*\{([^}]*)\}")
_COLOUR = re.compile(r"--([\w-]+):\s*(#[0-9a-fA-F]{6})\b")


@cache
def theme(*, dark: bool = False) -> Mapping[str, str]:
    """The pages' colours by name, ``ink`` or ``accent-soft``, as "#rrggbb": of the light theme, or of the dark one.

    They are read from the style sheet itself, so that a colour changed there is changed everywhere.
    """
    text = Path(str(finders.find(SHEET))).read_text(encoding="utf-8")
    light, night, *_more = _THEME.findall(text)
    found = dict(_COLOUR.findall(light))
    return MappingProxyType(found | dict(_COLOUR.findall(night)) if dark else found)
