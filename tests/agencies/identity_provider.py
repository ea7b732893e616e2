"""A small identity provider on this machine, for tests: it signs with a key of its own whatever the test wants it to say."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = "missions"


class Provider:
    """An identity provider on this machine: tells where its doors are, its public key, and signs what the test wants it to say."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.claims: dict[str, Any] = {}
        self.sign_with: Any = self.key
        self.algorithm, self.kid, self.has_token = "RS256", "one", True
        self.asked: list[dict[str, list[str]]] = []
        self.userinfo: dict[str, Any] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self, provider.page(urlsplit(self.path).path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.asked.append(parse_qs(body))
                provider.answer(self, provider.token())

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @staticmethod
    def answer(handler: BaseHTTPRequestHandler, told: dict[str, Any]) -> None:
        body = json.dumps(told).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def page(self, path: str) -> dict[str, Any]:
        if path.endswith("/keys"):
            return {
                "keys": [
                    {
                        **jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True),
                        "kid": "one",
                        "alg": "RS256",
                    }
                ]
            }
        if path.endswith("/userinfo"):
            return self.userinfo
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def token(self) -> dict[str, Any]:
        now = int(time.time())
        said = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, **self.claims}
        # The dots stand for a claim that is left out.
        claims = {name: value for name, value in said.items() if value is not ...}
        token = jwt.encode(claims, self.sign_with, algorithm=self.algorithm, headers={"kid": self.kid})
        return {
            "access_token": "a",
            "token_type": "Bearer",
            **({"id_token": token} if self.has_token else {}),
        }
