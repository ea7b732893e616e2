"""A small server that behaves like the portals: Socrata, an ArcGIS layer, plain JSON and CSV, and their bad days."""

from __future__ import annotations

import gzip
import json
import re
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.ingestion.files import place

DATASET = "abcd-1234"
LAYER = "/arcgis/rest/services/Crime/FeatureServer/0"
DATE = "Tue, 01 Jul 2025 12:00:00 GMT"


@dataclass
class Asked:
    """One request as the server saw it."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Portal:
    """What the server holds. ``faults`` are taken one a request; each sees the handler and answers instead, or says False."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    max_rows: int = 1_000
    socrata_cap: int = 50_000
    faults: deque[Callable[[Any], bool]] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    etag: str = '"v1"'
    can_order: bool = True
    forgets_the_flag: bool = False
    token: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    @property
    def layer(self) -> str:
        return self.url + LAYER


def crime(number: int, **changes: Any) -> dict[str, Any]:
    """A row as a portal holds it. Row identifiers are not in the order of their letters, as on a real portal."""
    lon, lat = place(number)
    row = {
        ":id": f"row-{(number * 7919) % 100_003:05d}.{number}",
        ":updated_at": f"2025-06-{1 + number % 28:02d}T10:00:00.000Z",
        "case_number": f"C{number:05d}",
        "date": f"2025-{1 + number % 6:02d}-{1 + number % 28:02d}T{number % 24:02d}:15:00.000",
        "iucr": "0610",
        "fbi_code": "05",
        "victim_name": "Jane Roe",
        "latitude": str(lat),
        "longitude": str(lon),
    }
    return {**row, **changes}


# Faults


def answers(
    status: int, body: bytes = b"{}", kind: str = "application/json", **headers: str
) -> Callable[[Any], bool]:
    def fault(handler: Any) -> bool:
        handler.answer(status, body, kind, {k.replace("_", "-"): v for k, v in headers.items()})
        return True

    return fault


def fine(handler: Any) -> bool:
    return False


def cut_off(handler: Any) -> bool:
    """Promises a thousand bytes, gives ten and hangs up."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'[{":id": "r')
    handler.close_connection = True
    return True


def hangs_up(handler: Any) -> bool:
    handler.close_connection = True
    return True


def sign_in_page(handler: Any) -> bool:
    handler.answer(200, b"<!DOCTYPE html><html><body>Please sign in</body></html>", "text/html")
    return True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    portal: Portal

    def log_message(self, *args: Any) -> None:
        return

    def date_time_string(self, timestamp: float | None = None) -> str:
        return DATE

    def answer(
        self, status: int, body: bytes, kind: str = "application/json", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, data: Any, **headers: str) -> None:
        self.answer(
            200, json.dumps(data).encode(), headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self._serve({k: v[0] for k, v in parse_qs(body, keep_blank_values=True).items()})

    def _serve(self, form: dict[str, str]) -> None:
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()} | form
        with self.portal.lock:
            self.portal.asked.append(
                Asked(parts.path, query, {k.lower(): v for k, v in self.headers.items()})
            )
            fault = self.portal.faults.popleft() if self.portal.faults else fine
        try:
            if not fault(self):
                self._route(parts.path, query)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _route(self, path: str, query: dict[str, str]) -> None:
        if re.fullmatch(r"/resource/\w{4}-\w{4}\.json", path):
            self._socrata(query)
        elif path.endswith("/MapServer"):
            self.json(
                {"layers": [{"id": 0, "name": "Crime Incidents - 2025"}, {"id": 9, "name": "Sex offenders"}]}
            )
        elif path == f"/api/views/{DATASET}.json":
            names = [name for name in (self.portal.rows or [crime(0)])[0] if not name.startswith(":")]
            self.json({"columns": [{"fieldName": n, "dataTypeName": "text"} for n in names]})
        elif path.endswith("Server/0"):
            self._layer()
        elif path.endswith("Server/0/query"):
            self._features(query)
        elif path in self.portal.files:
            if self.headers.get("If-None-Match") == self.portal.etag:
                self.answer(304, b"")
                return
            body, kind = self.portal.files[path]
            self.answer(200, body, kind, {"ETag": self.portal.etag})
        else:
            self.answer(404, b'{"message": "Not found"}')

    # Socrata

    def _socrata(self, query: dict[str, str]) -> None:
        rows = self.portal.rows
        select = query.get("$select", "*").split(",")
        known = {name for row in rows for name in row}
        unknown = [name for name in select if name != "*" and name not in known]
        if rows and unknown:
            said = {"message": f"Query coordinator: query.soql.no-such-column; No such column: {unknown[0]}"}
            self.answer(400, json.dumps(said).encode())
            return
        for name, how, value in re.findall(r"(:?\w+) (>=|>) '([^']*)'", query.get("$where", "")):
            if name == ":id":
                at = next((i for i, row in enumerate(rows) if row[":id"] == value), len(rows))
                rows = rows[at + 1 :]
            else:
                rows = [r for r in rows if r[name] > value or (how == ">=" and r[name] == value)]
        limit = min(int(query.get("$limit", 1_000)), self.portal.socrata_cap)
        # A real portal leaves out what is null.
        self.json([{k: row[k] for k in select if row.get(k) is not None} for row in rows[:limit]])

    # ArcGIS

    def _layer(self) -> None:
        names = [name for name in (self.portal.rows or [crime(0)])[0] if not name.startswith(":")]
        fields = [
            {"name": "OBJECTID", "type": "esriFieldTypeOID"},
            {"name": "EDITED", "type": "esriFieldTypeDate"},
        ]
        self.json(
            {
                "objectIdField": "OBJECTID",
                "maxRecordCount": self.portal.max_rows,
                "geometryType": "esriGeometryPoint",
                "fields": fields + [{"name": name, "type": "esriFieldTypeString"} for name in names],
                "advancedQueryCapabilities": {"supportsOrderBy": self.portal.can_order},
                "editFieldsInfo": {"editDateField": "EDITED"},
            }
        )

    def _features(self, query: dict[str, str]) -> None:
        if self.portal.token and query.get("token") != self.portal.token:
            self.json({"error": {"code": 499, "message": "Token Required", "details": []}})
            return
        where = query["where"]
        found = [
            (number + 1, row)
            for number, row in enumerate(self.portal.rows)
            if all(
                (number + 1 > int(value)) if how == ">" else (number + 1 <= int(value))
                for how, value in re.findall(r"OBJECTID (>|<=) (\d+)", where)
            )
        ]
        for value in re.findall(r"EDITED >= TIMESTAMP '([^']*)'", where):
            found = [(n, r) for n, r in found if r[":updated_at"][:19].replace("T", " ") >= value]
        if query.get("returnIdsOnly") == "true":
            self.json(
                {"objectIdFieldName": "OBJECTID", "objectIds": [number for number, _ in reversed(found)]}
            )
            return
        asked = [name for name in query["outFields"].split(",") if name]
        known = {"OBJECTID", "EDITED", *(self.portal.rows or [crime(0)])[0]}
        if not set(asked) <= known:
            self.json(
                {"error": {"code": 400, "message": "Invalid query parameters.", "details": ["'outFields'"]}}
            )
            return
        size = min(int(query.get("resultRecordCount", 10**9)), self.portal.max_rows)
        page = found[:size] if self.portal.can_order else list(reversed(found[:size]))
        features = []
        for number, row in page:
            values = {**row, "OBJECTID": number, "EDITED": _epoch_ms(row[":updated_at"])}
            feature: dict[str, Any] = {"attributes": {name: values[name] for name in asked}}
            if query.get("returnGeometry") == "true" and row.get("latitude") is not None:
                feature["geometry"] = {"x": float(row["longitude"]), "y": float(row["latitude"])}
            features.append(feature)
        answer: dict[str, Any] = {"features": features}
        if len(found) > size and not self.portal.forgets_the_flag:
            answer["exceededTransferLimit"] = True
        self.json(answer)


def _epoch_ms(text: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(text).timestamp() * 1000)


@contextmanager
def serving(portal: Portal, tls: tuple[Path, Path] | None = None) -> Iterator[Portal]:
    """The portal, reachable at ``portal.url`` while the block runs; with ``tls`` (key, certificate) encrypted."""
    handler = type("Handler", (_Handler,), {"portal": portal})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls[1], tls[0])
        # Shaken hands in the connection's own thread: a client that turns away must not stop the server.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    portal.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield portal
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def zipped(body: bytes) -> bytes:
    return gzip.compress(body)
