"""What no model is ever given: the one list that the doors to the engine enforce and the model card prints.

A reader that leaves something out takes it from here, and the model card prints from here; neither has words of its own.
Refused offences come from ``agencies.engine.offence_codes``, refused traits from ``ingestion.engine.privacy``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from agencies.engine.offence_codes import ENFORCEMENT_BIAS, NOT_FORECAST, REFUSED_BY_CODE
from ingestion.engine.privacy import refused_traits

OFFICER_INITIATED: Final = "officer_initiated"
UNTAUGHT_DISCOVERIES: Final[Mapping[str, str]] = MappingProxyType(
    {OFFICER_INITIATED: "incidents and calls that officers initiated"}
)
"""Ways of discovery whose records map where officers were, not where crime was: every reader leaves them out."""
UNREAD_ROOMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "patrols": "where missions were sent and cars were",
        "tactics": "what officers did there",
    }
)
"""Packages that forecasting may not import, so that nothing of them can reach a model (a contract of the imports)."""
FROM_THE_FUTURE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reported_later": "anything reported after the forecast was issued",
        "layer_not_yet_valid": "layers before their date of validity",
    }
)
"""``IncidentTable.known_before`` keeps to the first, the reading of context layers to the second."""


def withheld() -> list[tuple[str, list[str]]]:
    """What no model ever sees, for people: (kind, what), in the order of the rules.

    >>> [kind for kind, _ in withheld()][:2]
    ['Offences prone to enforcement bias', 'Offences not forecast by this product']
    """
    refused = {
        reason: list(dict.fromkeys(one.label for one in REFUSED_BY_CODE.values() if one.reason == reason))
        for reason in (ENFORCEMENT_BIAS, NOT_FORECAST)
    }
    return [
        *((f"Offences {reason}", labels) for reason, labels in refused.items()),
        ("About persons", list(refused_traits())),
        ("From patrol itself", [*UNTAUGHT_DISCOVERIES.values(), *UNREAD_ROOMS.values()]),
        ("From the future", list(FROM_THE_FUTURE.values())),
    ]
