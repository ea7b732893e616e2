"""What is written down about a city's open data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ingestion.engine.mapping import FeedMapping, RecordKind

Kind = Literal["crime", "calls", "gunfire"]
KINDS: tuple[Kind, ...] = ("crime", "calls", "gunfire")
RECORD_KIND_OF: Mapping[Kind, RecordKind] = {"crime": "incidents", "calls": "calls", "gunfire": "gunfire"}


@dataclass(frozen=True)
class OpenDataset:
    """One data set: how it is pulled and read, and what its codes mean.

    ``codes`` maps a local code to the NIBRS code that it stands for; with ``code_filter`` (a condition with ``{codes}``
    in it) only rows of these codes are asked for. ``layer_name`` (with ``{year}`` in it) is for map services that have
    a layer a year: the url is then the service's. ``checked`` says how the identifiers and columns were checked.
    """

    kind: Kind
    name: str
    source: str
    params: Mapping[str, Any]
    mapping: FeedMapping
    codes: Mapping[str, str] = field(default_factory=dict)
    code_filter: str = ""
    layer_name: str = ""
    note: str = ""
    checked: str = ""

    @property
    def record_kind(self) -> RecordKind:
        return RECORD_KIND_OF[self.kind]

    def feed_params(self) -> dict[str, Any]:
        """The feed's parameters, its filter on codes included."""
        params = dict(self.params)
        if self.code_filter:
            listed = ", ".join("'" + code.replace("'", "''") + "'" for code in self.codes)
            condition = self.code_filter.format(codes=listed)
            params["where"] = f"{params['where']} AND {condition}" if params.get("where") else condition
        return params


@dataclass(frozen=True)
class City:
    """A city, its clock and its data sets."""

    key: str
    name: str
    time_zone: str
    datasets: tuple[OpenDataset, ...]

    def of_kind(self, kind: Kind) -> tuple[OpenDataset, ...]:
        return tuple(dataset for dataset in self.datasets if dataset.kind == kind)
