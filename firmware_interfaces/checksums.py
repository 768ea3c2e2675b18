"""Checksums of the wires we read.

    MCRF4XX       CRC-16, poly 0x1021 reflected, init 0xFFFF, no final xor      MAVLink
    MODBUS        CRC-16, poly 0x8005 reflected, init 0xFFFF                    Modbus RTU
    CRC-24Q       poly 0x1864CFB, init 0                                        RTCM 3
    Fletcher-8    two sums modulo 256                                           UBX
    XOR           of all bytes                                                  NMEA 0183

Check values over b"123456789" stand in the tests. Source: Koopman, Cook: catalogue of parametrised CRC algorithms.
"""

from __future__ import annotations

from binascii import crc_hqx
from functools import reduce
from itertools import accumulate
from operator import xor

# each byte with its bits in reverse order: a reflected CRC is the plain one of reversed bytes, reversed
REVERSED_BITS = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def crc16_mcrf4xx(data: bytes) -> int:
    """CRC-16/MCRF4XX; MAVLink appends the message's CRC_EXTRA byte to the data first."""
    plain = crc_hqx(data.translate(REVERSED_BITS), 0xFFFF)
    return REVERSED_BITS[plain & 0xFF] << 8 | REVERSED_BITS[plain >> 8]


def crc16_modbus(data: bytes) -> int:
    """CRC-16/MODBUS; sent low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ MODBUS_TABLE[(crc ^ byte) & 0xFF]
    return crc


def crc24q(data: bytes) -> int:
    """CRC-24Q (Qualcomm), as RTCM 3 and SBAS use it; sent high byte first."""
    crc = 0
    for byte in data:
        crc = ((crc << 8) & 0xFFFFFF) ^ CRC24Q_TABLE[(crc >> 16) ^ byte]
    return crc


def fletcher8(data: bytes) -> bytes:
    """The two check bytes of a UBX frame, over class, id, length and payload."""
    return bytes((sum(data) & 0xFF, sum(accumulate(data)) & 0xFF))


def xor8(data: bytes) -> int:
    """The XOR of all bytes."""
    return reduce(xor, data, 0)


def _modbus_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


def _crc24q_entry(value: int) -> int:
    value <<= 16
    for _ in range(8):
        value <<= 1
        if value & 0x1000000:
            value ^= 0x1864CFB
    return value


MODBUS_TABLE = tuple(_modbus_entry(value) for value in range(256))
CRC24Q_TABLE = tuple(_crc24q_entry(value) for value in range(256))
