"""Fixtures of this room's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agencies.models import Agency
from ingestion.models import DropFolder
from tests.ingestion.drop_box import Box
from tests.ingestion.files import plain_feed
from tests.ingestion.portals import Portal, crime, serving


@pytest.fixture
def box(agency: Agency, settings: Any, tmp_path: Path) -> Box:
    settings.DROP_DIR = tmp_path / "drop"
    folder = DropFolder(agency=agency, feed=plain_feed(agency), name="rms")
    folder.full_clean()
    folder.save()
    found = Box(folder)
    found.look()
    return found


@pytest.fixture
def portal(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """A portal on this machine with 25 crimes, allowed for pulls; waits between tries are short."""
    settings.PULL_PRIVATE_HOSTS = ("127.0.0.1",)
    settings.SPOOL_DIR = tmp_path / "spool"
    monkeypatch.setattr("missions_project.lib.http.FIRST_WAIT_SECONDS", 0.001)
    with serving(Portal(rows=[crime(number) for number in range(25)])) as served:
        yield served
