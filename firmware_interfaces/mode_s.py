"""Mode S replies and squitters: 7 or 14 bytes on 1090 MHz, big-endian bits.

    DF 5 bits | CA/FS ... 3 | address 24 or other | ME or MB 56 (long ones) | parity 24

The parity is CRC-24 (poly 0xFFF409) over what stands before it. Of DF11, 17 and 18 it must come out zero (DF11: up to the
interrogator's number), of replies (DF0, 4, 5, 16, 20, 21) it is mixed with the address, which so becomes known but cannot be
checked: whoever uses such a reply must know the address from elsewhere.

Of DF24 the two highest bits are the format, so that it reads as 24 to 31: parts of an extended-length message, left alone.

Fields carry the names of common open decoders; altitudes are in feet, above the 1013.25 hPa level. DF20 and 21 also carry a
register (BDS) that only guessing tells apart; it is left alone.

Source: ICAO Annex 10 Volume IV, 3.1.2; ICAO Doc 9871.
"""

from __future__ import annotations

from typing import Any

from firmware_interfaces.ads_b_messages import altitude_of_gillham_ft, decode_extended, squawk_text
from firmware_interfaces.decoder import Rejected

POLYNOMIAL = 0xFFF409
SHORT, LONG = 7, 14
PROVABLE = (11, 17, 18)  # formats whose parity can be checked
EXTENDED_LENGTH = range(24, 32)
KNOWN = (0, 4, 5, 11, 16, 17, 18, 20, 21, *EXTENDED_LENGTH)
MAX_INTERROGATOR = 79  # II codes are 0..15, SI codes 16..79, overlaid on the parity of DF11


def _table_entry(value: int) -> int:
    value <<= 16
    for _ in range(8):
        value = value << 1 ^ (0x1000000 | POLYNOMIAL if value & 0x800000 else 0)
    return value


TABLE = tuple(_table_entry(value) for value in range(256))


def _tables(size: int) -> tuple[tuple[int, ...], ...]:
    """What each byte of a message adds to the parity, by its place: CRCs are linear. The parity's own bytes add themselves."""
    tables = [tuple(value << shift for value in range(256)) for shift in (0, 8, 16)]
    crcs = list(TABLE)
    for _ in range(size - 3):
        tables.append(tuple(crcs))
        crcs = [TABLE[crc >> 16] ^ (crc << 8 & 0xFFFFFF) for crc in crcs]
    return tuple(reversed(tables))


T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13 = _tables(LONG)


def parity_left(message: bytes) -> int:
    """What the parity leaves of 7 or 14 bytes: 0 where a squitter is sound, the address of a reply.

    Written out, since every message passes here: in a loop it takes twice as long.
    """
    if len(message) == SHORT:
        h, i, j, k, l, m, n = message  # noqa: E741
        return T7[h] ^ T8[i] ^ T9[j] ^ T10[k] ^ T11[l] ^ T12[m] ^ T13[n]
    a, b, c, d, e, f, g, h, i, j, k, l, m, n = message  # noqa: E741
    left = T0[a] ^ T1[b] ^ T2[c] ^ T3[d] ^ T4[e] ^ T5[f] ^ T6[g]
    return left ^ T7[h] ^ T8[i] ^ T9[j] ^ T10[k] ^ T11[l] ^ T12[m] ^ T13[n]


def decode(message: bytes) -> dict[str, Any]:
    """The fields of one message of 7 or 14 bytes. Raises Rejected where its parity fails or its format is not known."""
    df = message[0] >> 3
    if len(message) != (LONG if df >= 16 else SHORT):
        raise Rejected("length", f"DF{df} of {len(message)} bytes")
    left = parity_left(message)
    if df == 17 or df == 18:
        if left:
            raise Rejected("checksum", f"DF{df}: parity leaves {left:06X}, expected 0")
        fields = {"df": df, "icao": message[1:4].hex().upper(), "crc_valid": True}
        return decode_extended(fields, int.from_bytes(message[4:11], "big"))
    if df == 11:
        if left > MAX_INTERROGATOR:
            raise Rejected("checksum", f"DF11: parity leaves {left:06X}, expected at most {MAX_INTERROGATOR:02X}")
        return {"df": df, "icao": message[1:4].hex().upper(), "capability": message[0] & 7}
    if df not in KNOWN:
        raise Rejected("unknown", f"DF{df} is none that we know")
    return _reply(df, message, f"{left:06X}")


def _reply(df: int, message: bytes, address: str) -> dict[str, Any]:
    code = int.from_bytes(message[2:4], "big") & 0x1FFF
    fields: dict[str, Any] = {"df": df, "icao": address}
    if df in EXTENDED_LENGTH:
        return fields
    if df in (0, 16):
        fields["vertical_status"] = "on-ground" if message[0] & 4 else "airborne"
        fields["cross_link_capability"] = message[0] >> 1 & 1
        fields["sensitivity_level"] = message[1] >> 5
        fields["reply_information"] = (message[1] & 7) << 1 | message[2] >> 7
        if df == 16:
            fields["mv"] = message[4:11].hex().upper()
    else:
        fields["flight_status"] = message[0] & 7
        fields["downlink_request"] = message[1] >> 3
        fields["utility_message"] = (message[1] & 7) << 3 | message[2] >> 5
    if df in (5, 21):
        fields["squawk"] = squawk_text(code)
    else:
        fields["altitude"] = altitude_of_13_bits_ft(code)
    if df in (20, 21):
        fields["icao_verified"] = False
    return fields


def altitude_of_13_bits_ft(code: int) -> int | None:
    """AC field: C1 A1 C2 A2 C4 A4 M B1 Q B2 D2 B4 D4; None where it tells nothing."""
    if code == 0:
        return None
    if code & 0x40:  # metric; no sender is known, and open decoders disagree on it
        return None
    if code & 0x10:
        return ((code & 0x1F80) >> 2 | (code & 0x20) >> 1 | code & 0xF) * 25 - 1000
    return altitude_of_gillham_ft(code)
