"""Who sits at the terminal: what is recorded of whoever switches or excludes something."""

from __future__ import annotations

import os


def login_name() -> str:
    """The login name, under sudo that of the person behind it; empty where the system knows none."""
    from getpass import getuser

    behind = os.environ.get("SUDO_USER", "")
    if behind:
        return behind
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user without a name
        return ""
