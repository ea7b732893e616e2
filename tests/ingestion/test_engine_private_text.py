"""A note about a person is refused with what was found; a note about a place passes, whatever numbers it holds."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.engine.private_text import TEXT_RULES, refusal, rules_for_browser, screen_text

ABOUT_PERSONS = [
    ("call 312-555-0134", "phone"),
    ("(312) 555-0134", "phone"),
    ("+1 312.555.0134", "phone"),
    ("3125550134", "phone"),
    ("her cell 555-0134", "phone"),
    ("555-0134 called in", "phone"),
    ("write to a.b@mail.com", "email"),
    ("DOB 3/4/89", "date_of_birth"),
    ("DOB: 1989-03-04", "date_of_birth"),
    ("born 1989", "date_of_birth"),
    ("John Smith 03/04/89", "name_and_birth"),
    ("SMITH, JOHN 03/04/1989", "name_and_birth"),
    ("Smith, John (1989-03-04)", "name_and_birth"),
    ("spoke with Mr. Jones", "name"),
    ("Mrs Brown", "name"),
    ("suspect John Smith", "name"),
    ("victim: Maria Lopez", "name"),
    ("a man named Jamal", "name"),
    ("plate ABC 1234", "plate"),
    ("license plate is K12 345", "plate"),
    ("tag bx12345", "plate"),
    ("red civic ABC 1234", "plate"),
    ("ABC-1234", "plate"),
    ("7ABC123", "plate"),
    ("1HGCM82633A004352", "vehicle_number"),
    ("123-45-6789", "identity_number"),
    ("DL S1234567", "identity_number"),
    ("lives at 1234 Elm", "home"),
    ("resides 44 Oak", "home"),
    ("apt 3B", "home"),
    ("black male in hoodie", "description"),
    ("B/M 20s", "description"),
    ("24 yo male", "description"),
    ("25 years old", "description"),
]
ABOUT_PLACES = """car blocking 12th and Main|light pole 4411 out|22:15 quiet|10:30-11:00 walked the lot|case 24-001234|RD# JK123456|RD JK 123456
CAD 240312-0456|checked 3 doors, 2 open|3 cars with windows broken at 1200 block of Elm|spoke with manager of Station Market|hydrant 4411 leaking
unit 214 relieved us|report 2024-0012345|incident #240001234|POLE 4411 OUT|LIGHT OUT AT LOT 1234|bus 1234 stuck|I-94 exit 24|US 41 and 3rd
talked to the owner of Elm Market|driver of bus 12|two street lights out at Oak St & 5th|Elm Street 03/04/2026 quiet|gate open since 03/04/2026
left at 0215 hrs|stayed for 12 minutes|stay until 2300|ATM 4411 damaged|case 2024001234|permit 312-555-0134|pole 441-1200
5 min at Martin Luther King Dr|1100 block W Madison dark|Dr Martin Luther King Blvd|12 people in the park|tagged wall at 3rd & Elm|tags on 3 walls
license check at 5 bars|6-8 vehicles, no plates checked|RAV4 parked|F150 parked|beat 1124|24 hour store|15 years of complaints|park closes 11pm|AVE 1200
owner asked for light|resident asked for more light on Oak Street|Resident Oak Street asked|living room windows dark|residence hall dark
address 3 broken lamps|black van parked|white car|parked 22 min|reg plates sold|apartment building dark|apt complex|10-4|10-8 at 2200|1-800 sign
21st St 2200-2230|lot B2 and B3|COVID19 sign|Station lot 3 of 4 lamps out|checked 03/04 and 03/05|at 41.8812, -87.6323""".replace(
    "\n", "|"
).split("|")

SAFE_WORDS = st.sampled_from(
    "lamp dark quiet lot gate open closed fence door walked talked store light out near corner of the and two three bus stop park".split()
)
SAFE_TEXT = st.lists(SAFE_WORDS, min_size=0, max_size=6).map(" ".join)
DIGIT = st.integers(0, 9).map(str)


@pytest.mark.parametrize(("text", "rule"), ABOUT_PERSONS)
def test_what_is_about_a_person_is_found_and_named(text: str, rule: str) -> None:
    findings = screen_text(f"dark lot, {text}")
    assert rule in [finding.rule for finding in findings]
    for finding in findings:
        assert finding.found in refusal(findings)
    assert "never about persons" in refusal(findings)


@pytest.mark.parametrize("text", ABOUT_PLACES)
def test_what_is_about_a_place_passes(text: str) -> None:
    assert screen_text(text) == []


@given(st.text(max_size=300))
def test_any_text_is_read_and_findings_lie_in_it_in_order(text: str) -> None:
    findings = screen_text(text)
    assert all(text[one.start : one.end] == one.found for one in findings)
    assert all(one.end <= other.start for one, other in itertools.pairwise(findings))


@given(
    SAFE_TEXT,
    st.integers(2, 9),
    st.integers(2, 9),
    st.lists(DIGIT, min_size=8, max_size=8),
    st.sampled_from(
        ["{a}-{b}-{c}", "({a}) {b}-{c}", "{a}.{b}.{c}", "{a} {b} {c}", "+1 {a} {b} {c}", "1-{a}-{b}-{c}"]
    ),
    SAFE_TEXT,
)
def test_a_phone_number_is_found_however_it_is_written(
    before: str, first: int, second: int, rest: list[str], shape: str, after: str
) -> None:
    digits = "".join(rest)
    number = shape.format(a=f"{first}{digits[:2]}", b=f"{second}{digits[2:4]}", c=digits[4:8])
    findings = screen_text(f"{before} {number} {after}")
    assert any(finding.rule in ("phone", "identity_number") for finding in findings), number


@given(
    SAFE_TEXT,
    st.from_regex(r"[A-Z]{3}[0-9]{4}", fullmatch=True),
    st.sampled_from(["plate ", "tag: ", "license plate is ", "Plate # "]),
)
def test_a_plate_after_its_word_is_found(before: str, plate: str, word: str) -> None:
    assert any(finding.rule == "plate" for finding in screen_text(f"{before} {word}{plate}"))


@given(
    SAFE_TEXT,
    st.from_regex(r"[a-z]{1,8}\.[a-z]{1,8}@[a-z]{2,10}\.(com|org|net|us)", fullmatch=True),
    SAFE_TEXT,
)
def test_an_e_mail_address_is_found(before: str, address: str, after: str) -> None:
    assert any(finding.found == address for finding in screen_text(f"{before} {address} {after}"))


@given(
    st.from_regex(r"[A-Z][a-z]{2,9} [A-Z][a-z]{2,9}", fullmatch=True),
    st.integers(1, 12),
    st.integers(1, 28),
    st.integers(1930, 2012),
)
def test_a_name_with_a_date_of_birth_is_found(name: str, month: int, day: int, year: int) -> None:
    street = {
        "St",
        "Ave",
        "Park",
        "Lane",
        "Road",
        "Way",
        "Lot",
        "Place",
        "Court",
        "School",
        "Church",
        "Bridge",
        "Market",
        "Mall",
    }
    if not street & set(name.split()):
        assert screen_text(f"saw {name} {month:02d}/{day:02d}/{year} here")


@given(
    st.lists(
        st.one_of(
            SAFE_WORDS,
            st.integers(0, 2359).map(lambda n: f"{n // 100:02d}:{n % 60:02d}"),
            st.integers(1, 9999).map(lambda n: f"pole {n}"),
            st.integers(1, 99).map(lambda n: f"{n}th and Main"),
            st.integers(0, 999_999).map(lambda n: f"case 24-{n:06d}"),
            st.integers(0, 999_999).map(lambda n: f"RD# JK{n:06d}"),
            st.integers(1, 40).map(lambda n: f"{n} min"),
        ),
        max_size=12,
    ).map(" ".join)
)
def test_times_poles_corners_and_case_numbers_never_look_like_a_person(text: str) -> None:
    assert screen_text(text) == []


def test_the_browser_gets_the_same_rules_and_patterns_that_both_understand() -> None:
    told = rules_for_browser()
    assert [rule["pattern"] for rule in told] == [rule.pattern for rule in TEXT_RULES]
    for rule in TEXT_RULES:
        for pattern in (rule.pattern, rule.unless_before, rule.unless):
            assert "(?<" not in pattern
            assert "(?P" not in pattern
            assert not pattern.startswith("(?i")
