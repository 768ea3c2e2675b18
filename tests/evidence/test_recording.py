import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader

from evidence.mcap_file import CHUNK_BYTES
from evidence.recording import (
    RecordingDamaged,
    RecordingHeader,
    RecordingWriter,
    WrongFile,
    read_recording,
    recover,
)
from fusion.types import Reading

HEADER = RecordingHeader(
    site_id="ridge-04",
    run_id="run-1",
    started_ns=1_772_446_530_123_456_789,
    site_text='[site]\nid = "ridge-04"  # Grenze, \u0433\u0440\u0430\u043d\u0438\u0446\u0430\n',
    site_sha256="ab" * 32,
    models={"drone.onnx": "cd" * 32},
    software="0.1.0+6aec8f5",
    platform={"python": "3.11.7", "machine": "x86_64"},
    boot_id="9d1c",
    clock_trusted=True,
)

TIME_NS = st.integers(0, 2**63 - 1)
READINGS = st.lists(
    st.builds(
        Reading,
        sensor_id=st.sampled_from(["radar-north", "camera-north", "camera-north/vision", "clock", "датчик"]),
        received_ns=TIME_NS,
        monotonic_ns=TIME_NS,
        device_ns=st.none() | st.integers(-(2**63), 2**63 - 1),
        source=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
        data=st.binary(max_size=2000),
    )
)


def steady(count: int, size: int = 40, seed: int = 1) -> list[Reading]:
    """Readings at 100 Hz that compression cannot shrink, so that a file's length tells what is in it."""
    chance = random.Random(seed)
    return [
        Reading("radar-north", 10**18 + i * 10**7, i * 10**7, None, None, chance.randbytes(size)) for i in range(count)
    ]


def recorded(readings: list[Reading], counters: dict[str, int] | None = None) -> bytes:
    stream = io.BytesIO()
    writer = RecordingWriter(stream, HEADER, {"radar-north": {"protocol": "ti_mmwave", "driver": "serial_port"}})
    for reading in readings:
        writer.write(reading)
    writer.close(counters or {})
    return stream.getvalue()


@given(READINGS)
@settings(deadline=None, max_examples=60)
def test_what_is_read_equals_what_was_written(readings: list[Reading]) -> None:
    header, found = read_recording(io.BytesIO(recorded(readings)))
    assert header == HEADER
    assert list(found) == readings
    assert not found.is_cut
    assert found.missing == 0
    assert found.number == len(readings) - 1


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_a_file_cut_anywhere_gives_the_first_readings_and_says_what_is_left_over(data: st.DataObject) -> None:
    readings = steady(300)
    whole = recorded(readings)
    length = data.draw(st.integers(whole.index(b"sarhad.Reading"), len(whole) - 1))  # the header stands before
    _, found = read_recording(io.BytesIO(whole[:length]))
    given_readings = list(found)
    assert given_readings == readings[: len(given_readings)]
    assert found.is_cut
    assert found.left_over_bytes < CHUNK_BYTES


def test_a_cut_within_the_header_is_damage_and_not_a_crash() -> None:
    whole = recorded(steady(3))
    end_of_header = whole.index(b"sarhad.Reading") - 20
    for length in range(8, end_of_header, 7):
        with pytest.raises(RecordingDamaged, match="header"):
            read_recording(io.BytesIO(whole[:length]))


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", "empty"), (b"\x89PNG\r\n\x1a\n" + bytes(50), "PNG"), (b"[site]\nid = 1", r"\[site\]")],
)
def test_another_file_is_refused_with_what_was_found(content: bytes, found: str) -> None:
    with pytest.raises(WrongFile, match=found):
        read_recording(io.BytesIO(content))


def test_an_mcap_file_of_somebody_else_is_refused() -> None:
    from mcap.writer import Writer

    stream = io.BytesIO()
    writer = Writer(stream)
    writer.start()
    writer.finish()
    with pytest.raises(WrongFile, match=r"sarhad\.recording"):
        read_recording(io.BytesIO(stream.getvalue()))


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes_at_all_are_refused_in_words(tail: bytes) -> None:
    for content in (tail, b"\x89MCAP0\r\n" + tail):
        with pytest.raises((WrongFile, RecordingDamaged)):
            list(read_recording(io.BytesIO(content))[1])


@given(st.integers(0, 2**32), st.integers(1, 255))
@settings(deadline=None, max_examples=150)
def test_a_flipped_byte_is_never_read_as_another_reading(place: int, flip: int) -> None:
    readings = steady(120)
    content = bytearray(recorded(readings))
    content[place % len(content)] ^= flip
    try:
        _, found = read_recording(io.BytesIO(bytes(content)))
        result = list(found)
    except (WrongFile, RecordingDamaged):
        return
    sensors = {"radar-north", *found.channels}  # a channel's name has no checksum of its own in MCAP
    assert [reading.data for reading in result] == [reading.data for reading in readings[: len(result)]]
    assert {reading.sensor_id for reading in result} <= sensors


def test_damage_is_named_after_all_readings_before_it_and_recovery_keeps_those_behind_it() -> None:
    readings = steady(300, size=400)
    content = bytearray(recorded(readings))
    content[content.index(readings[150].data) + 5] ^= 1
    _, found = read_recording(io.BytesIO(bytes(content)))
    before = []
    with pytest.raises(RecordingDamaged, match=r"byte \d+: chunk of \d+ bytes: checksum is 0x"):
        before.extend(found)
    assert before == readings[: len(before)]
    assert 100 <= len(before) <= 150

    mended = io.BytesIO()
    result = recover(io.BytesIO(bytes(content)), mended)
    assert len(result.damage) == 1
    _, again = read_recording(io.BytesIO(mended.getvalue()))
    kept = list(again)
    assert kept[: len(before)] == before
    assert kept[-1] == readings[-1]
    assert result.missing_readings == again.missing == len(readings) - len(kept) > 0


def test_a_cut_recording_is_mended_with_header_channels_and_counters() -> None:
    stream = io.BytesIO()
    writer = RecordingWriter(stream, HEADER, {"radar-north": {"protocol": "ti_mmwave"}})
    readings = steady(250)
    for reading in readings:
        writer.write(reading)
    writer.write_counters({"dropped/radar-north": 3})
    mended = io.BytesIO()
    result = recover(io.BytesIO(stream.getvalue() + b"\x06\x00"), mended)
    assert (result.readings, result.left_over_bytes, result.damage) == (250, 2, ())
    header, found = read_recording(io.BytesIO(mended.getvalue()))
    assert header == HEADER
    assert list(found) == readings
    assert not found.is_cut
    assert found.counters == {"dropped/radar-north": 3}
    assert found.channels == {"radar-north": {"protocol": "ti_mmwave"}}
    assert found.recovered == {"left_over_bytes": "2", "missing_readings": "0"}


def test_an_unfinished_recording_lacks_less_than_a_second() -> None:
    stream = io.BytesIO()
    writer = RecordingWriter(stream, HEADER)
    readings = steady(1000)
    for count, reading in enumerate(readings, 1):
        writer.write(reading)
        if count % 90 == 0:
            _, found = read_recording(io.BytesIO(stream.getvalue()))
            last_ns = [kept.monotonic_ns for kept in found][-1]
            assert reading.monotonic_ns - last_ns < 1_000_000_000


def test_zeros_that_a_power_cut_left_behind_count_as_left_over() -> None:
    readings = steady(10)
    stream = io.BytesIO()
    writer = RecordingWriter(stream, HEADER)
    for reading in readings:
        writer.write(reading)
    writer.flush()
    _, found = read_recording(io.BytesIO(stream.getvalue() + bytes(4096)))
    assert list(found) == readings
    assert found.is_cut
    assert found.left_over_bytes == 4096


def test_other_mcap_tools_read_it_by_its_index() -> None:
    readings = steady(500, size=300)
    reader = make_reader(io.BytesIO(recorded(readings, {"dropped/radar-north": 0})), validate_crcs=True)
    summary = reader.get_summary()
    assert summary is not None
    assert summary.statistics is not None
    assert summary.statistics.message_count == 500
    assert summary.channels[1].topic == "radar-north"
    assert summary.channels[1].metadata == {"protocol": "ti_mmwave", "driver": "serial_port"}
    start_ns, end_ns = readings[200].received_ns, readings[210].received_ns
    times_ns = [message.log_time for _, _, message in reader.iter_messages(start_time=start_ns, end_time=end_ns)]
    assert times_ns == [reading.received_ns for reading in readings[200:210]]
    assert next(iter(reader.iter_attachments())).data.decode() == HEADER.site_text
    assert [metadata.name for metadata in reader.iter_metadata()] == ["sarhad.recording", "sarhad.counters"]


def test_text_shrinks_and_camera_packets_are_left_as_they_are() -> None:
    text = [
        Reading("gnss", i * 10**7, i * 10**7, None, None, b"$GNGGA,101530.00,4500.000,N*5C\r\n") for i in range(999)
    ]
    assert len(recorded(text)) < 999 * 60
    packets = steady(20, size=60_000)
    assert len(recorded(packets)) < 20 * 60_000 * 1.01 + 5000
