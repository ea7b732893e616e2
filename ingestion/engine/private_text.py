"""What people write in a few words: found and named where it is about a person, before any of it is stored.

The rules are data: the browser gets the very same ones (``rules_for_browser``) and warns before anything is sent. So
each pattern keeps to what Python's and a browser's expressions both understand: no look-behind, no inline flags.
"""

import re
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class TextRule:
    """One kind of person data: how it looks, and what is said about it.

    A match counts unless ``unless_before`` fits the text that ends where the match begins, or ``unless`` the match.
    """

    key: str
    what: str
    pattern: str
    unless_before: str = ""
    unless: str = ""
    ignore_case: bool = False

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], re.Pattern[str] | None, re.Pattern[str] | None]:
        flags = re.IGNORECASE if self.ignore_case else 0
        return (
            re.compile(self.pattern, flags),
            re.compile(self.unless_before, re.IGNORECASE) if self.unless_before else None,
            re.compile(self.unless, re.IGNORECASE) if self.unless else None,
        )

    def matches(self, text: str) -> list[tuple[int, int]]:
        """Where the rule fits: (start, end) of each match."""
        pattern, before, unless = self._compiled
        found = []
        for match in pattern.finditer(text):
            # Sixty characters hold every word that a rule looks back for.
            if before and before.search(text[max(0, match.start() - 60) : match.start()]):
                continue
            if unless and unless.search(match.group()):
                continue
            found.append(match.span())
        return found


@dataclass(frozen=True)
class TextFinding:
    """A piece of a text that may not be stored: where it stands, what it is and the rule that says so."""

    rule: str
    what: str
    start: int
    end: int
    found: str


def _any_case(words: str) -> str:
    """Words as written small, with a capital, or in capitals, where the rest of a pattern minds capitals."""
    forms = [form for word in words.split("|") for form in (word, word.capitalize(), word.upper())]
    return "|".join(dict.fromkeys(forms))


# Spelled out: \s and \d differ between the two engines' Unicode tables.
_GAP = r"[ \t]{1,3}"
_NAME = r"[A-Z][a-zà-ÿ'’\-]{1,20}"
_ANY_NAME = r"[A-Z][A-Za-zà-ÿ'’\-]{1,20}"
_BIRTH_YEAR = r"(?:19[0-9]{2}|20(?:0[0-9]|1[0-5])|[3-9][0-9]|0[0-9]|1[0-5])"
_BIRTH_DATE = (
    rf"(?:[0-9]{{1,2}}[/.\-][0-9]{{1,2}}[/.\-]{_BIRTH_YEAR}|{_BIRTH_YEAR}-[0-9]{{2}}-[0-9]{{2}})(?![0-9])"
)
_STREET = (
    r"(?:st|street|ave?|avenue|blvd|boulevard|rd|road|dr|drive|ln|lane|ct|court|pl|place|pkwy|parkway|way|ter|terrace|"
    r"park|station|school|church|plaza|square|bridge|market|lot|garage|beat|unit|avenue|alley|mall|center|centre)"
)
# A number after one of these is the number of a thing.
_THING = (
    r"(?:case|cases|rd|cad|incident|event|report|rpt|ref|reference|no|nr|num|number|ticket|citation|pole|light|lamp|hydrant|meter|"
    r"permit|asset|unit|beat|box|tag|sign|block|route|hwy|highway|bus|train|car|gate|room|order|id|call|complaint|item|inv|inventory)"
)
_THING_BEFORE = rf"(?:\b{_THING}[#:.\s]*(?:no|nr|num|number)?[.:#\s]*|#\s*)$"
_PHONE_NAMED_BEFORE = r"\b(?:phone|cell|mobile|tel|telephone)\b[^0-9]{0,12}$"
_ROLES = (
    "suspect|victim|witness|subject|offender|complainant|caller|driver|passenger|owner|manager|clerk|tenant|resident|"
    "neighbor|neighbour|juvenile|defendant|arrestee|parolee|informant|boyfriend|girlfriend|husband|wife|father|mother|"
    "son|daughter|brother|sister"
)

TEXT_RULES: tuple[TextRule, ...] = (
    TextRule(
        "email",
        "an e-mail address",
        r"[A-Za-z0-9][A-Za-z0-9._%+\-]*@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,}",
    ),
    TextRule(
        "phone",
        "a phone number",
        # (312) 555-0134 · 312-555-0134 · +1 312.555.0134 · 3125550134
        r"(?:\+?1[ .\-]?)?(?:\([2-9][0-9]{2}\)[ .\-]?|\b[2-9][0-9]{2}[ .\-]?)[2-9][0-9]{2}[ .\-]?[0-9]{4}(?![0-9\-])",
        # "case 2024001234" and "inv. 312-555-0134" number things; "call" and "number" alone are no such words.
        unless_before=r"(?:\b(?:case|cases|rd|cad|incident|event|report|rpt|ref|reference|ticket|citation|permit|asset|order|inv|inventory)"
        r"[#:.\s]*(?:no|nr|num|number)?[.:#\s]*|[0-9\-])$",
    ),
    TextRule(
        "phone",
        "a phone number",
        r"\b[2-9][0-9]{2}[.\-][0-9]{4}(?![0-9\-])",
        unless_before=rf"(?:{_THING_BEFORE}|[0-9.\-]$|[0-9)][ ]$)",
    ),
    TextRule(
        "phone",
        "a phone number",
        r"\b(?:phone|cell|mobile|tel|telephone)(?:[ ]?(?:no|nr|number|is|#))*[.:#]?[ ]{0,2}[+(]?[0-9][0-9 ().\-]{5,15}[0-9]",
        ignore_case=True,
    ),
    TextRule(
        "date_of_birth",
        "a date of birth",
        r"\b(?:d\.?o\.?b\.?|date of birth|birth ?(?:date|day)|born(?: on| in)?)[ .:#]{0,3}(?:is |was )?[0-9]{1,4}",
        ignore_case=True,
    ),
    TextRule(
        "name_and_birth",
        "a name with a date of birth",
        rf"\b{_ANY_NAME}[ ,]{{1,3}}(?:[A-Z]\.?[ ])?{_ANY_NAME}[ ,;:(\-]{{1,4}}{_BIRTH_DATE}",
        unless=rf"\b{_STREET}\b",
    ),
    TextRule(
        "name",
        "a person's name",
        rf"\b(?:Mr|Mrs|Ms|Miss|MR|MRS|MS)\.?{_GAP}{_ANY_NAME}",
        unless=rf"\b{_STREET}\b",
    ),
    TextRule(
        "name",
        "a person's name",
        rf"\b(?:{_any_case(_ROLES)})[ ,:]{{1,3}}(?:(?:is|was|named|name){_GAP})?{_NAME}{_GAP}(?:[A-Z]\.?{_GAP})?{_NAME}",
        unless=rf"\b{_STREET}\b",
    ),
    TextRule(
        "name",
        "a person's name",
        rf"\b(?:[Nn]amed|[Nn]ame is|[Nn]ame:|[Aa]ka|AKA|[Aa]\.k\.a\.){_GAP}{_ANY_NAME}",
    ),
    TextRule(
        "plate",
        "a vehicle's plate",
        # "plate ABC 1234", "tag: 7abc123", "license plate is BX12345"
        r"\b(?:licen[cs]e[ ]?plates?|licen[cs]e|plates?|tags?|lic|lp|reg)[ ]?(?:no|nr|number|is|was|reads)?[.:#]{0,2}[ ]{0,2}"
        r"(?:[a-z]{1,4}[ \-]?[0-9]{2,5}[a-z]{0,2}|[0-9]{1,4}[ \-]?[a-z]{1,4}[ \-]?[0-9]{0,4})\b",
        ignore_case=True,
        unless=r"(?:licen[cs]e|tags?|reg|plates?)[ ]?(?:no|nr|number|is|was)?[.:#]{0,2}[ ]{0,2}(?:on|at|in|by|of|from|to|for|near|off)[ ]?[0-9]|"
        r"[0-9][ ]?(?:st|nd|rd|th|min|hrs?|am|pm|m|ft|x|of|on|in|at|for|to|cars?)\b",
    ),
    TextRule(
        "plate",
        "a vehicle's plate",
        r"\b(?:[A-Z]{2,3}-?[0-9]{3,5}|[0-9]{1,3}-?[A-Z]{3}-?[0-9]{2,4}|[0-9]{3,4}-[A-Z]{2,3}|[0-9]{3}[A-Z]{3})\b(?!-[0-9])",
        unless=r"^(?:am|pm|us|il|sr|cr|fm|rd|no|nr|st|ave|apt|ste|fl|rm|hwy|rt|rte|ext|cad|cta|bus|box|lot|car|pct|dst|atm|pos|ups)-?[0-9]|"
        r"^[0-9]+-?(?:am|pm|hrs|min|ft|th|st|nd|mph|blk|mm|cal|usd|pct)(?:-?[0-9]*)$",
        unless_before=rf"(?:{_THING_BEFORE}|[0-9A-Z]-)$",
    ),
    TextRule(
        "plate",
        "a vehicle's plate",
        r"\b[A-Z]{3}[ ][0-9]{3,4}\b(?![ ]?(?:block|blk|BLOCK|BLK|hrs|HRS|[NSEWnsew]\b))",
        unless=r"^(?:lot|box|bus|car|cad|cta|apt|ste|hwy|rte|ext|bay|row|gym|pct|dst|atm|pos|ups|and|the|for|off|out|all|via|see|ave|use|til|are|was|not|but|had|new|old|"
        r"sub|map|way|zip|rpt|ref|num|inv|evt|inc|rad|bwc|avl|gps|low|key|run|loc|mile|end|saw|ran|did|has|per|app|try|one|two|six|ten|mon|tue|wed|thu|fri|sat|sun|"
        r"jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[ ]",
    ),
    TextRule(
        "vehicle_number",
        "a vehicle identification number",
        r"\b(?=[A-Z0-9]*[0-9])(?=[A-Z0-9]*[A-Z])[A-HJ-NPR-Z0-9]{17}\b",
        ignore_case=True,
    ),
    TextRule(
        "identity_number",
        "an identity number",
        r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9\-])",
        unless_before=r"(?:\b(?:case|rd|cad|incident|event|report|rpt|ref|reference|permit|asset)[#:.\s]*(?:no|number)?[.:#\s]*|[0-9\-])$",
    ),
    TextRule(
        "identity_number",
        "an identity number",
        r"\b(?:ssn|social security|passport|driver'?s? ?licen[cs]e|oln|dl)[ ]?(?:no|nr|number|is)?[.:#]{0,2}[ ]{0,2}[a-z]{0,2}[0-9][a-z0-9\-]{3,}",
        ignore_case=True,
    ),
    TextRule(
        "home",
        "where a person lives",
        r"\b(?:lives?|living|resid(?:es?|ing|ence)|stay(?:s|ing)|home address|house of|home of|apartment of)(?: is| was)?"
        r"(?: [a-z]+){0,2}[ :]{1,3}(?:at |in |on |of )?(?:the )?[0-9]{1,6}[a-z]?\b",
        ignore_case=True,
        unless=r"[0-9](?:st|nd|rd|th)\b|(?:stay|living|live)[a-z]* (?:for|until|till|from|about|only|over|under|clear|off|away|another) ",
    ),
    TextRule(
        "home",
        "where a person lives",
        r"\b(?:apt|apartment)\.?[ ]?#?[ ]?(?:[0-9]{1,5}[a-z]?|[a-z][0-9]{0,4})\b",
        ignore_case=True,
        unless=r"(?:apt|apartment)\.?[ ]a$",
    ),
    TextRule(
        "description",
        "a description of a person",
        r"\b(?:black|white|hispanic|latin[ox]|asian|arab|african|african american|native american|caucasian)[ ,/]{1,2}"
        r"(?:young |older |teen(?:age)? |adult |juvenile )?(?:males?|females?|m[ae]n|wom[ae]n|guys?|boys?|girls?|kids?|teens?|teenagers?|juveniles?|youths?|persons?|people|subjects?|suspects?)\b",
        ignore_case=True,
    ),
    TextRule(
        "description",
        "a description of a person",
        r"\b(?:[BWHAIU]/[MF]|[bwhaiu]/[mf])\b(?:[/ ,]{0,2}[0-9]{1,2})?",
    ),
    TextRule(
        "description",
        "a description of a person",
        r"\b[1-9][0-9]?[ \-]?(?:y/?o|yrs? old|years?[ \-]old)\b(?:[ ]{1,2}(?:males?|females?|m[ae]n|wom[ae]n|boys?|girls?|kids?|juveniles?|suspects?|subjects?|m|f)\b)?",
        ignore_case=True,
    ),
)
"""Every kind of person data that a short note may not hold, in the order in which it is said."""


def screen_text(text: str) -> list[TextFinding]:
    """Name every piece of a note that is about a person; an empty list means that it may be stored.

    It looks for e-mail addresses, phone numbers, dates of birth, names that stand beside one or beside a word such as
    "suspect" or "Mr", plates, identity numbers, dwellings and descriptions of people. Places, times, counts, case
    numbers and the numbers of things pass. A name alone ("Main", "Elm") cannot be told from a street and passes: the
    page asks not to write any. In the order of the text; of pieces that overlap the first rule's stays.

    >>> [(finding.rule, finding.found) for finding in screen_text("call Ann at 312-555-0134")]
    [('phone', '312-555-0134')]
    >>> screen_text("car blocking 12th and Main, light pole 4411 out at 22:15, case 24-001234")
    []
    """
    found: list[TextFinding] = []
    for rule in TEXT_RULES:
        for start, end in rule.matches(text):
            if all(end <= other.start or start >= other.end for other in found):
                found.append(TextFinding(rule.key, rule.what, start, end, text[start:end]))
    return sorted(found, key=lambda finding: finding.start)


def refusal(findings: list[TextFinding]) -> str:
    """Say what was found and why it cannot be stored, in a sentence or two.

    >>> refusal(screen_text("plate ABC 1234"))
    'This looks like a vehicle’s plate: “plate ABC 1234”. Notes are about places, never about persons, so nothing was stored.'
    """
    parts = [f"{finding.what.replace(chr(39), '’')}: “{finding.found.strip()}”" for finding in findings]
    told = "; ".join(parts[:3]) + ("; and more" if len(parts) > 3 else "")
    return f"This looks like {told}. Notes are about places, never about persons, so nothing was stored."


def rules_for_browser() -> list[dict[str, object]]:
    """The same rules for a page's script, which applies them in the same order."""
    return [
        {
            "key": rule.key,
            "what": rule.what.replace("'", "’"),
            "pattern": rule.pattern,
            "unlessBefore": rule.unless_before,
            "unless": rule.unless,
            "ignoreCase": rule.ignore_case,
        }
        for rule in TEXT_RULES
    ]
