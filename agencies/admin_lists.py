"""Lists of the admin: their figures as people write them."""

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest
from django.utils.text import capfirst


class Grouped(int):
    """A number that is written with its thousands apart.

    >>> str(Grouped(24112)), Grouped(24112) + 1
    ('24,112', 24113)
    """

    def __str__(self) -> str:
        return f"{int(self):,}"


class GroupedChangeList(ChangeList):
    """A list under the name of what it lists, which says "24,112 missions" above it and below it."""

    result_count: Any
    full_result_count: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.is_popup:
            # "Beats", not "Select beat to change": most who come want to read.
            self.title = capfirst(str(self.opts.verbose_name_plural))

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_count = Grouped(self.result_count)
        if self.full_result_count is not None:
            self.full_result_count = Grouped(self.full_result_count)
