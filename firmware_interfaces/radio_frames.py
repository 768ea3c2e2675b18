"""Radio frames that a sniffer captured: Remote ID in Wi-Fi and Bluetooth, DJI DroneID in Wi-Fi.

    packet_stream.py ──▶ wifi_frames.py ──▶ beacon: element FA:0B:BC 0D, counter, pack          ┐
            │                 ├─▶ NAN: service 88 69 19 9D 92 09, counter, pack        ├─▶ remote_id_claims.py ──▶ Claim
            └▶ bluetooth_frames.py ─▶ service FFFA 0D, counter, message or pack        ┘
                              └─▶ beacon: DJI element (dji_droneid.py)                   ──▶ Claim

Frames with bit errors come through some sniffers: they are told as records, but make no claims. A pack that holds an
impossible message, or one kind twice, is refused whole, as the reference library does. All that is heard may be forged.

Source: ASTM F3411-22a, 5.4.6 to 5.4.10; opendroneid-core-c.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from firmware_interfaces import dji_droneid
from firmware_interfaces.bluetooth_frames import SERVICE_DATA, advertisement_of, service_data
from firmware_interfaces.decoder import MIN_BYTES_TO_JUDGE, Counts, Framed, Rejected
from firmware_interfaces.dronescout import messages_record
from firmware_interfaces.open_drone_id_messages import (
    MESSAGE_BYTES,
    PACK_TYPE,
    Authentication,
    BasicId,
    Location,
    Message,
    decode_pack,
)
from firmware_interfaces.packet_stream import Packet, Packets
from firmware_interfaces.remote_id_claims import MAX_TRANSMITTERS, Transmitters
from firmware_interfaces.wifi_frames import BEACON, Vendor, frame_of, service_infos, vendor_elements
from fusion.types import Fact, Reading, Sensor

BEACON_MARK = bytes.fromhex("fa0bbc0d")
BLUETOOTH_MARK = bytes.fromhex("faff0d")  # UUID FFFA, last byte first, and the application code
SERVICE_MARK = bytes((SERVICE_DATA,)) + BLUETOOTH_MARK
NAN_SERVICE = bytes.fromhex("8869199d9209")  # SHA-256 of "org.opendroneid.remoteid", first six bytes
TYPE_NAMES = ("basic_id", "location", "auth", "self_id", "system", "operator_id")
REFUSED = 255  # the reference library's message type of what it refuses


@dataclass(frozen=True, slots=True)
class RemoteId:
    """One Remote ID broadcast as it was heard."""

    number: int  # of the packet in its capture
    time_ns: int
    transport: str
    transmitter: str | None
    counter: int
    payload: bytes
    is_cut: bool
    power_dbm: float | None
    is_damaged: bool


@dataclass(frozen=True, slots=True)
class DroneId:
    """One DJI DroneID element as it was heard."""

    number: int
    time_ns: int
    transmitter: str
    said: dji_droneid.Telemetry | dji_droneid.Text
    power_dbm: float | None
    is_damaged: bool


Broadcast = RemoteId | DroneId


def kind_of(broadcast: Broadcast) -> str:
    """The protocol of a broadcast."""
    return "remote_id" if isinstance(broadcast, RemoteId) else "dji_droneid"


class Frames:
    """Bytes of a capture in, broadcasts out; packets without one are counted as a remark.

    `only` is "remote_id" or "dji_droneid" where one kind is asked for.
    """

    def __init__(self, only: str | None = None, counts: Counts | None = None) -> None:
        self._only = only
        self._packets = Packets(counts)
        self.counts: Counts = self._packets.counts

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished packet."""
        return self._packets.stream.kept_bytes

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Broadcast]]:
        """The broadcasts that these bytes complete."""
        return self._broadcasts(self._packets.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Broadcast]]:
        """What can be made of the rest when nothing more will come."""
        return self._broadcasts(self._packets.finish())

    def _broadcasts(self, packets: list[Framed[Packet]]) -> list[Framed[Broadcast]]:
        found: list[Framed[Broadcast]] = []
        for framed in packets:
            heard = [b for b in self._heard_in(framed.message) if self._only in (None, kind_of(b))]
            found += [Framed(broadcast, framed.offset, framed.consumed) for broadcast in heard]
            if not heard:
                self.counts.remarks["packet without a drone's broadcast"] += 1
            for broadcast in heard:
                self.counts.decoded[broadcast.transport if isinstance(broadcast, RemoteId) else "dji_droneid"] += 1
        return found

    def _heard_in(self, packet: Packet) -> Iterator[Broadcast]:
        yield from _in_bluetooth(packet)
        frame = frame_of(packet)
        if frame is None:
            return
        about = (frame.power_dbm, frame.is_damaged)
        transport = "wifi_beacon" if frame.kind == BEACON else "wifi_probe_answer"
        for element in vendor_elements(frame):
            if element.content.startswith(BEACON_MARK) and len(element.content) > len(BEACON_MARK):
                yield _remote_id(packet, transport, frame.transmitter, element, len(BEACON_MARK), *about)
            elif dji_droneid.is_drone_id(element.content):
                try:
                    said = dji_droneid.parse(element.content)
                except Rejected as rejected:
                    self.counts.rejected[f"DroneID {rejected.reason}"] += 1
                    continue
                yield DroneId(packet.number, packet.time_ns, frame.transmitter, said, *about)
        for info in service_infos(frame, NAN_SERVICE):
            if info.content:
                yield _remote_id(packet, "wifi_nan", frame.transmitter, info, 0, *about)


def _in_bluetooth(packet: Packet) -> Iterator[RemoteId]:
    heard = advertisement_of(packet)
    if heard is None:
        return
    found = [data for data in service_data(heard.data) if data.startswith(BLUETOOTH_MARK)]
    is_damaged = heard.is_damaged
    if not found and (place := packet.data.find(SERVICE_MARK)) > 0:  # bit errors before it hide where it begins
        found, is_damaged = [packet.data[place + 1 : place + packet.data[place - 1]]], True
    for data in found:
        if len(data) > len(BLUETOOTH_MARK):
            vendor = Vendor(data, packet.is_cut)
            yield _remote_id(
                packet, "bluetooth", heard.transmitter, vendor, len(BLUETOOTH_MARK), heard.power_dbm, is_damaged
            )


def _remote_id(
    packet: Packet,
    transport: str,
    transmitter: str | None,
    vendor: Vendor,
    place: int,
    power_dbm: float | None,
    is_damaged: bool,
) -> RemoteId:
    """From the counter on."""
    counter, payload = vendor.content[place], bytes(vendor.content[place + 1 :])
    cut = vendor.is_cut or packet.is_cut
    return RemoteId(packet.number, packet.time_ns, transport, transmitter, counter, payload, cut, power_dbm, is_damaged)


def messages_of(heard: RemoteId) -> tuple[Message, ...]:
    """The messages of a broadcast. Raises Rejected; an empty pack is refused, too."""
    messages = decode_pack(heard.payload)
    if not messages:
        raise Rejected("empty", "a pack without messages")
    return messages


class Decoder:
    """Readings in, claims out."""

    def __init__(self, sensor: Sensor) -> None:
        self._sensor = sensor
        self._frames = Frames()
        self.counts: Counts = self._frames.counts
        self._transmitters = Transmitters(sensor, self.counts)
        self._texts: OrderedDict[str, str] = OrderedDict()  # what pilots of DJI drones wrote, by radio address

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished packet."""
        return self._frames.kept_bytes

    def feed(self, reading: Reading) -> list[Fact]:
        """The claims that this reading completes."""
        facts: list[Fact] = []
        for framed in self._frames.feed(reading.data, reading.monotonic_ns):
            broadcast = framed.message
            if broadcast.is_damaged:
                self.counts.rejected["checksum"] += 1
                continue
            try:
                if isinstance(broadcast, RemoteId):
                    facts.extend(self._remote_id(broadcast, reading.received_ns))
                else:
                    facts.extend(self._drone_id(broadcast, reading.received_ns))
            except Rejected as rejected:  # the frame is sound, the message inside is not
                self.counts.rejected[f"message {rejected.reason}"] += 1
        return facts

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do. That nobody broadcasts is no fault."""
        packets = sum(self.counts.decoded.values()) + self.counts.remarks["packet without a drone's broadcast"]
        if packets == 0 and self.counts.bytes >= MIN_BYTES_TO_JUDGE:
            return f"{self.counts.bytes} bytes and no packet: the sniffer must write pcap (tcpdump -U -w -), not pcapng"
        return self._transmitters.diagnosis()

    def _remote_id(self, heard: RemoteId, received_ns: int) -> list[Fact]:
        if heard.transmitter is None:
            raise Rejected("address", "a broadcast without radio address")
        return [*self._transmitters.hear(heard.transmitter, messages_of(heard), received_ns, heard.power_dbm)]

    def _drone_id(self, heard: DroneId, received_ns: int) -> list[Fact]:
        if isinstance(heard.said, dji_droneid.Text):
            self._texts[heard.transmitter] = heard.said.purpose
            while len(self._texts) > MAX_TRANSMITTERS:
                self._texts.popitem(last=False)
            return []
        text = self._texts.get(heard.transmitter)
        return [dji_droneid.claim(self._sensor, heard.transmitter, heard.said, text, received_ns, heard.power_dbm)]


# Records, named as the reference library and the receivers name them


def record(heard: Broadcast) -> dict[str, Any]:
    """One broadcast as plain data."""
    return remote_id_record(heard) if isinstance(heard, RemoteId) else drone_id_record(heard)


def remote_id_record(heard: RemoteId) -> dict[str, Any]:
    """One broadcast as plain data."""
    address = {} if heard.transmitter is None else {"mac": heard.transmitter}
    return {
        "transport": heard.transport,
        **address,
        "counter": heard.counter,
        "odid": heard.payload.hex(),
        "truncated": heard.is_cut,
        "frame": heard.number,
        "ts": heard.time_ns / 1e9,
        "rssi": heard.power_dbm,
        "crc_ok": not heard.is_damaged,
        **_content_record(heard),
    }


def _content_record(heard: RemoteId) -> dict[str, Any]:
    kind = heard.payload[0] >> 4 if heard.payload else None
    try:
        messages = messages_of(heard)
    except Rejected:
        content: dict[str, Any] = {"msg_type": REFUSED, "decoded": {"basic_id": [], "auth_pages": []}}
    else:
        name = "message_pack" if kind == PACK_TYPE else TYPE_NAMES[kind or 0]
        content = {"msg_type": name, "decoded": _decoded(messages, _raw_messages(heard.payload))}
    version = {"proto_version": heard.payload[0] & 0xF} if heard.payload else {}
    pack = {"pack": _pack_record(heard.payload)} if kind == PACK_TYPE and len(heard.payload) >= 3 else {}
    return {**content, **version, **pack}


def _raw_messages(payload: bytes) -> list[bytes]:
    begin = 3 if payload[0] >> 4 == PACK_TYPE else 0
    return [payload[place : place + MESSAGE_BYTES] for place in range(begin, len(payload), MESSAGE_BYTES)]


def _pack_record(payload: bytes) -> dict[str, Any]:
    size, count = payload[1], payload[2]
    kinds = [payload[place] >> 4 for place in range(3, min(len(payload), 3 + size * count), size or 1)]
    return {
        "single_msg_size": size,
        "msg_count": count,
        "msg_types": kinds,
        "complete": len(payload) >= 3 + size * count,
    }


def _decoded(messages: tuple[Message, ...], raw: list[bytes]) -> dict[str, Any]:
    """As the reference library fills its structure: of two Basic IDs of one type, or after none, the later one counts."""
    identities: list[BasicId] = []
    for message in messages:
        if isinstance(message, BasicId):
            same = [n for n, known in enumerate(identities) if known.id_type in (0, message.id_type)]
            if same:
                identities[same[0]] = message
            else:
                identities.append(message)
    others = tuple(message for message in messages if not isinstance(message, BasicId))
    told = {**messages_record((*identities, *others), _as_sent), "auth_pages": _pages(messages)}
    for message, own in zip(messages, raw, strict=False):
        if isinstance(message, Location) and message.direction_deg is None:  # the library tells whatever was sent
            told["location"]["direction_deg"] = own[2] + (180 if own[1] & 2 else 0)
    return told


def _as_sent(raw: bytes) -> str:
    """A text byte by byte, so that bit errors stay visible; it ends at the first NUL."""
    return raw.split(b"\0")[0].decode("latin-1")


def _pages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    return [
        {
            "page": message.page,
            "auth_type": message.auth_type,
            "last_page": message.last_page,
            "length": message.length,
            "timestamp_s_since_2019": message.timestamp_2019_s,
            "data": message.data.hex(),
        }
        for message in messages
        if isinstance(message, Authentication)
    ]


def drone_id_record(heard: DroneId) -> dict[str, Any]:
    """One element as plain data."""
    return {
        "frame": heard.number,
        "ts": heard.time_ns / 1e9,
        "mac": heard.transmitter,
        **dji_droneid.record(heard.said),
        "rssi": heard.power_dbm,
    }
