"""The broker in a folder, for an installation on one machine: kombu's, whose files appear whole.

kombu creates a file empty and locks it afterwards. A process that looks in between reads nothing where it expects
JSON: a message is lost, a page breaks; one that looked before empties the table that another has written meanwhile.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

logger = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """kombu's, except that messages and tables of queues are put in place at one stroke."""

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: Any) -> None:  # type: ignore[override]
        # The name is kombu's: its reader sorts by it, and passes over what does not end in the queue's.
        file = Path(self.data_folder_out) / f"{round(monotonic() * 1000)}_{uuid4()}.{queue}.msg"
        text: str = dumps(payload)  # type: ignore[no-untyped-call]
        try:
            os.replace(_written(file, text), file)
        except OSError as exc:
            raise ChannelError(f"{file}: {exc}") from exc

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        bind: Callable[[str, str, str, str], None] = super()._queue_bind
        file: Path = self._exchange_file(exchange)  # type: ignore[no-untyped-call]
        try:
            if not file.exists():
                _begin(file)
            try:
                bind(exchange, routing_key, pattern, queue)
            except ValueError:
                # Cut by a full disk or a machine that fell: each process that starts enters its queues again.
                logger.warning("The table of queues %s was damaged; it is begun anew.", file)
                os.replace(_written(file, "[]"), file)
                bind(exchange, routing_key, pattern, queue)
        except OSError as exc:
            raise ChannelError(f"{file}: {exc}") from exc


class Transport(filesystem.Transport):
    """``filesystem://``."""

    Channel = Channel


def register() -> None:
    """Every ``filesystem://`` of this process is this transport."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"


def _begin(file: Path) -> None:
    """An empty table, unless another process began one first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    begun = _written(file, "[]")
    try:
        os.link(begun, file)
    except FileExistsError:
        pass
    finally:
        begun.unlink()


def _written(beside: Path, text: str) -> Path:
    """A new file in the same folder. What could not be written whole is not left behind."""
    begun = beside.with_name(f"{beside.name}.{uuid4()}.begun")
    try:
        begun.write_text(text, encoding="utf-8")
    except OSError:
        begun.unlink(missing_ok=True)
        raise
    return begun
