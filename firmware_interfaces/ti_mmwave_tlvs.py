"""What the TLVs in a frame of a TI mmWave radar hold: points, targets, and how the firmware fares.

    points              n x (f32 x, y, z in m, radial speed in m/s)
    side info           n x (i16 signal-to-noise ratio, noise; both in 0.1 dB)
    compressed points   f32 units of the five that follow | n x (i8 elevation, i8 azimuth, i16 speed, u16 range, u16 ratio)
    extended points     f32 units of xyz, speed, ratio, noise | u16 moving, u16 still points | n x (i16 x, y, z, speed,
                        u8 ratio, noise); ratio and noise in dB
    spherical points    n x (f32 range in m, azimuth, elevation in rad, radial speed in m/s)
    targets             n x (u32 id, f32: position 3, velocity 3, acceleration 3, covariance 16, gating gain, confidence)
    target index        a byte for each point of the previous frame
    heights             n x (u32 target id, f32 highest, lowest z in m)
    presence            u32
    statistics          u32: 4 times in us, 2 loads in %
    temperatures        u32, u32, left alone | 10 x i16 in degrees Celsius

All is little-endian; x right, y away from the antenna, z up. The same type number means another thing under another header,
so `TLV_MEANING` has a table for each profile. A reader gets one whole payload, and raises Rejected where its size cannot
be right. The frame around them is read in `ti_mmwave_frames.py`.

Sources: TI mmWave SDK 3.6 user guide, "mmw demo: output TLV format"; TI Radar Toolbox, "Understanding UART data output
format". Spherical points, and the types from 301 on of the low-power SDK (xWRL1432, xWRL6432), are laid out as TI's published
parsers read them; neither was seen on a wire here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_interfaces.decoder import Rejected
from fusion.types import FloatArray

POINT = np.dtype("<f4")
SIDE_INFO = np.dtype("<i2")
COMPRESSED_POINT = np.dtype(
    [("elevation", "i1"), ("azimuth", "i1"), ("doppler", "<i2"), ("range", "<u2"), ("snr", "<u2")]
)
EXTENDED_UNITS = struct.Struct("<4f2H")
EXTENDED_POINT = np.dtype(
    [("x", "<i2"), ("y", "<i2"), ("z", "<i2"), ("doppler", "<i2"), ("snr", "u1"), ("noise", "u1")]
)
TARGET = struct.Struct("<I27f")  # id, position, velocity, acceleration, 16 of covariance, gating gain, confidence
HEIGHT = struct.Struct("<I2f")
STATISTICS = struct.Struct("<6I")
TEMPERATURES = struct.Struct("<2I10h")


@dataclass(frozen=True, slots=True)
class Target:
    """One track of the firmware's own tracker."""

    target_id: int
    position_m: tuple[float, float, float]
    velocity_m_s: tuple[float, float, float]
    acceleration_m_s2: tuple[float, float, float]
    confidence: float


@dataclass(frozen=True, slots=True)
class Statistics:
    """How the firmware spends its time."""

    interframe_processing_us: int
    transmit_us: int
    interframe_margin_us: int
    interchirp_margin_us: int
    active_cpu_percent: int
    interframe_cpu_percent: int


def leave_alone(payload: bytes) -> None:
    """For types that no table has: no value comes of them."""


def _points(payload: bytes) -> npt.NDArray[np.float32]:
    _check_size("points", payload, 16)
    return np.frombuffer(payload, POINT).reshape(-1, 4)


def _side_info(payload: bytes) -> npt.NDArray[np.int16]:
    _check_size("side info", payload, 4)
    return np.frombuffer(payload, SIDE_INFO).reshape(-1, 2)


def _compressed(payload: bytes) -> FloatArray:
    if len(payload) == 0:
        return np.empty((0, 5))
    if len(payload) < 20:
        raise Rejected("tlv", f"compressed points of {len(payload)} bytes lack their units")
    _check_size("compressed points", payload[20:], COMPRESSED_POINT.itemsize)
    raw = np.frombuffer(payload, COMPRESSED_POINT, offset=20)
    columns = [raw[name].astype(float) for name in ("elevation", "azimuth", "doppler", "range", "snr")]
    with np.errstate(all="ignore"):  # a damaged unit is left out with its points later
        units = np.frombuffer(payload, POINT, 5).astype(float)
        return np.asarray(np.stack(columns, axis=1) * units)


def _extended(payload: bytes) -> FloatArray:
    if len(payload) < EXTENDED_UNITS.size:
        raise Rejected("tlv", f"extended points of {len(payload)} bytes lack their units")
    _check_size("extended points", payload[EXTENDED_UNITS.size :], EXTENDED_POINT.itemsize)
    raw = np.frombuffer(payload, EXTENDED_POINT, offset=EXTENDED_UNITS.size)
    metre, speed, ratio, noise, *_ = EXTENDED_UNITS.unpack_from(payload)
    columns = [raw[name].astype(float) for name in ("x", "y", "z", "doppler", "snr", "noise")]
    with np.errstate(all="ignore"):  # a damaged unit is left out with its points later
        return np.asarray(np.stack(columns, axis=1) * (metre, metre, metre, speed, ratio, noise))


def _spherical(payload: bytes) -> FloatArray:
    _check_size("spherical points", payload, 16)
    with np.errstate(invalid="ignore"):
        slant_range, azimuth, elevation, doppler = np.frombuffer(payload, POINT).reshape(-1, 4).astype(float).T
    return np.stack([elevation, azimuth, doppler, slant_range, np.full(len(doppler), np.nan)], axis=1)


def _targets(payload: bytes) -> tuple[Target, ...] | None:
    if len(payload) % TARGET.size:
        return None  # older trackers send other sizes, which we do not interpret
    return tuple(
        Target(v[0], (v[1], v[2], v[3]), (v[4], v[5], v[6]), (v[7], v[8], v[9]), v[27])
        for v in TARGET.iter_unpack(payload)
    )


def _heights(payload: bytes) -> tuple[tuple[int, float, float], ...]:
    _check_size("heights", payload, HEIGHT.size)
    return tuple(HEIGHT.iter_unpack(payload))


def _statistics(payload: bytes) -> Statistics:
    if len(payload) != STATISTICS.size:
        raise Rejected("tlv", f"statistics have {len(payload)} bytes, expected {STATISTICS.size}")
    return Statistics(*STATISTICS.unpack(payload))


def _temperatures(payload: bytes) -> tuple[int, ...]:
    if len(payload) != TEMPERATURES.size:
        raise Rejected("tlv", f"temperatures have {len(payload)} bytes, expected {TEMPERATURES.size}")
    return TEMPERATURES.unpack(payload)[2:]


def _presence(payload: bytes) -> int:
    if len(payload) != 4:
        raise Rejected("tlv", f"presence has {len(payload)} bytes, expected 4")
    return int.from_bytes(payload, "little")


def _check_size(what: str, payload: bytes, size: int) -> None:
    if len(payload) % size:
        raise Rejected("tlv", f"{what} of {len(payload)} bytes are no multiple of {size}")


# type -> (field of the frame, how to read it)
TRACKER: dict[int, tuple[str, Callable[[bytes], Any]]] = {
    1000: ("spherical", _spherical),
    1010: ("targets", _targets),
    1011: ("target_index", bytes),
    1012: ("heights", _heights),
    1020: ("spherical", _compressed),
    1021: ("presence", _presence),
}
TLV_MEANING: dict[str, dict[int, tuple[str, Callable[[bytes], Any]]]] = {
    "sdk3_oob_40": {
        1: ("points", _points),
        6: ("statistics", _statistics),
        7: ("side_info", _side_info),
        9: ("temperatures_c", _temperatures),
        301: ("extended", _extended),
        308: ("targets", _targets),
        309: ("target_index", bytes),
        **TRACKER,
    },
    "people3d_48": {
        6: ("spherical", _compressed),
        7: ("targets", _targets),
        8: ("target_index", bytes),
        11: ("presence", _presence),
        **TRACKER,
    },
    "lrpd_52": {
        6: ("spherical", _spherical),
        7: ("targets", _targets),
        8: ("target_index", bytes),
        9: ("side_info", _side_info),
    },
}
# range and noise profiles, heat maps; from 302 on the low-power SDK's, its statistics, presence, gestures and raw samples;
# 1030 to 1051 seats, vital signs, classifiers: nothing of them is where something flies
KNOWN_UNREAD = frozenset({2, 3, 4, 5, 8, *range(302, 308), *range(310, 350), *range(1030, 1052)})
