"""Documents and pages keep their promises: nothing undocumented, no path of one machine, no inline script."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project.sources import ROOT, project_files, text_files
from tools import docs

pytestmark = pytest.mark.checks

MACHINE_PATH = re.compile(r"(?<![\w.~$}<])/(?:home|root|Users|work|mnt|opt/(?:wheels|pypi))/\w")
INLINE_CODE = {
    "an inline style": re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE),
    "an inline event handler": re.compile(r"\son[a-z]+\s*=\s*[\"']", re.IGNORECASE),
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", re.IGNORECASE),
}


def headings(name: str) -> set[str]:
    """The headings of a page under docs/, without their backticks."""
    page = ROOT / "docs" / name
    assert page.exists(), f"docs/{name} is missing"
    return {
        line.lstrip("#").strip().strip("`") for line in page.read_text().splitlines() if line.startswith("#")
    }


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path, text in text_files()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert not found, "\n".join(found)


def test_every_management_command_has_a_heading() -> None:
    commands = {
        path.stem
        for path in ROOT.glob("*/**/management/commands/*.py")
        if ".venv" not in path.parts and path.stem[0] != "_"
    }
    missing = commands - headings("commands.md")
    assert not missing, f"docs/commands.md has no heading for {sorted(missing)}"


@pytest.mark.parametrize("name", docs.PAGES)
def test_the_reference_page_says_what_the_code_says(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == docs.PAGES[name](), (
        f"docs/{name} fell behind. Next step: make docs"
    )


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    missing = [
        path.name
        for path in sorted((ROOT / "docs").glob("*.md"))
        if path.name != "README.md" and f"({path.name})" not in index
    ]
    assert not missing, f"docs/README.md does not list {missing}"


def test_every_environment_variable_has_a_heading() -> None:
    read = re.compile(r"""(?:environ(?:\.get)?|required|environment\.\w+)[\[(]\s*["']([A-Z][A-Z0-9_]+)["']""")
    names = {
        name
        for path in (ROOT / "missions_project/settings").glob("*.py")
        for name in read.findall(path.read_text())
    }
    missing = names - headings("settings.md") - {"PYTEST_XDIST_WORKER"}
    assert not missing, f"docs/settings.md has no heading for {sorted(missing)}"


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = []
    for path, text in text_files():
        if path.suffix != ".md":
            continue
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if (
                "://" not in target
                and not target.startswith("mailto:")
                and not (path.parent / target).exists()
            ):
                broken.append(f"{path.relative_to(ROOT)} → {target}")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("what", INLINE_CODE)
def test_no_template_holds(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in project_files()
        if path.suffix == ".html" and "templates" in path.parts
        # Mail programs load no style sheet and know no policy.
        if path.relative_to(ROOT).as_posix() != "templates/email/base.html"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if INLINE_CODE[what].search(line)
    ]
    assert not found, f"The content-security policy blocks {what}: {found}"


def test_front_end_code_of_others_is_not_copied_in() -> None:
    copied = [
        str(path.relative_to(ROOT))
        for path in project_files()
        if path.suffix in {".js", ".css"} and (".min." in path.name or path.stat().st_size > 60_000)
    ]
    assert not copied, f"Third-party front-end code comes with its Python package: {copied}"


def test_the_licence_is_apache_2() -> None:
    text = Path(ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
