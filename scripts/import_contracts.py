"""An import-linter contract: these rooms import the standard library and themselves, nothing else."""

from __future__ import annotations

import sys
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class StandardLibraryOnly(Contract):
    """Unlike a ``forbidden`` contract it needs no list of everything that might be installed one day."""

    modules = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        found = sorted(
            f"{importer} imports {imported}"
            for root in cast("list[str]", self.modules)
            for importer in {root, *graph.find_descendants(root)}
            for imported in graph.find_modules_directly_imported_by(importer)
            if not _is_within(imported, root) and imported.split(".")[0] not in sys.stdlib_module_names
        )
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["found"]:
            output.print_error(line)


def _is_within(module: str, root: str) -> bool:
    return module == root or module.startswith(root + ".")
