import io

import pytest

from evidence.contents import contents_of
from evidence.recording import RecordingHeader, RecordingWriter, read_recording
from fusion.types import Reading

HEADER = RecordingHeader("ridge-04", "run-1", 10**18, "[site]\n", "ab", {}, "0.1.0", {})


def recorded(readings: list[Reading]) -> bytes:
    stream = io.BytesIO()
    writer = RecordingWriter(stream, HEADER, {"radar": {"protocol": "ti_mmwave", "driver": "serial_port"}, "mute": {}})
    for reading in readings:
        writer.write(reading)
    writer.close({"radar": 2})
    return stream.getvalue()


def at(second: float, sensor_id: str = "radar", size: int = 10) -> Reading:
    return Reading(sensor_id, 10**18 + round(second * 1e9), round(second * 1e9), None, None, bytes(size))


def test_counts_bytes_rates_and_span_are_told_for_each_sensor() -> None:
    readings = [at(s / 10) for s in range(101)] + [at(10.0, "gnss", 70), at(11.0, "gnss", 70)]
    contents = contents_of(read_recording(io.BytesIO(recorded(readings)))[1])
    radar, gnss = contents.sensors["radar"], contents.sensors["gnss"]
    assert (radar.readings, radar.bytes, radar.protocol, radar.driver) == (101, 1010, "ti_mmwave", "serial_port")
    assert radar.rate_hz == pytest.approx(10.0)
    assert (gnss.readings, gnss.bytes, gnss.first_s, gnss.last_s) == (2, 140, 10.0, 11.0)
    assert (contents.seconds, contents.readings, contents.bytes) == (11.0, 103, 1150)
    assert contents.counters == {"radar": 2}
    assert not contents.is_cut


def test_a_sensor_that_was_never_heard_is_shown_with_nothing() -> None:
    contents = contents_of(read_recording(io.BytesIO(recorded([at(0.0)])))[1])
    assert contents.sensors["mute"].readings == 0
    assert contents.sensors["mute"].rate_hz is None


def test_a_pause_is_a_gap_only_when_it_is_unusual() -> None:
    readings = [at(s / 10) for s in range(50)] + [at(12.0 + s / 10) for s in range(50)]
    radar = contents_of(read_recording(io.BytesIO(recorded(readings)))[1]).sensors["radar"]
    assert [(gap.from_s, round(gap.seconds, 3)) for gap in radar.gaps] == [(4.9, 7.1)]
    slow = [at(5.0 * s) for s in range(20)]
    assert contents_of(read_recording(io.BytesIO(recorded(slow)))[1]).sensors["radar"].gap_count == 0


def test_a_cut_and_a_damaged_recording_are_told_apart() -> None:
    whole = recorded([at(s / 10) for s in range(100)])
    cut = contents_of(read_recording(io.BytesIO(whole[:-1]))[1])
    assert (cut.is_cut, cut.damage, cut.readings) == (True, None, 100)
    damaged = bytearray(whole)
    damaged[whole.index(b"lz4") + 60] ^= 1
    found = contents_of(read_recording(io.BytesIO(bytes(damaged)))[1])
    assert found.damage is not None
    assert "chunk" in found.damage
