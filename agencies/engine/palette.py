"""The product's colours: of crime types, of charts, and of scales. Colour-blind readers can tell them apart (tests say how far).

Charts and pictures take their colours from here; pages from the custom properties in ``static/missions_project/app.css``.
"""

from collections.abc import Collection

BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
PURPLE, SKY, YELLOW, BLACK = "#CC79A7", "#56B4E9", "#F0E442", "#000000"

OKABE_ITO: tuple[tuple[str, str], ...] = (
    (BLUE, "blue"),
    (VERMILION, "vermilion"),
    (GREEN, "bluish green"),
    (ORANGE, "orange"),
    (PURPLE, "reddish purple"),
    (SKY, "sky blue"),
    (YELLOW, "yellow"),
    (BLACK, "black"),
)
"""Okabe and Ito (2008), Color Universal Design."""

GREY, INK, QUIET, DEEP_GREEN = "#999999", "#4D5A64", "#555555", "#005D44"
"""What stands back in a chart: other lines, their labels, notes, and words on a tinted ground."""

NOTHING = "#E4E6E8"
"""Places on a picture of a map to which no figure belongs."""

SEQUENTIAL = "cividis"
"""Matplotlib's name of the one scale for amounts (Nuñez, Anderton and Renslow, 2018): even steps, the same for colour-blind readers."""

CLASS_COLOURS = {
    "burglary": BLUE,
    "robbery": VERMILION,
    "motor_vehicle_theft": GREEN,
    "theft": ORANGE,
    "gunfire": PURPLE,
    "aggravated_assault": SKY,
    "homicide": BLACK,
}


def sequential(n: int) -> list[str]:
    """``n`` colours of the scale for amounts, from little (dark) to much (bright), evenly apart.

    >>> sequential(2)
    ['#00224e', '#fee838']
    """
    # Not at the top: every command and worker would wait for a library that only pictures need.
    import matplotlib

    scale = matplotlib.colormaps[SEQUENTIAL]
    return [matplotlib.colors.to_hex(scale(k / max(n - 1, 1))) for k in range(n)]


def suggested_colour(offence_class: str, taken: Collection[str] = ()) -> str:
    """The class's own colour, or the first of the palette that is not taken; its own again when all are.

    >>> suggested_colour("robbery"), suggested_colour("robbery", taken=["#d55e00"])
    ('#D55E00', '#0072B2')
    """
    used = {colour.upper() for colour in taken}
    own = CLASS_COLOURS.get(offence_class, OKABE_ITO[0][0])
    return next((colour for colour in (own, *(c for c, _ in OKABE_ITO)) if colour not in used), own)
