"""Texts that are made at import and read later, in the language of whoever reads."""

from typing import cast

from django.utils.translation import gettext_lazy as _made_later


def gettext_lazy(message: str) -> str:
    """Django's ``gettext_lazy`` under the type that every user of the text expects.

    What it returns is no ``str`` for ``str.join`` and ``isinstance``: write ``str(text)`` there.
    """
    return cast(str, _made_later(message))
