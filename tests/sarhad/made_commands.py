"""The command line, run within the test."""

from __future__ import annotations

from click.testing import CliRunner

from sarhad.cli import main


def sarhad(*words: object, code: int = 0) -> str:
    """What `sarhad WORDS` says; it must end with this code."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.output
