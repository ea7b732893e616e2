"""The tactics that an agency may start from: what to do, how residents may see it, and what research supports.

Evidence is quoted only where a study is known to this catalogue (docs/tactics.md lists them all). The weights are
working judgement, not findings: an agency changes them, and its own records will show which were right.

The texts are marked for translators and written into an agency's rows in the language of whoever adds the set; from then on
they are the agency's own.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.utils.translation import gettext_noop

from missions_project.lib.lazy import gettext_lazy

DIRECTED_PATROL_EVIDENCE = gettext_lazy(
    # xgettext:no-python-format
    "About patrol at hot spots as a whole: small significant reductions, with benefits spread to the surroundings "
    "rather than crime displaced (Braga et al. 2019, 65 studies). Patrol directed by a forecast: 7.4 % less crime "
    "(Mohler et al. 2015), and no effect in Shreveport (Hunt et al. 2014). Measurement, not promises."
)
"""Shown under every list of recommended tactics."""

_NO_STUDY = gettext_noop(
    "No study of this tactic by itself is known to this catalogue. Your own records can show what it adds."
)
_PRESENCE = gettext_noop(
    "No study of this tactic by itself is known to this catalogue. Policing of hot spots as a whole, by all kinds of "
    "presence together: small significant reductions, benefits spread rather than displaced (65 studies)."
)
_BRAGA = "Braga et al. 2019"


@dataclass(frozen=True)
class StarterTactic:
    """One tactic of the set. ``weights`` gives its preference by offence class; a class left out gets no rule.

    ``places`` and ``hours`` (local, half-open) are where and when it makes sense: none means everywhere, at any time.
    """

    slug: str
    name: str
    steps: str
    community_note: str
    evidence_note: str = _NO_STUDY
    evidence_source: str = ""
    evidence_effect: str = ""
    evidence_strength: str = "not_tested"
    places: tuple[str, ...] = ()
    hours: tuple[dt.time, dt.time] | None = None
    is_enforcement: bool = False
    weights: Mapping[str, float] = field(default_factory=dict)


STARTER_TACTICS: tuple[StarterTactic, ...] = (
    StarterTactic(
        slug="foot-patrol",
        name=gettext_noop("Foot patrol"),
        steps=gettext_noop(
            "Park where the car can be seen.\nWalk the whole box, both sides of the main street.\n"
            "Greet people; answer what they ask.\nStay for the recommended minutes."
        ),
        community_note=gettext_noop(
            "Usually welcome when officers talk and do not stop people. Being in the box is no reason to "
            "stop or question anybody."
        ),
        evidence_note=_PRESENCE,
        evidence_source=_BRAGA,
        weights={
            "robbery": 3.0,
            "aggravated_assault": 3.0,
            "gunfire": 3.0,
            "homicide": 3.0,
            "theft": 2.0,
            "burglary": 2.0,
            "motor_vehicle_theft": 1.5,
        },
    ),
    StarterTactic(
        slug="stationary-marked-car",
        name=gettext_noop("Stationary marked car"),
        steps=gettext_noop(
            "Park the marked car where most people pass.\nStay with it, lights off, windows down.\n"
            "Stay for the recommended minutes, then leave the box."
        ),
        community_note=gettext_noop(
            "A parked car without contact can feel like surveillance: get out and greet people."
        ),
        evidence_note=gettext_noop(
            # xgettext:no-python-format
            "Marked cars in Philadelphia's experiment: 31 % less property crime than expected; no effect on "
            "violence, and none for unmarked cars (Ratcliffe et al. 2021). After stops of 10 to 16 minutes crime followed "
            "within half an hour in 4 % of cases, after drive-throughs in 15 % (Koper 1995); the best length of stay was not "
            "replicated independently for decades."
        ),
        evidence_source="Ratcliffe et al. 2021; Koper 1995",
        evidence_effect=gettext_noop(
            # xgettext:no-python-format
            "31 % less property crime than expected (marked cars); no effect on violence"
        ),
        evidence_strength="moderate",
        weights={
            "burglary": 3.0,
            "motor_vehicle_theft": 3.0,
            "theft": 3.0,
            "robbery": 1.5,
            "aggravated_assault": 1.0,
            "gunfire": 1.0,
            "homicide": 1.0,
        },
    ),
    StarterTactic(
        slug="business-contact",
        name=gettext_noop("Business contact"),
        steps=gettext_noop(
            "Go into two or three shops or bars in the box.\nAsk what they have noticed lately.\n"
            "Leave a number to call. Note problems with places, never names."
        ),
        community_note=gettext_noop("Come at a quiet moment; do not single out the same owners every time."),
        places=("businesses", "nightlife"),
        weights={"robbery": 2.5, "theft": 2.5, "burglary": 1.5, "aggravated_assault": 1.5},
    ),
    StarterTactic(
        slug="resident-contact",
        name=gettext_noop("Resident contact (door knock)"),
        steps=gettext_noop(
            "Knock at a few doors, not after 21:00.\nSay why you are here: this place has had this kind of crime.\n"
            "Ask what would help. Write nothing down about persons."
        ),
        community_note=gettext_noop("Say at once that nobody is suspected of anything."),
        places=("residential",),
        hours=(dt.time(9), dt.time(21)),
        weights={
            "burglary": 2.5,
            "motor_vehicle_theft": 2.0,
            "gunfire": 2.0,
            "homicide": 2.0,
            "aggravated_assault": 1.0,
        },
    ),
    StarterTactic(
        slug="park-walk",
        name=gettext_noop("Park walk"),
        steps=gettext_noop(
            "Walk the paths and entrances of the park or square.\nLook for dark corners and broken lamps.\n"
            "Greet people who use the park."
        ),
        community_note=gettext_noop("Young people in a park are users of the park. Presence, not dispersal."),
        places=("parks",),
        evidence_note=_PRESENCE,
        evidence_source=_BRAGA,
        weights={"robbery": 2.0, "aggravated_assault": 1.5, "gunfire": 1.5, "theft": 1.5},
    ),
    StarterTactic(
        slug="property-check",
        name=gettext_noop("Property check"),
        steps=gettext_noop(
            "Walk past the backs and sides of buildings.\nTry the doors of closed shops and of vacant buildings.\n"
            "Tell the owner of what stands open."
        ),
        community_note=gettext_noop("Stay on public ground unless the owner has asked you in."),
        places=("businesses", "residential", "vacant"),
        weights={"burglary": 2.0, "theft": 1.0},
    ),
    StarterTactic(
        slug="drive-through",
        name=gettext_noop("Drive-through"),
        steps=gettext_noop(
            "Drive slowly through every street of the box.\nOnly where a stay is impossible: a stay does more."
        ),
        community_note=gettext_noop("Repeated slow passes without contact can feel like surveillance."),
        evidence_note=gettext_noop(
            # xgettext:no-python-format
            "The weaker choice: crime followed within half an hour after 15 % of drive-throughs, after 4 % of "
            "stops of 10 to 16 minutes (Koper 1995; the best length was not replicated independently for decades)."
        ),
        evidence_source="Koper 1995",
        evidence_effect=gettext_noop(
            # xgettext:no-python-format
            "Crime within half an hour after 15 % of drive-throughs, after 4 % of stops of 10 to 16 minutes"
        ),
        evidence_strength="weak",
        weights={"burglary": 0.5, "motor_vehicle_theft": 0.5, "theft": 0.5},
    ),
    StarterTactic(
        slug="lighting-and-disorder-report",
        name=gettext_noop("Report on lighting and physical disorder"),
        steps=gettext_noop(
            "Look for broken lamps, open vacant buildings, overgrown lots, dumped cars.\n"
            "Report each to the city service that can mend it.\nLook at the next visit whether it was done."
        ),
        community_note=gettext_noop("About the condition of places, never about who is there."),
        weights={"robbery": 1.0, "burglary": 1.0, "motor_vehicle_theft": 1.0, "theft": 1.0, "gunfire": 1.0},
    ),
    StarterTactic(
        slug="community-event",
        name=gettext_noop("Community event"),
        steps=gettext_noop(
            "Visit an event or meeting in or near the box.\nListen first; say what patrol is doing here and why."
        ),
        community_note=gettext_noop("Arrive as a guest. Keep the car out of the entrance."),
        hours=(dt.time(8), dt.time(22)),
        weights={"gunfire": 1.0, "homicide": 1.0, "aggravated_assault": 0.8},
    ),
    StarterTactic(
        slug="crime-prevention-advice",
        name=gettext_noop("Crime-prevention advice"),
        steps=gettext_noop(
            "Talk about locks, lights, keys and valuables in cars.\nLeave the agency's leaflet.\n"
            "Offer a security survey where the agency has one."
        ),
        community_note=gettext_noop("Advice, not blame: those who were robbed did nothing wrong."),
        hours=(dt.time(8), dt.time(22)),
        weights={"motor_vehicle_theft": 2.5, "theft": 2.0, "burglary": 1.5},
    ),
    StarterTactic(
        slug="traffic-presence",
        name=gettext_noop("Traffic presence"),
        steps=gettext_noop(
            "Stand with the marked car where traffic enters the box.\nBe seen. Help where help is needed.\n"
            "Presence only: the box is no reason for a traffic stop."
        ),
        community_note=gettext_noop(
            "Stops made because of a box are felt as harassment, and they are not what this tactic is."
        ),
        evidence_note=_PRESENCE,
        evidence_source=_BRAGA,
        weights={"motor_vehicle_theft": 1.0},
    ),
    StarterTactic(
        slug="enforcement-action",
        name=gettext_noop("Enforcement action was taken"),
        steps=gettext_noop(
            "Tick this if a stop, citation or arrest happened during the visit, for its own lawful reason.\n"
            "Never a goal of a mission."
        ),
        community_note=gettext_noop(
            "Counted so that reports can show how often missions end in enforcement."
        ),
        evidence_note=gettext_noop(
            "Not a tactic that is recommended: recorded so that its share can be seen."
        ),
        is_enforcement=True,
    ),
)
