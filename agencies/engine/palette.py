"""Colours of crime types that colour-blind readers can tell apart."""

from collections.abc import Collection

OKABE_ITO: tuple[tuple[str, str], ...] = (
    ("#0072B2", "blue"),
    ("#D55E00", "vermilion"),
    ("#009E73", "bluish green"),
    ("#E69F00", "orange"),
    ("#CC79A7", "reddish purple"),
    ("#56B4E9", "sky blue"),
    ("#F0E442", "yellow"),
    ("#000000", "black"),
)
"""Okabe and Ito (2008), Color Universal Design."""

CLASS_COLOURS = {
    "burglary": "#0072B2",
    "robbery": "#D55E00",
    "motor_vehicle_theft": "#009E73",
    "theft": "#E69F00",
    "gunfire": "#CC79A7",
    "aggravated_assault": "#56B4E9",
    "homicide": "#000000",
}


def suggested_colour(offence_class: str, taken: Collection[str] = ()) -> str:
    """The class's own colour, or the first of the palette that is not taken; its own again when all are.

    >>> suggested_colour("robbery"), suggested_colour("robbery", taken=["#d55e00"])
    ('#D55E00', '#0072B2')
    """
    used = {colour.upper() for colour in taken}
    own = CLASS_COLOURS.get(offence_class, OKABE_ITO[0][0])
    return next((colour for colour in (own, *(c for c, _ in OKABE_ITO)) if colour not in used), own)
