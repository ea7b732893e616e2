"""mypy has nothing to say. A file of its own: it takes longest, and starts first on a core of its own."""

from __future__ import annotations

import pytest

from tools import lint

pytestmark = pytest.mark.checks


def test_the_types_hold() -> None:
    result = lint.run("types")
    assert result.returncode == 0, result.stdout
