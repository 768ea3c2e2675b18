"""UBX, the binary protocol of u-blox receivers, and the frame of RTCM 3 that shares its line.

    UBX      B5 62 | class | id | length u16 | payload | CK_A CK_B      Fletcher-8 from class to payload, little-endian
    RTCM 3   D3 | 6 zero bits, length 10 bit | payload | CRC-24Q        corrections: framed, so that they are no noise

Fields carry the names of u-blox's interface descriptions; "name:format*scale", bits as "name@byte.bit+count".

Source: u-blox 8 / M8 receiver description (UBX-13003221), u-blox F9 HPG 1.32 interface description (UBX-22008968).
SEC-SIG's version 2 as pyubx2 1.4.0 lists it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from firmware_interfaces.checksums import crc24q, fletcher8
from firmware_interfaces.decoder import Rejected
from firmware_interfaces.nmea_sentences import Value

SYNC_UBX, SYNC_RTCM = b"\xb5\x62", 0xD3
MAX_PAYLOAD_BYTES = 8192  # the longest known, raw measurements of 184 signals, have 5.9 kB
CLASSES = {
    0x01: "NAV", 0x02: "RXM", 0x04: "INF", 0x05: "ACK", 0x06: "CFG", 0x09: "UPD", 0x0A: "MON", 0x0B: "AID",
    0x0C: "DBG", 0x0D: "TIM", 0x10: "ESF", 0x13: "MGA", 0x21: "LOG", 0x27: "SEC", 0x28: "HNR", 0x29: "NAV2",
    0x03: "TRK", 0xF0: "NMEA", 0xF1: "PUBX",
}  # fmt: skip


class Layout:
    """How one message's payload is laid out."""

    def __init__(self, name: str, sizes: tuple[int, ...], fields: str, bits: str = "") -> None:
        self.name, self.sizes = name, sizes
        columns = [entry.partition(":") for entry in fields.split()]
        self._columns = [(field, form.partition("*")[2]) for field, _, form in columns]
        self._struct = struct.Struct("<" + "".join(form.partition("*")[0] for _, _, form in columns))
        self._bits = [_bits(entry) for entry in bits.split()]

    def read(self, payload: bytes) -> dict[str, Value]:
        """The fields of a payload whose size is one of `sizes`; "" names are gaps."""
        out: dict[str, Value] = {}
        for (name, scale), value in zip(self._columns, self._struct.unpack_from(payload), strict=True):
            if name != "_":
                out[name] = value if not scale else round(value * float(scale), 10)
        for name, byte, shift, count in self._bits:
            out[name] = payload[byte] >> shift & (1 << count) - 1
        return out


def _bits(entry: str) -> tuple[str, int, int, int]:
    name, _, place = entry.partition("@")
    byte, _, bits = place.partition(".")
    shift, _, count = bits.partition("+")
    return name, int(byte), int(shift), int(count or 1)


# "_" are bytes read otherwise (bits), or not at all
LAYOUTS: dict[tuple[int, int], Layout] = {
    (0x01, 0x01): Layout("NAV-POSECEF", (20,), "iTOW:I ecefX:i ecefY:i ecefZ:i pAcc:I"),
    (0x01, 0x02): Layout("NAV-POSLLH", (28,), "iTOW:I lon:i*1e-7 lat:i*1e-7 height:i hMSL:i hAcc:I vAcc:I"),
    (0x01, 0x03): Layout(
        "NAV-STATUS",
        (16,),
        "iTOW:I gpsFix:B _:B _:B _:B ttff:I msss:I",
        "gpsFixOk@5.0 diffSoln@5.1 wknSet@5.2 towSet@5.3 diffCorr@6.0 carrSolnValid@6.1 mapMatching@6.6+2 "
        "psmState@7.0+2 spoofDetState@7.3+2 carrSoln@7.6+2",
    ),
    (0x01, 0x04): Layout(
        "NAV-DOP",
        (18,),
        "iTOW:I gDOP:H*0.01 pDOP:H*0.01 tDOP:H*0.01 vDOP:H*0.01 hDOP:H*0.01 nDOP:H*0.01 eDOP:H*0.01",
    ),
    (0x01, 0x06): Layout(
        "NAV-SOL",
        (52,),
        "iTOW:I fTOW:i week:h gpsFix:B _:B ecefX:i ecefY:i ecefZ:i pAcc:I ecefVX:i ecefVY:i ecefVZ:i sAcc:I "
        "pDOP:H*0.01 _:B numSV:B",
        "gpsfixOK@11.0 diffSoln@11.1 wknSet@11.2 towSet@11.3",
    ),
    (0x01, 0x07): Layout(
        "NAV-PVT",
        (84, 92),
        "iTOW:I year:H month:B day:B hour:B min:B second:B _:B tAcc:I nano:i fixType:B _:B _:B numSV:B lon:i*1e-7 "
        "lat:i*1e-7 height:i hMSL:i hAcc:I vAcc:I velN:i velE:i velD:i gSpeed:i headMot:i*1e-5 sAcc:I "
        "headAcc:I*1e-5 pDOP:H*0.01",
        "validDate@11.0 validTime@11.1 fullyResolved@11.2 validMag@11.3 gnssFixOk@21.0 diffSoln@21.1 psmState@21.2+3 "
        "headVehValid@21.5 carrSoln@21.6+2 confirmedAvai@22.5 confirmedDate@22.6 confirmedTime@22.7 invalidLlh@78.0",
    ),
    (0x01, 0x11): Layout("NAV-VELECEF", (20,), "iTOW:I ecefVX:i ecefVY:i ecefVZ:i sAcc:I"),
    (0x01, 0x12): Layout(
        "NAV-VELNED",
        (36,),
        "iTOW:I velN:i velE:i velD:i speed:I gSpeed:I heading:i*1e-5 sAcc:I cAcc:I*1e-5",
    ),
    (0x01, 0x20): Layout(
        "NAV-TIMEGPS",
        (16,),
        "iTOW:I fTOW:i week:h leapS:b _:B tAcc:I",
        "towValid@11.0 weekValid@11.1 leapSValid@11.2",
    ),
    (0x01, 0x21): Layout(
        "NAV-TIMEUTC",
        (20,),
        "iTOW:I tAcc:I nano:i year:H month:B day:B hour:B min:B sec:B _:B",
        "validTOW@19.0 validWKN@19.1 validUTC@19.2",
    ),
    (0x01, 0x22): Layout("NAV-CLOCK", (20,), "iTOW:I clkB:i clkD:i tAcc:I fAcc:I"),
    (0x01, 0x61): Layout("NAV-EOE", (4,), "iTOW:I"),
    (0x05, 0x00): Layout("ACK-NAK", (2,), "clsID:B msgID:B"),
    (0x05, 0x01): Layout("ACK-ACK", (2,), "clsID:B msgID:B"),
    (0x0A, 0x09): Layout(
        "MON-HW",
        (60,),
        "_:I _:I _:I _:I noisePerMS:H agcCnt:H aStatus:B aPower:B _:B _:B _:I " + "_:B " * 17 + "jamInd:B",
        "rtcCalib@22.0 safeBoot@22.1 jammingState@22.2+2 xtalAbsent@22.4",
    ),
    (0x0A, 0x38): Layout("MON-RF", (), "version:B nBlocks:B"),
    (0x0D, 0x01): Layout(
        "TIM-TP",
        (16,),
        "towMS:I towSubMS:I*2.3283064365386963e-10 qErr:i week:H _:B _:B",
        "timeBase@14.0 utc@14.1 raim@14.2+2 qErrInvalid@14.4 TpNotLocked@14.5 timeRefGnss@15.0+4 utcStandard@15.4+4",
    ),
    (0x27, 0x09): Layout("SEC-SIG", (), "version:B"),
}
SEC_SIG = (0x27, 0x09)
SEC_SIG_VERSIONS = {
    1: Layout("SEC-SIG", (), "version:B", "jamDetEnabled@4.0 jammingState@4.1+2 spfDetEnabled@8.0 spoofingState@8.1+3"),
    2: Layout(
        "SEC-SIG",
        (),
        "version:B _:B _:B jamNumCentFreqs:B",
        "jamDetEnabled@1.0 jammingState@1.1+2 spfDetEnabled@1.3 spoofingState@1.4+3",
    ),
}
MON_RF = (0x0A, 0x38)
MON_RF_BLOCK = struct.Struct("<BBBBI4xHHBbBbB3x")
MON_RF_NAMES = ("blockId", "jammingState", "antStatus", "antPower", "postStatus", "noisePerMS", "agcCnt", "jamInd")
NAMES = {  # of messages that are recognised and left alone
    (0x01, 0x14): "NAV-HPPOSLLH", (0x01, 0x13): "NAV-HPPOSECEF", (0x01, 0x17): "NAV-PVAT", (0x01, 0x23): "NAV-TIMEGLO",
    (0x01, 0x24): "NAV-TIMEBDS", (0x01, 0x25): "NAV-TIMEGAL", (0x01, 0x26): "NAV-TIMELS", (0x01, 0x30): "NAV-SVINFO",
    (0x01, 0x32): "NAV-SBAS", (0x01, 0x34): "NAV-ORB", (0x01, 0x35): "NAV-SAT", (0x01, 0x36): "NAV-COV",
    (0x01, 0x3B): "NAV-SVIN", (0x01, 0x3C): "NAV-RELPOSNED", (0x01, 0x43): "NAV-SIG", (0x06, 0x01): "CFG-MSG",
    (0x01, 0x09): "NAV-ODO", (0x01, 0x27): "NAV-TIMEQZSS", (0x01, 0x39): "NAV-GEOFENCE", (0x01, 0x3D): "NAV-EELL",
    (0x01, 0x42): "NAV-SLAS", (0x01, 0x60): "NAV-AOPSTATUS", (0x01, 0x63): "NAV-TIMENAVIC",
    (0x01, 0x64): "NAV-TIMETRUSTED", (0x06, 0x02): "CFG-INF", (0x0A, 0x02): "MON-IO", (0x0A, 0x06): "MON-MSGPP",
    (0x06, 0x8B): "CFG-VALGET", (0x0A, 0x04): "MON-VER", (0x0A, 0x36): "MON-COMMS",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class UbxMessage:
    """One checked message."""

    key: tuple[int, int]  # class, id
    payload: bytes

    @property
    def identity(self) -> str:
        """Its name, as u-blox writes it."""
        layout = LAYOUTS.get(self.key)
        if layout is not None:
            return layout.name
        return NAMES.get(self.key, f"{CLASSES.get(self.key[0], 'UBX')}-{self.key[0]:02x}{self.key[1]:02x}")

    @property
    def is_listed(self) -> bool:
        """Whether a table names it."""
        return self.key in LAYOUTS or self.key in NAMES

    @property
    def fields(self) -> dict[str, Value]:
        """The fields by name; empty for messages and sizes that we do not interpret, such as polls."""
        if self.key == MON_RF:
            return _mon_rf(self.payload)
        if self.key == SEC_SIG:
            return _sec_sig(self.payload)
        layout = LAYOUTS.get(self.key)
        return layout.read(self.payload) if layout is not None and len(self.payload) in layout.sizes else {}


@dataclass(frozen=True, slots=True)
class RtcmMessage:
    """One checked message of RTCM 3."""

    payload: bytes
    is_listed: ClassVar[bool] = True  # a message's number is its name

    @property
    def identity(self) -> str:
        """The message number."""
        return str(int.from_bytes(self.payload[:2], "big") >> 4) if len(self.payload) >= 2 else "0"


def _mon_rf(payload: bytes) -> dict[str, Value]:
    if len(payload) < 4 or len(payload) != 4 + 24 * payload[1]:
        return {}
    out: dict[str, Value] = {"version": payload[0], "nBlocks": payload[1]}
    for number in range(payload[1]):
        values = MON_RF_BLOCK.unpack_from(payload, 4 + 24 * number)
        for name, value in zip(MON_RF_NAMES, values, strict=False):
            out[f"{name}_{number + 1:02}"] = value & 3 if name == "jammingState" else value
    return out


def _sec_sig(payload: bytes) -> dict[str, Value]:
    """Version 1 has a byte of flags each; version 2 one for both, and behind it the frequencies it looked at."""
    version = payload[0] if payload else 0
    if (version, len(payload)) != (1, 12) and not (
        version == 2 and len(payload) >= 4 and len(payload) == 4 + 4 * payload[3]
    ):
        return {}
    out = SEC_SIG_VERSIONS[version].read(payload)
    for number in range(payload[3] if version == 2 else 0):
        entry = int.from_bytes(payload[4 + 4 * number : 8 + 4 * number], "little")
        out[f"centFreq_{number + 1:02}"], out[f"jammed_{number + 1:02}"] = entry & 0xFFFFFF, entry >> 24 & 1
    return out


def ubx_at(buffer: bytearray, start: int) -> tuple[UbxMessage, int] | None:
    """The UBX message at `start` and its length; None: more bytes are needed. Raises Rejected."""
    if len(buffer) - start < 6:
        return None
    length = int.from_bytes(buffer[start + 4 : start + 6], "little")
    if length > MAX_PAYLOAD_BYTES:
        raise Rejected("length", f"a UBX payload of {length} bytes, highest allowed is {MAX_PAYLOAD_BYTES}")
    end = start + 6 + length
    if len(buffer) < end + 2:
        return None
    covered = bytes(buffer[start + 2 : end])
    if (sent := bytes(buffer[end : end + 2])) != (expected := fletcher8(covered)):
        raise Rejected("checksum", f"UBX checksum is {sent.hex()}, expected {expected.hex()}")
    return UbxMessage((covered[0], covered[1]), covered[4:]), 8 + length


def rtcm_at(buffer: bytearray, start: int) -> tuple[RtcmMessage, int] | None:
    """The RTCM 3 message at `start` and its length; None: more bytes are needed. Raises Rejected."""
    if len(buffer) - start < 2:
        return None
    if buffer[start + 1] & 0xFC:
        raise Rejected("unknown", "no RTCM 3 header")
    if len(buffer) - start < 3:
        return None
    end = start + 3 + int.from_bytes(buffer[start + 1 : start + 3], "big")
    if len(buffer) < end + 3:
        return None
    if (sent := int.from_bytes(buffer[end : end + 3], "big")) != (expected := crc24q(bytes(buffer[start:end]))):
        raise Rejected("checksum", f"RTCM crc is {sent:#08x}, expected {expected:#08x}")
    return RtcmMessage(bytes(buffer[start + 3 : end])), end + 3 - start


def encode(key: tuple[int, int], payload: bytes) -> bytes:
    """A UBX frame."""
    covered = bytes(key) + len(payload).to_bytes(2, "little") + payload
    return SYNC_UBX + covered + fletcher8(covered)
