"""Packs: made from what happened, hashed, published by a person, and never changed after that."""

from __future__ import annotations

import json

import pytest

from missions_project.lib.runs import RunStatus
from tactics.models import TransparencyPack
from tactics.transparency.services import pack_make, pack_queue
from tests.tactics.histories import PastWeeks, make_past

pytestmark = pytest.mark.django_db


@pytest.fixture
def past(db: None) -> PastWeeks:
    return make_past(days=7, shifts=1)


def make_pack(past: PastWeeks) -> TransparencyPack:
    return pack_make(pack=pack_queue(agency=past.agency, first=past.first, last=past.last))


def test_x(past):
    pack = make_pack(past)
    assert pack.status == RunStatus.SUCCEEDED, pack.error
    print(json.dumps(pack.content, indent=1)[:20000])
    assert 0
