"""What every management command of ours shares: a progress bar, and errors that name the next step."""

import re
import sys
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError
from tqdm import tqdm

from missions_project.lib.errors import MissionsError

_MISSING_TABLE = re.compile(r"no such (?:table|column)|(?:relation|column) .* does not exist")


class ProgressBar:
    """A terminal bar that follows ``Progress`` calls; plain lines where the output is no terminal."""

    def __init__(self, stream: Any = None) -> None:
        self._stream = stream or sys.stderr
        self._bar: Any = None
        self._label = ""

    def __call__(self, done: int, total: int, label: str) -> None:
        if label != self._label:
            self.close()
            self._label = label
            # A bar that redraws itself 10,000 times fills a log file: there one line a step is enough.
            if not self._stream.isatty():
                self._stream.write(f"  {label} …\n")
                self._stream.flush()
        if not self._stream.isatty():
            return
        if self._bar is None:
            self._bar = tqdm(total=total, desc=label, file=self._stream, leave=True, unit="")
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def validation_text(error: ValidationError) -> str:
    """The error's messages, each with the field that it is about: "cannot be blank" alone helps nobody."""
    if not hasattr(error, "error_dict"):
        return "; ".join(error.messages)
    parts = []
    for name, messages in error.message_dict.items():
        text = " ".join(messages)
        parts.append(text if name == NON_FIELD_ERRORS else f"{name}: {text}")
    return "; ".join(parts)


class MissionsCommand(BaseCommand):
    """A command whose ``work`` may raise ``MissionsError`` or ``ValidationError``: shown plainly, exit code 1."""

    def handle(self, *args: Any, **options: Any) -> str | None:
        self.progress = ProgressBar(self.stderr._out)
        try:
            return self.work(**options)
        except (MissionsError, ValidationError) as exc:
            text = validation_text(exc) if isinstance(exc, ValidationError) else str(exc)
            raise CommandError(text) from exc
        except (OperationalError, ProgrammingError) as exc:
            if not _MISSING_TABLE.search(str(exc)):
                raise
            raise CommandError(
                f"The database is not set up for this version ({exc}). Next step: manage.py migrate"
            ) from exc
        finally:
            self.progress.close()

    def work(self, **options: Any) -> str | None:
        raise CommandError(f"{type(self).__module__} defines no work().")
