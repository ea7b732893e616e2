"""What a page weighs with everything that it names: styles, scripts, pictures, charts and data, compressed as the web server would; no tiles."""

import gzip
import re
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

NAMED = re.compile(
    r'<(?:script|img|link|link [^>]*rel="stylesheet")\b[^>]*?\b(?:src|href)="([^"]+)"|\bdata-[a-z-]+="(/[^"]*)"'
)
COMPRESSES = ("text/", "application/json", "application/geo+json", "application/javascript", "image/svg+xml")
LIMIT_KB = 350


def squeezed(kind: str, body: bytes) -> int:
    """Bytes as sent: gzip for what compresses, and what is compressed already as it is."""
    return len(gzip.compress(body, 6)) if kind.startswith(COMPRESSES) else len(body)


def _static(path: str) -> tuple[str, bytes] | None:
    import mimetypes
    from pathlib import Path

    from django.conf import settings
    from django.contrib.staticfiles import finders

    if not path.startswith(settings.STATIC_URL):
        return None
    found = finders.find(path.removeprefix(settings.STATIC_URL))
    if not found:
        return None
    return mimetypes.guess_type(found)[0] or "", Path(found).read_bytes()


def page_weight(client: Any, address: str, html: str, known: dict[str, int]) -> tuple[int, dict[str, int]]:
    """(kB in all, bytes by what is named): an upper bound, as data that a click asks for is counted, too.

    ``known`` keeps what was weighed before. What answers otherwise than with 200, and other hosts' tiles, weigh nothing.
    """
    parts = {address: squeezed("text/html", html.encode())}
    for tag, data in NAMED.findall(html):
        target = urlsplit(urljoin(address, unescape(tag or data)))
        if target.netloc or "{" in target.path:
            continue
        whole = target.path + (f"?{target.query}" if target.query else "")
        if whole not in known:
            known[whole] = 0
            if (file := _static(target.path)) is not None:
                known[whole] = squeezed(*file)
            else:
                answer = client.get(whole)
                if answer.status_code == 200 and not answer.has_header("Content-Disposition"):
                    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
                    known[whole] = (
                        0
                        if answer["Content-Type"].startswith("text/html")
                        else squeezed(answer["Content-Type"], body)
                    )
        if known[whole]:
            parts[whole] = known[whole]
    return sum(parts.values()) // 1000, parts
