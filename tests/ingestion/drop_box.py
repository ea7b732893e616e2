"""A drop folder for tests, with a clock of its own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from ingestion.models import DropFile, DropFolder
from ingestion.services import drop_folder_scan, folder_address
from tests.ingestion.files import good_row, write_rows


class Kill(BaseException):
    """Stands in for SIGKILL: nothing of ours catches it."""


class Box:
    """A drop folder and a clock."""

    def __init__(self, folder: DropFolder) -> None:
        self.folder = folder
        self.now = timezone.now()

    @property
    def path(self) -> Path:
        return folder_address(self.folder)

    def look(self, seconds: int = 0) -> list[DropFile]:
        self.now += timedelta(seconds=seconds)
        return drop_folder_scan(folder=self.folder, now=self.now)

    def put(self, name: str, numbers: range = range(5), **changes: Any) -> Path:
        return write_rows(self.path / name, [good_row(n, **changes) for n in numbers])

    def tree(self) -> list[str]:
        """Every file below the folder but the lock."""
        files = (p.relative_to(self.path) for p in self.path.rglob("*") if p.is_file() or p.is_symlink())
        return sorted(str(p) for p in files if p.name != ".lock")

    @property
    def today(self) -> str:
        return f"done/{timezone.localtime(self.now):%Y-%m-%d}"
