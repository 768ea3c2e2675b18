"""Captures: a file of raw bytes read into plain records, for `sarhad decode` and for the tests.

One line of FORMATS names how a kind of capture is read, what may be set, and which of a record's fields are left
uninterpreted. The records' field names are those of the protocols' own documents and of the independent decoders that
check us, not ours: they are there to be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from firmware_interfaces import (
    ads_b,
    ads_b_streams,
    antsdr,
    asterix,
    dronescout,
    esp32_remote_id,
    krakensdr,
    ld2450,
    mavlink,
    modbus_rtu,
    nmea,
    odas,
    ops243,
    radio_frames,
    rtl_433,
    sensor_binary,
    sensor_json,
    spectrum_sweep,
    ti_mmwave,
)
from firmware_interfaces.capture_forms import DroneIds, PanTilt
from firmware_interfaces.decoder import Counts, Framed
from firmware_interfaces.nmea_sentences import Sentence

CHUNK_BYTES = 65_536


class Reader(Protocol):
    """Bytes to messages, for one stream."""

    counts: Counts

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Any]]:
        """The messages that these bytes complete."""

    def finish(self) -> list[Framed[Any]]:
        """What can be made of the rest when nothing more will come."""


@dataclass(frozen=True, slots=True)
class Format:
    """How one kind of capture is read."""

    says: str
    open: Callable[..., Reader]
    record: Callable[[Framed[Any], bytes], dict[str, Any]]  # (message, the whole capture)
    settings: dict[str, str | bool | int | float] = field(default_factory=dict)  # with their defaults
    aliases: tuple[str, ...] = ()
    # what of a record is left uninterpreted -> why; a field is named by its path ("decoded.roll"), * stands for any text
    not_interpreted: dict[str, str] = field(default_factory=dict)
    is_stream: bool = True  # False: a file is read in one piece, as captures of datagrams are


def read(
    capture_format: Format, data: bytes, settings: dict[str, Any], chunk_bytes: int = CHUNK_BYTES
) -> tuple[Iterator[dict[str, Any]], Counts]:
    """A capture's records, in order, and the counts, which are complete when the records are read."""
    reader = capture_format.open(**settings)
    return records_of(capture_format, reader, data, chunk_bytes), reader.counts


def records_of(
    capture_format: Format, reader: Reader, data: bytes, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[dict[str, Any]]:
    """A capture's records by a reader of its own."""
    chunk_bytes = chunk_bytes if capture_format.is_stream else max(1, len(data))
    for place in range(0, len(data), chunk_bytes):
        for framed in reader.feed(data[place : place + chunk_bytes], 0):
            yield capture_format.record(framed, data)
    for framed in reader.finish():
        yield capture_format.record(framed, data)


def _at_offset(record: Callable[[Any], dict[str, Any]]) -> Callable[[Framed[Any], bytes], dict[str, Any]]:
    return lambda framed, data: {"offset": framed.offset, **record(framed.message)}


def _gnss_record(framed: Framed[nmea.Message], data: bytes) -> dict[str, Any]:
    """A line's end belongs to the sentence."""
    end = framed.offset + framed.consumed
    if isinstance(framed.message, Sentence):
        end += data[end : end + 1] == b"\r"
        end += data[end : end + 1] == b"\n"
    return {"end_offset": end, "len": end - framed.offset, **nmea.record(framed.message)}


def _dronescout_record(framed: Framed[dronescout.Line], data: bytes) -> dict[str, Any]:
    """A line that holds an array of several messages gives its first as the record, the others as "more"."""
    first, *others = (dronescout.record(said) for said in framed.message)
    line = {"line": data.count(b"\n", 0, framed.offset) + 1, **first}
    return {**line, "more": others} if others else line


def _line_record(framed: Framed[esp32_remote_id.Line], data: bytes) -> dict[str, Any]:
    return {"line": data.count(b"\n", 0, framed.offset) + 1, "value": esp32_remote_id.record(framed.message)}


def _remote_id_record(framed: Framed[radio_frames.Broadcast], data: bytes) -> dict[str, Any]:
    return radio_frames.record(framed.message)


def _drone_id_record(framed: Framed[radio_frames.Broadcast | antsdr.Heard], data: bytes) -> dict[str, Any]:
    said = framed.message
    return antsdr.record(said) if isinstance(said, antsdr.Heard) else radio_frames.record(said)


def _heard_record(framed: Framed[ads_b_streams.Heard], data: bytes) -> dict[str, Any]:
    """A Beast frame by its offset, a line by its number."""
    if framed.message.form == "beast":
        return {"offset": framed.offset, **ads_b.record(framed.message)}
    return {"line": data.count(b"\n", 0, framed.offset) + 1, **ads_b.record(framed.message)}


FORMATS: dict[str, Format] = {
    "ti_mmwave": Format(
        "TI mmWave radar, data UART: three header profiles, points, side info, tracker TLVs",
        ti_mmwave.Frames,
        _at_offset(ti_mmwave.record),
        {"profile": "auto"},
        not_interpreted={
            "TLV 2, 3": "range and noise profiles: pictures for people",
            "TLV 4, 5, 8 of sdk3_oob_40": "heat maps: pictures for people",
            "TLV 302 to 307, 310 to 349": "profiles, heat maps, statistics, presence, samples of the low-power SDK",
            "TLV 1030 to 1051": "seats, vital signs, classifiers",
            "covariance and gating gain of targets": "the firmware's tracks are not fused",
            "margins and times of the 48 and 52 byte headers": "the firmware's own load",
        },
    ),
    "mavlink_odid": Format(
        "Remote ID over MAVLink 1 and 2, with ADS-B, heartbeat and arm status",
        mavlink.Frames,
        _at_offset(mavlink.record),
        {"undo_crlf": "auto"},
        ("open_drone_id",),
        {"signature": "checked for presence only: no keys", "other messages": "CRC checked, left alone"},
    ),
    "gnss": Format(
        "GNSS receivers: NMEA 0183, UBX and RTCM 3 on one line",
        nmea.Messages,
        _gnss_record,
        {"needs_checksum": True},
        ("nmea",),
        {
            "sentences that are not in nmea_sentences.TABLE": "checked, left alone",
            "messages that are not in ubx.LAYOUTS": "checked, left alone",
            "RTCM 3 payloads": "corrections for the receiver, not for us",
            "NAV-PVT.headVeh": "a post does not drive",
            "NAV-PVT.mag*": "heading comes from the mounting",
            "NAV-PVT.lastCorrectionAge": "the fix type tells whether corrections are used",
            "*.auth*": "authentication of the satellites' message, which no receiver of ours has",
            "NAV-PVT.nmaFixStatus": "the same",
            "NAV-TIMEUTC.utcStandard": "which laboratory's UTC: they agree within 20 ns",
            "MON-RF.mag?_*": "the front end's imbalance",
            "MON-RF.ofs?_*": "the front end's imbalance",
            "MON-RF.msgSource": "always 0",
            "MON-HW.VP_*": "which pin does what",
            "MON-HW.p*": "which pin does what",
            "MON-HW.usedMask": "which pin does what",
            "*.reserved*": "reserved",
        },
    ),
    "dronescout_mqtt": Format(
        "DroneScout receivers: Remote ID as JSON over MQTT, one message or array a line",
        dronescout.Lines,
        _dronescout_record,
        {},
        ("dronescout",),
        {"protocol": "the same in all", "authentication pages": "no keys exist to check them with"},
    ),
    "esp32_rid_json": Format(
        "ESP32 sniffers: Remote ID as JSON lines",
        esp32_remote_id.Lines,
        _line_record,
        {},
        ("esp32_remote_id",),
        {
            "Self-ID, Operator ID and Frequency Message": "their shapes differ from board to board",
            "index, runtime, node_id, source, channel": "the board's own",
            "headings, product_type, home": "a heading without speed is no velocity; the rest is not documented",
        },
    ),
    "hlk_ld2450": Format(
        "Hi-Link LD2450 and Ai-Thinker RD-03D presence radars",
        ld2450.Reports,
        _at_offset(ld2450.record),
        {"max_report_bytes": 62},
        ("ld2450",),
        {
            "answers to commands": "recognised, left alone",
            "targets behind the third": "longer reports are not documented",
        },
    ),
    "remote_id": Format(
        "Remote ID in captured radio frames, pcap or pcapng: Wi-Fi beacon and NAN, Bluetooth 4 and 5",
        lambda: radio_frames.Frames("remote_id"),
        _remote_id_record,
        {},
        ("radio_frames",),
        {
            "decoded.auth_pages*": "told page by page; no keys exist to check them with",
            "elements of other owners, NAN's other services": "not about drones",
        },
    ),
    "dji_droneid": Format(
        "DJI DroneID: Wi-Fi beacons in a capture, or the text lines and packets of AntSDR receivers",
        DroneIds,
        _drone_id_record,
        {},
        ("antsdr",),
        {
            "altitude, speeds and yaw of beacons": "told raw: nobody has documented their scale and datum",
            "state_hex": "told raw: its bits are not documented",
        },
    ),
    "asterix": Format(
        "ASTERIX: a pcap file of UDP datagrams, or one datagram; read strictly by edition, such as editions=62:1.16",
        asterix.CaptureFile,
        lambda framed, data: {"index": framed.offset, **asterix.record(framed.message)},
        {"editions": "", "skip_bytes": 0},
        not_interpreted={
            "reserved expansion and special purpose fields": "told as they are, in hexadecimal",
            "CAT129 and others that libasterix does not have": "their datagram is refused as unknown, and counted",
        },
        is_stream=False,
    ),
    "adsb_modes": Format(
        "ADS-B and Mode S: Beast, AVR, SBS-1, or CSV of seconds, address and message; told apart by themselves",
        ads_b.CaptureFile,
        _heard_record,
        {},
        ("ads_b",),
        {
            "decoded.wake_vortex": "words for category, which is told",
            "decoded.capability_text": "words for capability, which is told",
            "decoded.flight_status_text": "words for flight_status, which is told",
            "DF2[01].*": "the register (BDS) they carry: the message does not say which one it is",
            "TC28.2.*": "resolution advisories",
            "DF24": "parts of extended-length messages",
            "TC29.[023].*": "version 1's target state, of another layout",
            "Mode A/C": "counted, left alone: an answer to somebody's question, of nobody known",
        },
    ),
    "ops243": Format(
        "OmniPreSense OPS243 radar modules: plain and JSON lines",
        lambda: ops243.Lines(keeps_blank=True),
        lambda framed, data: ops243.record(framed.message),
    ),
    "krakensdr_doa": Format(
        "KrakenSDR: directions of arrival, Kraken App CSV",
        krakensdr.Lines,
        lambda framed, data: krakensdr.record(framed.message),
        {},
        ("krakensdr",),
        {"spectrum": "its peak is told; the other 359 values are a picture for people"},
    ),
    "odas": Format(
        "ODAS: tracked and potential directions of sound, JSON",
        odas.Looks,
        lambda framed, data: odas.record(framed.message),
    ),
    "rtl_433_json": Format(
        "rtl_433: wireless motion, door and tamper sensors, JSON lines",
        rtl_433.Transmissions,
        lambda framed, data: rtl_433.record(framed.message),
        {},
        ("rtl_433",),
        {"fields beside event": "told as they were said, in `said`; rtl_433 knows hundreds"},
    ),
    "spectrum_sweep": Format(
        "spectrum sweeps: hackrf_sweep and rtl_power CSV, tinySA scan and scanraw",
        spectrum_sweep.Sweeps,
        lambda framed, data: spectrum_sweep.record(framed.message),
        {"raw_offset_db": 174.0, "start_mhz": 0.0, "stop_mhz": 0.0},
        (),
        {
            "number of samples": "says nothing of the power",
            "bins of a CSV sweep": "told as the bands that stand out",
            "RF Explorer ($S frames)": "another device's format, which nothing here reads",
        },
    ),
    "modbus_rtu": Format(
        "Modbus RTU: requests, answers and exceptions of the reading functions",
        modbus_rtu.Frames,
        _at_offset(modbus_rtu.record),
        {},
        (),
        {"functions that write": "not known here: this product only reads", "meaning": "words for people"},
    ),
    "ptz": Format(
        "pan-tilt: Pelco-D or VISCA, whichever more of the bytes are",
        PanTilt,
        lambda framed, data: {"offset": framed.offset, **framed.message},
        {"dialect": "auto"},
        ("pelco_d", "visca"),
        {"meaning": "words for people", "commands without angles": "told by their bytes"},
    ),
    "sensor_json": Format(
        "a sensor of one's own, JSON lines",
        sensor_json.Lines,
        lambda framed, data: {"line": data.count(b"\n", 0, framed.offset) + 1, **sensor_json.record(framed.message)},
    ),
    "sensor_binary": Format(
        "a sensor of one's own, COBS frames with CRC-16",
        sensor_binary.Frames,
        _at_offset(sensor_binary.record),
        {},
        (),
        {"device ms": "the device's own clock; frames are timed by their arrival"},
    ),
}


def format_named(name: str) -> Format | None:
    """The format of that name or alias."""
    if name in FORMATS:
        return FORMATS[name]
    return next((found for found in FORMATS.values() if name in found.aliases), None)
