"""Annex B byte streams: H.264 and H.265 as cameras send them, cut into access units without decoding them.

    00 00 00 01 | header | payload   00 00 01 | header | payload   ...
    start code    NAL unit

An access unit is one picture with what belongs before it: delimiter (AUD), parameter sets (H.264: SPS, PPS; H.265: VPS too),
supplemental information, slices. It begins at a delimiter, or at the first of those units after a slice, or at a slice whose
`first_mb_in_slice` (H.264) is 0 or whose first_slice_segment_in_pic_flag (H.265) is set.

Source: ITU-T H.264 section 7.4.1.2.3 and annex B; ITU-T H.265 section 7.4.2.4.4 and annex B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

START_CODE = re.compile(rb"\x00?\x00\x00\x01")
LONGEST_UNIT_BYTES = 4_000_000  # a key frame of 4K at the highest quality; more is no video

H264_SLICES = frozenset((1, 5))
H264_BEFORE_PICTURE = frozenset((6, 7, 8, 9, 14, 15, 16, 17, 18))
H265_SLICES = frozenset(range(0, 32))
H265_BEFORE_PICTURE = frozenset((32, 33, 34, 35, 39, *range(41, 45), *range(48, 56)))
PARAMETER_SETS = {"h264": frozenset((7, 8)), "hevc": frozenset((32, 33, 34))}
KEY_SLICES = {"h264": frozenset((5,)), "hevc": frozenset(range(16, 24))}
DELIMITER = {"h264": 9, "hevc": 35}


def unit_type(codec: str, header: int) -> int:
    """The NAL unit type in the first byte of its header; codec is "h264" or "hevc"."""
    return header & 0x1F if codec == "h264" else header >> 1 & 0x3F


def unit_types(codec: str, data: bytes) -> list[int]:
    """The types of all NAL units in data, in order."""
    return [unit_type(codec, data[found.end()]) for found in START_CODE.finditer(data) if found.end() < len(data)]


def has_picture(codec: str, data: bytes) -> bool:
    """Whether any slice begins in data."""
    return not (H264_SLICES if codec == "h264" else H265_SLICES).isdisjoint(unit_types(codec, data))


def with_parameter_sets(codec: str, access_unit: bytes, parameter_sets: bytes) -> bytes:
    """The access unit, with the parameter sets before it where it is a key frame that lacks them."""
    types = set(unit_types(codec, access_unit))
    if not types & KEY_SLICES[codec] or types & PARAMETER_SETS[codec] or not START_CODE.match(parameter_sets):
        return access_unit
    return parameter_sets + access_unit


class AccessUnits:
    """Cuts a stream that comes in pieces into access units.

    An access unit is known to be whole when the next one begins. A sender that ends each with the next one's delimiter has it
    known at once; for others `flush` gives it when the line has gone quiet. Once a delimiter stood alone on a quiet line the
    sender is known to be of the first kind, and what a quiet line leaves unfinished is left so.
    """

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self._kept = b""
        self._searched = 0  # where in `_kept` the search goes on
        self._has_picture = False
        self._ends_with_delimiter = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The access units that these bytes complete. What stands before the first start code is left out."""
        self._kept += data
        while (begin := self._next_begin()) is not None:
            access_unit, self._kept = self._kept[:begin], self._kept[begin:]
            self._searched, self._has_picture = 0, False
            if START_CODE.match(access_unit):
                yield access_unit
        if len(self._kept) > LONGEST_UNIT_BYTES:
            self.drop()

    def flush(self) -> bytes | None:
        """For a line that has gone quiet: what is kept, if it holds a picture and no more of it is to be expected."""
        if unit_types(self.codec, self._kept) == [DELIMITER[self.codec]]:
            self._ends_with_delimiter = True
        if self._ends_with_delimiter or not self._has_picture or not START_CODE.match(self._kept):
            return None
        access_unit = self._kept
        self.drop()
        return access_unit

    def drop(self) -> None:
        """Forget what is kept."""
        self._kept, self._searched, self._has_picture = b"", 0, False

    def _next_begin(self) -> int | None:
        """Where in `_kept` the next access unit begins; None while that is not known."""
        for found in START_CODE.finditer(self._kept, self._searched):
            if found.end() + 2 >= len(self._kept):  # the header and the first bit after it decide
                self._searched = found.start()
                return self._delimiter_at_end(found)
            self._searched = found.end()
            is_slice, begins = self._judge(self._kept[found.end() : found.end() + 3])
            if begins and (self._has_picture or (found.start() > 0 and not START_CODE.match(self._kept))):
                return found.start()
            self._has_picture = self._has_picture or is_slice
        self._searched = max(self._searched, len(self._kept) - 3)
        return None

    def _delimiter_at_end(self, found: re.Match[bytes]) -> int | None:
        """A delimiter at the very end needs no further byte to be known as one."""
        if found.end() >= len(self._kept) or not self._has_picture:
            return None
        is_delimiter = unit_type(self.codec, self._kept[found.end()]) == DELIMITER[self.codec]
        return found.start() if is_delimiter else None

    def _judge(self, head: bytes) -> tuple[bool, bool]:
        """(is a slice, begins an access unit if a picture came before)."""
        kind = unit_type(self.codec, head[0])
        if self.codec == "h264":
            if kind in H264_SLICES:
                return True, bool(head[1] & 0x80)  # first_mb_in_slice = 0 is the one-bit code "1"
            return False, kind in H264_BEFORE_PICTURE
        if kind in H265_SLICES:
            return True, bool(head[2] & 0x80)  # first_slice_segment_in_pic_flag
        return False, kind in H265_BEFORE_PICTURE
