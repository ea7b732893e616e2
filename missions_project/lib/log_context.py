"""What every line of the log is about: the request, the agency and the run, without being handed from function to function."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_about: ContextVar[dict[str, str]] = ContextVar("missions_log_context")
FIELDS = ("request", "task", "agency", "run")
"""What a line may name: ids and slugs, never a person."""


def about() -> dict[str, str]:
    """What is being worked on now, by field."""
    return _about.get({})


@contextmanager
def working_on(**fields: object) -> Iterator[None]:
    """Name what the block works on in every line that it logs; empty values say nothing."""
    told = {name: str(value) for name, value in fields.items() if value not in (None, "")}
    mark = _about.set({**about(), **told})
    try:
        yield
    finally:
        _about.reset(mark)


def also_working_on(**fields: object) -> None:
    """The same until the enclosing block ends, for what is known only in its middle."""
    _about.set({**about(), **{name: str(value) for name, value in fields.items() if value not in (None, "")}})


class ContextFilter(logging.Filter):
    """Puts the fields on each record, so that any formatter can show them."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = about()
        for name in FIELDS:
            setattr(record, name, told.get(name, ""))
        record.about = "".join(f" {name}={told[name]}" for name in FIELDS if name in told)
        return True
