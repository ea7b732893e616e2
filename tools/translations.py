"""Collect the texts that people read, and turn their translations into what Django loads.

    .venv/bin/python tools/translations.py [--check | --unmarked]      (make translations)

Needs GNU gettext (Debian: apt-get install gettext). Writes ``locale/<language>/LC_MESSAGES/*.po`` anew from templates, code
and scripts, keeping what is translated, and compiles them. With ``--check`` nothing is changed: it fails where a text is not
translated, where a translation is only a guess, or where the files are older than the texts. ``--unmarked`` lists the words
in templates and the texts in Python that are not marked for translation; names of paths after it narrow the list.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from gettext import GNUTranslations
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
SAID = re.compile(r'\b(?:title|aria-label|placeholder|alt|data-label|data-legend-note)="([^"]*)"')
BUTTON = re.compile(r'<input type="(?:submit|button)"[^>]*\bvalue="([^"]*)"')
DEFAULT = re.compile(r'\|default(?:_if_none)?:"([^"]*)"(?!\|said)')
"""What stands where a value is missing; ``said`` translates it."""
WORD = re.compile(r"[^\W\d_]{2,}")


def unmarked(template: str) -> list[str]:
    """The words of a template that no translation can reach: text between tags, and attributes that people see or hear."""
    # A mark each, so that a tag of the template inside an attribute does not end it.
    rest = MARKED.sub("\x00", template)
    said = [*SAID.findall(rest), *BUTTON.findall(rest), *DEFAULT.findall(template)]
    text = re.sub(r"<[^>]*>", "\n", UNREAD.sub("\n", rest))
    text = re.sub(r"&[a-z]+;", " ", text)
    return [piece.strip() for piece in [*said, *text.replace("\x00", "\n").split("\n")] if WORD.search(piece)]


# Where a text in Python is read by people: arguments of these names, whatever is called …
READ_ARGUMENTS = frozenset(
    "verbose_name verbose_name_plural help_text label label_suffix empty_label next_step short_description".split()
)
# … arguments of these calls, by the last part of their name (any error of ours is raised with a sentence) …
READ_CALLS = frozenset("add_message message_user add_error ValidationError".split())
READ_MESSAGES = frozenset("debug info success warning error".split())
# … and what is assigned to these names in a class.
READ_NAMES = frozenset(
    "verbose_name verbose_name_plural help_text label empty_label choices error_messages fieldsets site_title site_header "
    "index_title default_error_messages default_detail help_texts labels".split()
)
# Texts that stay English, each with its reason.
STAYS_ENGLISH = {
    "patrols/services/gis.py": "only the command gis_views says it, to whoever administers the database",
    "missions_project/operations/backup/": "only the commands backup and restore say it, to whoever runs the server",
    "missions_project/operations/apps.py": "the room has nothing in the admin's index, so nobody reads its name",
    "missions_project/apps.py": "the room has nothing in the admin's index, so nobody reads its name",
    "missions_project/demo/": "only the commands demo and planted_city say it, to whoever tries the product out",
    "missions_project/lib/commands.py": "only commands say it, at a terminal",
    "missions_project/lib/rest/": "describes the interface to programmers, like the rest of its documents",
    "agencies/saml/apps.py": "the app has no models of its own, so nobody reads its name",
    "ingestion/audit/apps.py": "its label is a name for the program; its name for people is translated",
    "ingestion/sources/csv_pieces.py": "the csv module's own words, which only our code looks at",
    "ingestion/sources/text.py": "the csv module's own words, which only our code looks at",
}
# What arguments of these names say in an API's module describes its fields to programmers, like the rest of its documents.
DESCRIBING = frozenset({"help_text"})
CHOICE_CLASSES = frozenset({"TextChoices", "IntegerChoices", "Choices"})
# Keys of dictionaries that the framework reads by name; their values are no texts.
UNREAD_KEYS = frozenset({"fields", "classes"})


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _plain(node: ast.AST | None) -> Iterator[tuple[int, str]]:
    """The texts in an expression that no call wraps: a call makes the text its own, gettext's calls above all."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if WORD.search(node.value):
            yield node.lineno, node.value
    elif isinstance(node, ast.JoinedStr):
        words = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        if WORD.search(words):
            yield node.lineno, words
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _plain(part.value)
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.Starred):
        for child in ast.iter_child_nodes(node):
            yield from _plain(child)
    elif isinstance(node, ast.IfExp):
        yield from _plain(node.body)
        yield from _plain(node.orelse)


def _paired(node: ast.AST | None) -> Iterator[tuple[int, str]]:
    """The texts in choices (value, label), in fieldsets (title, options), in dictionaries of labels and of errors."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        for item in node.elts:
            if isinstance(item, ast.List | ast.Tuple) and len(item.elts) == 2:
                first, second = item.elts
                if isinstance(second, ast.Dict):
                    yield from _plain(first)
                    yield from _paired(second)
                else:
                    yield from _plain(second)
                    yield from _paired(second)
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if not (isinstance(key, ast.Constant) and key.value in UNREAD_KEYS):
                yield from _plain(value)
                yield from _paired(value)
    else:
        yield from _plain(node)


def _called(call: ast.Call, unread: frozenset[str]) -> Iterator[tuple[int, str]]:
    name = _name(call.func)
    for given in call.keywords:
        if given.arg in READ_ARGUMENTS - unread:
            yield from _plain(given.value)
        elif given.arg in {"choices", "error_messages"}:
            yield from _paired(given.value)
        elif given.arg == "description" and name in {"display", "action"}:
            yield from _plain(given.value)
    owner = _name(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    if name in READ_CALLS or (owner == "messages" and name in READ_MESSAGES):
        # The first of add_error is a field's name.
        for place in call.args[1 if name == "add_error" else 0 :]:
            yield from _paired(place)


def _in_class(node: ast.ClassDef) -> Iterator[tuple[int, str]]:
    is_choices = any(_name(base) in CHOICE_CLASSES for base in node.bases)
    for line in node.body:
        if not isinstance(line, ast.Assign | ast.AnnAssign):
            continue
        target = line.targets[0] if isinstance(line, ast.Assign) else line.target
        if is_choices and isinstance(line.value, ast.Tuple):
            yield from _plain(line.value.elts[-1])
        elif is_choices and isinstance(line.value, ast.Constant):
            # Without a label Django makes one of the name, which no translation reaches.
            yield line.lineno, _name(target).replace("_", " ").title()
        elif _name(target) in READ_NAMES:
            yield from _paired(line.value)


def unmarked_python(source: str, unread: frozenset[str] = frozenset()) -> list[tuple[int, str]]:
    """The texts of a module that people read and no translation can reach, each with its line; ``unread`` names arguments."""
    found: set[tuple[int, str]] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            found.update(_called(node, unread))
        elif isinstance(node, ast.ClassDef):
            found.update(_in_class(node))
        elif (
            isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and _is_ours(_name(node.exc.func))
        ):
            for given in node.exc.args:
                found.update(_plain(given))
    return sorted(found)


def _is_ours(name: str) -> bool:
    """Whether an error of this name is written for people; Python's own are for programmers."""
    return name.endswith(("Error", "Refused", "Moved", "Busy", "Found")) and not hasattr(builtins, name)


def python_files(root: Path) -> list[Path]:
    """Our modules whose texts a person may read on a page, in a mail or in a file."""
    ours = (path.name for path in root.iterdir() if (path / "__init__.py").exists())
    rooms = [name for name in ours if name not in {"tests", "tools", "benchmarks", "docs"}]
    unread = {"migrations", "engine", "management"}
    paths = (path for name in rooms for path in (root / name).rglob("*.py"))
    return sorted(path for path in paths if not unread & set(path.relative_to(root).parts))


def unmarked_modules(root: Path) -> list[str]:
    """``path:line: text`` for every text in our modules that no translation reaches, but for those that stay English."""
    lines = []
    for path in python_files(root):
        name = path.relative_to(root)
        unread = DESCRIBING if "api" in name.parts or name.name.startswith("api") else frozenset()
        # A folder's name ends with a slash and stands for all in it.
        if not str(name).startswith(tuple(STAYS_ENGLISH)):
            found = unmarked_python(path.read_text(), unread)
            lines += [f"{name}:{line}: {' '.join(text.split())}" for line, text in found]
    return lines


# What makemessages looks for, but for texts with a context.
MARKS = frozenset("_ gettext gettext_lazy gettext_noop ngettext ngettext_lazy".split())
TRANSLATE = re.compile(r"""{%\s*translate\s+(?:"([^"]*)"|'((?:[^'\\]|\\.)*)')\s*%}""")


def marked_texts(root: Path) -> set[str]:
    """The texts of our modules and templates that are marked by a plain call or tag: nearly all, in two seconds."""
    found = set()
    for path in python_files(root):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in MARKS and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.add(first.value)
    for path in (root / "templates").rglob("*.html"):
        for double, single in TRANSLATE.findall(path.read_text()):
            # makemessages takes a template's text for a format.
            found.add((double or single.replace("\\'", "'")).replace("%", "%%"))
    return found - {""}


def is_older_than_texts(root: Path, language: str = LANGUAGES[0]) -> bool:
    """Whether a marked text is not in the compiled translations: somebody has written it since. Needs no gettext tools."""
    path = root / "locale" / language / "LC_MESSAGES" / "django.mo"
    if not path.exists():
        return True
    with path.open("rb") as file:
        known = {key[0] if isinstance(key, tuple) else key for key in GNUTranslations(file)._catalog}  # type: ignore[attr-defined]  # walked over, which the stubs leave out
    return not marked_texts(root) <= known


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
        "--unmarked",
        action="store_true",
        help="list words in templates and Python that are not marked for translation",
    )
    parser.add_argument("paths", nargs="*", help="with --unmarked: only files whose path begins so")
    wanted = parser.parse_args()
    if wanted.unmarked:
        lines = [
            f"{path.relative_to(ROOT)}: {piece}"
            for path in sorted((ROOT / "templates").rglob("*.html"))
            for piece in unmarked(path.read_text())
        ]
        lines += unmarked_modules(ROOT)
        asked = tuple(wanted.paths)
        print("\n".join(line for line in lines if not asked or line.startswith(asked)))
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
