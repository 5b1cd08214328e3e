"""The release the agent belongs to; a single file run with ``python -I -S`` has no package metadata to ask."""

from __future__ import annotations

VERSION = "0.1.0"
