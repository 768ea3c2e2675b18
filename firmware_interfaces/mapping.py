"""A sensor of one's own, way 3: a device that already speaks lines of text, or Modbus, and a table that says what it means.

    form = "ascii"                              form = "modbus"
    gives = "detection"                         gives = "presence"
    starts_with = "$RPT"                        unit = 5
    separator = ","                             function = 3
    columns = 5                                 first = 40
    [fields.azimuth_deg]                        count = 4
    from = 1        # column, from 0            [fields.value]
    scale = 0.1                                 from = 2        # register behind `first`
    offset = 0.0                                type = "i16"
                                                [presence]
                                                kind = "seismic"
                                                text = "east wall"
                                                at_least = 120

physical = raw * scale + offset. What stands in `unknown` (a list of raw values) is not measured. `checksum = "nmea"` holds
lines to the XOR behind their "*". docs/own-sensor-mapping.md is the tutorial; `sarhad check-mapping` tries a table on a
recorded file.
"""

from __future__ import annotations

import difflib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from firmware_interfaces import modbus_rtu, own_sensor, sensor_json
from firmware_interfaces.checksums import xor8
from firmware_interfaces.decoder import Counts, Framed, Rejected, diagnose
from firmware_interfaces.own_sensor import Detections, Facts, Found, Presence, Said
from firmware_interfaces.text_lines import TextLines
from fusion.types import Fact, Reading, Sensor

MAX_LINE_BYTES = 1024
FOUND_FIELDS = ("azimuth_deg", "elevation_deg", "slant_range_m", "range_rate_m_s", "power_db", "confidence")
FORMS = ("ascii", "modbus")
GIVES = ("detection", "presence")
TYPES = {"u16": (">H", 1), "i16": (">h", 1), "u32": (">I", 2), "i32": (">i", 2), "f32": (">f", 2)}
NUMBER, WORD = (int, float), (str,)
# key -> (types, needed by form, words)
TOP: dict[str, tuple[tuple[type, ...], tuple[str, ...], str]] = {
    "form": (WORD, FORMS, '"ascii" or "modbus"'),
    "gives": (WORD, FORMS, '"detection" or "presence"'),
    "fields": ((dict,), FORMS, "a table for each field, such as [fields.azimuth_deg]"),
    "presence": ((dict,), (), "a table: kind, text, at_least or at_most"),
    "starts_with": (WORD, (), "a text that the device's lines begin with"),
    "separator": (WORD, ("ascii",), 'one character, such as ","'),
    "columns": ((int,), ("ascii",), "how many columns a line has"),
    "checksum": (WORD, (), '"none" or "nmea"'),
    "unit": ((int,), ("modbus",), "1 to 247"),
    "function": ((int,), ("modbus",), "1 to 4"),
    "first": ((int,), ("modbus",), "the first address that is read"),
    "count": ((int,), ("modbus",), "how many are read"),
}
OF_FORM = {
    "ascii": ("starts_with", "separator", "columns", "checksum"),
    "modbus": ("unit", "function", "first", "count"),
}
FIELD: dict[str, tuple[tuple[type, ...], str]] = {
    "from": ((int,), "a column, or a register behind `first`, from 0"),
    "scale": (NUMBER, "a number"),
    "offset": (NUMBER, "a number"),
    "unknown": ((list,), "a list of raw values that mean: not measured"),
    "type": (WORD, "one of " + ", ".join(TYPES)),
}
PRESENCE: dict[str, tuple[tuple[type, ...], str]] = {
    "kind": (WORD, "a word such as fence"),
    "text": (WORD, "what people read"),
    "at_least": (NUMBER, "a number: fields.value from which something is there"),
    "at_most": (NUMBER, "a number: fields.value up to which something is there"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """Where one quantity stands and what its raw value means."""

    place: int
    scale: float
    offset: float
    unknown: tuple[float, ...]
    kind: str  # of TYPES; lines need none

    def value(self, raw: float) -> float | None:
        """The physical value; None: not measured."""
        return None if raw in self.unknown else raw * self.scale + self.offset


@dataclass(frozen=True, slots=True)
class Mapping:
    """A table that was understood."""

    form: str
    gives: str
    fields: dict[str, Field]
    starts_with: str
    separator: str
    columns: int
    has_checksum: bool
    unit: int
    function: int
    first: int
    count: int
    kind: str
    text: str
    at_least: float | None
    at_most: float | None


def read_mapping(table: dict[str, Any]) -> Mapping:
    """A mapping of its TOML table. Raises ValueError: the field, what was found, what was expected."""
    form = one_of(table, "form", FORMS)
    gives = one_of(table, "gives", GIVES)
    known = {name: (kinds, words) for name, (kinds, _, words) in TOP.items()}
    hold(table, known, "")
    for name, (_, forms, words) in TOP.items():
        if form in forms and name not in table:
            raise ValueError(f"{name} is missing; expected {words}")
        is_others = any(name in names for other, names in OF_FORM.items() if other != form)
        if name in table and is_others:
            raise ValueError(f'{name} is {table[name]!r}; expected nothing with form = "{form}"')
    presence = table.get("presence", {})
    hold(presence, PRESENCE, "presence.")
    fields = {name: read_field(name, entry, form) for name, entry in table["fields"].items()}
    mapping = Mapping(
        *(form, gives, fields, table.get("starts_with", ""), table.get("separator", ","), table.get("columns", 0)),
        *(one_of({"checksum": "none", **table}, "checksum", ("none", "nmea")) == "nmea",),
        *(table.get("unit", 0), table.get("function", 0), table.get("first", 0), table.get("count", 0)),
        *(presence.get("kind", "other"), presence.get("text", "")),
        *(presence.get("at_least"), presence.get("at_most")),
    )
    check(mapping)
    return mapping


def read_option(table: dict[str, Any]) -> Mapping:
    """The same inside a site file's protocol_options, where its key is `mapping`. Raises ValueError."""
    try:
        return read_mapping(table)
    except ValueError as error:
        raise ValueError(f"mapping.{error}") from error


def one_of(table: dict[str, Any], name: str, choices: Sequence[str]) -> str:
    """A word out of a few. Raises ValueError."""
    expected = " or ".join(f'"{choice}"' for choice in choices)
    if name not in table:
        raise ValueError(f"{name} is missing; expected {expected}")
    if table[name] not in choices:
        raise ValueError(f"{name} is {table[name]!r}; expected {expected}")
    return str(table[name])


def hold(table: Any, known: dict[str, tuple[tuple[type, ...], str]], inside: str) -> None:
    """Every key known and of its kind. Raises ValueError."""
    if not isinstance(table, dict):
        raise ValueError(f"{inside.rstrip('.')} is {table!r}; expected a table")
    for name, value in table.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
            raise ValueError(f"{inside}{name} is not known; {hint}")
        kinds, words = known[name]
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ValueError(f"{inside}{name} is {value!r}; expected {words}")


def read_field(name: str, entry: Any, form: str) -> Field:
    """One [fields.NAME]. Raises ValueError."""
    inside = f"fields.{name}."
    hold(entry, FIELD, inside)
    if "from" not in entry or entry["from"] < 0:
        raise ValueError(f"{inside}from is {entry.get('from', 'missing')}; expected {FIELD['from'][1]}")
    if form == "ascii" and "type" in entry:
        raise ValueError(f'{inside}type is {entry["type"]!r}; expected nothing with form = "ascii"')
    kind = one_of({"type": "u16", **entry}, "type", tuple(TYPES)) if form == "modbus" else "u16"
    scale, offset = float(entry.get("scale", 1.0)), float(entry.get("offset", 0.0))
    if not (math.isfinite(scale) and math.isfinite(offset)) or scale == 0.0:
        raise ValueError(f"{inside}scale is {scale:g}, offset {offset:g}; expected finite numbers, the scale not 0")
    unknown = entry.get("unknown", [])
    if not all(isinstance(raw, int | float) and not isinstance(raw, bool) for raw in unknown):
        raise ValueError(f"{inside}unknown is {unknown!r}; expected {FIELD['unknown'][1]}")
    return Field(entry["from"], scale, offset, tuple(float(raw) for raw in unknown), kind)


def check(mapping: Mapping) -> None:
    """What must fit together. Raises ValueError."""
    allowed = FOUND_FIELDS if mapping.gives == "detection" else ("value",)
    for name in mapping.fields:
        if name not in allowed:
            raise ValueError(
                f'fields.{name} is not known; with gives = "{mapping.gives}" expected {", ".join(allowed)}'
            )
    needed = "azimuth_deg" if mapping.gives == "detection" else "value"
    if needed not in mapping.fields:
        raise ValueError(f'fields.{needed} is missing; gives = "{mapping.gives}" needs it')
    if mapping.gives == "presence" and (mapping.at_least is None) == (mapping.at_most is None):
        raise ValueError("presence needs one of at_least and at_most: from where on is something there?")
    if mapping.form == "modbus":
        check_registers(mapping)
        return
    if len(mapping.separator) != 1 or not 1 <= mapping.columns <= 100:
        raise ValueError(
            f"separator is {mapping.separator!r}, columns {mapping.columns}; expected one character, and 1 to 100"
        )
    for name, field in mapping.fields.items():
        if field.place >= mapping.columns:
            raise ValueError(f"fields.{name}.from is {field.place}; expected less than columns, {mapping.columns}")


def check_registers(mapping: Mapping) -> None:
    """Raises ValueError."""
    if not 1 <= mapping.unit <= 247 or mapping.function not in modbus_rtu.NAMES:
        raise ValueError(f"unit is {mapping.unit}, function {mapping.function}; expected 1 to 247, and 1 to 4")
    if not 0 <= mapping.first <= 65_535 or not 1 <= mapping.count <= modbus_rtu.MOST_REGISTERS:
        raise ValueError(f"first is {mapping.first}, count {mapping.count}; expected 0 to 65535, and 1 to 125")
    for name, field in mapping.fields.items():
        size = TYPES[field.kind][1]
        if size > 1 and mapping.function in (modbus_rtu.COILS, modbus_rtu.INPUTS):
            raise ValueError(f'fields.{name}.type is "{field.kind}"; expected u16: functions 1 and 2 give bits')
        if field.place + size > mapping.count:
            raise ValueError(f"fields.{name}.from is {field.place}; expected to end within count, {mapping.count}")


# Bytes to messages


class Lines(TextLines[Said]):
    """Lines of text by a mapping; those that begin otherwise are somebody else's."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        super().__init__(self._said, lambda said: type(said).__name__.lower(), MAX_LINE_BYTES)

    def _said(self, line: bytes) -> Said | None:
        text = line.decode("ascii", "replace").strip()
        if not text.startswith(self._mapping.starts_with):
            return None
        if self._mapping.has_checksum:
            text = _checked(text)
        columns = text.split(self._mapping.separator)
        if len(columns) != self._mapping.columns:
            raise Rejected("length", f"{len(columns)} columns, expected {self._mapping.columns}")
        return said(self._mapping, {name: _number(columns[f.place]) for name, f in self._mapping.fields.items()})


def _checked(text: str) -> str:
    """A line without its checksum. Raises Rejected."""
    body, star, check_digits = text.rpartition("*")
    expected = f"{xor8(body[1:].encode('ascii', 'replace')):02X}"
    if not star or check_digits.upper() != expected:
        raise Rejected("checksum", f"checksum is {check_digits[:8]!r}, expected {expected}")
    return body


def _number(text: str) -> float | None:
    """A column's number; None where it is empty. Raises Rejected."""
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise Rejected("field", f"{text[:20]!r} is no number")
    return value


class Registers:
    """Answers of one Modbus unit by a mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping, self._frames = mapping, modbus_rtu.Frames()
        self._is_asked = False
        self.counts: Counts = self._frames.counts
        self.stream = self._frames.stream

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Said]]:
        """The messages that these bytes complete."""
        return self._meant(self._frames.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Said]]:
        """What can be made of the rest when nothing more will come."""
        return self._meant(self._frames.finish())

    def _meant(self, found: list[Framed[modbus_rtu.Frame]]) -> list[Framed[Said]]:
        told = []
        for framed in found:
            try:
                message = self._said(framed.message)
            except Rejected as rejected:
                self.counts.rejected[rejected.reason] += 1
                continue
            if message is not None:
                told.append(Framed(message, framed.offset, framed.consumed))
        return told

    def _said(self, frame: modbus_rtu.Frame) -> Said | None:
        """An answer counts only behind the request for these addresses."""
        mapping = self._mapping
        if isinstance(frame, modbus_rtu.Request):
            asked = modbus_rtu.Request(mapping.unit, mapping.function, mapping.first, mapping.count)
            self._is_asked = frame == asked
            return None
        was_asked, self._is_asked = self._is_asked, False
        if not isinstance(frame, modbus_rtu.Answer) or not was_asked or frame.unit != mapping.unit:
            return None
        if len(frame.values) < mapping.count:
            raise Rejected("length", f"{len(frame.values)} values, expected {mapping.count}")
        return said(mapping, {name: _register(field, frame.values) for name, field in mapping.fields.items()})


def _register(field: Field, values: tuple[int, ...]) -> float | None:
    layout, size = TYPES[field.kind]
    raw = b"".join(value.to_bytes(2, "big") for value in values[field.place : field.place + size])
    value = float(struct.unpack(layout, raw)[0])
    return value if math.isfinite(value) else None


def said(mapping: Mapping, raw: dict[str, float | None]) -> Said | None:
    """What raw values mean; None: a presence that is none. Raises Rejected where a detection cannot be."""
    values = {name: None if number is None else mapping.fields[name].value(number) for name, number in raw.items()}
    if mapping.gives == "presence":
        value = values["value"]
        is_there = value is not None and (
            value >= mapping.at_least if mapping.at_least is not None else value <= (mapping.at_most or 0.0)
        )
        return Presence(mapping.kind, f"{mapping.text}: {value:g}".lstrip(": ")) if is_there else None
    azimuth_deg, confidence = values["azimuth_deg"], values.get("confidence")
    if azimuth_deg is None:
        return Detections(())
    found = Found(
        azimuth_deg=azimuth_deg,
        elevation_deg=values.get("elevation_deg"),
        slant_range_m=values.get("slant_range_m"),
        range_rate_m_s=values.get("range_rate_m_s"),
        power_db=values.get("power_db"),
        confidence=0.5 if confidence is None else confidence,
    )
    if (told := own_sensor.wrong(found)) is not None:
        raise Rejected("range", told)
    return Detections((found,))


class Decoder:
    """Readings in, facts out."""

    def __init__(self, sensor: Sensor, mapping: dict[str, Any]) -> None:
        """`mapping` is the table; raises ValueError where it is wrong."""
        self._facts = Facts(sensor)
        self._reader = reader(read_mapping(mapping))
        self.counts: Counts = self._reader.counts

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished line or frame."""
        return self._reader.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Fact]:
        """The facts that this reading completes."""
        found = self._reader.feed(reading.data, reading.monotonic_ns)
        return self._facts.of([(framed.message, None) for framed in found], reading)

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if (told := diagnose(self.counts, "line or frame of the mapping")) is not None:
            return told
        refused, read = sum(self.counts.rejected.values()), sum(self.counts.decoded.values())
        if refused > read:
            return f"{refused} lines or frames do not fit the mapping, {read} do: try it with `sarhad check-mapping`"
        return self._facts.diagnosis()


def reader(mapping: Mapping) -> Lines | Registers:
    """What reads bytes by a mapping."""
    return Lines(mapping) if mapping.form == "ascii" else Registers(mapping)


def record(message: Said) -> dict[str, Any]:
    """A message as plain data, in the JSON lines' names."""
    return sensor_json.record((message, None))
