"""Write the reference pages that the code itself knows best (commands, codes, configuration, API), and build the documentation's site.

    .venv/bin/python tools/docs.py      (make docs)

A test compares the pages with what this would write, so neither can fall behind the code.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Run as a file, Python sees only this file's folder.
sys.path.insert(0, str(ROOT))

from tools.docs_reference import api_page, configuration_page  # noqa: E402 - needs the line above

ROOMS = ("agencies", "ingestion", "forecasting", "patrols", "tactics", "missions_project")
IN_ORDER_OF_USE = (
    "demo",
    "agency_create",
    "config_export",
    "config_import",
    "import_geography",
    "grid_build",
    "codes_import",
    "import_incidents",
    "drop_scan",
    "import_open_data",
    "pull_feed",
    "quarantine_replay",
    "import_layer",
    "retention",
    "import_events",
    "import_weather",
    "import_census",
    "import_audit_table",
    "train",
    "forecast",
    "plan",
    "run_shift",
    "backtest",
    "drift",
    "impact_study",
    "transparency_pack",
    "demo_history",
    "doctor",
    "backup",
    "restore",
)
COMMANDS_INTRO = """\
# Commands

Run with `.venv/bin/python manage.py …` from the checkout. Each exits with 0 when it did its work and with 1 and a message that names the
next step when it could not; nothing half-done stays behind. `--help` prints the same as this page, which `make docs` writes.
"""
REJECTIONS_INTRO = """\
# Rejection codes

Why a row was kept aside, and what to do about it. A quarantined row keeps its mapped columns only; after the mapping or the source is mended,
replay it. The import's counts always add up: received = inserted + updated + unchanged + quarantined + refused by policy.
`make docs` writes this page.
"""


def command_section(name: str, parser: argparse.ArgumentParser, common: set[str]) -> str:
    """A command's heading, what it does, how it is typed, and each of its own options."""
    words, options = [], []
    for action in parser._actions:
        if action.dest in common:
            continue
        metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        # An empty choice means "not given" and is nothing that anybody types.
        choices = "|".join(str(choice) for choice in action.choices if choice) if action.choices else metavar
        word = choices if not action.option_strings else action.option_strings[-1]
        word += f" {choices}" if action.option_strings and action.nargs != 0 else ""
        words.append(word if action.required else f"[{word}]")
        options.append(f"- `{word}`" + (f": {action.help.rstrip('.')}." if action.help else ""))
    usage = " ".join([".venv/bin/python manage.py", name, *words])
    return "\n".join(
        [f"## {name}", "", (parser.description or "").strip(), "", "```sh", usage, "```", "", *options]
    )


def commands_page() -> str:
    """docs/commands.md: our commands, in the order in which an installation uses them."""
    from django.core.management import BaseCommand, get_commands, load_command_class

    common = {action.dest for action in BaseCommand().create_parser("manage.py", "any")._actions}
    ours = {name: app for name, app in get_commands().items() if str(app).split(".")[0] in ROOMS}
    names = [name for name in IN_ORDER_OF_USE if name in ours] + sorted(set(ours) - set(IN_ORDER_OF_USE))
    sections = [COMMANDS_INTRO]
    for name in names:
        parser = load_command_class(str(ours[name]), name).create_parser("manage.py", name)
        sections.append(command_section(name, parser, common))
    return "\n\n".join(section.rstrip() for section in sections) + "\n"


def rejections_page() -> str:
    """docs/rejections.md: the product's one table of codes, with remedies."""
    from ingestion.engine.rejections import REJECTION_CODES

    sections = [f"## {kind.code}\n\n{kind.meaning}. {kind.remedy}" for kind in REJECTION_CODES.values()]
    return "\n\n".join([REJECTIONS_INTRO.rstrip(), *sections]) + "\n"


def openapi_page() -> str:
    """docs/openapi.yaml: the API in OpenAPI 3.1, as /api/schema/ tells it."""
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiYamlRenderer
    from drf_spectacular.validation import validate_schema

    schema = SchemaGenerator().get_schema(request=None, public=True)
    validate_schema(schema)
    return OpenApiYamlRenderer().render(schema, renderer_context={}).decode()


PAGES = {
    "commands.md": commands_page,
    "rejections.md": rejections_page,
    "openapi.yaml": openapi_page,
    "configuration.md": configuration_page,
    "api-reference.md": api_page,
}


def site_build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the documentation's site into a folder. A link or a heading's address that leads nowhere fails it."""
    strict = ["-q", "-E", "-W", "--keep-going", "-b", "html", "-c", str(ROOT / "docs")]
    command = [
        sys.executable,
        "-m",
        "sphinx",
        *strict,
        "-d",
        str(folder / ".doctrees"),
        str(ROOT),
        str(folder),
    ]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True)


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "missions_project.settings.test")
    import django

    django.setup()
    for name, page in PAGES.items():
        path = ROOT / "docs" / name
        new = page()
        changed = not path.exists() or path.read_text(encoding="utf-8") != new
        path.write_text(new, encoding="utf-8")
        print(f"docs/{name} {'written' if changed else 'is up to date'}")
    built = site_build(ROOT / "site")
    print(built.stderr or built.stdout, end="")
    print(
        "site/index.html is built"
        if built.returncode == 0
        else "The site is not built: mend what stands above."
    )
    return built.returncode


if __name__ == "__main__":
    sys.exit(main())
