"""The cache of files that web server and workers share: values come back, end when they are to, and no stranger's is read."""

from __future__ import annotations

import logging
import pickle
import zlib
from pathlib import Path

import pytest

from missions_project.lib import file_cache
from missions_project.lib.file_cache import SealedFileCache
from tests.project.test_redis_gives_nothing_to_run import VALUES, Runs


@pytest.fixture
def kept(tmp_path: Path) -> SealedFileCache:
    return SealedFileCache(str(tmp_path / "kept"), {})


def only_file(tmp_path: Path) -> Path:
    [file] = (tmp_path / "kept").iterdir()
    return file


@pytest.mark.parametrize("most", [file_cache.MOST_PACKED, 0], ids=["packed", "as it is"])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_each_value_comes_back_as_what_it_was(
    kept: SealedFileCache, value: object, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_cache, "MOST_PACKED", most)
    kept.set("a", value)
    assert kept.get("a", "missing") == value
    assert "a" in kept
    assert not kept.add("a", "other")


def test_a_value_ends_when_it_is_to_and_is_taken_away(
    kept: SealedFileCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.set("a", 1, 100)
    kept.set("for-ever", 2, None)
    start = file_cache.time.time()
    monkeypatch.setattr("missions_project.lib.file_cache.time.time", lambda: start + 99)
    assert kept.get("a") == 1
    assert kept.touch("a", 50)
    monkeypatch.setattr("missions_project.lib.file_cache.time.time", lambda: start + 1_000)
    assert kept.get("a", "missing") == "missing"
    assert kept.get("for-ever") == 2
    assert len(list((tmp_path / "kept").iterdir())) == 1
    assert not kept.touch("a")


def test_no_file_that_is_not_ours_is_read(
    kept: SealedFileCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept.set("a", "ours")
    file = only_file(tmp_path)
    ours = file.read_bytes()
    evil = pickle.dumps(Runs(tmp_path / "owned"))
    head = ours[:73], ours[73:93]
    for data in (
        evil,
        b"",
        pickle.dumps(0.0) + zlib.compress(evil),  # as Django's own would take it
        b"".join(head) + zlib.compress(evil),
        head[0] + b"9" * 20 + ours[93:],
        ours[:-1],
    ):
        file.write_bytes(data)
        with caplog.at_level(logging.WARNING):
            caplog.clear()
            assert kept.get("a", "missing") == "missing"
            assert "a" not in kept
        assert "Next step" in caplog.text
    assert not (tmp_path / "owned").exists()
    file.write_bytes(ours)
    assert kept.get("a") == "ours"


def test_what_was_kept_for_one_key_is_not_read_under_another(
    kept: SealedFileCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept.set("report:1", "another agency's")
    theirs = only_file(tmp_path).read_bytes()
    kept.delete("report:1")
    kept.set("report:2", "ours")
    only_file(tmp_path).write_bytes(theirs)
    with caplog.at_level(logging.WARNING):
        assert kept.get("report:2", "missing") == "missing"
    assert "kept for another key" in caplog.text
    kept.set("report:2", "ours", version=7)
    assert kept.get("report:2", version=7) == "ours"
