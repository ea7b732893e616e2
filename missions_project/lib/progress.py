"""How long work tells how far it is, without knowing who listens (a terminal, a run row, nobody)."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what is being done now)."""


def no_progress(done: int, total: int, label: str) -> None:
    """Nobody is listening."""
