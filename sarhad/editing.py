"""New recordings from old ones, for `sarhad cut` and `sarhad merge`: the file appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

import click

from evidence.editing import CannotMerge
from evidence.recording import RecordingDamaged, WrongFile


def written(sources: Sequence[Path], out: Path, edit: Callable[[list[BinaryIO], BinaryIO], int]) -> int:
    """How many readings went into OUT. Ends with exit code 2 and one line where a file is wrong or OUT is there."""
    if out.exists():
        refuse(f"{out}: exists already; expected a new file, since a recording is never written over")
    part = out.with_name(f"{out.name}.part")
    try:
        with ExitStack() as stack:
            streams: list[BinaryIO] = [stack.enter_context(path.open("rb")) for path in sources]
            target = stack.enter_context(part.open("wb"))
            count = edit(streams, target)
            os.fsync(target.fileno())
        part.rename(out)
        return count
    except OSError as error:
        refuse(f"{error.filename or out}: {error.strerror}; expected readable recordings and a writable folder")
    except (CannotMerge, WrongFile, RecordingDamaged) as error:
        refuse(f"{', '.join(map(str, sources))}: {error}")
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return 0


def refuse(line: str) -> None:
    click.echo(line, err=True)
    raise SystemExit(2)
