"""Fixtures that the tests of the whole product share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agencies.models import User
from tests.eyes import Eyes


@pytest.fixture
def eyes(browser: Any, live_server: Any) -> Iterator[Eyes]:
    """A demanding reader of the live server's pages."""
    opened = Eyes(browser, live_server.url)
    yield opened
    opened.close()


@pytest.fixture
def look(eyes: Eyes) -> Callable[[User | None, str], list[str]]:
    """A function: everything that is wrong with a page as this person sees it."""
    return eyes.look
