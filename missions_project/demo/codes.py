"""Riverton's own offence codes and call natures, and what each is in the national scheme."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OffenceCode:
    """One local code. crime_type: slug in CRIME_TYPES, "" where the product refuses it; share: within its type."""

    code: str
    description: str
    nibrs_code: str
    crime_type: str
    share: float


OFFENCE_CODES: tuple[OffenceCode, ...] = (
    OffenceCode("B-101", "BURGLARY - RESIDENCE, FORCED ENTRY", "220", "burglary", 0.42),
    OffenceCode("B-102", "BURGLARY - RESIDENCE, NO FORCE", "220", "burglary", 0.22),
    OffenceCode("B-110", "BURGLARY - BUSINESS", "220", "burglary", 0.20),
    OffenceCode("B-120", "BURGLARY - GARAGE OR SHED", "220", "burglary", 0.10),
    OffenceCode("B-130", "BURGLARY - ATTEMPTED", "220", "burglary", 0.06),
    OffenceCode("R-201", "ROBBERY - STRONG ARM", "120", "robbery", 0.46),
    OffenceCode("R-202", "ROBBERY - FIREARM", "120", "robbery", 0.33),
    OffenceCode("R-203", "ROBBERY - VEHICLE TAKEN", "120", "robbery", 0.09),
    OffenceCode("R-204", "ROBBERY - BUSINESS", "120", "robbery", 0.12),
    OffenceCode("V-301", "MOTOR VEHICLE THEFT - AUTOMOBILE", "240", "motor_vehicle_theft", 0.80),
    OffenceCode("V-302", "MOTOR VEHICLE THEFT - TRUCK OR VAN", "240", "motor_vehicle_theft", 0.11),
    OffenceCode("V-303", "MOTOR VEHICLE THEFT - MOTORCYCLE", "240", "motor_vehicle_theft", 0.05),
    OffenceCode("V-304", "MOTOR VEHICLE THEFT - ATTEMPTED", "240", "motor_vehicle_theft", 0.04),
    OffenceCode("T-401", "THEFT - FROM MOTOR VEHICLE", "23F", "theft", 0.33),
    OffenceCode("T-402", "THEFT - VEHICLE PARTS", "23G", "theft", 0.10),
    OffenceCode("T-403", "THEFT - FROM BUILDING", "23D", "theft", 0.17),
    OffenceCode("T-404", "THEFT - SHOPLIFTING", "23C", "theft", 0.14),
    OffenceCode("T-405", "THEFT - POCKET PICKING", "23A", "theft", 0.04),
    OffenceCode("T-406", "THEFT - PURSE SNATCHING", "23B", "theft", 0.02),
    OffenceCode("T-407", "THEFT - COIN MACHINE", "23E", "theft", 0.01),
    OffenceCode("T-410", "THEFT - BICYCLE AND OTHER", "23H", "theft", 0.19),
    OffenceCode("A-501", "AGGRAVATED ASSAULT - FIREARM", "13A", "aggravated_assault", 0.34),
    OffenceCode("A-502", "AGGRAVATED ASSAULT - KNIFE", "13A", "aggravated_assault", 0.20),
    OffenceCode("A-503", "AGGRAVATED ASSAULT - OTHER WEAPON", "13A", "aggravated_assault", 0.28),
    OffenceCode("A-504", "AGGRAVATED ASSAULT - SERIOUS INJURY", "13A", "aggravated_assault", 0.18),
    OffenceCode("H-001", "HOMICIDE", "09A", "homicide", 1.0),
    OffenceCode("D-601", "DRUG POSSESSION", "35A", "", 0.27),
    OffenceCode("D-602", "DRUG EQUIPMENT", "35B", "", 0.08),
    OffenceCode("P-701", "PROSTITUTION", "40A", "", 0.05),
    OffenceCode("O-801", "DISORDERLY CONDUCT", "90C", "", 0.20),
    OffenceCode("O-802", "DRUNKENNESS", "90E", "", 0.09),
    OffenceCode("O-803", "TRESPASS OF REAL PROPERTY", "90J", "", 0.15),
    OffenceCode("W-520", "WEAPON LAW VIOLATION", "520", "", 0.08),
    OffenceCode("X-290", "VANDALISM", "290", "", 0.08),
)

REPORT_NATURE = {
    "burglary": "BURGLARY REPORT",
    "robbery": "ROBBERY REPORT",
    "motor_vehicle_theft": "STOLEN VEHICLE REPORT",
    "theft": "THEFT REPORT",
    "aggravated_assault": "ASSAULT IN PROGRESS",
    "homicide": "PERSON DOWN",
    "gunfire": "SHOTS HEARD",
}
"""The nature under which a call about a crime is logged."""


@dataclass(frozen=True)
class CallNature:
    """A kind of call that no crime stands behind. weights: log-linear in the covariates; a_year: mean calls a year."""

    nature: str
    discovery: str
    a_year: float
    hours: str
    weights: dict[str, float]


CALL_NATURES: tuple[CallNature, ...] = (
    CallNature("NOISE COMPLAINT", "reported", 0.85 * 3_000, "night", {"residents": 0.9, "bars": 0.2}),
    CallNature(
        "DISTURBANCE", "reported", 0.85 * 4_800, "evening", {"hardship": 0.6, "residents": 0.6, "bars": 0.4}
    ),
    CallNature(
        "FIGHT", "reported", 0.85 * 1_100, "bar_hours", {"bars": 1.0, "schools": 0.3, "hardship": 0.3}
    ),
    CallNature("SUSPICIOUS VEHICLE", "reported", 0.85 * 2_700, "home", {"residents": 0.9}),
    CallNature("ALARM - BUSINESS", "reported", 0.85 * 2_600, "night", {"commerce": 0.9, "main": 0.8}),
    CallNature(
        "ALARM - RESIDENCE", "reported", 0.85 * 1_500, "workday", {"residents": 0.8, "hardship": -0.4}
    ),
    CallNature("WELFARE CHECK", "reported", 0.85 * 2_300, "workday", {"residents": 0.8, "hardship": 0.3}),
    CallNature("TRAFFIC COLLISION", "reported", 0.85 * 3_200, "rush", {"main": 1.2, "commerce": 0.3}),
    CallNature("TRAFFIC STOP", "officer_initiated", 0.85 * 4_600, "rush", {"main": 1.2, "hardship": 0.6}),
    CallNature("BUSINESS CHECK", "officer_initiated", 0.85 * 2_200, "night", {"commerce": 0.9, "bars": 0.5}),
    CallNature(
        "DIRECTED PATROL", "officer_initiated", 0.85 * 1_500, "evening", {"hardship": 0.9, "bars": 0.5}
    ),
)
