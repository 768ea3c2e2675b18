"""What speaks in these bytes: the formats of `captures.py` tried one after the other, the one that explains most is told.

A format explains the bytes that stand in its sound frames: framed as its document says, checksums right. Bytes that no
format explains to a fair part are unknown; that is an answer, too. Bytes of a sniffer's file are explained by its packets.

    bytes ──▶ each format's reader ──▶ share of the bytes in sound frames ──▶ largest share, at least LEAST_SHARE
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from firmware_interfaces import pcap
from firmware_interfaces.asterix_records import raw_blocks
from firmware_interfaces.captures import FORMATS, Format, Reader
from firmware_interfaces.decoder import Doubting, Rejected

MOST_BYTES = 98_304  # of a file: some hundred frames of anything
MOST_PACKET_BYTES = 1_048_576  # of a sniffer's file
LEAST_SHARE = 0.2  # damaged streams keep a half and more, noise explains some per mille
# frames of these prove themselves by checksums or long magic words: a few among comments or another protocol are enough
PROVEN_SHARE = 0.01
PROVEN = ("gnss", "mavlink_odid", "ti_mmwave")
LEAST_MESSAGES = {"ops243": 5}  # a number a line, which others write, too
ASTERIX_CATEGORIES = frozenset(
    (1, 2, 4, 7, 8, 9, 10, 11, *range(15, 22), 23, 25, 32, 34, 48, 62, 63, 65, 129, 150, 205, 240, 247)
)
SKIPPED_BYTES = range(17)  # what gateways put in front of datagrams


@dataclass(frozen=True, slots=True)
class Guess:
    """A format that explains the bytes."""

    name: str  # of captures.FORMATS
    says: str
    share: float  # of the bytes, or of a sniffer's packets, that it explains
    messages: dict[str, int]  # by type
    settings: dict[str, Any] = field(default_factory=dict)  # that differ from the defaults
    remark: str | None = None  # what is wrong with the feed


def identify(data: bytes, came_as: Sequence[bytes] = ()) -> Guess | None:
    """The format that explains most of the bytes; None: unknown. came_as: the datagrams that they came in, where known."""
    data = data[: MOST_PACKET_BYTES if pcap.is_capture(data) else MOST_BYTES]
    guesses = [guess for name, tried in FORMATS.items() if (guess := _guess(name, tried, data, came_as)) is not None]
    if not guesses and pcap.is_capture(data):  # a stream that came in datagrams
        carried = b"".join(datagram.data for datagram in pcap.datagrams(data))
        return identify(carried) if carried and not pcap.is_capture(carried) else None
    return max(guesses, key=lambda guess: guess.share, default=None)


def _guess(name: str, tried: Format, data: bytes, came_as: Sequence[bytes]) -> Guess | None:
    if name == "asterix":
        return _asterix_guess(tried, came_as or datagrams_of(data))
    reader: Reader = tried.open()
    framed = [*reader.feed(data, 0), *reader.finish()]
    messages = {kind: count for kind, count in reader.counts.decoded.items() if count}
    sound = sum(messages.values())
    if sound < LEAST_MESSAGES.get(name, 1):
        return None
    if pcap.is_capture(data):
        share = sound / (sound + sum(reader.counts.rejected.values()))
    else:
        share = sum(message.consumed for message in framed) / len(data)
    if share < (PROVEN_SHARE if name in PROVEN else LEAST_SHARE):
        return None
    remark = reader.diagnosis() if isinstance(reader, Doubting) else None
    return Guess(name, tried.says, min(share, 1.0), messages, {}, remark)


def datagrams_of(data: bytes) -> list[bytes]:
    """Those of a sniffer's file; of anything else the whole."""
    return [found.data for found in pcap.datagrams(data)] if pcap.is_capture(data) else [data]


def _asterix_guess(tried: Format, datagrams: Sequence[bytes]) -> Guess | None:
    """ASTERIX by its framing alone: the lengths of blocks fill a datagram to its last byte. Editions are not looked at.

    Behind skipped bytes one block may fit by chance, since many numbers of them are tried: there it takes two."""
    for skip_bytes in SKIPPED_BYTES:
        categories: Counter[str] = Counter()
        fitting = 0
        for datagram in datagrams:
            try:
                blocks = raw_blocks(datagram, skip_bytes)
            except Rejected:
                continue
            if all(category in ASTERIX_CATEGORIES for category, _ in blocks):
                categories[f"CAT{blocks[0][0]:03}"] += 1
                fitting += len(blocks)
        share = sum(categories.values()) / max(len(datagrams), 1)
        if share >= LEAST_SHARE and fitting >= (2 if skip_bytes else 1):
            settings = {"skip_bytes": skip_bytes} if skip_bytes else {}
            remark = "no edition is on the wire: `sarhad decode asterix` tells whether the newest ones fit"
            return Guess("asterix", tried.says, share, dict(categories), settings, remark)
    return None
