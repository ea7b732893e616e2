"""``manage.py replay_plan``: prove that a stored plan is what its seed gave, and that chance drew as it was told to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from agencies.models import Beat
from forecasting.engine.grid import GridSpec
from forecasting.selectors import run_models
from missions_project.lib.commands import MissionsCommand
from missions_project.lib.errors import MissionsError
from missions_project.lib.exports import NO_MODEL, About, csv_lines
from patrols.engine.redraw import Frequencies, draw_frequencies
from patrols.models import MissionPlan
from patrols.replays import plan_differences
from patrols.selectors import plan_draw_of

COLUMNS = ("candidate", "beat", "cell", "pi", "draws", "times_drawn", "frequency", "standard_errors_away")


class Command(MissionsCommand):
    help = (
        "Draw a stored plan again from its design and seed and compare it bit for bit. With --draws, draw it many times with "
        "fresh seeds and write how often each box came up beside its probability."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("plan", type=int, help="The plan's number, as in the admin.")
        parser.add_argument("--draws", type=int, default=0, help="Also draw so many times with fresh seeds.")
        parser.add_argument(
            "--csv",
            type=Path,
            help="With --draws: write beat, cell, π and frequency here, below lines that begin with # and say what it is.",
        )
        parser.add_argument(
            "--fresh-seed",
            type=int,
            help="Seed of these draws, to repeat them; a random one is named otherwise.",
        )

    def work(self, **options: Any) -> None:
        draws, path = options["draws"], options["csv"]
        if draws < 0:
            raise MissionsError(f"--draws is {draws}.", next_step="pass 1 or more, such as --draws 10000.")
        if path and not draws:
            raise MissionsError("--csv needs --draws.", next_step="add --draws 10000, say.")
        plan = (
            MissionPlan.objects.select_related("agency", "shift", "grid").filter(pk=options["plan"]).first()
        )
        if plan is None:
            raise MissionsError(
                f"There is no plan {options['plan']}.",
                next_step="take the number from Admin → Mission plans.",
            )
        if differences := plan_differences(plan):
            for line in differences:
                self.stderr.write(line)
            raise CommandError(f"Plan {plan.pk} is NOT what its design and seed give.")
        self.stdout.write(
            f"Plan {plan.pk} ({plan.agency.slug}, {plan}): draw, start times, doses and missions are what its design and "
            f"seed {plan.seed} give, bit for bit. Digest {plan.design_hash}."
        )
        if draws:
            self._draw_anew(plan, draws, path, options["fresh_seed"])

    def _draw_anew(self, plan: MissionPlan, draws: int, path: Path | None, fresh_seed: int | None) -> None:
        seed = int(np.random.SeedSequence(fresh_seed).entropy)  # type: ignore[arg-type]  # an int unless a list was given
        design = plan_draw_of(plan)
        # Opened first: a folder that is not there must not cost an hour of draws.
        file = _opened(path) if path else None
        found = draw_frequencies(design, draws=draws, rng=np.random.default_rng(seed), progress=self.progress)
        self.progress.close()
        if file is not None:
            assert plan.grid is not None  # a replayed plan has a grid
            with file:
                spec = GridSpec.from_bytes(bytes(plan.grid.spec))
                file.writelines(csv_lines(_about(plan, draws, seed).lines, COLUMNS, _rows(plan, found, spec)))
            self.stdout.write(f"{len(found.pi):,} candidates written to {path}.")
        self.stdout.write(
            f"{draws:,} draws with seed {seed}: largest deviation {found.largest:.2f} standard errors over "
            f"{len(found.pi):,} candidates, which honest draws pass with a chance of {found.least_likely:.3g}; "
            f"{'every' if found.sums_exact else 'NOT every'} draw holds exactly K boxes of each beat."
        )
        if not found.agrees:
            raise CommandError(f"The draws of plan {plan.pk} are not what its probabilities promise.")


def _opened(path: Path) -> Any:
    try:
        return path.open("w", newline="", encoding="utf-8")
    except OSError as exc:
        raise MissionsError(
            f"{path} cannot be written: {exc.strerror}.", next_step="choose another file."
        ) from exc


def _about(plan: MissionPlan, draws: int, seed: int) -> About:
    """What the file says of itself. One query."""
    run = plan.forecast_run
    models = run_models(run).values() if run else ()
    return About(
        what=_("Draws of a stored plan beside its probabilities"),
        agency=plan.agency.name,
        asked=_("Plan %(number)s (%(plan)s), %(draws)s draws with seed %(seed)s")
        % {"number": plan.pk, "plan": plan, "draws": draws, "seed": seed},
        zone=plan.agency.time_zone,
        model="; ".join(str(row) for row in models) or NO_MODEL,
        more=(_("Design %(design)s") % {"design": plan.design_hash},),
    )


def _rows(plan: MissionPlan, found: Frequencies, spec: GridSpec) -> Iterator[list[Any]]:
    """One row a candidate. One query."""
    design = plan_draw_of(plan)
    code = dict(Beat.objects.filter(agency=plan.agency).values_list("pk", "code"))
    rows = zip(
        design.beat.tolist(),
        spec.cells[design.cell].tolist(),
        found.pi.tolist(),
        found.count.tolist(),
        found.z.tolist(),
        strict=True,
    )
    for number, (beat, cell, pi, count, z) in enumerate(rows, start=1):
        frequency = count / found.draws
        yield [number, code.get(beat, beat), cell, repr(pi), found.draws, count, frequency, f"{z:.4f}"]
