"""What every command is handed: the global options, and the console and settings built from them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from brekzsync.console import Console
    from brekzsync.notify.heartbeat import Heartbeat
    from brekzsync.settings import Settings


@dataclass(kw_only=True)
class Invocation:
    """One call of the program; ``cli.py`` fills it while the command line is parsed."""

    config: Path | None = None
    is_json: bool = False
    is_cron: bool = False
    color: bool = True
    verbosity: int = 0
    command: str = ""
    # Set by a command whose failure was recorded the same way by its previous run: --cron then says nothing.
    is_known_failure: bool = False
    # Called when a command that a monitoring service hears of has its configuration.
    when_monitored: Callable[[Invocation, Settings], None] | None = None
    # What that service hears of this run; ``cli.py`` tells it the end.
    heartbeat: Heartbeat | None = None

    @cached_property
    def console(self) -> Console:
        """The console; not to be touched before the whole command line is parsed."""
        from brekzsync.console import Console

        return Console(is_json=self.is_json, is_cron=self.is_cron, verbosity=self.verbosity, color=self.color)

    @cached_property
    def settings(self) -> Settings:
        """The configuration, read when first asked for, which is also when logging and the heartbeat start."""
        from brekzsync import logs
        from brekzsync.settings import load_settings

        settings = load_settings(self.config, os.environ)
        logs.hide(settings.secrets())
        logs.configure(settings.log.file, settings.log.level, 0 if self.is_cron else self.verbosity)
        if self.when_monitored is not None and self.command in settings.notify.heartbeats:
            self.when_monitored(self, settings)
        return settings

    def typed(self, command: str) -> str:
        """A command to paste: the program with the configuration this one was given, then ``command``."""
        from shlex import quote

        config = f" --config {quote(str(self.config))}" if self.config else ""
        return f"brekzsync{config} {command}"


pass_invocation = click.make_pass_decorator(Invocation)
