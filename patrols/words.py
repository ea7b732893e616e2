"""What plans, schedules and notices say in English, where nobody reads: for translators. Pages and mails say it again by
``lib.sentences.said_again``, in the language of whoever reads. Tests hold these lists against what the code says."""

from django.utils.translation import gettext_noop

CHANGES = (
    gettext_noop("Mission %(number)s assigned."),
    gettext_noop("Mission %(number)s withdrawn."),
    gettext_noop("Mission %(number)s added."),
    gettext_noop("Mission %(number)s moved."),
)
"""Lines of a notice of a changed plan."""

ROUNDS = (
    gettext_noop("A plan is published already."),
    gettext_noop("A plan was drawn by hand; the schedule leaves it alone."),
    gettext_noop("A person has changed the draft; the schedule leaves it alone."),
    gettext_noop("The shift has begun with the plan of an earlier round."),
    gettext_noop("A later round took its place."),
    gettext_noop("The shift ended before a worker came to it."),
    gettext_noop("see that a worker runs."),
    gettext_noop("see the run's log, then plan again."),
    gettext_noop(
        "The worker died %(times)s times while planning this shift, most likely for lack of memory."
    ),
    gettext_noop("look at the worker's log, then press “Forecast and plan”."),
)
"""Why a schedule's round changed nothing, or failed."""

DECISIONS = (gettext_noop("Gunfire alert in beat %(code)s."),)
"""Why a running shift was decided anew, where no person said it."""

NOT_PLANNED = (
    gettext_noop(
        "Beat %(beat)s holds no grid cell. Check that its boundary lies inside the agency's, or join it to a neighbour."
    ),
    gettext_noop(
        "Beat %(beat)s has no capacity in this shift (K = 0). Put a unit on duty there, or hand its missions to a neighbour before planning."
    ),
    gettext_noop(
        "Beat %(beat)s: the floor, exploration × K / candidates = %(share)s × %(k)s / %(n)s = %(floor)s, is above cap_max = %(cap)s."
    ),
    gettext_noop(
        "Beat %(beat)s: %(k)s mission(s) over %(n)s candidate cell(s) need a probability of %(share)s each, above cap_max = %(cap)s."
    ),
    gettext_noop(
        "K is fixed before the draw and not lowered silently: lower the missions per shift of the beat's units to %(most)s in all, or lift suppressions until %(cells)s cells are candidates."
    ),
    gettext_noop(
        "Beat %(beat)s: all %(cells)s cell(s) are suppressed. End a suppression, or set the beat's capacity to 0."
    ),
    gettext_noop(
        "Beat %(beat)s: %(suppressed)s of %(cells)s cell(s) are suppressed and the others have no room for one more mission below saturation_hard_minutes = %(minutes)s in %(days)s days. Raise the limit, or lower K in the coming shifts."
    ),
    gettext_noop(
        "Beat %(beat)s: %(what)s leaves caps that add up to %(total)s over %(n)s candidate cell(s), below K = %(k)s."
    ),
    gettext_noop("cool-down after recent missions"),
    gettext_noop("saturation by planned minutes"),
    gettext_noop(
        "K is fixed before the draw and not lowered silently: lower the missions per shift of the beat's units to %(most)s in all, or raise %(setting)s."
    ),
    gettext_noop("Every unit's missions go to places that people added, so that nothing is left to draw."),
)
"""Why a beat cannot be planned, as ``patrols.engine.design`` says it."""

CAPACITY = (
    gettext_noop(
        "Weights or district priorities of %(names)s were changed after the forecast was made: this plan uses those of now. Forecast the shift again to see them on the risk map of that time."
    ),
    gettext_noop("Addition “%(reason)s”: %(n)s box left out, for each %(why)s."),
    gettext_noop("Addition “%(reason)s”: %(n)s boxes left out, for each %(why)s."),
    gettext_noop("lies in no beat"),
    gettext_noop("is suppressed"),
    gettext_noop("has had its minutes"),
    gettext_noop("Addition “%(reason)s” lies outside the grid; draw it inside the agency's area."),
    gettext_noop(
        "Addition “%(reason)s” covers %(n)s boxes; the first %(most)s are visited. Draw it smaller."
    ),
    gettext_noop("Beat %(code)s: all of its %(k)s missions go to places that people added; none is drawn."),
    gettext_noop(
        "Beat %(code)s: all of its %(k)s missions go to places that people added, %(more)s more than its units have time for; none is drawn."
    ),
    gettext_noop("Decision %(number)s: %(shares)s."),
    gettext_noop("Beats without a unit on duty got none: %(beats)s."),
    gettext_noop("%(given)s of %(asked)s missions asked for have a unit and a box."),
    gettext_noop("Beat %(code)s has no unit on duty: its 1 mission is dropped."),
    gettext_noop("Beat %(code)s has no unit on duty: its %(n)s missions are dropped."),
    gettext_noop("Beat %(code)s shares its units with a beat beside it: %(what)s of its own."),
    gettext_noop("Beat %(code)s has no unit on duty. Of its %(n)s missions: %(parts)s."),
    gettext_noop("%(shares)s carried out; %(least)s"),
    gettext_noop("%(shares)s carried out"),
    gettext_noop("1 mission is dropped, the least harmful"),
    gettext_noop("%(n)s missions are dropped, the least harmful"),
    gettext_noop("%(n)s by units of beat %(code)s"),
)
"""Lines of a plan's log: whose missions changed hands, what was left out and why."""
