"""What becomes of a row by its codes: the national code decides, the agency's table maps, the rest waits or is refused."""

import pytest

from ingestion.engine.codes import IGNORED_RULE, NOT_GUNFIRE_RULE, Accepted, CodeEntry, CodeTable, Refusal
from ingestion.engine.rejections import Rejection

TABLE = CodeTable(
    crime_types={"burglary": "220", "robbery": "120", "car-theft": "240", "gunfire": "gunfire"},
    entries={
        "0610": CodeEntry(crime_type="burglary"),
        "0620": CodeEntry(crime_type="burglary", nibrs_code="220"),
        "HOLDUP": CodeEntry(
            crime_type="robbery", written_reason="Drug stores are robbed; the victim reports it."
        ),
        "IGN": CodeEntry(is_ignored=True),
        "DRUG": CodeEntry(crime_type="burglary", nibrs_code="35A"),
    },
)


@pytest.mark.parametrize(
    ("codes", "slug"),
    [
        ({"code": "0610", "ucr": "05"}, "burglary"),
        ({"code": "unmapped", "ucr": "05"}, "burglary"),
        ({"code": "", "nibrs": "120"}, "robbery"),
        ({"code": "0610"}, "burglary"),
        ({"code": "0620"}, "burglary"),
        ({"code": "0610", "ucr": "07"}, "car-theft"),
        ({"code": "HOLDUP", "description": "Robbery of a drug store"}, "robbery"),
    ],
)
def test_a_row_of_a_wanted_class_reaches_its_crime_type(codes: dict[str, str], slug: str) -> None:
    decision = TABLE.decide(**{"code": "", **codes})  # type: ignore[arg-type]
    assert isinstance(decision, Accepted)
    assert decision.crime_type == slug


@pytest.mark.parametrize(
    ("codes", "rule", "code"),
    [
        ({"code": "0610", "ucr": "18"}, "drugs", "18"),
        ({"code": "0486", "ucr": "08B"}, "simple_assault", "08B"),
        ({"code": "DRUG"}, "drugs", "35A"),
        ({"code": "2027", "description": "POSS: CRACK"}, "drugs", "2027"),
        ({"code": "IGN", "ucr": "05"}, IGNORED_RULE, "IGN"),
        ({"code": "0610", "description": "Disorderly conduct"}, "group_b", "0610"),
        ({"code": "SHOTS", "nibrs": "520"}, "weapon_law", "520"),
        ({"code": "SHOTS", "nibrs": "gunfire"}, "weapon_law", "SHOTS"),
        ({"code": "SHOTS", "description": "Shots fired"}, "weapon_law", "SHOTS"),
    ],
)
def test_a_refused_row_is_counted_by_rule_and_code(codes: dict[str, str], rule: str, code: str) -> None:
    decision = TABLE.decide(**codes)  # type: ignore[arg-type]
    assert isinstance(decision, Refusal)
    assert (decision.rule, decision.code) == (rule, code)


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ({"code": "0820", "ucr": "06"}, "unmapped_code"),
        ({"code": "X-1"}, "unmapped_code"),
        ({"code": "X-1", "description": "Burglary"}, "unmapped_code"),
        ({"code": "X-2", "description": "Robbery of a drug store"}, "unmapped_code"),
        ({"code": "0610", "ucr": "06"}, "code_conflict"),
        ({"code": ""}, "missing_code"),
    ],
)
def test_a_row_that_a_person_must_look_at_is_kept_aside(codes: dict[str, str], code: str) -> None:
    decision = TABLE.decide(**codes)  # type: ignore[arg-type]
    assert isinstance(decision, Rejection)
    assert decision.code == code
    assert decision.field == "code"


def test_one_theft_code_does_not_swallow_the_others() -> None:
    table = CodeTable({"shoplifting": "23C", "from-cars": "23F"})
    assert table.decide(code="", nibrs="23C") == Accepted("shoplifting", "23C")
    assert table.decide(code="", nibrs="23F") == Accepted("from-cars", "23F")
    assert isinstance(table.decide(code="", nibrs="23D"), Rejection)
    assert isinstance(table.decide(code="", ucr="06"), Rejection)
    assert isinstance(CodeTable({"shoplifting": "23C"}).decide(code="", nibrs="23D"), Rejection)
    assert CodeTable({"theft": "theft"}).decide(code="", nibrs="23D") == Accepted("theft", "23D")


def test_two_crime_types_of_a_class_need_the_code_table() -> None:
    table = CodeTable({"homes": "220", "shops": "220"}, {"0610": CodeEntry(crime_type="shops")})
    assert table.decide(code="0610", ucr="05") == Accepted("shops", "0610")
    assert isinstance(table.decide(code="0620", ucr="05"), Rejection)


def test_of_several_codes_in_a_cell_the_first_wanted_one_counts() -> None:
    wanted = TABLE.decide(code="X|0610|HOLDUP", separator="|")
    assert wanted == Accepted("burglary", "0610")
    assert isinstance(TABLE.decide(code="X | IGN", separator="|"), Refusal)
    assert isinstance(TABLE.decide(code="X|Y", separator="|"), Rejection)
    assert isinstance(TABLE.decide(code="|", separator="|"), Rejection)


def test_calls_are_signals_and_only_enforcement_is_refused() -> None:
    assert TABLE.decide(code="ALARM", description="Commercial alarm", kind="calls") == Accepted("", "ALARM")
    assert TABLE.decide(code="VAND", description="Vandalism", kind="calls") == Accepted("", "VAND")
    assert TABLE.decide(code="SF", description="Shots fired", kind="calls") == Accepted("gunfire", "SF")
    stop = TABLE.decide(code="TS", description="Traffic stop", kind="calls")
    assert isinstance(stop, Refusal)
    assert isinstance(TABLE.decide(code="", kind="calls"), Rejection)


def test_sensor_alerts_are_gunfire_unless_they_say_otherwise() -> None:
    assert TABLE.decide(code="", kind="gunfire") == Accepted("gunfire", "")
    assert TABLE.decide(code="Multiple_Gunshots", kind="gunfire") == Accepted("gunfire", "Multiple_Gunshots")
    fireworks = TABLE.decide(code="Fireworks", kind="gunfire")
    assert isinstance(fireworks, Refusal)
    assert fireworks.rule == NOT_GUNFIRE_RULE
    assert isinstance(CodeTable({"burglary": "220"}).decide(code="", kind="gunfire"), Rejection)


def test_codes_that_the_mapping_ignores_are_counted_as_such() -> None:
    decision = TABLE.decide(code="0610", ucr="05", ignored=("0610",))
    assert isinstance(decision, Refusal)
    assert decision.rule == IGNORED_RULE
