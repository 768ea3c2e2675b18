"""A recording: what came through the door, before decoding, in the order in which the node processed it.

    stream ── RecordingWriter.write(reading) ──▶ IN.mcap ── read_recording(stream) ──▶ the same readings, same order

An MCAP file that any MCAP tool opens:

- metadata "sarhad.recording": who recorded what with which software, models and clock, each value as JSON; attachment
  "site.toml": the site file as it was. Both come first, so that a cut file still tells them.
- one channel a sensor: its topic is the sensor's id; its metadata name the protocol and the driver.
- one message a reading: log time is `received_ns`, sequence is the reading's place in the order of all (modulo 2^32), and
  the data is a MessagePack map of the rest of the reading. MessagePack keeps bytes as bytes, is read by every language,
  and names its fields; the JSON Schema beside it says what they mean.
- metadata "sarhad.counters": what did not fit through the door, whenever it changed and at the end.

The writer ends its chunk at least every half second of the readings' time, so a killed process loses less than a second
as long as the clock ticks. It does not wait for the disk: against a power cut the stream's owner calls `fsync`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import msgspec
from mcap.opcode import Opcode
from mcap.records import Attachment, Channel, Metadata

from evidence.mcap_file import MAGIC, Damaged, McapRecords, McapWriter, body_stream, messages_of
from fusion.types import Reading

FORMAT = 1
FLUSH_NS = 500_000_000  # half of the second that a kill may cost: the next reading may be late
SEQUENCE_LIMIT = 2**32  # MCAP's sequence has 32 bits

HEADER, COUNTERS, RECOVERED, SITE_FILE = "sarhad.recording", "sarhad.counters", "sarhad.recovered", "site.toml"

SCHEMA = {
    "title": "Reading",
    "description": "What a device delivered, untouched. MessagePack map; received_ns is the message's log time.",
    "type": "object",
    "properties": {
        "monotonic_ns": {"type": "integer", "description": "never steps back, grows within one sensor and run"},
        "device_ns": {"type": ["integer", "null"], "description": "the device's own time stamp, in its own epoch"},
        "source": {"type": ["string", "null"], "description": "the address it came from, where there is one"},
        "data": {"type": "string", "description": "the bytes as they came (MessagePack bin)"},
    },
    "required": ["monotonic_ns", "device_ns", "source", "data"],
}


class WrongFile(Exception):
    """Not a recording; the text says what was found."""


class RecordingDamaged(Exception):
    """A recording with a part that cannot be used; the text says where and why. `recover` keeps all the rest."""


class RecordingHeader(msgspec.Struct, frozen=True):
    """Who recorded what, with what."""

    site_id: str
    run_id: str
    started_ns: int  # UTC at the node's start
    site_text: str  # the site file as it was read
    site_sha256: str
    models: dict[str, str]  # name -> SHA-256
    software: str  # version, and the build where it is known
    platform: dict[str, str]  # python, numpy, opencv, onnxruntime, machine, processor, ...
    boot_id: str | None = None
    clock_trusted: bool = False
    format: int = FORMAT


class Envelope(msgspec.Struct, frozen=True):
    """A reading's fields that MCAP has no place for."""

    monotonic_ns: int
    device_ns: int | None
    source: str | None
    data: bytes


class RecordingWriter:
    """Writes readings to an open binary stream; never seeks, never closes it. Used by one thread."""

    def __init__(
        self, stream: BinaryIO, header: RecordingHeader, channels: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        """`channels`: sensor id -> what to say of it, such as {"protocol": "ti_mmwave", "driver": "serial_port"}."""
        self._metadata = {sensor_id: dict(metadata) for sensor_id, metadata in (channels or {}).items()}
        self._channels: dict[str, int] = {}
        self._encoder = msgspec.msgpack.Encoder()
        self._counters: dict[str, int] | None = None
        self._flushed_ns: int | None = None
        self.readings = 0
        self._file = McapWriter(stream, profile="", library=f"sarhad {header.software}")
        fields: dict[str, Any] = msgspec.to_builtins(header)
        site_file = fields.pop("site_text").encode()
        self._file.add_metadata(HEADER, {name: json.dumps(value) for name, value in fields.items()})
        self._file.add_attachment(SITE_FILE, "application/toml", site_file, header.started_ns)
        self._schema = self._file.add_schema("sarhad.Reading", "jsonschema", json.dumps(SCHEMA).encode())
        for sensor_id in self._metadata:
            self._channel(sensor_id)
        self._file.flush()

    def write(self, reading: Reading) -> None:
        """Add the next reading. Times are 0 or more and fit 64 bits."""
        self._write(reading, self.readings)

    def write_counters(self, counters: Mapping[str, int]) -> None:
        """Note what has been dropped so far, by name; written when something changed."""
        if dict(counters) != self._counters:
            self._counters = dict(counters)
            self._file.flush()  # so that the note stands behind the readings it speaks of
            self._file.add_metadata(COUNTERS, {name: str(count) for name, count in counters.items()})

    def note(self, name: str, values: Mapping[str, str]) -> None:
        """Metadata of its own beside the readings: how this file came about."""
        self._file.add_metadata(name, dict(values))

    def flush(self) -> None:
        """Everything written so far survives a kill of this process."""
        self._file.flush()

    def close(self, counters: Mapping[str, int]) -> None:
        """Finish the file with its index. The stream stays open."""
        self.write_counters(counters)
        self._file.finish()

    def _write(self, reading: Reading, number: int) -> None:
        envelope = Envelope(reading.monotonic_ns, reading.device_ns, reading.source, reading.data)
        data = self._encoder.encode(envelope)
        channel = self._channel(reading.sensor_id)
        self._file.add_message(channel, number % SEQUENCE_LIMIT, reading.received_ns, data)
        self.readings = number + 1
        if self._flushed_ns is None:
            self._flushed_ns = reading.monotonic_ns
        elif reading.monotonic_ns - self._flushed_ns >= FLUSH_NS:
            self._file.flush()
            self._flushed_ns = reading.monotonic_ns

    def _channel(self, sensor_id: str) -> int:
        if sensor_id not in self._channels:
            metadata = self._metadata.get(sensor_id, {})
            self._channels[sensor_id] = self._file.add_channel(sensor_id, "msgpack", self._schema, metadata)
        return self._channels[sensor_id]


class RecordedReadings:
    """The readings of a recording in their order; an iterator that also tells how the recording ends.

    While and after iterating: `number` is the place of the last reading in the order of all, `missing` counts the places
    that are not there (a recovered file may have such gaps), `counters` are the newest drop counters, `channels` what is
    said of each sensor, `recovered` what a recovery noted. After the end: `is_cut`, and `left_over_bytes` behind the cut.
    """

    def __init__(self, records: McapRecords, stream: Iterator[tuple[int, int, bytes]], keep_going: bool) -> None:
        self._records, self._keep_going = records, keep_going
        self._topics: dict[int, str] = {}
        self._decoder = msgspec.msgpack.Decoder(Envelope)
        self.channels: dict[str, dict[str, str]] = {}
        self.counters: dict[str, int] = {}
        self.recovered: dict[str, str] = {}
        self.damage: list[str] = []
        self.number, self.missing = -1, 0
        self._readings = self._read(stream)

    @property
    def is_cut(self) -> bool:
        return self._records.is_cut

    @property
    def left_over_bytes(self) -> int:
        return self._records.left_over_bytes

    def __iter__(self) -> RecordedReadings:
        return self

    def __next__(self) -> Reading:
        """Raises RecordingDamaged at a damaged place, once; the readings before it have all been given."""
        return next(self._readings)

    def _read(self, stream: Iterator[tuple[int, int, bytes]]) -> Iterator[Reading]:
        try:
            for position, opcode, body in stream:
                try:
                    yield from self._record(position, opcode, body)
                except Damaged as error:
                    if not self._keep_going:
                        raise
                    self.damage.append(str(error))
        except Damaged as error:
            self.damage.append(str(error))
            if not self._keep_going:
                raise RecordingDamaged(str(error)) from error

    def _record(self, position: int, opcode: int, body: bytes) -> Iterator[Reading]:
        if opcode == Opcode.CHUNK:
            for channel, sequence, time_ns, data in messages_of(position, body):
                yield self._reading(position, channel, sequence, time_ns, data)
        elif opcode == Opcode.CHANNEL:
            found = parsed(Channel, position, body)
            self._topics[found.id] = found.topic
            self.channels[found.topic] = found.metadata
        elif opcode == Opcode.METADATA:
            self._note(position, parsed(Metadata, position, body))

    def _reading(self, position: int, channel: int, sequence: int, time_ns: int, data: bytes) -> Reading:
        try:
            sensor_id, envelope = self._topics[channel], self._decoder.decode(data)
        except (KeyError, msgspec.MsgspecError) as error:
            raise Damaged(f"byte {position}: message {sequence} of channel {channel}: {error!r}") from error
        skipped = (sequence - self.number - 1) % SEQUENCE_LIMIT
        if skipped > SEQUENCE_LIMIT // 2:
            raise Damaged(f"byte {position}: reading {sequence} comes after reading {self.number}")
        self.missing += skipped
        self.number += skipped + 1
        return Reading(
            sensor_id, time_ns, envelope.monotonic_ns, envelope.device_ns, envelope.source, bytes(envelope.data)
        )

    def _note(self, position: int, metadata: Metadata) -> None:
        if metadata.name == COUNTERS:
            try:
                self.counters = {name: int(count) for name, count in metadata.metadata.items()}
            except ValueError as error:
                raise Damaged(f"byte {position}: counters: {error}") from error
        elif metadata.name == RECOVERED:
            self.recovered = metadata.metadata


class Recovery(msgspec.Struct, frozen=True):
    """What a recovery kept and what it could not."""

    readings: int
    missing_readings: int  # places in the order that are not there, as far as later readings show them
    left_over_bytes: int
    damage: tuple[str, ...]


def read_recording(stream: BinaryIO, keep_going: bool = False) -> tuple[RecordingHeader, RecordedReadings]:
    """The header, and the readings in their order, from a recording that is whole or cut anywhere behind its header.

    With `keep_going` damaged parts are noted in `damage` and left out, instead of raised as RecordingDamaged while
    iterating. Raises WrongFile when it is no recording, RecordingDamaged when the header cannot be read.
    """
    if (magic := stream.read(len(MAGIC))) != MAGIC:
        raise WrongFile(f"starts with {magic!r}, expected an MCAP file's {MAGIC!r}" if magic else "the file is empty")
    records = McapRecords(stream)
    rest = iter(records)
    try:
        header = read_header(rest)
    except Damaged as error:
        raise RecordingDamaged(f"the header: {error}") from error
    if header is None:
        if records.is_cut:
            raise RecordingDamaged(f"the header: the file ends within it, after {records.position} bytes")
        raise WrongFile(f"an MCAP file without {HEADER!r} metadata: not one that Sarhad recorded")
    return header, RecordedReadings(records, rest, keep_going)


def read_header(records: Iterator[tuple[int, int, bytes]]) -> RecordingHeader | None:
    """The header from the first records; None when other records come first or none are left."""
    fields: dict[str, Any] = {}
    for position, opcode, body in records:
        if opcode == Opcode.HEADER:
            continue
        if opcode == Opcode.METADATA and not fields:
            metadata = parsed(Metadata, position, body)
            if metadata.name != HEADER:
                return None
            fields = {name: json_value(position, name, text) for name, text in metadata.metadata.items()}
        elif opcode == Opcode.ATTACHMENT and fields:
            return header_of(position, fields, parsed(Attachment, position, body))
        else:
            return None
    return None


def header_of(position: int, fields: dict[str, Any], attachment: Attachment) -> RecordingHeader:
    if (found := fields.get("format")) != FORMAT:
        raise Damaged(f"byte {position}: recording format is {found!r}, this version reads {FORMAT}")
    try:
        fields["site_text"] = attachment.data.decode()
        return msgspec.convert(fields, RecordingHeader)
    except (UnicodeDecodeError, msgspec.ValidationError) as error:
        raise Damaged(f"byte {position}: {error}") from error


def json_value(position: int, name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Damaged(f"byte {position}: field {name!r} is {text!r}, expected JSON") from error


def parsed(kind: Any, position: int, body: bytes) -> Any:
    """A record of the given kind from its body."""
    try:
        return kind.read(body_stream(body))
    except Exception as error:  # whatever a flipped bit makes of lengths and text
        raise Damaged(f"byte {position}: {kind.__name__.lower()} record: {error!r}") from error


def recover(stream_in: BinaryIO, stream_out: BinaryIO) -> Recovery:
    """Write all of a cut or damaged recording that can be read as a whole one: every reading keeps its place in the order.

    What could not be kept is noted in metadata "sarhad.recovered". Raises as `read_recording` does.
    """
    header, readings = read_recording(stream_in, keep_going=True)
    writer = RecordingWriter(stream_out, header)
    kept = 0
    for reading in readings:
        writer._metadata.setdefault(reading.sensor_id, readings.channels.get(reading.sensor_id, {}))
        writer._write(reading, readings.number)
        kept += 1
    result = Recovery(kept, readings.missing, readings.left_over_bytes, tuple(readings.damage))
    notes = {"left_over_bytes": result.left_over_bytes, "missing_readings": result.missing_readings}
    writer._file.add_metadata(RECOVERED, {name: str(count) for name, count in notes.items()})
    writer.close(readings.counters)
    return result
