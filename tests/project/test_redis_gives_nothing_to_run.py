"""The cache in Redis is pickled: what this installation did not write is never unpickled, and is as if it were not there."""

from __future__ import annotations

import datetime as dt
import logging
import os
import pickle
from pathlib import Path

import pytest
import redis
from django.test import override_settings

from missions_project.lib.redis_cache import NOT_OURS, KeptRedisCache, Sealed


class Runs:
    """Unpickled, it makes a file: what an attacker would do next is up to him."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.file),)


VALUES = [0, -7, True, None, 1.5, "7", "", b"\x00", [1, {"a": (2,)}], dt.date(2026, 11, 29), "x" * 1_000_000]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_each_value_comes_back_as_what_it_was(value: object) -> None:
    kept = Sealed()
    data = kept.dumps(value)
    back = kept.loads(str(data).encode() if isinstance(data, int) else data)
    assert back == value
    assert type(back) is type(value)


def test_a_strangers_pickle_is_not_read_whatever_stands_before_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evil = pickle.dumps(Runs(tmp_path / "owned"))
    kept = Sealed()
    borrowed = kept.dumps("ours")[:73]
    for data in (evil, b"", b":", borrowed, borrowed + evil, b"0" * 73 + evil, b"\xff" * 73 + evil):
        with caplog.at_level(logging.WARNING):
            caplog.clear()
            assert kept.loads(data) is NOT_OURS
        assert "Next step" in caplog.text
    assert not (tmp_path / "owned").exists()
    # That it would have run is what makes this a test.
    pickle.loads(evil)
    assert (tmp_path / "owned").exists()


def test_after_a_change_of_keys_what_was_kept_is_made_anew_unless_the_old_key_is_still_known() -> None:
    with override_settings(FEED_SECRETS_KEYS=("first" * 8,)):
        data = Sealed().dumps([1])
    with override_settings(FEED_SECRETS_KEYS=("second" * 8, "first" * 8)):
        assert Sealed().loads(data) == [1]
    with override_settings(FEED_SECRETS_KEYS=("second" * 8,)):
        assert Sealed().loads(data) is NOT_OURS


def test_the_cache_of_production_keeps_counts_and_misses_what_it_did_not_write(
    redis_address: str, tmp_path: Path
) -> None:
    link = redis.Redis.from_url(redis_address)
    cache = KeptRedisCache(redis_address, {})
    cache.set_many({"told": ["a"], "tries": 1})
    assert cache.get_many(["told", "tries", "no"]) == {"told": ["a"], "tries": 1}
    assert cache.incr("tries") == 2
    assert cache.add("told", "b") is False
    link.set(cache.make_and_validate_key("told"), pickle.dumps(Runs(tmp_path / "owned")))
    assert cache.get("told") is None
    assert not (tmp_path / "owned").exists()
    assert cache.get("told", "other") == "other"
    assert cache.get_many(["told", "tries"]) == {"tries": 2}


def test_what_was_kept_for_one_key_is_not_read_under_another(
    redis_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    link = redis.Redis.from_url(redis_address)
    cache = KeptRedisCache(redis_address, {})
    cache.set_many({"report:1": "another agency's", "report:2": "ours"})
    assert cache.add("report:3", None)
    assert cache.get("report:3", "missing") is None
    theirs = link.get(cache.make_and_validate_key("report:1"))
    assert isinstance(theirs, bytes)
    link.set(cache.make_and_validate_key("report:2"), theirs)
    with caplog.at_level(logging.WARNING):
        assert cache.get("report:2", "missing") == "missing"
        assert cache.get_many(["report:1", "report:2"]) == {"report:1": "another agency's"}
    assert "kept for another key" in caplog.text
