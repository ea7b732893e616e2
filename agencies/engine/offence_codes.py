"""The offences this product may forecast, and the national code tables that say what the others are.

Allow-list of the domain's §2. It is code and not configuration: no admin switch lifts it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

ENFORCEMENT_BIAS: Final = "prone to enforcement bias"
NOT_FORECAST: Final = "not forecast by this product"
Reason = Literal["prone to enforcement bias", "not forecast by this product"]


@dataclass(frozen=True)
class OffenceClass:
    """One kind of offence that missions may be planned for; an agency's crime type is one or part of one.

    ``nibrs`` holds NIBRS codes, ``ucr`` summary-UCR codes (the "FBI codes" of city exports, with and
    without their sub-letters). ``default_weight`` is a severity relative to the other classes; its order
    follows cost-of-crime studies (Heaton 2010, RAND OP-279), with homicide held down so that a few rare
    events do not drown the rest; agencies set their own. ``letter`` stands in the box on the map, so that
    colour is never alone. ``sensor`` classes come from alerts and calls, never from an offence code.
    """

    key: str
    label: str
    letter: str
    default_weight: float
    nibrs: tuple[str, ...] = ()
    ucr: tuple[str, ...] = ()
    sensor: bool = False
    weight_factors: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def weight_of(self, code: str = "") -> float:
        """The default severity of one code of this class: shoplifting (23C) counts half."""
        return self.default_weight * self.weight_factors.get(code.strip().upper(), 1.0)


OFFENCE_CLASSES: tuple[OffenceClass, ...] = (
    OffenceClass("homicide", "Homicide", "H", 10.0, ("09A",), ("01A", "01")),
    OffenceClass(
        "aggravated_assault",
        "Aggravated assault or battery",
        "A",
        5.0,
        ("13A",),
        # 04E is missing on purpose: in the summary system it is the simple assault.
        ("04", "04A", "04B", "04C", "04D"),
    ),
    OffenceClass("robbery", "Robbery", "R", 5.0, ("120",), ("03", "03A", "03B", "03C", "03D")),
    OffenceClass("gunfire", "Gunfire", "G", 4.0, sensor=True),
    OffenceClass("burglary", "Burglary", "B", 2.0, ("220",), ("05", "05A", "05B", "05C")),
    OffenceClass(
        "motor_vehicle_theft", "Motor vehicle theft", "V", 1.5, ("240",), ("07", "07A", "07B", "07C")
    ),
    OffenceClass(
        "theft",
        "Theft",
        "T",
        0.5,
        ("23A", "23B", "23C", "23D", "23E", "23F", "23G", "23H"),
        ("06", *(f"06{letter}" for letter in "ABCDEFGHI")),
        # Shoplifting is mostly detected by store staff: it follows their effort, not only the crime.
        weight_factors=MappingProxyType({"23C": 0.5}),
    ),
)

CLASS_BY_KEY: Mapping[str, OffenceClass] = MappingProxyType({entry.key: entry for entry in OFFENCE_CLASSES})
CLASS_BY_CODE: Mapping[str, OffenceClass] = MappingProxyType(
    {code: entry for entry in OFFENCE_CLASSES for code in (*entry.nibrs, *entry.ucr)}
)

# (codes, what they are, why refused). Whatever is in neither table is refused as an unknown code.
_REFUSED: tuple[tuple[str, str, str, Reason], ...] = (
    ("35A 35B 18", "drugs", "drug and narcotic offences", ENFORCEMENT_BIAS),
    ("40A 40B 40C 16", "prostitution", "prostitution offences", ENFORCEMENT_BIAS),
    ("39A 39B 39C 39D 19", "gambling", "gambling offences", ENFORCEMENT_BIAS),
    ("370", "obscene_material", "pornography and obscene material", ENFORCEMENT_BIAS),
    ("520 521 522 526 15", "weapon_law", "weapon-law violations", ENFORCEMENT_BIAS),
    ("90A", "group_b", "bad cheques", ENFORCEMENT_BIAS),
    ("90B 28 25", "group_b", "curfew, loitering and vagrancy", ENFORCEMENT_BIAS),
    ("90C 24", "group_b", "disorderly conduct", ENFORCEMENT_BIAS),
    ("90D 21", "group_b", "driving under the influence", ENFORCEMENT_BIAS),
    ("90E 23", "group_b", "drunkenness", ENFORCEMENT_BIAS),
    ("90F", "group_b", "family offences, non-violent", ENFORCEMENT_BIAS),
    ("90G 22", "group_b", "liquor-law violations", ENFORCEMENT_BIAS),
    ("90H", "group_b", "peeping", ENFORCEMENT_BIAS),
    ("90I 29", "group_b", "runaways", ENFORCEMENT_BIAS),
    ("90J", "group_b", "trespass", ENFORCEMENT_BIAS),
    ("90Z 26 27", "group_b", "all other (group B) offences", ENFORCEMENT_BIAS),
    ("90K 90L 90M", "group_b", "group B offences", ENFORCEMENT_BIAS),
    ("13B 08 08A 08B 04E", "simple_assault", "simple assault and battery", NOT_FORECAST),
    ("13C 13D", "intimidation", "intimidation and stalking", NOT_FORECAST),
    ("09B 01B", "negligent_manslaughter", "negligent manslaughter", NOT_FORECAST),
    ("09C", "justifiable_homicide", "justifiable homicide", NOT_FORECAST),
    ("11A 11B 11C 11D 36A 36B 360 02 02A 02B 17", "sex_offences", "sex offences", NOT_FORECAST),
    ("290 14", "vandalism", "vandalism and criminal damage", NOT_FORECAST),
    ("200 09", "arson", "arson", NOT_FORECAST),
    ("100", "kidnapping", "kidnapping", NOT_FORECAST),
    ("64A 64B", "human_trafficking", "human trafficking", NOT_FORECAST),
    ("210", "extortion", "extortion", NOT_FORECAST),
    ("510", "bribery", "bribery", NOT_FORECAST),
    ("250 10", "forgery", "forgery and counterfeiting", NOT_FORECAST),
    ("26A 26B 26C 26D 26E 26F 26G 26H 11", "fraud", "fraud", NOT_FORECAST),
    ("270 12", "embezzlement", "embezzlement", NOT_FORECAST),
    ("280 13", "stolen_property", "stolen-property offences", NOT_FORECAST),
    ("20", "family_offences", "offences against family and children", NOT_FORECAST),
    ("720", "animal_cruelty", "animal cruelty", NOT_FORECAST),
    (
        "101 103 30A 30B 30C 30D 49A 49B 49C 58A 58B 61A 61B 620",
        "federal",
        "federal and tribal reporting offences",
        NOT_FORECAST,
    ),
)


@dataclass(frozen=True)
class RefusedFamily:
    """A group of offences that the product will not forecast, and which of the two reasons applies."""

    rule: str
    label: str
    reason: Reason


REFUSED_BY_CODE: Mapping[str, RefusedFamily] = MappingProxyType(
    {
        code: RefusedFamily(rule, label, reason)
        for codes, rule, label, reason in _REFUSED
        for code in codes.split()
    }
)

_CODE = re.compile(r"(\d{1,3})([A-Z]?)", re.ASCII)


def tidy_code(text: str) -> str:
    """The code as the tables spell it: upper case, the zero back that a spreadsheet took off.

    "5" → "05", "4b" → "04B", "220.0" → "220", "9A" → "09A" (NIBRS homicide). Text that is not shaped
    like a national code comes back upper-cased and otherwise unchanged; empty stays empty.
    """
    code = text.strip().upper()
    if code.endswith(".0"):
        code = code[:-2]
    match = _CODE.fullmatch(code)
    if match and len(match[1]) == 1:
        return f"0{match[1]}{match[2]}"
    return code
