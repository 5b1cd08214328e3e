"""``python -m brekzsync``."""

from __future__ import annotations

import sys

from brekzsync.cli import main

if __name__ == "__main__":
    sys.exit(main())
