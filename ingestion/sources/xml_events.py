"""Read XML from strangers: piece by piece, without entities, document types or anything fetched from elsewhere."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import IO, Any, NoReturn
from xml.parsers import expat

from django.utils.translation import gettext as _

from ingestion.sources.base import SourceError

PIECE_BYTES = 64 * 1024
MAX_DEPTH = 100


Attributes = dict[str, str]


class Handler:
    """Hears elements by their local names and puts what is finished into ``ready``. Subclasses say what."""

    def __init__(self) -> None:
        self.ready: list[Any] = []

    def start(self, name: str, attrs: Attributes) -> None:
        """An element begins."""

    def characters(self, content: str) -> None:
        """Text within the element that is open."""

    def end(self, name: str) -> None:
        """An element ends."""


@lru_cache(maxsize=4_096)
def local_name(name: str) -> str:
    """An element's or attribute's name without its prefix: senders choose prefixes as they like."""
    return name.rpartition(":")[2]


def finished(stream: IO[bytes], listener: Handler, trouble: Callable[[str], SourceError]) -> Iterator[Any]:
    """What the listener has finished, as the stream is read; memory is that of one piece and one record.

    Raises ``SourceError`` for entities and document types, and ``trouble(words)`` for XML that is not well-formed.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = listener.start
    parser.EndElementHandler = listener.end
    parser.CharacterDataHandler = listener.characters
    # A declaration is refused when it begins: no entity is ever defined, expanded or fetched.
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.UnparsedEntityDeclHandler = _refuse
    parser.ExternalEntityRefHandler = _refuse
    try:
        while piece := stream.read(PIECE_BYTES):
            parser.Parse(piece, False)
            yield from listener.ready
            listener.ready.clear()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        words = expat.ErrorString(error.code)
        raise trouble(f"line {error.lineno:,}, column {error.offset}: {words}") from error
    except (LookupError, ValueError) as error:
        raise trouble(str(error)) from error
    yield from listener.ready
    listener.ready.clear()


def _refuse(*__: Any) -> NoReturn:
    raise SourceError(
        _(
            "The XML declares a document type or entities, as files do that are made to read or fill this machine."
        ),
        _("Export it without a DOCTYPE. Incident exports need none."),
    )
