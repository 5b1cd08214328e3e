"""``python -m brekzsync.agent --config agent.toml``, and what the single file starts with."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from brekzsync.agent.configuration import BadConfiguration, load
from brekzsync.agent.files import Locked
from brekzsync.agent.results import BadRecogniser
from brekzsync.agent.service import Service
from brekzsync.agent.version import VERSION

# As docs/reference/exit-codes.md has them.
DONE: Final = 0
ANOTHER_AT_WORK: Final = 75
CONFIGURATION: Final = 78

DEFAULT_FILE: Final = "agent.toml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the agent until it is told to stop; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        service = prepared(options.config or default_file())
        if options.check:
            return _say(*service.summary(), code=DONE)
        run(service)
    except BadConfiguration as error:
        return _say(f"Error: {error.path}:", *error.problems, code=CONFIGURATION)
    except BadRecogniser as error:
        return _say(f"Error: {error}", code=CONFIGURATION)
    except Locked:
        return _say(f"Error: Another agent works in {service.configuration.work}.", code=ANOTHER_AT_WORK)
    except OSError as error:
        return _say(f"Error: {error}.", "Hint: look at [agent] host, port and work.", code=CONFIGURATION)
    return DONE


def default_file() -> Path:
    """The configuration file when none is named."""
    return Path(os.environ.get("BREKZSYNC_AGENT_CONFIG") or DEFAULT_FILE)


def prepared(file: Path) -> Service:
    """The agent that a file describes. Raises BadConfiguration, BadRecogniser."""
    return Service(load(file))


def run(service: Service) -> None:
    """Serve until a signal comes. Raises Locked, OSError."""
    with suppress(KeyboardInterrupt), service.alone():
        asyncio.run(_until_told(service))


async def _until_told(service: Service) -> None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            # Windows has no add_signal_handler; the loop is woken by the signal on both.
            signal.signal(getattr(signal, name), lambda *_: loop.call_soon_threadsafe(told.set))
    await service.serve(told)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="brekzsync-agent", description="Fetch documents from the shop and have Exact Globe import them."
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"configuration file [default: $BREKZSYNC_AGENT_CONFIG, ./{DEFAULT_FILE}]",
    )
    parser.add_argument("--check", action="store_true", help="only check the configuration")
    parser.add_argument("--version", action="version", version=f"brekzsync-agent {VERSION}")
    return parser


def _say(*lines: str, code: int) -> int:
    stream = sys.stdout if code == DONE else sys.stderr
    stream.write("".join(f"{line}\n" for line in lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
