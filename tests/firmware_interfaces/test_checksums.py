"""Checksums against the check values of the catalogue of parametrised CRC algorithms (over b"123456789")."""

from __future__ import annotations

from firmware_interfaces.checksums import crc16_mcrf4xx, crc16_modbus, crc24q, fletcher8, xor8

DIGITS = b"123456789"


def test_check_values_of_the_catalogue() -> None:
    assert crc16_mcrf4xx(DIGITS) == 0x6F91
    assert crc16_modbus(DIGITS) == 0x4B37
    assert crc24q(DIGITS) == 0xCDE703


def test_fletcher_of_a_ubx_poll() -> None:
    # u-blox 8 receiver description: polling MON-VER is B5 62 0A 04 00 00 0E 34
    assert fletcher8(bytes.fromhex("0a040000")) == bytes.fromhex("0e34")


def test_xor_of_a_sentence() -> None:
    # NMEA 0183 examples: $GPGLL,5057.970,N,00146.110,E,142451,A*27
    assert xor8(b"GPGLL,5057.970,N,00146.110,E,142451,A") == 0x27


def test_crc24q_is_zero_over_data_and_crc() -> None:
    assert crc24q(DIGITS + (0xCDE703).to_bytes(3, "big")) == 0
