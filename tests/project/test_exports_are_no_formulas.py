"""Files that leave the product hold text where somebody wrote a formula, in the comments above the table too."""

from __future__ import annotations

import csv
import io

import pytest

from missions_project.lib.exports import csv_lines


@pytest.mark.parametrize(
    "name", ["Foo,=cmd|x", "Foo, =cmd", "Foo;+1", "A\r=1+1", "A\n=1+1", "A\u2028=1", "A\t@x"]
)
def test_no_cell_of_a_comment_is_a_formula(name: str) -> None:
    text = "".join(csv_lines([f"Missions, {name}"], ["a"], [["=1"], ["\n=1"], ["-1"], [-1]]))
    rows = [
        row for delimiter in ",;\t" for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    ]
    cells = [cell for row in rows for cell in row if cell != "-1"]
    assert not [cell for cell in cells if cell.strip(" ").startswith(("=", "+", "-", "@", "\n", "\r"))]
    assert text.splitlines()[0].startswith("# Missions")
