"""Read XML from strangers: piece by piece, without entities, document types or anything fetched from elsewhere."""

from collections.abc import Callable, Iterator
from typing import IO, Any
from xml.sax import SAXException, SAXParseException, handler, xmlreader

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from ingestion.sources.base import SourceError

PIECE_BYTES = 64 * 1024
MAX_DEPTH = 100
DISGUISED = (
    "The XML declares a document type or entities, as files do that are made to read or fill this machine.",
    "Export it without a DOCTYPE. Incident exports need none.",
)


class Handler(handler.ContentHandler):
    """Hears elements by their local names and puts what is finished into ``ready``. Subclasses say what."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: list[Any] = []


def local_name(name: str) -> str:
    """An element's or attribute's name without its prefix: senders choose prefixes as they like."""
    return name.rpartition(":")[2]


def finished(stream: IO[bytes], listener: Handler, trouble: Callable[[str], SourceError]) -> Iterator[Any]:
    """What the listener has finished, as the stream is read; memory is that of one piece and one record.

    Raises ``SourceError`` for entities and document types, and ``trouble(words)`` for XML that is not well-formed.
    """
    parser = DefusedExpatParser(forbid_dtd=True, forbid_entities=True, forbid_external=True)
    parser.setContentHandler(listener)
    parser.setFeature(handler.feature_namespaces, False)
    try:
        while piece := stream.read(PIECE_BYTES):
            parser.feed(piece)
            yield from listener.ready
            listener.ready.clear()
        parser.close()
    except DefusedXmlException as error:
        raise SourceError(*DISGUISED) from error
    except SAXParseException as error:
        line = error.getLineNumber()
        raise trouble(f"line {line:,}, column {error.getColumnNumber()}: {error.getMessage()}") from error
    except (SAXException, LookupError, ValueError) as error:
        raise trouble(str(error)) from error
    yield from listener.ready
    listener.ready.clear()


Attributes = xmlreader.AttributesImpl
