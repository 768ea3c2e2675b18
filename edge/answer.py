"""A run's answer on disk: `tracks.jsonl`, a line for each message of tracks, and `digest.txt`.

`digest.txt` holds the SHA-256 of `tracks.jsonl` on its first line; then, each on a line of its own, the hashes of what the
answer depends on. Two runs whose first lines are equal gave the same answer, byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from edge.pipeline import Outgoing
from edge.software import platform_versions, software


class Answer:
    """Writes a run's tracks as they come."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._file: BinaryIO = (directory / "tracks.jsonl").open("wb")
        self._digest = hashlib.sha256()
        self.lines = 0

    def write(self, outgoing: Iterable[Outgoing]) -> None:
        for message in outgoing:
            if message.topic == "tracks":
                line = message.payload + b"\n"
                self._file.write(line)
                self._digest.update(line)
                self.lines += 1

    def close(self, recording: Path, site_sha256: str, models: dict[str, str]) -> str:
        """Finish both files; returns the SHA-256 of the tracks."""
        self._file.close()
        digest = self._digest.hexdigest()
        lines = [
            digest,
            f"recording {sha256_of(recording)}",
            f"site {site_sha256}",
            *(f"model {name} {sha256}" for name, sha256 in sorted(models.items())),
            f"software {software()}",
            "platform " + "; ".join(f"{name} {version}" for name, version in platform_versions().items()),
        ]
        (self._directory / "digest.txt").write_text("\n".join(lines) + "\n")
        return digest

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
