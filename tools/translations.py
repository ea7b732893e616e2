"""Collect the texts that people read, and turn their translations into what Django loads.

    .venv/bin/python tools/translations.py [--check | --unmarked]      (make translations)

Needs GNU gettext (Debian: apt-get install gettext). Writes ``locale/<language>/LC_MESSAGES/*.po`` anew from templates, code
and scripts, keeping what is translated, and compiles them. With ``--check`` nothing is changed: it fails where a text is not
translated, where a translation is only a guess, or where the files are older than the texts. ``--unmarked`` lists the words
in templates that are not marked for translation.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LANGUAGES = ("es",)
DOMAINS = ("django", "djangojs")
NOT_OURS = (
    ".venv/*",
    "var/*",
    "staticfiles/*",
    "tests/*",
    "benchmarks/*",
    "tools/*",
    "docs/*",
    "node_modules/*",
    "site/*",
)
DATED = re.compile(r'^"(POT-Creation-Date|PO-Revision-Date):.*\n', re.MULTILINE)


MARKED = re.compile(
    r"{%\s*blocktrans(?:late)?\b.*?{%\s*endblocktrans(?:late)?\s*%}|{#.*?#}|{%.*?%}|{{.*?}}", re.DOTALL
)
UNREAD = re.compile(r"<(script|style|svg|code|kbd)\b.*?</\1>|<!--.*?-->", re.DOTALL)
SAID = re.compile(r'\b(?:title|aria-label|placeholder|alt)="([^"]*)"')
WORD = re.compile(r"[^\W\d_]{2,}")


def unmarked(template: str) -> list[str]:
    """The words of a template that no translation can reach: text between tags, and attributes that people see or hear."""
    # A mark each, so that a tag of the template inside an attribute does not end it.
    rest = MARKED.sub("\x00", template)
    said = SAID.findall(rest)
    text = re.sub(r"<[^>]*>", "\n", UNREAD.sub("\n", rest))
    text = re.sub(r"&[a-z]+;", " ", text)
    return [piece.strip() for piece in [*said, *text.replace("\x00", "\n").split("\n")] if WORD.search(piece)]


def files(root: Path) -> list[Path]:
    """The translations' files in order, those that exist."""
    found = [
        root / "locale" / language / "LC_MESSAGES" / f"{d}.po" for language in LANGUAGES for d in DOMAINS
    ]
    return [path for path in found if path.exists()]


def collect(root: Path) -> None:
    """Write the translations' files of this checkout anew, keeping what is translated."""
    for domain in DOMAINS:
        command = [sys.executable, str(root / "manage.py"), "makemessages", "--domain", domain]
        command += ["--no-location", "--no-wrap", "--no-obsolete"]
        command += [part for pattern in NOT_OURS for part in ("--ignore", pattern)]
        command += [part for language in LANGUAGES for part in ("--locale", language)]
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)
    for path in files(root):
        # A date changes with each run and says nothing that the history does not.
        path.write_text(DATED.sub("", path.read_text()))


def compile_all(root: Path) -> None:
    """Write the ``.mo`` beside each ``.po``; fails where a placeholder of the text is missing in its translation."""
    for path in files(root):
        subprocess.run(["msgfmt", "--check", "-o", str(path.with_suffix(".mo")), str(path)], check=True)


def lacking(path: Path) -> list[str]:
    """The texts of this file that have no translation, or only a guessed one."""
    lines = []
    for choice in ("--untranslated", "--only-fuzzy"):
        run = subprocess.run(
            ["msgattrib", choice, "--no-obsolete", "--no-wrap", str(path)],
            check=True,
            capture_output=True,
            text=True,
        )
        lines += [
            line for line in run.stdout.splitlines() if line.startswith("msgid ") and line != 'msgid ""'
        ]
    return lines


def check(root: Path) -> list[str]:
    """What is wrong with the translations of this checkout, a line each; nothing is changed."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        kept = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, kept.split("\0")):
            if name.endswith((".py", ".html", ".txt", ".js", ".po")) and (root / name).exists():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, copy / name)
        collect(copy)
        problems = []
        for path in files(copy):
            ours = root / path.relative_to(copy)
            problems += [f"{ours.relative_to(root)}: not translated: {line}" for line in lacking(path)]
            if not ours.exists() or ours.read_text() != path.read_text():
                problems.append(
                    f"{ours.relative_to(root)} is older than the texts. Next step: make translations"
                )
            compiled = path.with_suffix(".mo")
            subprocess.run(["msgfmt", "--check", "-o", str(compiled), str(ours)], check=True)
            if (
                not ours.with_suffix(".mo").exists()
                or ours.with_suffix(".mo").read_bytes() != compiled.read_bytes()
            ):
                problems.append(f"{ours.relative_to(root)} was not compiled. Next step: make translations")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail where something is missing"
    )
    parser.add_argument(
        "--unmarked", action="store_true", help="list words in templates that are not marked for translation"
    )
    wanted = parser.parse_args()
    if wanted.unmarked:
        for path in sorted((ROOT / "templates").rglob("*.html")):
            for piece in unmarked(path.read_text()):
                print(f"{path.relative_to(ROOT)}: {piece}")
        return 0
    if shutil.which("msgfmt") is None:
        print("GNU gettext is not installed. Next step: apt-get install gettext", file=sys.stderr)
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.dev")
    if wanted.check:
        problems = check(ROOT)
        print("\n".join(problems))
        return 1 if problems else 0
    collect(ROOT)
    compile_all(ROOT)
    missing = [line for path in files(ROOT) for line in lacking(path)]
    print(f"{len(missing)} texts are not translated yet." if missing else "Every text is translated.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
