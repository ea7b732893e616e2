"""A pack's sentences read at a ninth grade's level, as a whole and section by section."""

from __future__ import annotations

import re

import pytest

from tests.tactics.histories import PastWeeks, make_past
from tests.tactics.test_transparency_packs import make_pack

NINTH = 9.0


def grades(text: str) -> tuple[float, float]:
    """School grades by letters a word and words a sentence: the automated readability index (Smith & Senter 1967), Coleman & Liau (1975).

    >>> [round(grade) for grade in grades("The cat sat on the mat.")]
    [-5, -4]
    """
    words = re.findall(r"[A-Za-z0-9][\w’'.,/-]*", text)
    letters = sum(len(re.sub(r"\W", "", word)) for word in words)
    sentences = max(1, len(re.findall(r"[.!?](?:\s|$)", text)))
    a_word, a_sentence = letters / len(words), len(words) / sentences
    return (
        4.71 * a_word + 0.5 * a_sentence - 21.43,
        0.0588 * 100 * a_word - 0.296 * 100 / a_sentence - 15.8,
    )


@pytest.fixture
def past(db: None) -> PastWeeks:
    return make_past(days=10, shifts=1)


def test_the_measure_tells_plain_words_from_an_offices() -> None:
    office = (
        "Notwithstanding the aforementioned considerations, operational prioritisation methodologies necessitate "
        "comprehensive organisational accountability infrastructures and proportionality determinations."
    )
    assert min(grades(office)) > 2 * NINTH
    assert max(grades("We look at each map. Then we count how many crimes there were.")) < NINTH / 2


def test_a_packs_sentences_are_within_a_ninth_graders_reach(past: PastWeeks) -> None:
    sections = make_pack(past).content["sections"]
    told = {one["slug"]: " ".join(one["sentences"]) for one in sections}
    assert len(" ".join(told.values()).split()) > 500
    assert max(grades(" ".join(told.values()))) <= NINTH
    hard = {slug: found for slug, text in told.items() if max(found := grades(text)) > NINTH + 1}
    assert not hard, hard
