"""Words that show what an offence is when no national code says it."""

import re
from dataclasses import dataclass

from agencies.engine.offence_codes import (
    ENFORCEMENT_BIAS,
    NOT_FORECAST,
    RefusedFamily,
)


@dataclass(frozen=True)
class WordHit:
    """The word of a description that points at a refused family."""

    word: str
    family: RefusedFamily


# Stems, matched at the start of a word. Order matters only for which word a message names.
_REFUSED_WORDS: tuple[tuple[RefusedFamily, str], ...] = (
    (
        RefusedFamily("drugs", "drug and narcotic offences", ENFORCEMENT_BIAS),
        r"drugs?|narcotics?|narc|cannabis|marij\w*|cocaine|crack|heroin|opioids?|opiates?|fentanyl|meth|methamph\w*|"
        r"controlled substances?|cont(?:r|rolled)? subs\w*|paraphernalia|hallucinogens?|pcp|cds",
    ),
    (
        RefusedFamily("prostitution", "prostitution offences", ENFORCEMENT_BIAS),
        r"prostitut\w*|solicit\w*|pandering|pimping|brothel\w*|vice",
    ),
    (
        RefusedFamily("gambling", "gambling offences", ENFORCEMENT_BIAS),
        r"gambl\w*|betting|bookmak\w*|dice game",
    ),
    (
        RefusedFamily("obscene_material", "pornography and obscene material", ENFORCEMENT_BIAS),
        r"obscen\w*|pornograph\w*",
    ),
    (
        RefusedFamily("weapon_law", "weapon-law violations", ENFORCEMENT_BIAS),
        r"weapons?[- ](?:law|viol\w*|poss\w*|offen[cs]es?)|unlawful (?:use|poss\w*)|uuw|upf|concealed carry|"
        r"poss\w* (?:of )?(?:a )?(?:firearm|gun|weapon|handgun)s?|carrying",
    ),
    (
        RefusedFamily("group_b", "disorder, traffic and other group B offences", ENFORCEMENT_BIAS),
        r"disorder\w*|loiter\w*|vagran\w*|curfew|drunk\w*|intox\w*|dui|dwi|owi|liquor|alcohol|trespass\w*|"
        r"panhandl\w*|begging|runaways?|truan\w*|public (?:peace|nuisance|urinat\w*|order)|nuisance|"
        r"quality of life|peeping|bad che(?:ck|que)s?|noise|parking|traffic|speeding|reckless driving|suspended licen[cs]e",
    ),
    (
        RefusedFamily("police_activity", "stops, interviews, arrests and warrants", ENFORCEMENT_BIAS),
        r"(?:traffic|pedestrian|vehicle|subject|terry|investigat\w*) stops?|field (?:interview|interrogation|contact)s?|"
        r"stop and frisk|arrests?|warrants?|suspicious (?:person|subject|vehicle|circumstances?)|directed patrols?|"
        r"resist\w*|obstruct\w*|probation|parole",
    ),
    (
        RefusedFamily("simple_assault", "simple assault and battery", NOT_FORECAST),
        r"simple|(?:3rd|third) degree assault|misdemeanou?r assault",
    ),
    (
        RefusedFamily("sex_offences", "sex offences", NOT_FORECAST),
        r"sex\w*|rape\w*|sodomy|molest\w*|indecen\w*|incest",
    ),
    (
        RefusedFamily("vandalism", "vandalism and criminal damage", NOT_FORECAST),
        r"vandal\w*|criminal (?:damage|mischief)|malicious (?:damage|mischief)|graffiti|damage to property|"
        r"destruction of property",
    ),
    (
        RefusedFamily("fraud", "fraud and forgery", NOT_FORECAST),
        r"fraud\w*|forge\w*|counterfeit\w*|embezz\w*|identity theft|deceptive|theft of (?:identity|services)|swindl\w*|"
        r"confidence game|extort\w*|brib\w*|blackmail",
    ),
    (RefusedFamily("arson", "arson", NOT_FORECAST), r"arson\w*"),
    (
        RefusedFamily("stolen_property", "stolen-property offences", NOT_FORECAST),
        r"(?:receiv\w*|poss\w*|recovered) (?:of )?(?:stolen|lost)|stolen property",
    ),
    (
        RefusedFamily("persons", "kidnapping, threats and offences against family", NOT_FORECAST),
        r"kidnap\w*|abduct\w*|human traffick\w*|intimidat\w*|harass\w*|stalk\w*|threat\w*|missing person|"
        r"child (?:abuse|neglect|endanger\w*)|suicide|welfare check|mental health",
    ),
)
_REFUSED_PATTERNS = tuple(
    (family, re.compile(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])")) for family, words in _REFUSED_WORDS
)

# The words that name a forecastable class. Vehicle theft stands before theft, robbery before both.
_CLASS_WORDS: tuple[tuple[str, str], ...] = (
    ("homicide", r"homicides?|murder\w*|manslaughter"),
    ("robbery", r"robber\w*|robb(?:ed|ing)|car-?jack\w*|mugging|hold-?ups?|stick-?ups?"),
    (
        "aggravated_assault",
        r"agg(?:ravated)?\.?:?\b.*\b(?:assault|battery|batt|aslt)|(?:assault|battery|aslt)\b.*\bagg(?:ravated)?|"
        r"felony assault|assault with (?:a )?(?:deadly|dangerous) weapon|adw|shooting|stabbing|non-?fatal shooting",
    ),
    ("burglary", r"burglar\w*|burg|break(?:ing)? (?:and|&) enter\w*|b ?& ?e|home invasion|unlawful entry"),
    (
        "motor_vehicle_theft",
        r"(?:motor )?vehicle theft|auto theft|stolen (?:vehicle|auto|car)|theft of (?:a )?(?:motor )?(?:vehicle|auto|car)|"
        r"mvt|gta|grand theft auto|uumv",
    ),
    (
        "gunfire",
        r"shots? (?:fired|heard|report\w*)|sound of (?:gun)?shots?|gun ?fire|gun ?shots?|acoustic (?:alert|detection)|"
        r"shot ?spotter",
    ),
    (
        "theft",
        r"thefts?|larcen\w*|steal\w*|stole|shoplift\w*|pocket[- ]?picking|purse[- ]?snatch\w*|pick ?pocket\w*",
    ),
)
_CLASS_PATTERNS = tuple(
    (key, re.compile(rf"(?<![a-z0-9])(?:{words})(?![a-z0-9])")) for key, words in _CLASS_WORDS
)


def refused_word(description: str) -> WordHit | None:
    """The first word that belongs to a refused family, or nothing."""
    text = description.lower()
    for family, pattern in _REFUSED_PATTERNS:
        match = pattern.search(text)
        if match:
            return WordHit(match[0], family)
    return None


def named_class(description: str) -> str:
    """The key of the forecastable class that the words name; empty if they name none."""
    text = description.lower()
    for key, pattern in _CLASS_PATTERNS:
        if pattern.search(text):
            return key
    return ""
