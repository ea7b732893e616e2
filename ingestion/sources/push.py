"""The feed kind for rows that machines send by HTTP. A sample file may still be uploaded, to map its columns."""

from typing import ClassVar

from ingestion.sources.base import register
from ingestion.sources.csv_file import CsvFileSource
from missions_project.lib.lazy import gettext_lazy as _


@register
class PushSource(CsvFileSource):
    """Rows come by POST with the feed's token; see docs/feeds/push.md."""

    kind: ClassVar[str] = "push"
    label: ClassVar[str] = _("Push (rows are sent to us)")
    help: ClassVar[str] = _(
        "A machine sends rows by HTTP with this feed's token. Without a mapping the documented names are read; upload a "
        "sample file to map other names."
    )
