"""A client as agencies wrote them for HunchLab 2.0: urllib, a multipart body made by hand, and a poll until it is done."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

BOUNDARY = "----------------------------8d1f0e6c7a5b"


class OldClient:
    """``base`` is the server's address, ``token`` the key. It knows only what a client of 2014 knew."""

    def __init__(self, base: str, token: str) -> None:
        self.base, self.token = base, token

    def ask(self, address: str, data: bytes | None = None, content_type: str = "") -> tuple[int, bytes]:
        request = urllib.request.Request(self.base + address, data=data)
        request.add_header("Authorization", f"Token {self.token}")
        if content_type:
            request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def upload(self, text: bytes, srid: str | None = None) -> tuple[int, dict[str, Any]]:
        parts = [
            b"--" + BOUNDARY.encode(),
            b'Content-Disposition: form-data; name="file"; filename="events.csv"',
            b"Content-Type: text/csv",
            b"",
            text,
        ]
        if srid is not None:
            parts += [
                b"--" + BOUNDARY.encode(),
                b'Content-Disposition: form-data; name="srid"',
                b"",
                srid.encode(),
            ]
        parts += [b"--" + BOUNDARY.encode() + b"--", b""]
        status, body = self.ask(
            "/api/dataservice/", b"\r\n".join(parts), f"multipart/form-data; boundary={BOUNDARY}"
        )
        return status, json.loads(body)

    def wait(self, job: str, seconds: float = 30.0) -> tuple[int, dict[str, Any]]:
        deadline = time.monotonic() + seconds
        while True:
            status, body = self.ask("/api/dataservice/" + job)
            if status != 202 or time.monotonic() > deadline:
                return status, json.loads(body)
            time.sleep(0.05)
