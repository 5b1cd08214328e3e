"""Builds the agent as one file that a bare Python runs: python -m scripts.build_agent [FILE]

The same sources give the same bytes: times and order are fixed.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "brekzsync"
DEFAULT = ROOT / "dist" / "brekzsync-agent.pyz"

_MAIN = "import sys\n\nfrom brekzsync.agent.__main__ import main\n\nsys.exit(main())\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build(target: Path) -> Path:
    """Write the file whole, then rename it; returns where it is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    with open(part, "wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in _contents():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    part.chmod(0o755)
    part.replace(target)
    return target


def _contents() -> list[tuple[str, str]]:
    sources = [PACKAGE / "__init__.py", *sorted((PACKAGE / "agent").glob("*.py"))]
    named = [
        (f"brekzsync/{path.relative_to(PACKAGE).as_posix()}", path.read_text(encoding="utf-8"))
        for path in sources
    ]
    return [("__main__.py", _MAIN), *named]


if __name__ == "__main__":
    print(build(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT))
