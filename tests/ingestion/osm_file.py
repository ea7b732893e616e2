"""A small OpenStreetMap extract, written byte by byte: nothing that we install writes the format."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

Degrees = tuple[float, float]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _zigzag(number: int) -> bytes:
    return _varint((number << 1) ^ (number >> 63) if number < 0 else number << 1)


def _bytes(key: int, content: bytes) -> bytes:
    return _varint(key << 3 | 2) + _varint(len(content)) + content


def _number(key: int, number: bytes) -> bytes:
    return _varint(key << 3) + number


@dataclass
class OsmFile:
    """Nodes and ways with tags. ``way`` makes nodes of its own for its corners."""

    strings: list[str] = field(default_factory=lambda: [""])
    nodes: list[bytes] = field(default_factory=list)
    ways: list[bytes] = field(default_factory=list)

    def _tags(self, tags: dict[str, str]) -> tuple[bytes, bytes]:
        for text in (*tags, *tags.values()):
            if text not in self.strings:
                self.strings.append(text)
        at = self.strings.index
        return b"".join(_varint(at(k)) for k in tags), b"".join(_varint(at(v)) for v in tags.values())

    def node(self, place: Degrees, **tags: str) -> int:
        keys, values = self._tags(tags)
        number = len(self.nodes) + 1
        body = _number(1, _zigzag(number))
        if tags:
            body += _bytes(2, keys) + _bytes(3, values)
        # Units of 100 nanodegrees, which is the format's own default.
        body += _number(8, _zigzag(round(place[1] * 1e7))) + _number(9, _zigzag(round(place[0] * 1e7)))
        self.nodes.append(body)
        return number

    def way(self, places: list[Degrees], **tags: str) -> None:
        corners = [self.node(place) for place in places[:-1]]
        corners.append(corners[0] if places[0] == places[-1] else self.node(places[-1]))
        keys, values = self._tags(tags)
        steps = [b - a for a, b in zip([0, *corners], corners, strict=False)]
        self.ways.append(
            _number(1, _varint(len(self.ways) + 1))
            + _bytes(2, keys)
            + _bytes(3, values)
            + _bytes(8, b"".join(_zigzag(step) for step in steps))
        )

    def write(self, path: Path) -> Path:
        table = _bytes(1, b"".join(_bytes(1, text.encode()) for text in self.strings))
        groups = _bytes(2, b"".join(_bytes(1, node) for node in self.nodes))
        if self.ways:
            groups += _bytes(2, b"".join(_bytes(3, way) for way in self.ways))
        header = _bytes(4, b"OsmSchema-V0.6")
        path.write_bytes(_blob("OSMHeader", header) + _blob("OSMData", table + groups))
        return path


def _blob(kind: str, content: bytes) -> bytes:
    blob = _number(2, _varint(len(content))) + _bytes(3, zlib.compress(content))
    header = _bytes(1, kind.encode()) + _number(3, _varint(len(blob)))
    return struct.pack(">I", len(header)) + header + blob
