"""The log as one JSON object a line, for whatever collects it."""

import logging
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from missions_project.lib.log_context import FIELDS


class JsonLines(JsonFormatter):
    """Time, level, logger and message, then what the line is about; empty fields are left out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "at", "levelname": "level", "name": "logger"},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
            reserved_attrs=[*_STANDARD, "about", "request"],
            **options,
        )

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        super().add_fields(log_data, record, message_dict)
        for name in FIELDS:
            log_data.pop(name, None)
            # Django puts its request object under the same name: a whole request, with a person's headers, is not for a log.
            if isinstance(value := getattr(record, name, ""), str) and value:
                log_data[name] = value


_STANDARD = (*vars(logging.LogRecord("", 0, "", 0, "", None, None)), "message", "asctime", "taskName")
