"""An MCAP file, written so that a kill costs at most the unfinished chunk, and read so that a cut costs no more.

    magic | header | metadata, attachments, schemas, channels, chunks with their message index ... | data end
          | summary: schemas, channels, statistics, indexes | footer | magic

Everything up to "data end" is complete in itself as it is written; the summary is an index for those who jump. So a file
that stops anywhere is read from its start up to the last whole record.

Each chunk is compressed with LZ4 where that saves at least a tenth; camera packets, which it cannot shrink, stay as they
are. The summary's records are kept as packed bytes (about 150 a chunk), not as objects: a post records for days.

Source: MCAP format specification, version 0 (https://mcap.dev/spec); records are laid out by the `mcap` package.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator
from typing import BinaryIO

import lz4.frame
from mcap.data_stream import ReadDataStream, RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Attachment,
    AttachmentIndex,
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

MAGIC = b"\x89MCAP0\r\n"
CHUNK_BYTES = 65_536  # small chunks: little is lost with one
MAX_RECORD_BYTES = 256 * 2**20  # no device delivers more at once; a longer record is a damaged length
WORTH_COMPRESSING = 0.9  # of the size; camera packets do not shrink, and are quicker to read as they are

RECORD = struct.Struct("<BQ")  # opcode, length of what follows
MESSAGE = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time; then the data


class Damaged(Exception):
    """A record that cannot be used; the text says where, what was found and what was expected."""


def packed(record: McapRecord) -> bytes:
    """One record as it stands in a file."""
    builder = RecordBuilder()
    record.write(builder)
    data: bytes = builder.end()  # type: ignore[no-untyped-call]
    return data


class McapWriter:
    """Writes one file to an open binary stream, front to back; never seeks, closes nothing."""

    def __init__(self, stream: BinaryIO, profile: str, library: str) -> None:
        self._stream, self._position = stream, 0
        self._schemas: list[bytes] = []
        self._channels: list[bytes] = []
        self._indexes: dict[Opcode, list[bytes]] = {
            Opcode.CHUNK_INDEX: [],
            Opcode.ATTACHMENT_INDEX: [],
            Opcode.METADATA_INDEX: [],
        }
        self._message_counts: dict[int, int] = {}
        self._first_ns, self._last_ns = 2**64 - 1, 0
        self._chunk = bytearray()
        self._entries: dict[int, list[tuple[int, int]]] = defaultdict(list)  # channel -> (log time, offset in chunk)
        self._write(MAGIC + packed(Header(profile, library)))

    def add_schema(self, name: str, encoding: str, data: bytes) -> int:
        number = len(self._schemas) + 1
        self._schemas.append(packed(Schema(id=number, data=data, encoding=encoding, name=name)))
        self._write(self._schemas[-1])
        return number

    def add_channel(self, topic: str, encoding: str, schema: int, metadata: dict[str, str]) -> int:
        number = len(self._channels) + 1
        channel = Channel(id=number, topic=topic, message_encoding=encoding, metadata=metadata, schema_id=schema)
        self._channels.append(packed(channel))
        self._message_counts[number] = 0
        self._write(self._channels[-1])
        return number

    def add_metadata(self, name: str, metadata: dict[str, str]) -> None:
        record = packed(Metadata(name, metadata))
        self._indexes[Opcode.METADATA_INDEX].append(
            packed(MetadataIndex(offset=self._position, length=len(record), name=name))
        )
        self._write(record)

    def add_attachment(self, name: str, media_type: str, data: bytes, time_ns: int) -> None:
        attachment = Attachment(create_time=time_ns, log_time=time_ns, name=name, media_type=media_type, data=data)
        record = packed(attachment)
        index = AttachmentIndex(
            offset=self._position,
            length=len(record),
            log_time=time_ns,
            create_time=time_ns,
            data_size=len(data),
            name=name,
            media_type=media_type,
        )
        self._indexes[Opcode.ATTACHMENT_INDEX].append(packed(index))
        self._write(record)

    def add_message(self, channel: int, sequence: int, time_ns: int, data: bytes) -> None:
        body = MESSAGE.pack(channel, sequence, time_ns, time_ns) + data
        if self._chunk and len(self._chunk) + RECORD.size + len(body) > CHUNK_BYTES:
            self._end_chunk()
        self._entries[channel].append((time_ns, len(self._chunk)))
        self._chunk += RECORD.pack(Opcode.MESSAGE, len(body)) + body
        self._message_counts[channel] += 1

    def flush(self) -> None:
        """End the chunk and hand everything to the stream's owner: what was added so far now survives a kill."""
        self._end_chunk()
        self._stream.flush()

    def finish(self) -> None:
        """Write the summary. Nothing may be added afterwards; the stream stays open."""
        self._end_chunk()
        self._write(packed(DataEnd(0)))
        summary_start = self._position
        groups = {Opcode.SCHEMA: self._schemas, Opcode.CHANNEL: self._channels}
        groups |= {Opcode.STATISTICS: [self._statistics()], **self._indexes}
        offsets, summary = b"", bytearray()
        for opcode, records in groups.items():
            if records:
                data = b"".join(records)
                offsets += packed(SummaryOffset(opcode, summary_start + len(summary), len(data)))
                summary += data
        offset_start = summary_start + len(summary)
        summary += offsets
        # the checksum covers the summary and the footer up to the checksum itself
        crc = zlib.crc32(packed(Footer(summary_start, offset_start, 0))[:-4], zlib.crc32(summary))
        self._write(bytes(summary) + packed(Footer(summary_start, offset_start, crc)) + MAGIC)
        self._stream.flush()

    def _write(self, data: bytes) -> None:
        self._stream.write(data)
        self._position += len(data)

    def _end_chunk(self) -> None:
        if not self._chunk:
            return
        plain, start = bytes(self._chunk), self._position
        times_ns = [time_ns for entries in self._entries.values() for time_ns, _ in entries]
        first_ns, last_ns = min(times_ns), max(times_ns)
        compressed = lz4.frame.compress(plain)
        compression, data = ("lz4", compressed) if len(compressed) < WORTH_COMPRESSING * len(plain) else ("", plain)
        chunk = packed(
            Chunk(
                compression=compression,
                data=data,
                message_start_time=first_ns,
                message_end_time=last_ns,
                uncompressed_crc=zlib.crc32(plain),
                uncompressed_size=len(plain),
            )
        )
        self._write(chunk)
        index_start, index_offsets = self._position, {}
        for channel, entries in self._entries.items():
            index_offsets[channel] = self._position
            self._write(packed(MessageIndex(channel, entries)))
        index_bytes = self._position - index_start
        entry = ChunkIndex(
            chunk_start_offset=start,
            chunk_length=len(chunk),
            compression=compression,
            compressed_size=len(data),
            uncompressed_size=len(plain),
            message_index_offsets=index_offsets,
            message_index_length=index_bytes,
            message_start_time=first_ns,
            message_end_time=last_ns,
        )
        self._indexes[Opcode.CHUNK_INDEX].append(packed(entry))
        self._first_ns, self._last_ns = min(self._first_ns, first_ns), max(self._last_ns, last_ns)
        self._chunk.clear()
        self._entries.clear()

    def _statistics(self) -> bytes:
        count = sum(self._message_counts.values())
        return packed(
            Statistics(
                attachment_count=len(self._indexes[Opcode.ATTACHMENT_INDEX]),
                channel_count=len(self._channels),
                channel_message_counts=self._message_counts,
                chunk_count=len(self._indexes[Opcode.CHUNK_INDEX]),
                message_count=count,
                metadata_count=len(self._indexes[Opcode.METADATA_INDEX]),
                message_start_time=self._first_ns if count else 0,
                message_end_time=self._last_ns,
                schema_count=len(self._schemas),
            )
        )


class McapRecords:
    """The records of a file from its start, as (position, opcode, body), up to its end or its cut.

    Afterwards `is_cut` tells which of both it was, and `left_over_bytes` how much behind the last whole record cannot be
    used. Iterating raises Damaged where a record's length cannot be true.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.position = stream, len(MAGIC)
        self.is_cut, self.left_over_bytes = False, 0

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        while True:
            start = self._read(RECORD.size)
            opcode, length = RECORD.unpack(start) if len(start) == RECORD.size else (0, 0)
            if opcode == 0:  # the end without a footer, or zeros that a power cut left behind
                return self._cut(len(start))
            if length > MAX_RECORD_BYTES:
                raise Damaged(f"byte {self.position}: a record of {length} bytes; the longest is {MAX_RECORD_BYTES}")
            body = self._read(length)
            if len(body) < length:
                return self._cut(len(start) + len(body))
            yield self.position, opcode, body
            self.position += len(start) + length
            if opcode == Opcode.FOOTER:
                end = self._read(len(MAGIC))
                return self._cut(len(end)) if end != MAGIC else None

    def _read(self, length: int) -> bytes:
        """So many bytes, or fewer at the end of the file; pipes give less than asked for."""
        data = self._stream.read(length)
        while len(data) < length and (more := self._stream.read(length - len(data))):
            data += more
        return data

    def _cut(self, read_bytes: int) -> None:
        self.is_cut, self.left_over_bytes = True, read_bytes
        while block := self._stream.read(2**20):
            self.left_over_bytes += len(block)


def body_stream(body: bytes) -> ReadDataStream:
    """A record's body as the `mcap` package's records read it."""
    return ReadDataStream(io.BytesIO(body))


def messages_of(position: int, body: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """A chunk's messages: (channel, sequence, log time, data). Raises Damaged before the first, or not at all."""
    try:
        chunk = Chunk.read(body_stream(body))
        if chunk.uncompressed_size > MAX_RECORD_BYTES:
            raise ValueError(f"{chunk.uncompressed_size} bytes unpacked; the most is {MAX_RECORD_BYTES}")
        plain = unpacked(chunk)
        if (crc := zlib.crc32(plain)) != chunk.uncompressed_crc:
            raise ValueError(f"checksum is {crc:#010x}, expected {chunk.uncompressed_crc:#010x}")
        messages = list(split(plain))
    except Exception as error:  # whatever a flipped bit makes of lengths, text and compression
        raise Damaged(f"byte {position}: chunk of {len(body)} bytes: {error}") from error
    return iter(messages)


def unpacked(chunk: Chunk) -> bytes:
    if chunk.compression == "":
        return chunk.data
    if chunk.compression != "lz4":
        raise ValueError(f"compression is {chunk.compression!r}, expected 'lz4' or none")
    with lz4.frame.LZ4FrameFile(io.BytesIO(chunk.data)) as frame:  # reads no more than asked for
        plain: bytes = frame.read(chunk.uncompressed_size)
    return plain


def split(plain: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    offset = 0
    while offset < len(plain):
        opcode, length = RECORD.unpack_from(plain, offset)
        offset += RECORD.size
        if opcode == Opcode.MESSAGE:
            channel, sequence, time_ns, _ = MESSAGE.unpack_from(plain, offset)
            yield channel, sequence, time_ns, plain[offset + MESSAGE.size : offset + length]
        offset += length
