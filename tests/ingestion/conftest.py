"""Fixtures of this room's tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agencies.models import Agency
from ingestion.models import DropFolder
from tests.ingestion.drop_box import Box
from tests.ingestion.files import plain_feed


@pytest.fixture
def box(agency: Agency, settings: Any, tmp_path: Path) -> Box:
    settings.DROP_DIR = tmp_path / "drop"
    folder = DropFolder(agency=agency, feed=plain_feed(agency), name="rms")
    folder.full_clean()
    folder.save()
    found = Box(folder)
    found.look()
    return found
