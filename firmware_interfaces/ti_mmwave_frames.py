"""Frames of TI mmWave radars on their data UART: three headers behind one magic word.

    02 01 04 03 06 05 08 07 | header | TLV 1 | TLV 2 | ... | padding

    profile       header  length at  a TLV's length counts   firmware
    sdk3_oob_40     40       12      its payload             out-of-box demos of SDK 3 and of the low-power SDK, radar toolbox
    people3d_48     48       12      payload + its header    3D people counting 4.x
    lrpd_52         52       20      payload + its header    long range people detection, older 2D people counting

A TLV is type u32, length u32, payload; all is little-endian. The two longer headers carry a ones' complement checksum
over themselves; nothing protects the payload. The 40-byte profile pads to 32 bytes with stale memory, which may even
hold something like a TLV: reading stops after the stated number of TLVs, and never waits for the padding, which some
loggers cut short.

What the TLVs hold is read in `ti_mmwave_tlvs.py`. Axes: x right, y away from the antenna, z up; m and m/s.

Sources: TI mmWave SDK 3.6 user guide, "mmw demo: output TLV format"; TI Radar Toolbox, "Understanding UART data output
format".
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_interfaces.decoder import MAX_FRAME_TIME_NS, Counts, Found, Framed, FramedStream, Rejected, count_by_name
from firmware_interfaces.ti_mmwave_tlvs import (
    KNOWN_UNREAD,
    POINT,
    SIDE_INFO,
    TLV_MEANING,
    Statistics,
    Target,
    leave_alone,
)
from fusion.types import FloatArray

MAGIC = bytes((2, 1, 4, 3, 6, 5, 8, 7))
SYNC = re.compile(re.escape(MAGIC))
MAX_FRAME_BYTES = 65_000  # heat maps and profiles of today's firmware: 40 kB; less than decoder.MAX_KEPT_BYTES
MAX_TLV_COUNT = 32  # firmware sends at most a dozen
MAX_PADDING = 32
PADDED_TO = 32
DIGEST_BYTES = 8  # of 20,000 frames two are alike by chance once in 10^11

WORDS_40 = struct.Struct("<8I")
WORDS_48 = struct.Struct("<9I2H")
WORDS_52 = struct.Struct("<10I2H")
TLV_HEADER = struct.Struct("<2I")


@dataclass(frozen=True, slots=True)
class Header:
    """What precedes the TLVs; None where a profile does not carry it."""

    profile: str
    version: int
    total_length: int
    platform: int
    frame_number: int
    subframe: int
    tlv_count: int
    header_length: int
    cpu_cycles: int | None = None  # 32 bit at some 200 MHz: wraps in about 20 s
    object_count: int | None = None
    tlv_length_counts_header: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame; arrays have a row a point and are empty where the frame has no such TLV."""

    header: Header
    tlvs: tuple[tuple[int, int], ...] = ()  # (type, payload length)
    points: npt.NDArray[np.float32] = field(
        default_factory=lambda: np.empty((0, 4), np.float32)
    )  # (n, 4): x, y, z in m, radial speed in m/s
    side_info: npt.NDArray[np.int16] = field(
        default_factory=lambda: np.empty((0, 2), np.int16)
    )  # (n, 2): signal-to-noise, noise in 0.1 dB
    spherical: FloatArray = field(
        default_factory=lambda: np.empty((0, 5))
    )  # (n, 5): elevation, azimuth rad, radial speed m/s, range m, snr ratio
    extended: FloatArray = field(
        default_factory=lambda: np.empty((0, 6))
    )  # (n, 6): x, y, z in m, radial speed in m/s, snr and noise in dB
    targets: tuple[Target, ...] = ()
    target_index: bytes = b""  # a byte per point of the PREVIOUS frame; 253 weak, 254 outside, 255 noise
    heights: tuple[tuple[int, float, float], ...] = ()  # target id, highest and lowest z in m
    presence: int | None = None
    statistics: Statistics | None = None
    temperatures_c: tuple[int, ...] | None = None
    padding: int = 0
    unread: tuple[int, ...] = ()  # TLV types that we do not interpret
    digest: bytes = b""  # of its bytes without the padding


class Frames:
    """Bytes in, frames out."""

    def __init__(self, profile: str = "auto", max_frame_time_ns: int = MAX_FRAME_TIME_NS) -> None:
        if profile != "auto" and profile not in READ_HEADER:
            raise ValueError(f'profile is "{profile}", expected auto, {", ".join(READ_HEADER)}')
        self.counts = Counts()
        self._profiles = list(READ_HEADER) if profile == "auto" else [profile]
        self.stream = FramedStream(SYNC, len(MAGIC), self._frame_at, self.counts, max_frame_time_ns)

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Frame]]:
        """The frames that these bytes complete."""
        return self._counted(self.stream.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Frame]]:
        """What can be made of the rest when nothing more will come."""
        return self._counted(self.stream.finish())

    def _counted(self, found: list[Framed[Frame]]) -> list[Framed[Frame]]:
        for framed in found:
            self.counts.decoded["frame"] += 1
            frame = framed.message
            stated = frame.header.object_count
            if stated is not None and len(frame.points) and stated != len(frame.points):
                self.counts.remarks["object count"] += 1
            for tlv_type in frame.unread:
                count_by_name(self.counts.remarks, f"TLV {tlv_type} not interpreted", "TLV of further types")
        return found

    def _frame_at(self, buffer: bytearray, start: int) -> Found[Frame] | None:
        """Try the profiles, the one that fitted last first: the first that is not refused decides."""
        reasons: list[Rejected] = []
        for profile in self._profiles:
            try:
                found = frame_at(buffer, start, profile)
            except Rejected as rejected:
                reasons.append(rejected)
                continue
            if found is not None and self._profiles[0] != profile:
                self._profiles.sort(key=lambda name: name != profile)
            return found
        raise reasons[-1] if len(reasons) == 1 else max(reasons, key=lambda r: r.reason in ("cut", "tlv"))


def frame_at(buffer: bytearray, start: int, profile: str) -> Found[Frame] | None:
    """The frame of that profile at `start`; None: more bytes are needed. Raises Rejected.

    Each step looks only at bytes that it has, in the order of the stream, so that the cut of the bytes changes nothing.
    """
    header = READ_HEADER[profile](buffer, start)
    if header is None:
        return None
    tlvs: list[tuple[int, int, int]] = []  # type, where its payload begins, how long it is
    place = start + header.header_length
    end = start + header.total_length
    _refuse_cut(buffer, start, start + 1, place)
    for _ in range(header.tlv_count):
        if place + TLV_HEADER.size > len(buffer):
            return None
        tlv_type, length = TLV_HEADER.unpack_from(buffer, place)
        length -= TLV_HEADER.size if header.tlv_length_counts_header else 0
        payload = place + TLV_HEADER.size
        if not 0 <= length <= end - payload:
            raise Rejected("tlv", f"TLV {tlv_type} of {length} bytes does not fit the stated length")
        tlvs.append((tlv_type, payload, length))
        if len(tlvs) == header.tlv_count:
            _check_padding(end - payload - length)
        _refuse_cut(buffer, start, place - len(MAGIC) + 1, payload + length)
        place = payload + length
    if not tlvs:
        _check_padding(end - place)
    if place > len(buffer):
        return None
    frame = _read_tlvs(bytes(buffer[start:place]), start, header, tlvs)
    shared = _begun_magic(buffer, place)
    padding = end - place
    return Found(replace(frame, padding=padding), place - start - shared, padding + shared)


def _check_padding(padding: int) -> None:
    if padding >= MAX_PADDING:
        raise Rejected("tlv", f"{padding} bytes remain behind the last TLV, more than padding explains")


def _refuse_cut(buffer: bytearray, start: int, first: int, end: int) -> None:
    """Raises Rejected when the next frame begins between the two places."""
    next_magic = buffer.find(MAGIC, first, end)
    if next_magic >= 0:
        raise Rejected("cut", f"the next frame begins {next_magic - start} bytes into this one")


def _begun_magic(buffer: bytearray, end: int) -> int:
    """How many of the last bytes before `end` may be the next magic's first: bytes were lost if they are."""
    for count in range(len(MAGIC) - 1, 0, -1):
        if buffer[end - count : end] == MAGIC[:count]:
            return count
    return 0


# Headers


def _header_40(buffer: bytearray, start: int) -> Header | None:
    if len(buffer) - start < 16:
        return None
    _check_length(int.from_bytes(buffer[start + 12 : start + 16], "little"), 40)
    if len(buffer) - start < 40:
        return None
    version, total, platform, frame, cycles, objects, tlv_count, subframe = WORDS_40.unpack_from(buffer, start + 8)
    _check_tlv_count(tlv_count)
    return Header("sdk3_oob_40", version, total, platform, frame, subframe, tlv_count, 40, cycles, objects)


def _header_48(buffer: bytearray, start: int) -> Header | None:
    if len(buffer) - start < 16:
        return None
    _check_length(int.from_bytes(buffer[start + 12 : start + 16], "little"), 48)
    if len(buffer) - start < 48:
        return None
    version, total, platform, frame, subframe, *_, tlv_count, _ = WORDS_48.unpack_from(buffer, start + 8)
    _check_header(buffer, start, 48)
    _check_tlv_count(tlv_count)
    return Header("people3d_48", version, total, platform, frame, subframe, tlv_count, 48, None, None, True)


def _header_52(buffer: bytearray, start: int) -> Header | None:
    if len(buffer) - start < 24:
        return None
    _check_length(int.from_bytes(buffer[start + 20 : start + 24], "little"), 52)
    if len(buffer) - start < 52:
        return None
    version, platform, _, total, frame, subframe, *_, tlv_count, _ = WORDS_52.unpack_from(buffer, start + 8)
    _check_header(buffer, start, 52)
    _check_tlv_count(tlv_count)
    return Header("lrpd_52", version, total, platform, frame, subframe, tlv_count, 52, None, None, True)


def _check_length(total: int, least: int) -> None:
    if not least <= total <= MAX_FRAME_BYTES:
        raise Rejected("length", f"stated length is {total}, expected {least}..{MAX_FRAME_BYTES}")


def _check_tlv_count(tlv_count: int) -> None:
    if tlv_count > MAX_TLV_COUNT:
        raise Rejected("tlv", f"{tlv_count} TLVs stated, highest allowed is {MAX_TLV_COUNT}")


def _check_header(buffer: bytearray, start: int, length: int) -> None:
    if (remainder := header_sum(buffer[start : start + length])) != 0:
        raise Rejected("checksum", f"header checksum leaves {remainder:#06x}, expected 0")


def header_sum(header: bytes | bytearray) -> int:
    """Ones' complement of the folded sum of all u16 words; 0 when the checksum among them is right."""
    total: int = sum(struct.unpack(f"<{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


# the order matters to "auto": the checksummed headers refuse other frames for certain, the plain one does not
READ_HEADER: dict[str, Callable[[bytearray, int], Header | None]] = {
    "lrpd_52": _header_52,
    "people3d_48": _header_48,
    "sdk3_oob_40": _header_40,
}


# TLVs


def _read_tlvs(data: bytes, start: int, header: Header, tlvs: Sequence[tuple[int, int, int]]) -> Frame:
    """Read every TLV we know. `start` is where data[0] stands in the buffer that the places count from."""
    fields: dict[str, Any] = {}
    unread = []
    for tlv_type, place, length in tlvs:
        name, read = TLV_MEANING[header.profile].get(tlv_type, ("", leave_alone))
        value = read(data[place - start : place - start + length])
        if value is not None:
            fields[name] = value
        elif tlv_type not in KNOWN_UNREAD:
            unread.append(tlv_type)
    digest = hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest()
    return Frame(header, tuple((t, length) for t, _, length in tlvs), unread=tuple(unread), digest=digest, **fields)


# The way back, for the simulator and the tests


def encode_frame(
    frame_number: int,
    points: Sequence[tuple[float, float, float, float, float, float]],
    *,
    cpu_cycles: int = 0,
    platform: int = 0xA6843,
    version: int = 0x03060000,
) -> bytes:
    """A frame of the sdk3_oob_40 profile with points (TLV 1) and side info (TLV 7), padded to 32 bytes.

    A point is x, y, z in m, radial speed in m/s, signal-to-noise ratio and noise in dB.
    """
    tlvs = []
    if points:
        array = np.asarray(points, float)
        side = np.clip(np.rint(array[:, 4:6] * 10.0), -32768, 32767)
        tlvs = [(1, array[:, :4].astype(POINT).tobytes()), (7, side.astype(SIDE_INFO).tobytes())]
    body = b"".join(TLV_HEADER.pack(tlv_type, len(payload)) + payload for tlv_type, payload in tlvs)
    total = -(-(40 + len(body)) // PADDED_TO) * PADDED_TO
    words = (version, total, platform, frame_number & 0xFFFFFFFF, cpu_cycles & 0xFFFFFFFF, len(points), len(tlvs), 0)
    return (MAGIC + WORDS_40.pack(*words) + body).ljust(total, b"\0")
