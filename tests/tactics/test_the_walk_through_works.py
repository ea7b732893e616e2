"""docs/impact.md's walk-through: its commands are ones that exist with these options, its pages answer, its pictures are there."""

from __future__ import annotations

import re
import shlex

import pytest
from django.core.management import get_commands, load_command_class
from django.test import Client

from tests.factories import make_member
from tests.patrols.scenes import make_scene
from tests.project.sources import ROOT

TEXT = (ROOT / "docs" / "impact.md").read_text(encoding="utf-8")
WALK = TEXT.split("## A walk-through", 1)[1].split("\n## ", 1)[0]
LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", WALK, re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]


def test_every_command_of_the_walk_through_exists_and_takes_its_options() -> None:
    ours = [shlex.split(line) for line in LINES if "manage.py" in line]
    assert len(ours) >= 2
    for words in ours:
        at = words.index("manage.py")
        name, arguments = words[at + 1], words[at + 2 :]
        app = get_commands()[name]
        assert load_command_class(str(app), name).create_parser("manage.py", name).parse_args(arguments)
    targets = {line.split()[1] for line in LINES if line.startswith("make ")}
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


@pytest.mark.django_db
def test_every_page_of_the_walk_through_answers(client: Client) -> None:
    pages = set(re.findall(r"`/riverton-study/([a-z/]+)`", WALK))
    assert len(pages) >= 3
    client.force_login(make_member(make_scene().agency, "analyst"))
    for page in pages:
        assert client.get(f"/riverton/{page}").status_code == 200, page


def test_every_picture_of_the_walk_through_is_a_chart_made_by_its_script() -> None:
    script = (ROOT / "tools" / "impact_figures.py").read_text()
    pictures = re.findall(r"\(images/([\w-]+\.svg)\)", WALK)
    assert len(pictures) == 3
    for name in pictures:
        assert name in script
        assert "<svg" in (ROOT / "docs" / "images" / name).read_text(encoding="utf-8")
