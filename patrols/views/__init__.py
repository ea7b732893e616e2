"""The supervisor's pages: the shift board, what may be changed on it, hand-over, comparison, print-out."""

from patrols.views.board import board, board_go, board_list, board_now, board_plan, plan_geojson, publish
from patrols.views.changes import add, change_preview, suppress
from patrols.views.compare import compare
from patrols.views.missions import assign, drawer, move, swap, withdraw
from patrols.views.notes import addition_stop, hand_over, notes, suppression_stop
from patrols.views.sheets import print_sheets, type_styles

__all__ = [
    "add",
    "addition_stop",
    "assign",
    "board",
    "board_go",
    "board_list",
    "board_now",
    "board_plan",
    "change_preview",
    "compare",
    "drawer",
    "hand_over",
    "move",
    "notes",
    "plan_geojson",
    "print_sheets",
    "publish",
    "suppress",
    "suppression_stop",
    "swap",
    "type_styles",
    "withdraw",
]
