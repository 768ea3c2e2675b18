"""Bluetooth Low Energy advertisements as sniffers hear them: legacy ones (Bluetooth 4) and extended ones (5, long range).

    sniffer's header | access address 8E89BED6 | coding indicator, long range only | type, length | PDU | CRC-24
    legacy PDU     address (6, last byte first) | advertising data
    extended PDU   length and mode | flags | address, ADI, ... as the flags say | advertising data
    data           length, type, content, ... ; type 16: UUID of a service and what it says

Sources: Bluetooth Core 5.3, vol. 6 part B, 2.3; Nordic nRF Sniffer for Bluetooth LE, packet header versions 2 and 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from firmware_interfaces.packet_stream import ADVERTISING, Packet
from firmware_interfaces.pcap import BLUETOOTH_LE, BLUETOOTH_LE_PHDR, NORDIC_BLE
from firmware_interfaces.wifi_frames import address

LEGACY_TYPES = (0, 2, 4, 6)  # ADV_IND, ADV_NONCONN_IND, SCAN_RSP, ADV_SCAN_IND: address, then data
EXTENDED_TYPE = 7
SERVICE_DATA = 0x16
HAS_ADDRESS = 1
NORDIC_HEADER_BYTES = 17
NORDIC_CRC_IS_RIGHT, NORDIC_PHY_CODED = 0x01, 2
CRC_CHECKED, CRC_VALID, POWER_VALID = 0x0400, 0x0800, 0x0002  # flags of the 256 header


@dataclass(frozen=True, slots=True)
class Advertisement:
    """One advertisement."""

    is_extended: bool
    transmitter: str | None  # radio address; extended ones may leave it out
    data: bytes
    power_dbm: float | None
    is_damaged: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """A link layer frame from its PDU on, and what the sniffer says of it."""

    pdu: bytes
    power_dbm: float | None
    is_damaged: bool


def advertisement_of(packet: Packet) -> Advertisement | None:
    """The advertisement of a packet; None: another kind of frame."""
    heard = _heard(packet)
    if heard is None or len(heard.pdu) < 2:
        return None
    kind, length = heard.pdu[0] & 0xF, heard.pdu[1]
    payload = heard.pdu[2 : 2 + length]
    if kind in LEGACY_TYPES and len(payload) >= 6:
        return Advertisement(False, address(payload[5::-1]), payload[6:], heard.power_dbm, heard.is_damaged)
    if kind != EXTENDED_TYPE or len(payload) < 1:
        return None
    header = payload[1 : 1 + (payload[0] & 0x3F)]
    return Advertisement(True, _extended_address(header), payload[1 + len(header) :], heard.power_dbm, heard.is_damaged)


def _heard(packet: Packet) -> Heard | None:
    data = packet.data
    if packet.link_type == BLUETOOTH_LE:
        return Heard(data[4:], None, False)
    if packet.link_type == BLUETOOTH_LE_PHDR:
        power_dbm = float(int.from_bytes(data[1:2], "little", signed=True))
        flags = int.from_bytes(data[8:10], "little")
        is_damaged = bool(flags & CRC_CHECKED) and not flags & CRC_VALID
        return Heard(data[14:], power_dbm if flags & POWER_VALID else None, is_damaged)
    if packet.link_type != NORDIC_BLE or data[NORDIC_HEADER_BYTES : NORDIC_HEADER_BYTES + 4] != ADVERTISING:
        return None
    flags, power = data[8], data[10]
    is_coded = flags >> 4 & 7 == NORDIC_PHY_CODED
    begin = NORDIC_HEADER_BYTES + 4 + is_coded
    return Heard(data[begin:], -float(power), not flags & NORDIC_CRC_IS_RIGHT)


def _extended_address(header: bytes) -> str | None:
    if len(header) < 7 or not header[0] & HAS_ADDRESS:
        return None
    return address(header[6:0:-1])


def service_data(data: bytes) -> Iterator[bytes]:
    """The service data structures, UUID included."""
    place = 0
    while place + 2 <= len(data):
        length = data[place]
        if length == 0:
            return
        if data[place + 1] == SERVICE_DATA:
            yield data[place + 2 : place + 1 + length]
        place += 1 + length
