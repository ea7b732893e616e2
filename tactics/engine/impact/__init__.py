"""Did patrol matter? From randomised plans and reported crimes to effects, intervals, tests and their checks.

The front door: ``build_study`` lays the table, ``analyse`` answers. ``plan_history`` prepares stored plans for re-drawing,
``design_experiment`` says beforehand what a study could show.
"""

from tactics.engine.impact.laying import build_study
from tactics.engine.impact.outcomes import CrimeEvents, OutcomeWindow, ShiftDraw
from tactics.engine.impact.power import DesignOption, design_experiment
from tactics.engine.impact.replays import PlanHistory, plan_history
from tactics.engine.impact.report import ImpactReport, analyse
from tactics.engine.impact.study import Study, StudyError

__all__ = [
    "CrimeEvents",
    "DesignOption",
    "ImpactReport",
    "OutcomeWindow",
    "PlanHistory",
    "ShiftDraw",
    "Study",
    "StudyError",
    "analyse",
    "build_study",
    "design_experiment",
    "plan_history",
]
