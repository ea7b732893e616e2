"""Kinds of feed: each is a registered class that declares its own parameters, which the admin renders as a form."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from django.utils.translation import gettext as _

from ingestion.engine.mapping import FeedMapping
from ingestion.engine.rows import RowChunk
from missions_project.lib.errors import MissionsError
from missions_project.lib.http import Fetcher
from missions_project.lib.progress import Progress, no_progress


class SourceError(MissionsError):
    """A file or feed that cannot be read at all: what is wrong, in which row or column, and the next step.

    Raised before the first chunk is handed out, so that nothing of a file that cannot be read is imported.
    """

    def __init__(
        self, message: str, next_step: str, row: int | None = None, column: str | None = None
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.row = row
        self.column = column


def parameter(
    default: Any,
    *,
    label: str,
    help: str,
    choices: tuple[tuple[str, str], ...] = (),
    minimum: int | None = None,
    secret: bool = False,
    required: bool = False,
) -> Any:
    """A field of a parameters dataclass, with what a form needs to show it.

    A ``secret`` one is a text that is kept encrypted, apart from the others, and never shown again.
    """
    return field(
        default=default,
        metadata={
            "label": label,
            "help": help,
            "choices": choices,
            "minimum": minimum,
            "secret": secret,
            "required": required,
        },
    )


@dataclass(frozen=True)
class ParameterInfo:
    """One parameter of a feed kind, as a form shows it."""

    name: str
    label: str
    help: str
    type: type
    default: Any
    choices: tuple[tuple[str, str], ...]
    minimum: int | None
    secret: bool = False
    required: bool = False


@dataclass(frozen=True)
class FileSurvey:
    """What a first look through the whole file found. ``row_count`` is what an import will receive."""

    row_count: int
    byte_count: int
    encoding: str
    delimiter: str
    header: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class FileReader(Protocol):
    """An opened file: its header and a sample at once, its rows in chunks."""

    header: tuple[str, ...]

    def sample(self, rows: int = 50) -> list[dict[str, str]]:
        """The first rows, for the mapping wizard."""

    def survey(self, mapping: FeedMapping | None = None, progress: Progress = no_progress) -> FileSurvey:
        """Look through the whole file once; raises ``SourceError`` for what makes it unreadable."""

    def chunks(
        self, mapping: FeedMapping, progress: Progress = no_progress, chunk_rows: int = 20_000
    ) -> Iterator[RowChunk]:
        """The rows, mapped columns only, so many at a time and cut alike each time; surveys the file first."""

    def head(self, mapping: FeedMapping, rows: int) -> Iterator[RowChunk]:
        """About so many rows from the beginning, without a survey: for previews only."""


class FileSource(Protocol):
    """A kind of feed whose rows come in files."""

    kind: ClassVar[str]
    label: ClassVar[str]
    help: ClassVar[str]
    Parameters: ClassVar[type]

    def __init__(self, parameters: Any = None) -> None: ...

    def open(self, path: Path, *, mapping: FeedMapping | None = None) -> FileReader:
        """Open one file. Raises ``SourceError`` for an empty file or one of another format."""


@dataclass(frozen=True)
class Page:
    """Rows as a server gave them, in text, and where to go on once they are kept.

    ``cursor`` is a complete place to go on from, also for another process on another day; None where only a later
    page brings one. ``restart`` says that what came since the last cursor must be forgotten: it comes again.
    ``ragged`` are rows of another number of columns: how many too many (or, negative, too few).
    """

    rows: Sequence[Sequence[str]] = ()
    cursor: Mapping[str, Any] | None = None
    restart: bool = False
    ragged: Sequence[int] = ()


class PullSource(Protocol):
    """A kind of feed whose rows are fetched from a server, page by page."""

    kind: ClassVar[str]
    label: ClassVar[str]
    help: ClassVar[str]
    Parameters: ClassVar[type]

    def __init__(self, parameters: Any = None) -> None: ...

    def pages(
        self, mapping: FeedMapping, cursor: Mapping[str, Any], fetcher: Fetcher, now: datetime
    ) -> Generator[Page, None, None]:
        """What is new since the cursor (empty: everything), the mapping's columns in their order.

        The last page's cursor is where the next pull begins. Raises ``MissionsError``; what came before is good.
        """

    def sample(self, rows: int, fetcher: Fetcher) -> tuple[tuple[str, ...], list[list[str]]]:
        """Header and first rows, for the mapping wizard. Columns about persons have a name and no values."""

    def where(self) -> str:
        """The server and data set in a few words, without anything secret, for logs and lists."""


_KINDS: dict[str, type[Any]] = {}
SourceClass = TypeVar("SourceClass", bound=type[Any])


def register(source: SourceClass) -> SourceClass:
    """Make a kind of feed known under its ``kind``. Two of the same name are a programming error."""
    if source.kind in _KINDS:
        raise ValueError(f"Feed kind {source.kind!r} is registered twice.")
    _KINDS[source.kind] = source
    return source


def source_kinds() -> list[type[Any]]:
    """Every registered kind, in alphabetical order."""
    return [_KINDS[kind] for kind in sorted(_KINDS)]


def is_pull(kind: str) -> bool:
    """Whether rows of this kind of feed are fetched by us, and not handed to us. Unknown kinds are not."""
    found = _KINDS.get(kind)
    # A whole file is fetched at once; rows come page by page.
    return hasattr(found, "pages") or hasattr(found, "fetch")


def source_class(kind: str) -> type[Any]:
    """The class of this kind. Raises ``SourceError`` that names the known ones."""
    if kind not in _KINDS:
        raise SourceError(
            _("Feed kind %(kind)s is not known.") % {"kind": repr(kind)},
            _("Choose one of: %(kinds)s under the feed's kind.") % {"kinds": ", ".join(sorted(_KINDS))},
        )
    return _KINDS[kind]


def parameter_infos(kind: str) -> list[ParameterInfo]:
    """The parameters of a kind, in the order in which a form shows them."""
    infos = []
    for item in fields(source_class(kind).Parameters):
        default = None if item.default is MISSING else item.default
        infos.append(
            ParameterInfo(
                name=item.name,
                label=item.metadata.get("label", item.name),
                help=item.metadata.get("help", ""),
                type=type(default) if default is not None else str,
                default=default,
                choices=item.metadata.get("choices", ()),
                minimum=item.metadata.get("minimum"),
                secret=item.metadata.get("secret", False),
                required=item.metadata.get("required", False),
            )
        )
    return infos


def reader_source(kind: str, params: Mapping[str, Any]) -> FileSource:
    """What opens a file of this feed: for a pull feed the pages in the spool, which are CSV."""
    source: FileSource = source_from("csv_file", {}) if is_pull(kind) else source_from(kind, params)
    return source


def pull_source(kind: str, params: Mapping[str, Any], secrets: Mapping[str, str]) -> Any:
    """A source that can be pulled (a ``PullSource``, or one that fetches a whole file), with its secrets. Raises ``SourceError`` also for a required one that is empty."""
    if not is_pull(kind):
        raise SourceError(
            _("Feed kind %(kind)s is not pulled: it gets files.") % {"kind": repr(kind)},
            _("Upload a file to it."),
        )
    for info in parameter_infos(kind):
        if info.required and not (secrets if info.secret else params).get(info.name):
            raise SourceError(
                _("%(label)s is empty.") % {"label": f"{info.label!r}"}, _("Fill it in on the feed's page.")
            )
    names = {info.name for info in parameter_infos(kind) if info.secret}
    known = {name: value for name, value in secrets.items() if name in names}
    return source_from(kind, {**params, **known})


def source_from(kind: str, params: Mapping[str, Any]) -> Any:
    """A source of this kind with these stored parameters. Raises ``SourceError`` naming a parameter that does not fit."""
    source = source_class(kind)
    infos = {info.name: info for info in parameter_infos(kind)}
    values: dict[str, Any] = {}
    for name, value in params.items():
        info = infos.get(name)
        if info is None:
            raise SourceError(
                _("Feed kind %(kind)s has no parameter %(name)s.")
                % {"kind": f"{kind!r}", "name": f"{name!r}"},
                _("Take it out; parameters are %(infos)s.") % {"infos": ", ".join(infos)},
            )
        if not isinstance(value, info.type) or isinstance(value, bool) is not (info.type is bool):
            raise SourceError(
                _("Parameter %(name)s is not of the kind %(name_2)s.")
                % {"name": f"{name!r}", "name_2": info.type.__name__},
                _("Correct %(label)s.") % {"label": f"{info.label!r}"},
            )
        if info.choices and value not in {choice for choice, _ in info.choices}:
            raise SourceError(
                _("Parameter %(name)s cannot be %(value)s.") % {"name": f"{name!r}", "value": f"{value!r}"},
                _("Choose another value for %(label)s.") % {"label": f"{info.label!r}"},
            )
        number: Any = value
        if info.minimum is not None and number < info.minimum:
            raise SourceError(
                _("Parameter %(name)s is below %(minimum)s.")
                % {"name": f"{name!r}", "minimum": info.minimum},
                _("Raise %(label)s.") % {"label": f"{info.label!r}"},
            )
        values[name] = value
    return source(source.Parameters(**values))
