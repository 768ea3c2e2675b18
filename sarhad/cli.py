"""The command line: `sarhad COMMAND`. Each command is a module of `sarhad/commands/`, loaded only when it is called.

Exit code 0: good. 1: a check failed. 2: wrong input, with one line on stderr that names file, field, found, expected.
"""

from __future__ import annotations

import importlib
import pkgutil

import click

import sarhad.commands


class LazyGroup(click.Group):
    """Finds sub-commands by module name, so that `sarhad --help` imports no numpy."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(sarhad.commands.__path__))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"sarhad.commands.{name.replace('-', '_')}").command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sarhad")
def main() -> None:
    """Detect, track, identify and prove: a border post's drones, from camera frames and sensor bytes."""
