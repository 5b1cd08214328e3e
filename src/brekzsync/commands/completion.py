"""``brekzsync completion``: the script that teaches a shell to complete our command lines."""

from __future__ import annotations

import click

from brekzsync.commands.invocation import Invocation, pass_invocation


@click.command(epilog="Example: brekzsync completion bash")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@pass_invocation
def completion(invocation: Invocation, ctx: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete commands, options and ids on TAB.

    In force in the next shell that is opened, once it is put where the shell looks:

    \b
    bash: echo 'source <(brekzsync completion bash)' >> ~/.bashrc
    zsh:  echo 'source <(brekzsync completion zsh)' >> ~/.zshrc
    fish: brekzsync completion fish > ~/.config/fish/completions/brekzsync.fish

    Ids are completed from the ledger, where the state is a SQLite file.
    """
    from click.shell_completion import get_completion_class

    shell_class = get_completion_class(shell)
    assert shell_class is not None  # click.Choice let no other through
    root = ctx.find_root()
    name = str(root.info_name)
    script = shell_class(root.command, {}, name, f"_{name.upper()}_COMPLETE").source()
    invocation.console.output(script.rstrip("\n"))
    invocation.console.document("completion", True, {"shell": shell, "script": script})
