"""rtl_433: wireless motion, door and tamper sensors (and much else) that an SDR hears, JSON lines.

    {"time" : "@0.287120s", "model" : "Interlogix-Security", "subtype" : "motion", "id" : "468d19", "battery_ok" : 1, ...}
    {"time" : "1773480413.250", "model" : "Honeywell-Security", "id" : 815221, "state" : "open", "tamper" : 1, ...}

Each transmission is sent three to eight times: what comes again from one transmitter within five seconds, the same but for
its time and signal, is a repetition. What happened stands in `state`, in the words of `event` or `cmd` (X10, Chuango), or in
numbers such as `opened`, `closed` (DSC), `alarm` (Visonic). Older versions say `device_type` for `subtype`, `battery : "OK"`
for `battery_ok : 1`, `heartbeat : "no"` for 0. Start it with `-F json -M time:unix:usec:utc`.

No such sensor authenticates itself: anyone can send the same, or jam it.

Source: rtl_433, docs/DATA_FORMAT.md and the words of its drivers for security sensors (22.11).
"""

from __future__ import annotations

import datetime
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from firmware_interfaces.decoder import Counts, Framed, Rejected, diagnose
from firmware_interfaces.json_lines import number, read_json
from firmware_interfaces.open_drone_id_messages import clean_text
from firmware_interfaces.text_lines import TextLines
from fusion.types import Fact, Presence, Reading, Sensor, Status

MAX_LINE_BYTES = 4096
REPEATS_S = 5.0
MAX_TRANSMITTERS = 256
OLD_NAMES = {"device_type": "subtype", "sid": "id", "unit_id": "id"}
SIGNAL = {"time", "rssi", "snr", "noise", "freq", "freq1", "freq2", "mod", "mic", "protocol"}  # not of the content
KINDS = {  # words in subtype or model -> kind
    "motion": "motion", "pir": "motion", "occupancy": "motion", "door": "door", "window": "door", "reed": "door",
    "contact": "contact", "glass": "glass", "vibration": "vibration", "smoke": "smoke", "keyfob": "keyfob",
    "remote": "keyfob", "button": "button", "tamper": "tamper", "water": "water", "fob": "keyfob", "panic": "panic",
    "alarm": "alarm", "zone": "alarm",
}  # fmt: skip
EVENT_TEXTS = ("state", "event", "cmd")
OPEN_FIELDS = ("contact_open", "reed_open", "opened", "open", "motion", "alarm", "triggered")
DOOR_FIELDS = ("state", "contact_open", "reed_open", "opened", "open", "closed")
ALARMING = ("motion", "door", "contact", "glass", "vibration", "tamper", "smoke", "button", "panic", "alarm")
CLOSED = ("closed", "close", "ok", "idle", "no_motion", "ready")
SECONDS_IN_FILE = re.compile(r"@(\d+\.\d+)s")
YES, NO = ("ok", "yes", "true", "on", "1"), ("low", "no", "false", "off", "0")


@dataclass(frozen=True, slots=True)
class Heard:
    """One line."""

    model: str
    transmitter: str  # as the sensor numbers itself; empty where it does not
    kind: str  # "motion", "door", "contact", ..., "other"
    state: str | None  # "open", "closed", as the sensor says it
    tamper: bool | None
    battery_ok: bool | None
    is_heartbeat: bool  # a sign of life, no event
    time_s: float | None  # in rtl_433's own clock
    power_db: float | None
    said: tuple[tuple[str, Any], ...]  # the whole line

    @property
    def content(self) -> tuple[tuple[str, str], ...]:
        """What a repetition shares with it."""
        return tuple((name, str(value)) for name, value in self.said if name not in SIGNAL)


class Lines(TextLines[Heard]):
    """Bytes in, understood lines out; other lines are text."""

    def __init__(self) -> None:
        super().__init__(parse, lambda line: line.kind, MAX_LINE_BYTES)


def parse(line: bytes) -> Heard | None:
    """What a line says; None: it is text for people. Raises Rejected."""
    text = line.strip()
    if not text.startswith(b"{"):
        return None
    found, is_repeated = read_json(text, only_finite=True)
    if not isinstance(found, dict) or is_repeated or not isinstance(found.get("model"), str):
        raise Rejected("field", "a line without model, or with a key that comes twice")
    if any(isinstance(value, dict | list) for value in found.values()) or len(found) > 64:
        raise Rejected("field", "a value that is neither number nor text")
    named = {str(OLD_NAMES.get(name, name)): value for name, value in found.items()}
    return Heard(
        model=_text(found["model"]),
        transmitter=_text(named.get("id", named.get("code", ""))),
        kind=_kind(named),
        state=_state(named),
        tamper=True if "tamper" in _happened(named) else _flag(named.get("tamper")),
        battery_ok=_flag(named.get("battery_ok", named.get("battery"))),
        is_heartbeat=_is_heartbeat(named),
        time_s=_time_s(found.get("time")),
        power_db=number(found.get("rssi")),
        said=tuple(found.items()),
    )


def _text(value: Any) -> str:
    return clean_text(str(value).encode("ascii", "replace")[:60]) or ""


def _words(text: Any) -> list[str]:
    return re.split(r"[^a-z_]+", text.lower()) if isinstance(text, str) else []


def _happened(named: dict[str, Any]) -> list[str]:
    """The words for what happened."""
    return [word for name in EVENT_TEXTS for word in _words(named.get(name))]


def _kind(named: dict[str, Any]) -> str:
    """By subtype, what happened, the model's name, then by the fields it has."""
    for words in (_words(named.get("subtype")), _happened(named), _words(named.get("model"))):
        kind = next((KINDS[word] for word in words if word in KINDS), None)
        if kind is not None:
            return kind
    if "motion" in named:
        return "motion"
    if any(name in named for name in DOOR_FIELDS):
        return "door"
    return "alarm" if "alarm" in named else "other"


def _state(named: dict[str, Any]) -> str | None:
    """In the sensor's own word, else "open" or "closed" by its numbers; None where it tells neither."""
    if isinstance(named.get("state"), str):
        return _text(named["state"]).lower()
    if any(word in CLOSED for word in _happened(named)):
        return "closed"
    flags = [_flag(named.get(name)) for name in OPEN_FIELDS]
    closed = _flag(named.get("closed"))
    if True in flags or closed is False:
        return "open"
    return "closed" if False in flags or closed else None


def _is_heartbeat(named: dict[str, Any]) -> bool:
    """A sign of life; DSC's says that it is no event."""
    is_said = _flag(named.get("heartbeat", named.get("supervision"))) is True
    return is_said or ("closed" in named and named.get("event") == 0)


def _flag(value: Any) -> bool | None:
    """Yes or no, in any of the ways it has been written; None: not said. A battery's level counts from one half."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value >= 0.5
    text = str(value).lower()
    return True if text in YES else False if text in NO else None


def _time_s(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    if not isinstance(value, str) or len(value) > 40:
        return None
    if (found := SECONDS_IN_FILE.fullmatch(value)) is not None:
        return float(found[1])
    try:
        return number(float(value))
    except ValueError:
        pass
    try:
        told = datetime.datetime.fromisoformat(value)
    except ValueError:
        return None
    return (told.replace(tzinfo=None) - datetime.datetime(1970, 1, 1)).total_seconds()


class Repetitions:
    """Which lines only say again what was said."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], tuple[tuple[tuple[str, str], ...], float]] = OrderedDict()

    def is_repeated(self, heard: Heard, received_s: float) -> bool:
        """By rtl_433's own clock where a line tells it, else by arrival."""
        now_s = received_s if heard.time_s is None else heard.time_s
        key, content = (heard.model, heard.transmitter), heard.content
        before = self._last.get(key)
        self._last[key] = (content, now_s)
        self._last.move_to_end(key)
        while len(self._last) > MAX_TRANSMITTERS:
            self._last.popitem(last=False)
        return before is not None and before[0] == content and abs(now_s - before[1]) <= REPEATS_S


class Decoder:
    """Readings in; a presence for each event, a status where a battery is low."""

    def __init__(self, sensor: Sensor, transmitters: tuple[str, ...] = ()) -> None:
        """`transmitters` are the ids that are ours; left out: all, those of neighbours too."""
        self._sensor, self._transmitters = sensor, frozenset(transmitters)
        self._lines, self._repetitions = Lines(), Repetitions()
        self.counts: Counts = self._lines.counts
        self._low: OrderedDict[str, None] = OrderedDict()

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished line."""
        return self._lines.stream.kept_bytes

    def feed(self, reading: Reading) -> list[Fact]:
        """The facts that this reading completes."""
        facts: list[Fact] = []
        for framed in self._lines.feed(reading.data, reading.monotonic_ns):
            heard = framed.message
            if self._repetitions.is_repeated(heard, reading.monotonic_ns / 1e9):
                self.counts.remarks["repetition"] += 1
            elif self._transmitters and heard.transmitter not in self._transmitters:
                self.counts.remarks["a stranger's sensor"] += 1
            else:
                facts += self._facts(heard, reading.received_ns - self._sensor.latency_ns)
        return facts

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if (told := diagnose(self.counts, "JSON line", "start rtl_433 with -F json")) is not None:
            return told
        return f"battery low: {', '.join(sorted(self._low)[:3])}" if self._low else None

    def _facts(self, heard: Heard, time_ns: int) -> list[Fact]:
        name = f"{heard.model} {heard.transmitter}".strip()
        facts: list[Fact] = []
        if heard.battery_ok is not None:
            facts += self._battery(name, heard.battery_ok, time_ns)
        if heard.is_heartbeat:
            return facts
        if heard.tamper:
            facts.append(self._presence("tamper", f"{name}: tampered with", heard, time_ns))
        is_event = heard.kind in ALARMING and heard.state not in CLOSED
        if is_event and heard.kind != "tamper":
            facts.append(self._presence(heard.kind, f"{name}: {heard.state or heard.kind}", heard, time_ns))
        return facts

    def _presence(self, kind: str, text: str, heard: Heard, time_ns: int) -> Presence:
        """Its power is the receiver's own scale, so none is told."""
        return Presence(self._sensor.sensor_id, time_ns, kind, None, None, text)

    def _battery(self, name: str, is_ok: bool, time_ns: int) -> list[Fact]:
        if is_ok:
            self._low.pop(name, None)
            return []
        if name in self._low or len(self._low) >= MAX_TRANSMITTERS:
            return []
        self._low[name] = None
        return [Status(self._sensor.sensor_id, time_ns, "warning", f"{name}: battery low")]


class Transmissions:
    """Lines for captures, each with whether it repeats the one before it."""

    def __init__(self) -> None:
        self._lines, self._repetitions = Lines(), Repetitions()
        self.counts: Counts = self._lines.counts

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[tuple[Heard, bool]]]:
        """The lines that these bytes complete."""
        return self._marked(self._lines.feed(data, monotonic_ns), monotonic_ns)

    def finish(self) -> list[Framed[tuple[Heard, bool]]]:
        """A last line that lacks its end."""
        return self._marked(self._lines.finish(), 0)

    def _marked(self, found: list[Framed[Heard]], monotonic_ns: int) -> list[Framed[tuple[Heard, bool]]]:
        return [
            Framed((f.message, self._repetitions.is_repeated(f.message, monotonic_ns / 1e9)), f.offset, f.consumed)
            for f in found
        ]


def record(marked: tuple[Heard, bool]) -> dict[str, Any]:
    """A line as plain data: what it means, and all that it said."""
    heard, is_repeated = marked
    flags = {"state": heard.state, "tamper": heard.tamper, "battery_ok": heard.battery_ok}
    said = {name: value for name, value in flags.items() if value is not None}
    event = {"model": heard.model, "id": heard.transmitter, "kind": heard.kind, **said}
    return {"is_repeated": is_repeated, "event": event, "said": dict(heard.said)}
