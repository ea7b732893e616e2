"""Several stages of one long piece of work as a single progress bar."""

import itertools
from collections.abc import Callable

from missions_project.lib.progress import Progress


class Steps:
    """Several stages as one progress bar of a thousand steps."""

    def __init__(self, progress: Progress, n_targets: int) -> None:
        self._progress = progress
        self._n_targets = n_targets

    def at(self, share: float, label: str) -> None:
        self._progress(round(1000 * share), 1000, label)

    def counter(self, low: float, high: float, label: str) -> Callable[[], None]:
        """Call once per finished crime type, from any worker."""
        done = itertools.count(1)
        self.at(low, label)
        return lambda: self.at(low + (high - low) * next(done) / self._n_targets, label)

    def part(self, low: float, high: float) -> Progress:
        def report(done: int, total: int, label: str) -> None:
            self.at(low + (high - low) * done / max(total, 1), label)

        return report
