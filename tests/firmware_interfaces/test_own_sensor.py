"""A sensor of one's own, three ways: JSON lines, binary frames with a C header, a table for what speaks already."""

from __future__ import annotations

import json
import math
import random
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import made_own_sensors as made
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_interfaces import mapping, modbus_rtu, own_sensor, sensor_binary, sensor_json
from firmware_interfaces.decoder import MISSED
from firmware_interfaces.own_sensor import CLASSES, Detections, Found, Presence, Status
from fusion import types
from fusion.types import Orientation, Reading, Sensor

MakeReading = Callable[..., Reading]
ROOT = Path(__file__).parents[2]
RELAXED = settings(deadline=None)
MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
text = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=64)


def steps(low: int, high: int, scale: float) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(lambda raw: raw / scale)


founds = st.builds(
    Found,
    steps(-18000, 18000, 100.0),
    st.none() | steps(-9000, 9000, 100.0),
    st.none() | steps(1, 100_000_000, 1000.0),
    st.none() | steps(-32768, 32766, 100.0),
    st.none() | steps(-4000, 4000, 10.0),
    steps(0, 200, 200.0),
    st.sampled_from(CLASSES),
)
messages = st.one_of(
    st.builds(Detections, st.lists(founds, max_size=64).map(tuple)),
    st.builds(
        Presence,
        st.sampled_from(sorted(sensor_binary.PRESENCES.values())),
        text,
        st.none() | steps(-4000, 4000, 10.0),
        st.none() | st.integers(1, 10**8).map(lambda khz: khz * 1000.0),
    ),
    st.builds(Status, st.sampled_from(own_sensor.LEVELS), text),
)


# Both ways that tell messages


@RELAXED
@given(messages, st.integers(0, 0xFFFF), st.integers(0, 2**32 - 1))
def test_a_message_is_the_same_after_the_wire(said: own_sensor.Said, number: int, device_ms: int) -> None:
    (framed,) = sensor_binary.Frames().feed(sensor_binary.encode(said, number, device_ms), 0)
    assert framed.message == (said, number)
    numbered = (said, number if isinstance(said, Detections) else None)
    assert sensor_json.parse(sensor_json.encode(numbered)) == numbered


@pytest.mark.parametrize("way", ["json", "binary"])
def test_a_detection_is_placed_by_the_site_files_mounting(sensor: Sensor, make_reading: MakeReading, way: str) -> None:
    from dataclasses import replace

    east = replace(sensor, orientation=Orientation(math.pi / 2.0, 0.0, 0.0))
    said = Detections((Found(12.5, None, 84.0, kind="drone", confidence=0.8),))
    decoder: Any = sensor_json.Decoder(east) if way == "json" else sensor_binary.Decoder(east)
    sent = sensor_json.encode((said, 1)) if way == "json" else sensor_binary.encode(said, 1)
    (scan,) = decoder.feed(make_reading(sent))
    (detection,) = scan.detections
    assert math.degrees(detection.measurement.azimuth_rad) == pytest.approx(102.5)
    assert detection.measurement.elevation_rad is None
    assert detection.measurement.slant_range_m == 84.0
    assert detection.classes == (("drone", 0.8),)


def test_detections_without_a_stated_accuracy_are_not_used_and_health_says_so(make_reading: MakeReading) -> None:
    blind = Sensor("own", (0.0, 0.0, 0.0), Orientation(0.0, 0.0, 0.0), types.Accuracy())
    decoder = sensor_json.Decoder(blind)
    (scan,) = decoder.feed(make_reading(sensor_json.encode((Detections((Found(1.0),)), 1))))
    assert scan.detections == ()
    assert "accuracy.azimuth_deg" in (decoder.diagnosis() or "")


# JSON lines


def test_the_published_schema_is_the_one_of_the_types() -> None:
    assert (ROOT / "docs/sensor-line.schema.json").read_text() == sensor_json.schema()


@RELAXED
@given(messages)
def test_what_is_encoded_satisfies_the_published_schema(said: own_sensor.Said) -> None:
    jsonschema.validate(json.loads(sensor_json.encode((said, None))), json.loads(sensor_json.schema()))


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind": "detections", "detections": [{"azimuth_deg": 400}]}',
        b'{"kind": "detections", "detections": [{"azimuth_deg": 1, "azimuth": 2}]}',
        b'{"kind": "detections", "detections": [{"azimuth_deg": 1, "azimuth_deg": 2}]}',
        b'{"kind": "detections", "detections": [{"azimuth_deg": NaN}]}',
        b'{"kind": "detections", "detections": [{"azimuth_deg": 1, "slant_range_m": 0}]}',
        b'{"kind": "presence", "presence": "a fence!"}',
        b'{"kind": "status", "level": "good"}',
        b'{"kind": "other"}',
        b'{"kind": "detections", "detections": [',
    ],
)
def test_a_line_outside_the_schema_is_refused_whole(sensor: Sensor, make_reading: MakeReading, line: bytes) -> None:
    decoder = sensor_json.Decoder(sensor)
    good = sensor_json.encode((Status("ok"), None))
    assert len(decoder.feed(make_reading(b"boot v1.2\r\n" + line + b"\n" + good))) == 1
    assert sum(decoder.counts.rejected.values()) == 1


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=24),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
KEYS = ["kind", "number", "detections", "presence", "level", "text", "power_dbm", "frequency_hz"]


def test_a_lost_line_is_noticed_by_its_number_and_a_new_start_is_none(
    sensor: Sensor, make_reading: MakeReading
) -> None:
    decoder = sensor_json.Decoder(sensor)
    looks = [(Detections(()), number) for number in (4, 5, 8, 9, 50_000, 50_001, 0, 1, None, 3)]
    decoder.feed(make_reading(b"".join(sensor_json.encode(look) for look in looks)))
    assert decoder.counts.remarks[MISSED] == 3  # 6, 7 and 2
    assert "3 looks are missing by their numbers" in (decoder.diagnosis() or "")
    whole = sensor_json.Decoder(sensor)
    whole.feed(make_reading(b"".join(sensor_json.encode((Detections(()), number)) for number in range(9))))
    assert whole.counts.remarks[MISSED] == 0
    assert whole.diagnosis() is None


@MANY
@given(st.dictionaries(st.sampled_from(KEYS), values | st.sampled_from(["detections", "presence", "status"])))
def test_any_values_of_a_line_raise_nothing(sensor: Sensor, make_reading: MakeReading, said: dict[str, Any]) -> None:
    sensor_json.Decoder(sensor).feed(make_reading(json.dumps(said).encode() + b"\n"))


# Binary frames


@pytest.mark.parametrize(
    ("message", "stuffed"),
    [  # the paper's and Wikipedia's examples
        (b"", "01"),
        (b"\0", "0101"),
        (b"\0\0", "010101"),
        (bytes.fromhex("11220033"), "0311220233"),
        (bytes.fromhex("11223344"), "0511223344"),
        (bytes(range(1, 255)), "ff" + bytes(range(1, 255)).hex()),
        (bytes(range(256)), "01ff" + bytes(range(1, 255)).hex() + "02ff"),
    ],
)
def test_cobs_is_as_it_was_published(message: bytes, stuffed: str) -> None:
    assert sensor_binary.cobs(message).hex() == stuffed
    assert sensor_binary.uncobs(bytes.fromhex(stuffed)) == message


@RELAXED
@given(st.binary(max_size=1200))
def test_cobs_gives_any_message_back_and_holds_no_zero(message: bytes) -> None:
    stuffed = sensor_binary.cobs(message)
    assert 0 not in stuffed
    assert sensor_binary.uncobs(stuffed) == message


def test_a_lost_frame_is_noticed_by_its_number(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = sensor_binary.Decoder(sensor)
    numbers = [0xFFFE, 0xFFFF, 0, 1, 5, 6]
    decoder.feed(make_reading(b"".join(sensor_binary.encode(Status("ok"), number) for number in numbers)))
    assert decoder.counts.remarks[MISSED] == 3
    assert "missing by their numbers" in (decoder.diagnosis() or "")


@MANY
@given(st.binary(max_size=80), st.sampled_from([1, 2, 3, 4]))
def test_any_body_behind_a_right_crc_raises_nothing(
    sensor: Sensor, make_reading: MakeReading, body: bytes, kind: int
) -> None:
    message = sensor_binary.HEADER.pack(1, kind, 7, 0) + body
    message += sensor_binary.crc_hqx(message, 0xFFFF).to_bytes(2, "little")
    sensor_binary.Decoder(sensor).feed(make_reading(b"\0" + sensor_binary.cobs(message) + b"\0"))


def c_call(said: own_sensor.Said, number: int, device_ms: int) -> str:
    """The header's call for a message."""
    begin = f"frame, sizeof frame, {number}u, {device_ms}u"
    if isinstance(said, Status):
        level = ("SARHAD_OK", "SARHAD_WARNING", "SARHAD_FAULT")[own_sensor.LEVELS.index(said.level)]
        return f"size = sarhad_status({begin}, {level}, {json.dumps(said.text)});"
    if isinstance(said, Presence):
        kind = next(n for n, name in sensor_binary.PRESENCES.items() if name == said.kind)
        power = "SARHAD_UNKNOWN_16" if said.power_dbm is None else round(said.power_dbm * 10)
        khz = round((said.frequency_hz or 0) / 1000)
        return f"size = sarhad_presence({begin}, (enum sarhad_presence_kind){kind}, {power}, {khz}u, {json.dumps(said.text)});"
    raws = [struct.unpack("<hhIhhBB", sensor_binary._raw(found)) for found in said.found]
    rows = ", ".join("{" + f"{a}, {e}, {r}u, {v}, {p}, {c}, {k}" + "}" for a, e, r, v, p, c, k in raws)
    if not raws:
        return f"size = sarhad_detections({begin}, NULL, 0);"
    return f"{{ static const struct sarhad_detection d[] = {{{rows}}}; size = sarhad_detections({begin}, d, {len(raws)}); }}"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")
def test_the_c_header_writes_the_same_bytes_as_its_twin(tmp_path: Path) -> None:
    vectors = made.vectors(random.Random(20260817), 120)
    calls = "\n".join(f"    {c_call(*vector)} show(frame, size);" for vector in vectors)
    source = f"""#include <stdio.h>
#include "sarhad_sensor.h"
static void show(const uint8_t *frame, size_t size)
{{
    for (size_t place = 0; place < size; place++) printf("%02x", frame[place]);
    printf("\\n");
}}
int main(void)
{{
    static uint8_t frame[SARHAD_MAX_FRAME];
    size_t size = 0;
{calls}
    uint8_t small[20];
    if (sarhad_status(small, sizeof small, 1, 2, SARHAD_OK, "does not fit in here") != 0) return 1;
    return 0;
}}
"""
    (tmp_path / "vectors.c").write_text(source)
    build = ["gcc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined,address"]
    where = ["-I", str(ROOT / "firmware_interfaces"), str(tmp_path / "vectors.c"), "-o", str(tmp_path / "vectors")]
    subprocess.run([*build, *where], check=True)
    out = subprocess.run([str(tmp_path / "vectors")], check=True, capture_output=True, text=True).stdout
    assert out.split() == [sensor_binary.encode(*vector).hex() for vector in vectors]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")
def test_the_tutorials_program_does_what_it_says(tmp_path: Path) -> None:
    tutorial = (ROOT / "docs/own-sensor-binary.md").read_text()
    (tmp_path / "sensor.c").write_text(tutorial.split("```c\n")[1].split("```")[0])
    build = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT / "firmware_interfaces")]
    subprocess.run([*build, str(tmp_path / "sensor.c"), "-o", str(tmp_path / "sensor")], check=True)
    frames = subprocess.run([str(tmp_path / "sensor")], check=True, capture_output=True).stdout
    reader = sensor_binary.Frames()
    said = [framed.message[0] for framed in reader.feed(frames, 0)]
    assert len(said) == 20
    assert said[0] == Detections((Found(-40.0, None, 150.0, kind="drone"),))
    assert not reader.counts.rejected


def test_the_tutorials_lines_are_of_the_schema() -> None:
    tutorial = (ROOT / "docs/own-sensor-json.md").read_text()
    lines = [line for line in tutorial.splitlines() if line.startswith("{")]
    assert len(lines) == 3
    assert all(sensor_json.parse(line.encode()) is not None for line in lines)


# Mapping


def test_columns_become_a_detection_with_scale_offset_and_sign(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = mapping.Decoder(sensor, made.ASCII)
    scans = decoder.feed(make_reading(made.nmea("RPT,1254,84.2,-3.1") + made.nmea("RPT,900,0,1.0") + b"$OTHER,1\r\n"))
    first, second = (scan.detections[0].measurement for scan in scans)
    assert (first.slant_range_m, first.range_rate_m_s) == (84.2, 3.1)
    assert second.slant_range_m is None
    assert not decoder.counts.rejected
    found = mapping.Lines(mapping.read_mapping(made.ASCII)).feed(made.nmea("RPT,1254,84.2,-3.1"), 0)[0].message
    assert found.found[0].azimuth_deg == pytest.approx(35.4)


def test_registers_become_a_presence_from_the_limit_on(sensor: Sensor, make_reading: MakeReading) -> None:
    decoder = mapping.Decoder(sensor, made.MODBUS)
    facts = decoder.feed(make_reading(made.modbus(119) + made.modbus(120) + made.modbus(-5)))
    assert [(fact.kind, fact.text) for fact in facts] == [("seismic", "east wall: 120")]


def test_an_answer_to_another_question_means_nothing(sensor: Sensor, make_reading: MakeReading) -> None:
    answer = modbus_rtu.encode(modbus_rtu.Answer(5, 3, (0, 0, 500, 0)))
    other = modbus_rtu.encode(modbus_rtu.Request(5, 3, 80, 4))
    assert mapping.Decoder(sensor, made.MODBUS).feed(make_reading(other + answer + answer)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"form": "csv"}, 'form is \'csv\'; expected "ascii" or "modbus"'),
        ({"colums": 4}, "colums is not known; did you mean columns?"),
        ({"columns": "4"}, "columns is '4'; expected how many columns a line has"),
        ({"unit": 5}, 'unit is 5; expected nothing with form = "ascii"'),
        ({"fields": {}}, "fields.azimuth_deg is missing"),
        ({"fields": {"azimuth_deg": {"from": 9}}}, "fields.azimuth_deg.from is 9; expected less than columns, 4"),
        ({"fields": {"azimuth_deg": {"from": 1, "scale": 0}}}, "fields.azimuth_deg.scale is 0"),
        ({"fields": {"azimut_deg": {"from": 1}}}, "fields.azimut_deg is not known"),
        ({"fields": {"azimuth_deg": {"form": 1}}}, "fields.azimuth_deg.form is not known; did you mean from?"),
        ({"fields": {"azimuth_deg": 1}}, "fields.azimuth_deg is 1; expected a table"),
        ({"gives": "presence", "fields": {"value": {"from": 1}}}, "presence needs one of at_least and at_most"),
        ({"separator": ";;"}, "separator is ';;'"),
    ],
)
def test_a_wrong_mapping_is_told_by_field_found_and_expected(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as raised:
        mapping.read_mapping({**made.ASCII, **change})
    assert told in str(raised.value)


@pytest.mark.parametrize("name", ["form", "gives", "separator", "columns", "fields"])
def test_what_a_mapping_lacks_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} is missing; expected "):
        mapping.read_mapping({key: value for key, value in made.ASCII.items() if key != name})


@MANY
@given(st.lists(st.text("0123456789.-+eE*,nafi \t$", max_size=40), max_size=5))
def test_any_lines_of_a_mapped_device_raise_nothing(
    sensor: Sensor, make_reading: MakeReading, lines: list[str]
) -> None:
    open_mapping = {**made.ASCII, "checksum": "none", "starts_with": ""}
    for scan in mapping.Decoder(sensor, open_mapping).feed(make_reading("\n".join(lines).encode() + b"\n")):
        for detection in scan.detections:
            assert math.isfinite(detection.measurement.azimuth_rad)


@pytest.mark.parametrize("block", [0, 1])
def test_the_tutorials_tables_hold(block: int) -> None:
    if (tomllib := pytest.importorskip("tomllib")) is None:
        return
    tutorial = (ROOT / "docs/own-sensor-mapping.md").read_text()
    mapping.read_mapping(tomllib.loads(tutorial.split("```toml\n")[block + 1].split("```")[0]))
