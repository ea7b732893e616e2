"""What a file says of itself, read by its kind: the facts that every file that leaves must hold."""

from __future__ import annotations

import html
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docx
import numpy as np
import pyogrio
from openpyxl import load_workbook
from pypdf import PdfReader

FACTS = ("agency", "filters", "time_zone", "model", "generated_at")
WORDS = {
    "agency": r"(Riverton[^.<]*)",
    "filters": r"(\d{1,2} \w+ \d{4} (?:to|–) \d{1,2} \w+ \d{4})",
    "time_zone": r"(America/Chicago)",
    "model": r"Model: ([^.<\n]+)",
    "generated_at": r"(?:Made|Written) ([^.<]*\d\d:\d\d)",
}
"""How documents for people say the same."""


def told_in(document: Mapping[str, Any]) -> dict[str, str]:
    """The facts of a JSON object: a file's ``about`` or ``metadata``, a pack's content, or what stands beside a study's figures."""
    known = next(
        (document[name] for name in ("about", "metadata", "content") if isinstance(document.get(name), dict)),
        document,
    )
    whose = known["agency"] if isinstance(known["agency"], dict) else {"name": known["agency"]}
    found = {
        "agency": whose["name"],
        "filters": known.get("filters") or known.get("shift") or known.get("period"),
        "time_zone": known.get("time_zone") or whose.get("time_zone"),
        "model": known.get("model"),
        "generated_at": known.get("generated_at") or known.get("made_at"),
    }
    return {name: str(value) for name, value in found.items() if value}


def told_in_lines(head: list[str]) -> dict[str, str]:
    """The facts of a table's first lines."""
    found = {"agency": head[0]}
    found["filters"], _, found["time_zone"] = head[1].partition("; times in ")
    for line in head[2:]:
        for name, begins in (("model", "Model: "), ("generated_at", "Generated at ")):
            if line.startswith(begins):
                found[name] = line.removeprefix(begins)
    return found


def told_in_words(text: str) -> dict[str, str]:
    """The facts of a document for people."""
    plain = " ".join(html.unescape(re.sub(r"<style.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL)).split())
    found = {name: re.search(pattern, plain) for name, pattern in WORDS.items()}
    return {name: match[1] for name, match in found.items() if match}


def _workbook(body: bytes) -> dict[str, str]:
    sheet = load_workbook(io.BytesIO(body))["About"]
    return told_in_lines([str(row[0]) for row in sheet.iter_rows(values_only=True) if row[0]])


def _geotiff(body: bytes) -> dict[str, str]:
    # Not by Django's reader, which takes a “=” in a value for the end of a name.
    items = re.findall(r'<Item name="(\w+)"[^>]*>([^<]*)</Item>', body.decode("utf-8", "ignore"))
    return told_in({name: html.unescape(value) for name, value in items})


def _geopackage(body: bytes) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.gpkg"
        path.write_bytes(body)
        return told_in(pyogrio.read_info(path)["layer_metadata"])


def _pdf(body: bytes) -> dict[str, str]:
    return told_in_words(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(body)).pages))


def _docx(body: bytes) -> dict[str, str]:
    return told_in_words("\n".join(one.text for one in docx.Document(io.BytesIO(body)).paragraphs))


def _folder(body: bytes) -> dict[str, str]:
    """A zipped folder says it in its page, its JSON and its PDF alike."""
    with zipfile.ZipFile(io.BytesIO(body)) as folder:
        files = {Path(name).name: folder.read(name) for name in folder.namelist()}
    each = [
        facts_of(ending, {}, files[name])
        for name, ending in (("index.html", "html"), ("pack.json", "json"), ("pack.pdf", "pdf"))
    ]
    return {name: each[0][name] for name in FACTS if all(name in facts for facts in each)}


def facts_of(ending: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """What the file says of itself; a kind without room for that has it in the answer's header beside it."""
    if "X-Missions-Facts" in headers:
        assert headers["X-Missions-Facts"].isascii()
        if ending == "npy":
            assert len(np.load(io.BytesIO(body), allow_pickle=False))
        return told_in(json.loads(headers["X-Missions-Facts"]))
    if ending in ("json", "geojson"):
        return told_in(json.loads(body))
    if ending == "jsonl":
        return told_in(json.loads(body.decode().split("\n")[0]))
    if ending == "csv":
        lines = body.decode().splitlines()
        return told_in_lines([line.removeprefix("# ") for line in lines if line.startswith("#")])
    if ending == "html":
        return told_in_words(body.decode())
    read = {
        "xlsx": _workbook,
        "tif": _geotiff,
        "gpkg": _geopackage,
        "pdf": _pdf,
        "docx": _docx,
        "zip": _folder,
    }
    return read[ending](body)
