"""``manage.py impact_benchmark``: score anybody's estimator of patrol effects on histories with planted truth."""

import importlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from missions_project.demo.patrolled import riverton_world
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError
from tactics.engine.impact.scoring import Estimator, Scoreboard, score_estimator
from tactics.engine.impact.worlds import SCENARIOS

OURS = "tactics.engine.impact.scoring:product_estimator"


class Command(MissionsCommand):
    help = (
        "Score an estimator of patrol effects on made-up histories of the demo city whose truth is known: bias, coverage, "
        "false alarms, beside two wrong analyses. Needs no database."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add(
            "--estimator",
            default=OURS,
            metavar="MODULE:FUNCTION",
            help=f"a function of a study that returns {{target: (estimate, low, high)}} ({OURS} if absent)",
        )
        add("--repetitions", type=int, default=200, help="histories per scenario (200 if absent)")
        add(
            "--scenario",
            nargs="+",
            choices=list(SCENARIOS),
            default=list(SCENARIOS),
            help="which planted truths (all if absent)",
        )
        add("--seed", type=int, default=20260301, help="the same seed gives everybody the same histories")
        add("--out", type=Path, metavar="FILE", help="write the figures as JSON too")

    def work(self, **options: Any) -> None:
        if options["repetitions"] < 1:
            raise MissionsError("There must be at least one repetition.", next_step="use --repetitions 200.")
        estimator = estimator_named(options["estimator"])
        world = riverton_world()
        boards = []
        for name in options["scenario"]:
            board = score_estimator(
                world,
                SCENARIOS[name],
                estimator,
                repetitions=options["repetitions"],
                seed=options["seed"],
                progress=self.progress,
            )
            self.progress.close()
            boards.append(board)
            self.stdout.write(table(board))
        if options["out"]:
            options["out"].write_text(json.dumps([asdict(board) for board in boards], indent=2) + "\n")


def estimator_named(text: str) -> Estimator:
    """Find ``module:function``; what is wrong with the name is said with the next step."""
    module_name, _, function_name = text.partition(":")
    if not module_name or not function_name:
        raise MissionsError(
            f"“{text}” does not name an estimator.", next_step=f"write module:function, e.g. {OURS}."
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise MissionsError(
            f"The module {module_name} cannot be imported ({error}).",
            next_step="run from the folder that holds it, or put that folder on PYTHONPATH.",
        ) from error
    found = getattr(module, function_name, None)
    if not callable(found):
        raise MissionsError(
            f"{module_name} has no function {function_name}.", next_step="check the name after the colon."
        )
    estimator: Estimator = found
    return estimator


def table(board: Scoreboard) -> str:
    """One scenario's scores as text, errors beside them."""
    lines = [
        f"{board.scenario}: {board.scores[0].histories if board.scores else 0} histories, {board.plans:.0f} plans and "
        f"{board.treated_events:.0f} crimes expected in visited boxes each, {board.delivered_share:.0%} of missions carried out"
    ]
    if not board.scores:
        lines.append("  The estimator answered none of the targets.")
    for one in board.scores:
        lines.append(
            f"  {one.target:18} truth {one.truth:7.4f}  bias {one.bias:+.5f} ± {one.bias_error:.5f}"
            f"  covers {one.coverage:6.1%} ± {one.coverage_error:.1%}"
            f"  rejects {one.rejected:6.1%} ± {one.rejected_error:.1%}  length {one.length:.4f}"
        )
    for name, mean, error in board.wrong:
        lines.append(f"  wrong: {name:26} reads {mean:+.4f} ± {error:.4f}")
    return "\n".join(lines)
