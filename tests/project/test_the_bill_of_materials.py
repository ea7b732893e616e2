"""What `make sbom` and `make audit` say of what they found; the tools themselves need a package index and are run by hand."""

from __future__ import annotations

import doctest
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import supply


def test_its_examples_hold() -> None:
    done = doctest.testmod(supply)
    assert (done.attempted, done.failed) == (3, 0)


def test_each_package_that_is_pinned_is_found_in_the_pins() -> None:
    text = supply.PINS.read_text(encoding="utf-8")
    pins = supply.pinned(text)
    assert len(pins) == sum("==" in line for line in text.splitlines() if not line.startswith("#"))
    assert {"django", "djangorestframework", "xmlsec"} <= pins.keys()


def answered(monkeypatch: pytest.MonkeyPatch, code: int, out: str = "", err: str = "") -> None:
    monkeypatch.setattr(supply, "environment", lambda folder, *install: Path("/nowhere"))
    monkeypatch.setattr(
        supply.subprocess, "run", lambda command, **how: subprocess.CompletedProcess(command, code, out, err)
    )


@pytest.mark.parametrize(
    ("code", "err", "told"),
    [
        (0, "No known vulnerabilities found", 0),
        (1, "Found 2 known vulnerabilities in 1 package", 1),
        (
            1,
            "django: Dependency not found on PyPI and could not be audited: django (5.2.19)",
            supply.NO_SERVICE,
        ),
        (1, "requests.exceptions.ConnectionError: Max retries exceeded", supply.NO_SERVICE),
    ],
)
def test_no_answer_is_not_taken_for_a_good_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, err: str, told: int
) -> None:
    answered(monkeypatch, code, err=err)
    assert supply.audit() == told
    assert ("No advisory service" in capsys.readouterr().out) is (told == supply.NO_SERVICE)


def test_a_bill_that_lacks_a_package_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins = supply.pinned(supply.PINS.read_text(encoding="utf-8"))
    parts: list[dict[str, Any]] = [{"name": name, "version": version} for name, version in pins.items()]
    answered(monkeypatch, 0, json.dumps({"components": parts[1:]}))
    assert supply.sbom_make(tmp_path / "sbom.json") == 1
    assert f"lacks {parts[0]['name']}=={parts[0]['version']}." in capsys.readouterr().out
    assert not (tmp_path / "sbom.json").exists()
    answered(monkeypatch, 0, json.dumps({"components": parts}))
    assert supply.sbom_make(tmp_path / "sbom.json") == 0
    assert len(json.loads((tmp_path / "sbom.json").read_text())["components"]) == len(pins)
