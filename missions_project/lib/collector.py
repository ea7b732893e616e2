"""When a web server's process looks for rubbish: between answers, not while one is made."""

import gc

YOUNG = 5_000
"""New objects from which a look is worth its time: a poll leaves some hundred, a page with a map many thousand."""
TURNS = 20
"""So many looks at the youngest objects to one at the middle ones, and so many of those to one at all."""


def settle() -> None:
    """Set aside what the process has loaded so far, and let the collector work in between only when there is very much.

    Seven hundred new objects, Python's own measure, are an eighth of one page, which would be stopped for it a hundred times.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, TURNS, TURNS)


def generation(count: tuple[int, int, int], young: int = YOUNG, turns: int = TURNS) -> int | None:
    """Which generation's turn it is by ``gc.get_count()``: new objects, and how often the younger ones were looked through since.

    >>> generation((500, 30, 30)), generation((6_000, 3, 0)), generation((6_000, 20, 0)), generation((6_000, 20, 20))
    (None, 0, 1, 2)
    """
    if count[0] < young:
        return None
    if count[1] < turns:
        return 0
    return 2 if count[2] >= turns else 1


def collect(**_: object) -> None:
    """Look through what the last answers left, once it is much; now and then also through what was in use at an earlier look.

    The answers of other threads are half made at each look, and what survives one is older from then on: looked at no more, it
    would be kept for ever where no page makes objects enough for Python's own turn.
    """
    turn = generation(gc.get_count())
    if turn is not None:
        gc.collect(turn)
