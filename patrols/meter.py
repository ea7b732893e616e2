"""The override meter: how far people have moved a shift away from what was drawn, and what that costs, in words."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _

from patrols.engine.oversight import override_meter
from patrols.models import Mission

NOTICEABLE, SERIOUS = 0.10, 0.25
"""From here on the meter warns: a tenth makes a study's answer vaguer, a quarter leaves little to learn from."""


@dataclass(frozen=True)
class Meter:
    """The meter's value 0..1 with words and a level: ``good``, ``warn`` or ``bad``."""

    value: float

    @property
    def percent(self) -> int:
        return round(100 * self.value)

    @property
    def level(self) -> str:
        return "bad" if self.value >= SERIOUS else "warn" if self.value >= NOTICEABLE else "good"

    @property
    def words(self) -> str:
        if self.value == 0:
            return _("As drawn.")
        if self.level == "good":
            return _("Close to what was drawn; studies can still compare.")
        if self.level == "warn":
            return _(
                "More than a tenth of the shift is people's choice: what studies say about it becomes vaguer, and "
                "missions easier to predict."
            )
        return _(
            "A quarter or more is people's choice: little can be learnt from this shift, and chance no longer protects "
            "anybody from being singled out. Is there another way, such as drawing again?"
        )


def meter_of(missions: Iterable[Mission], *, added: int = 0, withdrawn: Collection[int] = ()) -> Meter:
    """Return the meter over a shift's missions, as it would be after so many more additions and these withdrawals.

    ``withdrawn``: primary keys. Boxes neither drawn nor visited count for nothing, so the missions are enough. No query.
    """
    rows = list(missions)
    gone = set(withdrawn)
    # What people asked for before the draw was part of the design, with a chance of 1.
    drawn = [row.source == Mission.Source.DRAWN or row.addition_id is not None for row in rows] + [
        False
    ] * added
    done = [row.withdrawn_at is None and row.pk not in gone for row in rows] + [True] * added
    return Meter(override_meter(np.array(drawn, dtype=np.bool_), np.array(done, dtype=np.bool_)))
