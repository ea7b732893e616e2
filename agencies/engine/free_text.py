"""Free text that people add to missions and areas: about places, never about persons."""

import re

_ABOUT_PERSONS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("an e-mail address", re.compile(r"[\w.+-]+@[\w-]+\.\w+")),
    ("an identity number", re.compile(r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)")),
    (
        "a phone number",
        re.compile(
            r"(?<![\d.])(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]?\d{4}(?!\d)|(?<![\d.])\d{10}(?!\d)"
        ),
    ),
    ("a date of birth", re.compile(r"\b(?:d\.?o\.?b|date of birth|born)\b", re.IGNORECASE)),
    (
        "a vehicle's plate",
        re.compile(
            r"\b(?:plates?|licen[cs]e|lic|tag|registration)\b[ :#.]*(?:(?:no|number|plate)\b[ :#.]*)?"
            r"(?=[A-Z]*\d|\d*[A-Z])(?=[A-Z0-9 -]*\d)[A-Z0-9]{1,4}[ -]?[A-Z0-9]{2,4}\b",
            re.IGNORECASE,
        ),
    ),
    (
        "a person by name",
        # The name's capital tells "suspect Jones" from "suspect vehicles"; an address form needs none.
        re.compile(
            r"\b(?:(?i:suspects?|offenders?|subjects?|victims?|witness(?:es)?|parolees?|gang member)):? "
            r"(?:[A-Z]\. ?)?[A-Z][a-z]+|\b(?:Mr|Mrs|Ms|Miss)\b\.? [A-Z]"
        ),
    ),
    (
        "somebody's race or origin",
        re.compile(
            r"\b(?:black|white|hispanic|latin[oax]|asian|african[- ]american|arab|caucasian)s? (?:fe)?"
            r"(?:males?|man|men|women|woman|youths?|teen\w*|kids?|boys?|girls?|guys?|juveniles?|persons?|people)\b|"
            r"\b[bwha]/[mf]\b",
            re.IGNORECASE,
        ),
    ),
)


def text_about_person(text: str) -> str:
    """Say what in the text is about a person, e.g. "a phone number"; empty where nothing seems to be.

    Only what a pattern can tell: a person's name without any word beside it passes.

    >>> text_about_person("seen by suspect Jones"), text_about_person("road closed from 16:00")
    ('a person by name', '')
    """
    return next((what for what, pattern in _ABOUT_PERSONS if pattern.search(text)), "")
