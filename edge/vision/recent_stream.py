"""One camera's packets since its last key frame: what a decoder needs that comes late or lost its way.

A camera may send a key frame every ten seconds or never again. With these packets a decoder that has just started, or
whose pipe was full, is up to date at once instead of blind until the next one. Bounded: a longer stretch costs more to
decode than to wait for.
"""

from __future__ import annotations

from edge.vision.decoder import codec_of, is_key

MOST_PACKETS = 600  # 20 s at 30 Hz
MOST_BYTES = 6 << 20  # 12 s of 4 Mbit/s


class RecentStream:
    def __init__(self) -> None:
        self._codec_name: str | None = None
        self._packets: list[tuple[int, bytes]] = []  # (monotonic_ns, access unit), the first a key frame
        self._size = 0

    def keep(self, monotonic_ns: int, data: bytes) -> bool:
        """Take the next packet; whether it is a key frame."""
        self._codec_name = codec_of(data) or self._codec_name
        key = is_key(data, self._codec_name)
        if key:
            self._packets, self._size = [], 0
        if key or self._packets:
            self._packets.append((monotonic_ns, data))
            self._size += len(data)
        if len(self._packets) > MOST_PACKETS or self._size > MOST_BYTES:
            self._packets, self._size = [], 0
        return key

    def since_key(self) -> list[tuple[int, bytes]]:
        """From the last key frame to the newest packet; empty where that is not known."""
        return list(self._packets)
