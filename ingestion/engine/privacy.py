"""Refuse columns about persons before anything of them is read, and census columns that must not steer patrols."""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """A column that may not be used, and the rule that says so."""

    column: str
    rule: str
    message: str


# (rule, what it is, words of a tidied column name)
_PERSON_RULES: tuple[tuple[str, str, str], ...] = (
    (
        "race_or_ethnicity",
        "race, ethnicity or origin",
        r"race|races|racial|ethnic\w*|hispanic|latin[ox]|caucasian|african american|asian|national(?:ity| origin)|"
        # The short names of census extracts too: Wht14P, Blk14P, Hisp14P.
        r"citizen\w*|immigra\w*|religio\w*|white|black|language|(?:wht|blk|hisp|asn)\d{2,4}\w*",
    ),
    (
        "person",
        "a person",
        r"victims?|vict|suspects?|offenders?|arrestees?|complainants?|witness\w*|defendants?|juveniles?|inmates?|"
        r"persons?|people|subjects?|callers?|reporting (?:party|person)|drivers?|owners?(?! occ)|next of kin|"
        r"officer (?:name|id|badge|no|number|race|sex|age)|badge\w*",
    ),
    (
        "person_name",
        "a person's name",
        r"(?:first|last|middle|given|family|full|maiden|nick) ?names?|surnames?|forenames?|alias\w*|initials",
    ),
    ("date_of_birth", "a date of birth or an age", r"dob|birth\w*|born|ages?"),
    ("sex_or_gender", "sex or gender", r"sex|gender"),
    (
        "contact",
        "a phone number or an e-mail address",
        r"phones?|telephone|tel|mobile|cell ?phone|e ?mails?|contact",
    ),
    (
        "identity_number",
        "an identity number",
        r"ssn|social security|passport|driver'?s? licen[cs]e|oln|dl (?:no|number)|fingerprint\w*|dna|biometric\w*|"
        r"sid|fbi (?:no|number)",
    ),
    (
        "vehicle_plate",
        "a plate or a vehicle number",
        r"plates?|licen[cs]e (?:plate|tag|no|number)|vin|lpr|alpr|tag (?:no|number)",
    ),
    (
        "address",
        "an address (places are kept as coordinates; an address column may be in the file but is never stored)",
        r"address\w*|addr|street (?:name|no|number)|residence|apartment|apt",
    ),
    (
        "narrative",
        "free text",
        r"narrativ\w*|notes?|comments?|remarks?|free ?text|statements?|synopsis|summary|details",
    ),
    (
        "person_list",
        "a list of persons",
        r"parol\w*|probation\w*|gangs?|registry|watch ?list|convict\w*|prior\w*",
    ),
    ("arrest", "an arrest, which measures enforcement", r"arrest\w*"),
    ("relationship", "a relation between persons", r"domestic|relationship|marital"),
    (
        "education",
        "education",
        r"education\w*|school attain\w*|diploma|degree|graduat\w*|literacy|no ?hs\d*|hs ?grad\w*|(?:clg|college) ?grad\w*",
    ),
    ("tenure", "home ownership or tenure", r"tenure|home ?owner\w*|owner occupied|renter\w*|rent|mortgage"),
    (
        "income",
        "income or poverty",
        r"incomes?|poverty|per capita|per ?c ?inc\w*|wages?|salary|earnings|snap|welfare|unemploy\w*",
    ),
)
_PERSON_PATTERNS = tuple((rule, what, re.compile(rf"\b(?:{words})\b")) for rule, what, words in _PERSON_RULES)


def refused_traits() -> tuple[str, ...]:
    """What is never accepted about persons, in words, in the order of the rules.

    >>> refused_traits()[0]
    'race, ethnicity or origin'
    """
    return tuple(what.split(" (")[0] for _, what, _ in _PERSON_RULES)


_CASE_PERSON = re.compile(
    r"victim|suspect|offender|arrestee|complain[ae]nt|witness|defendant|juvenile|inmate"
)
# Many exports write their columns in one word of capitals (VICTIMNAME, DATEOFBIRTH, PHONE1): the letters alone, with
# roots that stand in no innocent word.
_RUN_TOGETHER: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    ("person", "a person", _CASE_PERSON),
    (
        "person_name",
        "a person's name",
        re.compile(
            r"^(?:[flm]name|(?:f|l|first|last|mid|middle|full)nm|nm(?:first|last|mid|middle))$|"
            r"(?:person|owner|driver|caller|citizen|officer|subject)name"
        ),
    ),
    ("date_of_birth", "a date of birth or an age", re.compile(r"dateofbirth|birthdate|birthday|^dob|dob$")),
    ("contact", "a phone number or an e-mail address", re.compile(r"(?<!micro)phone|email")),
    ("identity_number", "an identity number", re.compile(r"^ssn|socialsec|driverslic")),
    ("vehicle_plate", "a plate or a vehicle number", re.compile(r"licen[cs]eplate|plateno|platenum")),
    ("address", "an address (places are kept as coordinates)", re.compile(r"address$|addr$")),
    ("narrative", "free text", re.compile(r"narrative")),
    ("race_or_ethnicity", "race, ethnicity or origin", re.compile(r"ethnic")),
)

_CENSUS_ALLOWED = re.compile(
    r"(?:total |tot |estimated |est )?pop(?:ulation)?(?: total| count| density)?(?: \d{4})?|"
    r"(?:total |occupied )?(?:house ?holds?|hh)(?: count| total)?|"
    r"(?:total |occupied |vacant )?housing(?: units?)?|(?:vacant )?units?|dwellings?|"
    r"vacan\w*(?: housing)?(?: units?)?(?: rate| share| pct| percent)?|"
    r"(?:median )?age(?: groups?)?(?: \d+(?: ?(?:to|over|plus|and over)? ?\d*)?)?|(?:under|over) \d+p?|"
    r"b01001(?: ?e?\d+e?)?|b01002(?: ?e?\d+e?)?|b01003(?: ?e?\d+e?)?|b11001(?: ?e?\d+e?)?|b25001(?: ?e?\d+e?)?|"
    r"b25002(?: ?e?\d+e?)?|b25004(?: ?e?\d+e?)?"
)
_CENSUS_KEYS = re.compile(
    r"geo ?id\d*|geoid\d*|geometry|geom|id|fid|object ?id|name|area ?(?:name|numbe?r?|num 1)?|(?:a )?land|(?:a )?water|"
    r"state ?fp|county ?fp|tract ?ce?|blkgrp ?ce?|block ?group|tract|community(?: area)?|com ?area(?: id)?|shape (?:area|len(?:gth)?)|"
    r"lon(?:gitude)?|lat(?:itude)?|intpt ?l(?:at|on)|perimeter"
)


def is_census_key(column: str) -> bool:
    """Whether a census file's column is a key, a name of the area or its geometry, and no figure."""
    return _CENSUS_KEYS.fullmatch(re.sub(r"(?<=[a-z]{2})(?=\d)", " ", tidy_column(column))) is not None


def tidy_column(column: str) -> str:
    """A column's name as words: "VictimRace", "victim_race" and "Victim-Race" are all "victim race"."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column.strip())
    return re.sub(r"[^a-z0-9']+", " ", spaced.lower()).strip()


def screen_columns(columns: Iterable[str]) -> list[Violation]:
    """Name every mapped column that is about a person or a refused trait. An empty list means none is.

    Only column names are looked at. Columns that the mapping does not name are never stored and need no screen.

    >>> [v.rule for v in screen_columns(["ID", "Victim Race", "FBI Code"])]
    ['race_or_ethnicity']
    """
    violations: list[Violation] = []
    for column in columns:
        words = tidy_column(column)
        if words == "name":
            words = "full name"
        letters = re.sub(r"[^a-z]", "", words)
        screened = [(rule, what, pattern, words) for rule, what, pattern in _PERSON_PATTERNS]
        screened += [(rule, what, pattern, letters) for rule, what, pattern in _RUN_TOGETHER]
        for rule, what, pattern, text in screened:
            if pattern.search(text):
                violations.append(
                    Violation(
                        column=column,
                        rule=rule,
                        message=(
                            f"Column {column!r} looks like {what}; such columns are never accepted (rule {rule}). "
                            "Take it out of the mapping: columns that are not mapped are not stored."
                        ),
                    )
                )
                break
    return violations


def names_case_person(column: str) -> bool:
    """Whether the name speaks of a person in a case: a table with such a column is a list of persons, not of places.

    >>> names_case_person("OFFENDER_ID"), names_case_person("owner")
    (True, False)
    """
    return _CASE_PERSON.search(re.sub(r"[^a-z]", "", tidy_column(column))) is not None


def screen_census_columns(columns: Iterable[str]) -> list[Violation]:
    """Name every census column that may not enter a model: all but population, households, housing units, vacancy, age.

    Keys and geometry columns pass. Tables split by race (B01001A-I) are refused like any other name that
    is not on the list.

    >>> [v.column for v in screen_census_columns(["GEOID", "population", "median_income", "B01001B_001E"])]
    ['median_income', 'B01001B_001E']
    """
    violations: list[Violation] = []
    for column in columns:
        words = re.sub(r"(?<=[a-z]{2})(?=\d)", " ", tidy_column(column))
        if _CENSUS_ALLOWED.fullmatch(words) or _CENSUS_KEYS.fullmatch(words):
            continue
        person = next(
            (
                rule
                for rule, _, pattern in _PERSON_PATTERNS
                if pattern.search(words) or pattern.search(tidy_column(column))
            ),
            "not_on_census_list",
        )
        violations.append(
            Violation(
                column=column,
                rule=person,
                message=(
                    f"Census column {column!r} is not one of population, households, housing units, vacancy and age "
                    f"(rule {person}), so no forecast may use it. Take it out, or load the table into the audit store."
                ),
            )
        )
    return violations
