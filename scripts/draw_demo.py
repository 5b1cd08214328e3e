"""Draws the README's pictures: what commands show of the demo on a terminal.

python -m scripts.draw_demo    (the environment of `make check`; rewrites docs/images/products-*.svg)
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs/images"
COLUMNS = 92
PROGRAM = "brekzsync --config demo/brekzsync.toml"
# Each on a demo of its own, by the picture's name; the names are also told apart inside the pictures.
PICTURES = {"export": "products export", "diagnose": "products diagnose 2-202"}

# Rich's own frame fetches its font from elsewhere; a picture in a README should fetch nothing.
_FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font: 16px system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> int:
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, arguments in PICTURES.items():
        picture = IMAGES / f"products-{name}.svg"
        picture.write_text(_drawn(name, f"{PROGRAM} {arguments}"), encoding="utf-8")
        print(f"Drew {picture.relative_to(ROOT)}.")
    return 0


def _drawn(name: str, command: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        _brekzsync(["demo", "up"], Path(folder))
        shown = _brekzsync(command.split()[1:], Path(folder))
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
    console.print(Text.from_ansi(shown))
    svg = console.export_svg(title="brekzsync", code_format=_FRAME, unique_id=name)
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE)


def _brekzsync(arguments: list[str], folder: Path) -> str:
    """What the command shows where a person watches: tables in colour, and below them what it tells."""
    watcher, terminal = pty.openpty()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(folder),
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
        "LANG": "C.UTF-8",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "brekzsync", *arguments],
        cwd=folder,
        env=environment,
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(terminal)
        shown = b""
        while part := _read(watcher):
            shown += part
        _, told = process.communicate(timeout=60)
    os.close(watcher)
    return shown.decode().replace("\r\n", "\n") + told


def _read(watcher: int) -> bytes:
    try:
        return os.read(watcher, 1 << 16)
    except OSError:  # Linux says so when the other end is closed
        return b""


if __name__ == "__main__":
    raise SystemExit(main())
