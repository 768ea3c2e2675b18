"""Runs of a scoreboard that are finished, kept on disk: one that was interrupted goes on where it was.

    key = SHA-256 of (scenario's files; code of tracker, scorer and scoreboard; versions of Python and packages; limits)
                                                                                                     ──▶ FOLDER/key.json

What changes any of those changes the key: a row is taken over only where measuring again would use the same code and packages.
The machine, and what else it did, are not part of it. A run that failed is not kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CONTENT = (".py", ".toml", ".json", ".gz", ".npz")  # of scenarios and code; tracks made of them are .jsonl


class FinishedRuns:
    """What was measured, by key."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def get(self, key: str) -> dict[str, Any] | None:
        """None where it was not measured, or its file is damaged."""
        try:
            found = json.loads((self._folder / f"{key}.json").read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def put(self, key: str, row: dict[str, Any]) -> None:
        """Whole or not at all, also where the power goes."""
        part = self._folder / f"{key}.part"
        part.write_text(json.dumps(row))
        os.replace(part, self._folder / f"{key}.json")


def key_of(*parts: str | Path) -> str:
    """Hash of words and of files' contents; a folder counts as the files in it, by name."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            pieces: Iterable[tuple[str, bytes]] = [("", part.encode())]
        else:
            pieces = [(path.name, path.read_bytes()) for path in files_of(part)]
        for name, data in pieces:
            total.update(f"{name}\0{len(data)}\0".encode() + data)
    return total.hexdigest()


def files_of(place: Path) -> list[Path]:
    """The file, or what a folder of scenarios or code holds, without what is made of it."""
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("*") if path.is_file() and path.suffix in CONTENT)
