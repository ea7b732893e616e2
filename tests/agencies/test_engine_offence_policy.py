"""What may be forecast and what is refused, code family by code family."""

import pytest

from agencies.engine.offence_codes import CLASS_BY_CODE, REFUSED_BY_CODE, tidy_code
from agencies.engine.offence_policy import (
    ENFORCEMENT_BIAS,
    NOT_FORECAST,
    OFFENCE_CLASSES,
    Allowed,
    NeedsReason,
    Refused,
    offence_class_of,
    screen_code,
)

ALLOWED_NIBRS = {
    "09A": "homicide",
    "13A": "aggravated_assault",
    "120": "robbery",
    "220": "burglary",
    "240": "motor_vehicle_theft",
    **{f"23{letter}": "theft" for letter in "ABCDEFGH"},
}
ALLOWED_UCR = {
    "01A": "homicide",
    "03": "robbery",
    "04A": "aggravated_assault",
    "04B": "aggravated_assault",
    "05": "burglary",
    "06": "theft",
    "07": "motor_vehicle_theft",
}
BIASED_NIBRS = [
    "35A", "35B", "40A", "40B", "40C", "39A", "39B", "39C", "39D", "370", "520",
    *(f"90{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
]  # fmt: skip
BIASED_UCR = ["15", "16", "18", "19", "21", "22", "23", "24", "25", "26", "27", "28", "29"]
NOT_FORECAST_NIBRS = [
    "13B",
    "13C",
    "290",
    "11A",
    "11B",
    "36A",
    "26A",
    "26F",
    "200",
    "100",
    "210",
    "250",
    "270",
    "280",
    "720",
    "09B",
    "09C",
]
NOT_FORECAST_UCR = ["01B", "02", "04E", "08A", "08B", "09", "10", "11", "12", "13", "14", "17", "20"]


@pytest.mark.parametrize(("code", "key"), ALLOWED_NIBRS.items())
def test_nibrs_codes_of_the_allow_list_are_forecast(code: str, key: str) -> None:
    outcome = screen_code(nibrs=code)
    assert isinstance(outcome, Allowed)
    assert (outcome.offence_class.key, outcome.code) == (key, code)


@pytest.mark.parametrize(("code", "key"), ALLOWED_UCR.items())
def test_ucr_codes_of_the_allow_list_are_forecast(code: str, key: str) -> None:
    outcome = screen_code(ucr=code)
    assert isinstance(outcome, Allowed)
    assert outcome.offence_class.key == key


@pytest.mark.parametrize("code", BIASED_NIBRS)
def test_nibrs_codes_that_measure_enforcement_are_refused_for_that_reason(code: str) -> None:
    outcome = screen_code(nibrs=code)
    assert isinstance(outcome, Refused)
    assert outcome.reason == ENFORCEMENT_BIAS
    assert ENFORCEMENT_BIAS in outcome.message
    assert outcome.rule in outcome.message


@pytest.mark.parametrize("code", BIASED_UCR)
def test_ucr_codes_that_measure_enforcement_are_refused_for_that_reason(code: str) -> None:
    outcome = screen_code(ucr=code)
    assert isinstance(outcome, Refused)
    assert outcome.reason == ENFORCEMENT_BIAS


@pytest.mark.parametrize("code", NOT_FORECAST_NIBRS)
def test_other_nibrs_codes_are_not_forecast(code: str) -> None:
    outcome = screen_code(nibrs=code)
    assert isinstance(outcome, Refused)
    assert outcome.reason == NOT_FORECAST
    assert NOT_FORECAST in outcome.message


@pytest.mark.parametrize("code", NOT_FORECAST_UCR)
def test_other_ucr_codes_are_not_forecast(code: str) -> None:
    outcome = screen_code(ucr=code)
    assert isinstance(outcome, Refused)
    assert outcome.reason == NOT_FORECAST


@pytest.mark.parametrize("code", ["999", "ZZZ", "5 5", "burglary!"])
def test_a_code_of_no_table_is_refused_since_the_list_is_an_allow_list(code: str) -> None:
    outcome = screen_code(ucr=code)
    assert isinstance(outcome, Refused)
    assert outcome.rule == "unknown_code"


def test_no_code_is_both_allowed_and_refused() -> None:
    assert not CLASS_BY_CODE.keys() & REFUSED_BY_CODE.keys()


@pytest.mark.parametrize(
    ("text", "code"),
    [("5", "05"), (" 4b ", "04B"), ("220.0", "220"), ("9a", "09A"), ("", ""), ("23f", "23F")],
)
def test_codes_are_read_although_a_spreadsheet_took_their_zeros(text: str, code: str) -> None:
    assert tidy_code(text) == code


def test_a_refused_code_refuses_whatever_else_is_said() -> None:
    outcome = screen_code(
        nibrs="220", ucr="18", description="Burglary", declared="220", written_reason="because I want it so"
    )
    assert isinstance(outcome, Refused)
    assert outcome.rule == "drugs"


def test_an_allowed_code_decides_against_suspect_words() -> None:
    outcome = screen_code(nibrs="120", description="Robbery of a drug store")
    assert isinstance(outcome, Allowed)
    assert outcome.offence_class.key == "robbery"


def test_a_code_of_another_class_than_the_crime_type_is_refused() -> None:
    outcome = screen_code(code="0820", ucr="06", declared="220")
    assert isinstance(outcome, Refused)
    assert outcome.rule == "code_conflict"
    assert "Theft" in outcome.message
    assert "Burglary" in outcome.message


def test_robbery_of_a_drug_store_needs_a_written_reason() -> None:
    outcome = screen_code(description="Robbery of a drug store", declared="120")
    assert isinstance(outcome, NeedsReason)
    assert outcome.word == "drug"
    assert "write why" in outcome.message


def test_a_written_reason_lets_robbery_of_a_drug_store_through() -> None:
    outcome = screen_code(
        description="Robbery of a drug store",
        declared="120",
        written_reason="The store sells medicine; the victim reports it.",
    )
    assert isinstance(outcome, Allowed)
    assert outcome.offence_class.key == "robbery"


@pytest.mark.parametrize("reason", ["", "   ", "ok", "........."])
def test_a_keystroke_is_no_written_reason(reason: str) -> None:
    assert isinstance(screen_code(description="Theft of liquor", written_reason=reason), NeedsReason)


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ("Possession of cannabis 30 g or less", ENFORCEMENT_BIAS),
        ("NARCOTICS", ENFORCEMENT_BIAS),
        ("Soliciting for a prostitute", ENFORCEMENT_BIAS),
        ("GAMBLING", ENFORCEMENT_BIAS),
        ("WEAPONS VIOLATION", ENFORCEMENT_BIAS),
        ("UUW - handgun", ENFORCEMENT_BIAS),
        ("Disorderly conduct", ENFORCEMENT_BIAS),
        ("CRIMINAL TRESPASS", ENFORCEMENT_BIAS),
        ("Driving under the influence (DUI)", ENFORCEMENT_BIAS),
        ("LIQUOR LAW VIOLATION", ENFORCEMENT_BIAS),
        ("Traffic stop", ENFORCEMENT_BIAS),
        ("Field interview", ENFORCEMENT_BIAS),
        ("Warrant arrest", ENFORCEMENT_BIAS),
        ("Loitering", ENFORCEMENT_BIAS),
        ("Simple assault", NOT_FORECAST),
        ("CRIMINAL DAMAGE", NOT_FORECAST),
        ("Vandalism", NOT_FORECAST),
        ("SEX OFFENSE", NOT_FORECAST),
        ("Credit card fraud", NOT_FORECAST),
        ("ARSON", NOT_FORECAST),
        ("Stalking", NOT_FORECAST),
    ],
)
def test_words_alone_refuse_and_no_written_reason_lifts_it(description: str, reason: str) -> None:
    outcome = screen_code(
        description=description, declared="220", written_reason="a long reason that argues for it"
    )
    assert isinstance(outcome, Refused)
    assert outcome.reason == reason


@pytest.mark.parametrize(
    ("description", "key"),
    [
        ("Burglary - forcible entry", "burglary"),
        ("ARMED: HANDGUN ROBBERY", "robbery"),
        ("Motor vehicle theft", "motor_vehicle_theft"),
        ("THEFT FROM VEHICLE", "theft"),
        ("AGGRAVATED ASSAULT", "aggravated_assault"),
        ("AGG BATTERY", "aggravated_assault"),
        ("First degree murder", "homicide"),
        ("Shots fired", "gunfire"),
        ("Methodist church burglary", "burglary"),
    ],
)
def test_words_that_name_a_class_are_enough_where_there_is_no_code(description: str, key: str) -> None:
    outcome = screen_code(description=description)
    assert isinstance(outcome, Allowed)
    assert outcome.offence_class.key == key


def test_words_that_say_nothing_take_the_declared_class_or_none() -> None:
    declared = screen_code(code="A-17", description="Signal 30", declared="220")
    assert isinstance(declared, Allowed)
    assert declared.offence_class.key == "burglary"
    undeclared = screen_code(code="A-17", description="Signal 30")
    assert isinstance(undeclared, Refused)
    assert undeclared.rule == "unknown_offence"


def test_a_refused_class_cannot_be_declared() -> None:
    outcome = screen_code(description="Burglary", declared="35A")
    assert isinstance(outcome, Refused)
    assert outcome.reason == ENFORCEMENT_BIAS


def test_gunfire_comes_from_sensors_and_calls_but_not_from_offences() -> None:
    for outcome in (
        screen_code(kind="gunfire", description="Multiple gunshots"),
        screen_code(kind="calls", description="SHOTS FIRED"),
        screen_code(declared="gunfire", description="Gunfire"),
    ):
        assert isinstance(outcome, Allowed)
        assert outcome.offence_class.key == "gunfire"
    assert isinstance(screen_code(kind="incidents", description="Shots fired"), Refused)
    assert isinstance(screen_code(kind="gunfire", nibrs="520"), Refused)


def test_shoplifting_counts_half_by_default() -> None:
    theft = offence_class_of("23C")
    assert theft is not None
    assert theft.weight_of("23C") == theft.default_weight / 2
    assert theft.weight_of("23F") == theft.default_weight


def test_each_class_has_its_own_letter_and_all_its_names_are_allowed() -> None:
    assert sorted(entry.letter for entry in OFFENCE_CLASSES) == sorted("BRVTAHG")
    for entry in OFFENCE_CLASSES:
        for code in (entry.key, *entry.nibrs):
            assert isinstance(screen_code(declared=code), Allowed)
