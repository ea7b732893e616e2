"""What the files of this folder leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.tenancy.towns import numbers_go_on_from_here


@pytest.fixture(autouse=True, scope="module")
def _numbers_are_small_again(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """PostgreSQL takes no number back: without this the next file's rows would have numbers of seven digits."""
    yield
    with django_db_blocker.unblock():
        numbers_go_on_from_here()
