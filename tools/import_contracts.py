"""An import-linter contract that names what a package may import of ours; everything else of ours is refused."""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

ROOMS = ("missions_project", "agencies", "ingestion", "forecasting", "patrols", "tactics")


def inside(module: str, package: str) -> bool:
    """Whether the module is the package or lies in it."""
    return module == package or module.startswith(package + ".")


class AllowedImportsContract(Contract):
    """Direct imports of `source` into our rooms must stay inside `source` or one of `allowed`.

    A "forbidden" contract lists what may not be imported, and a module written tomorrow is not on the list.
    """

    source: Any = fields.StringField()
    allowed: Any = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        broken: list[dict[str, Any]] = []
        for importer in sorted(module for module in graph.modules if inside(module, self.source)):
            for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                ours = any(inside(imported, room) for room in ROOMS)
                if ours and not any(inside(imported, package) for package in (self.source, *self.allowed)):
                    details = graph.get_import_details(importer=importer, imported=imported)
                    broken.append(
                        {
                            "importer": importer,
                            "imported": imported,
                            "lines": [str(detail["line_number"]) for detail in details],
                        }
                    )
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for found in check.metadata["broken"]:
            output.print_error(
                f"{found['importer']} imports {found['imported']} (line {', '.join(found['lines'])})",
                bold=False,
            )
        output.print_error(
            f"{self.source} may import itself and {', '.join(self.allowed)}: pass arrays in instead.",
            bold=False,
        )
