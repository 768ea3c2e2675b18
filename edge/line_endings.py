"""A binary stream that a terminal in its way has "improved": LF turned into CR LF is undone, CR turned into LF is told.

    0A          one in 256 bytes of a binary stream, and the byte before it is anything at all
    0D 0A       every time: an output setting (ONLCR) of whatever sits between the sensor and us

Sixteen LFs, each with a CR before it, do not come about by chance in binary data: (1/256)^16. Since every inserted CR
stands before an LF and none is ever left out, dropping the CR before every LF gives exactly the bytes that were sent. CR
turned into LF (ICRNL) cannot be undone: nothing tells which of them were which.

Only for protocols that are binary all through, and only once the decoder refuses frames: a text's own line ends are right.

A message of a broker, or a datagram, that holds a whole line has mostly no line end, since it ends anyway: `with_end` gives it
one. A datagram may also be any piece of a stream that a gateway cut, so of those only JSON that is whole counts.
"""

from __future__ import annotations

CR, LF = b"\r", b"\n"
LFS_TO_JUDGE = 16
REFUSED_TO_JUDGE = 3  # frames that the decoder could not use
BYTES_TO_EXPECT_CR = 65_536  # of random bytes this many lack 0x0D once in e^256


def with_end(data: bytes, is_message: bool) -> bytes:
    """The bytes, a line end behind them where they are a line without one; `is_message`: not a piece of a stream."""
    text = data.strip()
    is_json = text[:1] + text[-1:] in (b"{}", b"[]")
    return data + LF if text and not data.endswith((LF, CR)) and (is_message or is_json) else data


class LineEndings:
    """What one stream's line ends look like; `undo` gives the bytes as they were sent. Pure."""

    def __init__(self) -> None:
        self.bytes = 0
        self.undone = 0  # CRs taken out
        self._crs = self._expanded_lfs = 0  # LFs with a CR before them, since the last one without
        self._is_undoing = False
        self._last = b""
        self._held = b""  # a CR at the end: whether it goes is told by the next byte

    def undo(self, data: bytes, refused: int) -> bytes:
        """The bytes as sent, as far as that is known; `refused`: frames that the decoder has refused so far."""
        if not data:
            return data
        self._watch(data)
        self._is_undoing = self._expanded_lfs >= LFS_TO_JUDGE and (self._is_undoing or refused >= REFUSED_TO_JUDGE)
        seen = self._held + data
        self._held = CR if self._is_undoing and seen.endswith(CR) else b""
        if not self._is_undoing:
            return seen
        whole = seen[: len(seen) - len(self._held)]
        restored = whole.replace(CR + LF, LF)
        self.undone += len(whole) - len(restored)
        return restored

    def complaint(self) -> str | None:
        """What the line does to the bytes, and what to do; None when nothing."""
        if self._is_undoing:
            return (
                f"LF comes as CR LF: undone {self.undone} times; switch output translation off at the sender "
                "(`stty raw`, or the console's newline setting)"
            )
        if self.bytes >= BYTES_TO_EXPECT_CR and not self._crs:
            return (
                f"no byte 0x0D in {self.bytes} bytes: the port is not raw, CR is turned into LF and values are damaged; "
                "open it raw (`stty raw`) where it is passed on"
            )
        return None

    def _watch(self, data: bytes) -> None:
        """Count the LFs since the last one that had no CR before it."""
        seen = self._last + data
        self.bytes += len(data)
        self._crs += data.count(CR)
        self._last = data[-1:]
        expanded = seen.count(CR + LF)
        lfs = data.count(LF)
        self._expanded_lfs = self._expanded_lfs + expanded if expanded == lfs else 0
