"""The root command: global options, lazily loaded nouns, and the one place an error becomes an exit code.

Imports click and the standard library only; ``brekzsync --help`` loads no command module at all.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from brekzsync.commands.invocation import Invocation
from brekzsync.errors import BrekzsyncError, Interrupted, InvalidInput, LockHeld

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from brekzsync.settings import Settings

PROGRAM = "brekzsync"
COMPLETING = "_BREKZSYNC_COMPLETE"  # click's name; set while a shell asks what a line could go on with


class Noun(NamedTuple):
    """A command group that is imported only when it is used."""

    target: str  # module:attribute
    help: str


NOUNS = {
    "products": Noun("brekzsync.commands.products:products", "Send products to the ERP."),
    "orders": Noun(
        "brekzsync.commands.orders:orders", "Send orders to the ERP, statuses to the marketplace."
    ),
    "refunds": Noun("brekzsync.commands.orders:refunds", "Send refunds to the ERP, each exactly once."),
    "stock": Noun("brekzsync.commands.stock:stock", "Keep the shop's stock in step with the ERP's."),
    "shipments": Noun("brekzsync.commands.shipments:shipments", "Tell the shop what the ERP delivered."),
    "tickets": Noun("brekzsync.commands.tickets:tickets", "Ask the marketplace about order statuses."),
    "inbox": Noun("brekzsync.commands.inbox:inbox", "Process the webhooks that were received."),
    "status": Noun("brekzsync.commands.status:status", "Show how the flows are, and which is overdue."),
    "logs": Noun("brekzsync.commands.logs:logs", "Look up what became of every record."),
    "flows": Noun("brekzsync.commands.flows:flows", "Switch flows off and on."),
    "config": Noun("brekzsync.commands.config:config", "Write, check and show the configuration."),
    "doctor": Noun("brekzsync.commands.doctor:doctor", "Try every connection, right, table and folder."),
    "serve": Noun("brekzsync.commands.serve:serve", "Let Exact fetch products over HTTP."),
    "agent": Noun("brekzsync.commands.agent:agent", "Ask the agent beside Exact Globe, or run it."),
    "demo": Noun("brekzsync.commands.demo:demo", "Try brekzsync with a small shop of its own."),
    "db": Noun("brekzsync.commands.db:db", "Look after brekzsync's own database."),
    "completion": Noun("brekzsync.commands.completion:completion", "Let a shell complete on TAB."),
}


class RootGroup(click.Group):
    """Knows its nouns by name and help; loads one and gives its commands the global options when used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The nouns in the order of the table, most used first."""
        return list(NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a noun's module; ``None`` for a noun that does not exist."""
        noun = NOUNS.get(cmd_name)
        if noun is None:
            return None
        module, _, attribute = noun.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        _accept_global_options(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but a misspelt noun is compared with the table (click would know of no nouns)."""
        if args[0] in NOUNS or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        meant = get_close_matches(args[0], NOUNS, n=1)
        advice = f" Did you mean '{meant[0]}'?" if meant else f" The commands are {', '.join(NOUNS)}."
        raise click.UsageError(f"No such command '{args[0]}'.{advice}", ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The nouns from the table, as click does from the commands, but without importing one."""
        from click.shell_completion import CompletionItem

        nouns = [
            CompletionItem(name, help=noun.help)
            for name, noun in NOUNS.items()
            if name.startswith(incomplete)
        ]
        return [*nouns, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The nouns with their static help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, noun.help) for name, noun in NOUNS.items()])


def _set(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Store a global option in the invocation; what is given last, nearest to the command, wins."""
    invocation = ctx.find_object(Invocation)
    if invocation is None:  # a command group used outside the program, as documentation tools do
        return
    invocation.command = ctx.command_path.partition(" ")[2]
    if param.name == "quiet":
        invocation.verbosity = -1 if value else invocation.verbosity
    elif param.name == "verbosity":
        invocation.verbosity = value or invocation.verbosity
    elif param.name == "no_color":
        invocation.color = invocation.color and not value
    elif param.name == "config":
        invocation.config = value or invocation.config
    elif value:
        setattr(invocation, str(param.name), value)


def _global_options() -> list[click.Option]:
    """The options that may stand before the noun or after the command."""
    return [
        click.Option(
            ["--config"],
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Configuration file [default: $BREKZSYNC_CONFIG, ./brekzsync.toml, "
            "/etc/brekzsync/brekzsync.toml].",
            callback=_set,
            expose_value=False,
        ),
        click.Option(
            ["-v", "--verbose", "verbosity"], count=True, help="Tell more.", callback=_set, expose_value=False
        ),
        _flag(["-q", "--quiet"], "Tell only what is wrong."),
        _flag(["--json", "is_json"], "Write exactly one JSON document to stdout."),
        _flag(["--cron", "is_cron"], "Say nothing unless something new failed, and one summary a day."),
        _flag(["--no-color"], "No colours; NO_COLOR=1 does the same."),
    ]


def _flag(names: list[str], text: str) -> click.Option:
    return click.Option(names, is_flag=True, help=text, callback=_set, expose_value=False)


def _accept_global_options(command: click.Command) -> None:
    """Add the global options to a command and all below it, but for names it uses itself."""
    taken = {name for param in command.params for name in param.opts}
    if "--cron" not in taken:  # a group that is resolved again already has them
        command.params += [option for option in _global_options() if not taken.intersection(option.opts)]
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _accept_global_options(below)


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"{PROGRAM} {version(PROGRAM)}")
    except PackageNotFoundError:
        click.echo(f"{PROGRAM} (not installed: run from a checkout)")
    ctx.exit()


root = RootGroup(
    name=PROGRAM,
    help="Keep PrestaShop, Exact Globe and Shopping Feed in step: compare, and deliver the difference.",
    epilog="Example: brekzsync products export --dry-run",
    params=[
        *_global_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Show the version.",
        ),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code. Never lets an exception reach the user."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    invocation = Invocation(when_monitored=_begin_heartbeat)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        result = root.main(arguments, prog_name=PROGRAM, standalone_mode=False, obj=invocation)
        code = _finish(invocation, result)
    except BaseException as error:
        code = _failed(error, invocation, arguments)
    if invocation.heartbeat is not None:
        from brekzsync.commands.heartbeats import end

        end(invocation, code)
    return code


def _begin_heartbeat(invocation: Invocation, settings: Settings) -> None:
    from brekzsync.commands.heartbeats import begin

    begin(invocation, settings)


def exit_code(error: BaseException) -> int:
    """The exit code of everything that can end a command (docs/reference/exit-codes.md)."""
    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else 1
        case Interrupted():
            return 128 + error.signal_number
        case KeyboardInterrupt() | click.Abort():
            return 128 + signal.SIGINT
        case BrekzsyncError():
            return error.exit_code
        case click.UsageError():
            return InvalidInput.exit_code
        case _:
            return 1


def _terminated(signal_number: int, frame: FrameType | None) -> None:
    raise Interrupted(signal_number)


def _finish(invocation: Invocation, result: object) -> int:
    """The code of a command that came to its end: what it returned, or passed to ``ctx.exit``."""
    code = result if isinstance(result, int) else 0
    # --help and --version end before a command is parsed and are text also with --json.
    if invocation.is_json and invocation.command and not invocation.console.has_document:
        invocation.console.document(invocation.command, code == 0, {})
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _failed(error: BaseException, invocation: Invocation, arguments: Sequence[str]) -> int:
    """Report an error once, in the form that was asked for."""
    code = exit_code(error)
    # Whatever is wrong while somebody presses TAB, the line being typed must stay clean.
    if isinstance(error, SystemExit) or COMPLETING in os.environ:
        return code
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        _abandon_output()
        return code
    try:
        _report(error, invocation, arguments)
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # nobody reads any more, or nothing more fits; the exit code still says it
        _abandon_output()
        if invocation.is_json and not isinstance(
            error, OSError
        ):  # the document that says why was not written
            invocation.console.error(_presentable(error))
    return code


def _report(error: BaseException, invocation: Invocation, arguments: Sequence[str]) -> None:
    _read_output_options(invocation, arguments)
    console = invocation.console
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and not console.is_silent:
        click.echo(error.format_message(), err=True)
        return
    shown = _presentable(error)
    if console.is_json:
        if not console.has_document:
            from brekzsync.console import failure

            command = _command_of(error, invocation)
            console.document(command, False, {"error": failure(shown)})
        elif isinstance(error, OSError):  # the document itself is cut off
            console.error(shown)
    elif not (console.is_cron and (isinstance(error, LockHeld) or invocation.is_known_failure)):
        console.error(shown)


def _read_output_options(invocation: Invocation, arguments: Sequence[str]) -> None:
    """A line that could not be parsed may still have asked for JSON: honour what it says."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    invocation.is_json = invocation.is_json or "--json" in options
    invocation.is_cron = invocation.is_cron or "--cron" in options
    invocation.console.is_json, invocation.console.is_cron = invocation.is_json, invocation.is_cron


def _presentable(error: BaseException) -> BrekzsyncError:
    """Any error as one with a sentence, a hint and a code, without secrets."""
    from brekzsync.logs import redact

    match error:
        case BrekzsyncError():
            shown = error
        case click.UsageError():
            shown = _usage(error)
        case click.ClickException():
            shown = BrekzsyncError(error.format_message())
        case KeyboardInterrupt() | click.Abort():
            shown = Interrupted(signal.SIGINT)
        case OSError(errno=errno.ENOSPC):
            shown = BrekzsyncError(
                "There is no space left where the output, or a temporary file, goes.",
                hint="Make room there, then run the same command again.",
                code="disk_full",
            )
        case _:
            shown = _unexpected(error)
    shown.message, shown.hint = redact(shown.message), redact(shown.hint)
    return shown


def _usage(error: click.UsageError) -> BrekzsyncError:
    path = error.ctx.command_path if error.ctx is not None else PROGRAM
    message = error.format_message()
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        message = f"{path} needs a command."
    return InvalidInput(message, hint=f"`{path} --help` shows what it takes.", code="usage")


def _unexpected(error: BaseException) -> BrekzsyncError:
    import logging

    logger = logging.getLogger(PROGRAM)
    has_file = any(isinstance(handler, logging.FileHandler) for handler in logger.handlers)
    if has_file:
        logger.critical("unexpected error", exc_info=error)
    kept = "The log file has the details" if has_file else "Set [log] file to keep the details"
    first_line = str(error).partition("\n")[0][:200]  # SQLAlchemy goes on with the whole statement
    return BrekzsyncError(
        f"Unexpected {type(error).__name__}: {first_line}".rstrip(": .") + ".",
        hint=f"{kept}; this is a fault in {PROGRAM}: please report it.",
        code="unexpected",
    )


def _command_of(error: BaseException, invocation: Invocation) -> str:
    """The command's words; the program's name where the line did not get as far as one."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return error.ctx.command_path.partition(" ")[2] or PROGRAM
    return invocation.command or PROGRAM


def _abandon_output() -> None:
    """Point stdout nowhere, or the interpreter complains about the closed pipe as it exits."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
