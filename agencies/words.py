"""What the engines say, in the reader's language: engines know no languages, so their words are listed here."""

from django.utils.translation import gettext, gettext_noop

OFFENCE_CLASSES = (
    gettext_noop("Homicide"),
    gettext_noop("Aggravated assault or battery"),
    gettext_noop("Robbery"),
    gettext_noop("Gunfire"),
    gettext_noop("Burglary"),
    gettext_noop("Motor vehicle theft"),
    gettext_noop("Theft"),
)
"""The forecastable classes, as a crime type shows them."""

ABOUT_PERSONS = (
    gettext_noop("an e-mail address"),
    gettext_noop("an identity number"),
    gettext_noop("a phone number"),
    gettext_noop("a date of birth"),
    gettext_noop("a vehicle's plate"),
    gettext_noop("a person by name"),
    gettext_noop("somebody's race or origin"),
)
"""What a free text seems to hold."""

LAYERS = (
    gettext_noop("districts"),
    gettext_noop("beats"),
    gettext_noop("boundary"),
)
"""What is uploaded."""


COLOURS = (
    gettext_noop("blue"),
    gettext_noop("vermilion"),
    gettext_noop("bluish green"),
    gettext_noop("orange"),
    gettext_noop("reddish purple"),
    gettext_noop("sky blue"),
    gettext_noop("yellow"),
    gettext_noop("black"),
)
"""The colours of crime types."""


def said(text: str) -> str:
    """An engine's words in the language of whoever reads them; unchanged where nobody has translated them.

    >>> said("burglary")
    'burglary'
    """
    return gettext(text) if text else ""
