"""Captures whose form is told by their content: DroneID in three forms, pan-tilt commands in two dialects."""

from __future__ import annotations

from typing import Any

from firmware_interfaces import antsdr, pelco_d, radio_frames, visca
from firmware_interfaces.decoder import Counts, Framed
from firmware_interfaces.pcap import is_capture


class DroneIds:
    """DroneID in whichever of its forms a capture begins: a sniffer's file, else what AntSDR receivers send."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._beginning = b""
        self._reader: radio_frames.Frames | antsdr.Bursts | None = None

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Any]]:
        """The messages that these bytes complete."""
        if self._reader is None:
            self._beginning += data
            if len(self._beginning) < 12:
                return []
            data, self._beginning = self._beginning, b""
            self._choose(data)
        assert self._reader is not None
        return self._reader.feed(data, monotonic_ns)

    def finish(self) -> list[Framed[Any]]:
        """What can be made of the rest when nothing more will come."""
        if self._reader is None:
            self._choose(self._beginning)
        assert self._reader is not None
        return [*self._reader.feed(self._beginning, 0), *self._reader.finish()]

    def _choose(self, beginning: bytes) -> None:
        is_sniffed = is_capture(beginning)
        self._reader = radio_frames.Frames("dji_droneid", self.counts) if is_sniffed else antsdr.Bursts(self.counts)


class PanTilt:
    """Both dialects read the same bytes; at the end the one that understood more of them counts."""

    def __init__(self, dialect: str = "auto") -> None:
        """`dialect` is "pelco_d", "visca" or "auto". Raises ValueError for another."""
        if dialect not in ("auto", "pelco_d", "visca"):
            raise ValueError(f'dialect is "{dialect}", expected auto, pelco_d or visca')
        self.counts = Counts()
        self._dialect = dialect
        self._pelco, self._visca = pelco_d.Commands(), visca.Messages()
        self._found: dict[str, list[Framed[dict[str, Any]]]] = {"pelco_d": [], "visca": []}

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[dict[str, Any]]]:
        """Nothing yet: the frames are told at the end."""
        self.counts.bytes += len(data)
        self._keep(self._pelco.feed(data, monotonic_ns), self._visca.feed(data, monotonic_ns))
        return []

    def finish(self) -> list[Framed[dict[str, Any]]]:
        """The frames of the dialect that explains more bytes."""
        self._keep(self._pelco.finish(), self._visca.finish())
        chosen = self._dialect
        if chosen == "auto":
            chosen = max(self._found, key=lambda name: sum(framed.consumed for framed in self._found[name]))
        counts = self._pelco.counts if chosen == "pelco_d" else self._visca.counts
        self.counts.decoded.update(counts.decoded)
        self.counts.rejected.update(counts.rejected)
        self.counts.resync_bytes = counts.resync_bytes
        return self._found[chosen]

    def _keep(self, pelco: list[Framed[pelco_d.Command]], messages: list[Framed[visca.Message]]) -> None:
        self._found["pelco_d"] += [Framed(pelco_d.record(f.message), f.offset, f.consumed) for f in pelco]
        self._found["visca"] += [Framed(visca.record(f.message), f.offset, f.consumed) for f in messages]
