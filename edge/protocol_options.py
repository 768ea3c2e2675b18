"""What a site file may say of protocols: with the drivers they come over, their options and what their sensors are.

Used as `device_options.py` is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edge.site_keys import REQUIRED, Key
from firmware_interfaces import modbus_rtu, spectrum_sweep
from firmware_interfaces.asterix_records import MAX_SKIPPED_BYTES, read_editions
from firmware_interfaces.mapping import read_option
from firmware_interfaces.mavlink import UNDO_CRLF
from firmware_interfaces.ops243 import SPEED_UNITS
from firmware_interfaces.ti_mmwave_frames import READ_HEADER
from fusion.types import Accuracy


def _scale(name: str, words: str, largest: float, default: Any = REQUIRED) -> Key:
    """A scale of either sign, which something is divided by."""
    return Key(name, "number", words, default, at_least=-largest, at_most=largest, from_zero=0.01)


UNKNOWN = Accuracy()


@dataclass(frozen=True, slots=True)
class ProtocolKind:
    """One kind of speech, the drivers it may come over, and what its sensor is.

    family: "radar" (position, orientation and coverage asked for), "camera" (and a lens), "bearing" (position and
    orientation), "claims" (targets that say where they are), "presence" (something is there, nobody knows where),
    "pointing" (where a moving sensor points), "own" (whatever a sensor of one's own tells), "own_position".
    """

    words: str
    family: str
    drivers: tuple[str, ...]
    options: tuple[Key, ...] = ()
    typical: Accuracy = UNKNOWN  # of one measurement where the site states none; the mounting's error comes on top
    highest_address: int = 255  # of a pan-tilt head


STREAMS = ("serial_port", "tcp_stream", "udp_listener", "mqtt_feed")
ASKED = (*STREAMS, "polled_port")
QUESTIONS: dict[str, Callable[[Sequence[str]], tuple[bytes, ...]]] = {  # of a polled port, by protocol
    "modbus_rtu": modbus_rtu.questions,
    "mapping": modbus_rtu.questions,
    "spectrum_sweep": spectrum_sweep.questions,
}

ASTERIX = (
    Key("editions", "text", 'of its categories where not the newest: "48:1.27, 62:1.16"', "", read=read_editions),
    Key("skip_bytes", "integer", "put in front by a gateway", 0, at_least=0, at_most=MAX_SKIPPED_BYTES),
    Key("sac", "integer", "of the source to take; left out: any", None, at_least=0, at_most=255),
    Key("sic", "integer", "of the source to take; left out: any", None, at_least=0, at_most=255),
)

PROTOCOLS: dict[str, ProtocolKind] = {
    "ti_mmwave": ProtocolKind(
        "TI mmWave radar boards, TLV frames",
        "radar",
        STREAMS,
        (
            Key("profile", "text", "the firmware's frame layout", "auto", choices=("auto", *READ_HEADER)),
            Key("cluster_m", "number", "points nearer than this are one detection", 1.0, above=0.0, at_most=50.0),
            Key("cluster_m_s", "number", "and their range rates nearer than this", 1.0, above=0.0, at_most=50.0),
            Key("min_speed_m_s", "number", "slower points are left out", 0.0, at_least=0.0, at_most=50.0),
            Key("doppler_sign", "integer", "-1 where the firmware counts closing as positive", 1, choices=(1, -1)),
        ),
        Accuracy(math.radians(2.0), math.radians(3.0), 1.0, 0.5),
    ),
    "open_drone_id": ProtocolKind(
        "Remote ID: what drones broadcast of themselves, as MAVLink",
        "claims",
        STREAMS,
        (Key("undo_crlf", "text", "take back CR LF that a console made of LF", "auto", choices=UNDO_CRLF),),
    ),
    "dronescout": ProtocolKind("Remote ID: DroneScout receivers, JSON over MQTT", "claims", ("mqtt_feed",)),
    "esp32_remote_id": ProtocolKind("Remote ID: ESP32 sniffers, JSON lines", "claims", ("serial_port", "tcp_stream")),
    "radio_frames": ProtocolKind(
        "Remote ID and DJI DroneID in radio frames of a Wi-Fi or Bluetooth sniffer (pcap)", "claims", ("tcp_stream",)
    ),
    "antsdr": ProtocolKind("DJI DroneID: AntSDR receivers, text or binary", "claims", ("tcp_stream", "udp_listener")),
    "ld2450": ProtocolKind(
        "LD2450 presence radar modules (people at a few metres, no drones)",
        "radar",
        STREAMS,
        (
            Key("speed_sign", "integer", "-1 where the module counts closing as positive", 1, choices=(1, -1)),
            Key("max_report_bytes", "integer", "of firmware with longer reports", 62, at_least=30, at_most=1024),
        ),
        Accuracy(math.radians(5.0), None, 0.3, 0.2),
    ),
    "asterix": ProtocolKind(
        "radars of air traffic control and air defence, ASTERIX plots over UDP",
        "radar",
        ("udp_listener",),
        ASTERIX,
        Accuracy(math.radians(0.15), None, 100.0),
    ),
    "asterix_tracks": ProtocolKind("tracks of other systems, ASTERIX over UDP", "claims", ("udp_listener",), ASTERIX),
    "ads_b": ProtocolKind(
        "ADS-B: what aircraft broadcast at 1090 MHz, as Mode S Beast, AVR or SBS-1",
        "claims",
        ("serial_port", "tcp_stream", "udp_listener"),
        (
            Key(
                "latitude_deg",
                "number",
                "the receiver's place; for aircraft on the ground, and to leave forged far ones out",
                None,
                at_least=-90.0,
                at_most=90.0,
            ),
            Key("longitude_deg", "number", "the receiver's place", None, at_least=-180.0, at_most=180.0),
        ),
    ),
    "ops243": ProtocolKind(
        "OPS243 radar modules: speed and range of what is in their beam",
        "radar",
        STREAMS,
        (
            Key("unit", "text", "the speed's unit, where lines name none", "mps", choices=tuple(SPEED_UNITS)),
            Key("speed_sign", "integer", "-1 where the module counts outbound as positive", 1, choices=(1, -1)),
        ),
        Accuracy(math.radians(5.8), math.radians(6.9), 1.0, 0.3),  # a beam of 20 by 24 deg, evenly
    ),
    "krakensdr": ProtocolKind(
        "KrakenSDR: direction of a radio signal",
        "bearing",
        (*STREAMS, "http_page"),
        (
            Key("direction_sign", "integer", "-1 where the array counts the other way round", 1, choices=(1, -1)),
            Key("min_confidence", "number", "less sure directions are left out", 0.0, at_least=0.0, at_most=1000.0),
        ),
        Accuracy(math.radians(5.0)),
    ),
    "odas": ProtocolKind(
        "ODAS: directions of sound from a microphone array",
        "bearing",
        STREAMS,
        (Key("min_activity", "number", "quieter sources are left out", 0.3, at_least=0.0, at_most=1.0),),
        Accuracy(math.radians(5.0), math.radians(8.0)),
    ),
    "rtl_433": ProtocolKind(
        "wireless motion, door and tamper sensors, rtl_433 JSON",
        "presence",
        STREAMS,
        (Key("transmitters", "texts", "ids of the sensors that are ours; left out: all", None),),
    ),
    "spectrum_sweep": ProtocolKind(
        "spectrum sweeps: hackrf_sweep, rtl_power, tinySA",
        "presence",
        ASKED,
        (
            Key("above_floor_db", "number", "what stands so high is occupied", 15.0, at_least=3.0, at_most=100.0),
            Key("power_offset_db", "number", "dBm minus dB, as calibrated", 0.0, at_least=-200.0, at_most=200.0),
            Key("raw_offset_db", "number", "tinySA scanraw: 174 Ultra, 128 basic", 174.0, at_least=0.0, at_most=300.0),
            Key("start_mhz", "number", "of scanraw, where its command is not seen", 0.0, at_least=0.0, at_most=20000.0),
            Key("stop_mhz", "number", "of scanraw, where its command is not seen", 0.0, at_least=0.0, at_most=20000.0),
        ),
    ),
    "modbus_rtu": ProtocolKind(
        "fence and seismic sensors, Modbus RTU, read only",
        "presence",
        ASKED,
        (
            Key(
                "alarms",
                "texts",
                '"unit:address text"; of a register "unit:address>limit text"',
                None,
                read=modbus_rtu.read_alarms,
            ),
            Key("kind", "text", "what its presences are called", "fence"),
        ),
    ),
    "pelco_d": ProtocolKind(
        "pan-tilt heads, Pelco-D",
        "pointing",
        STREAMS,
        (Key("tilt_sign", "integer", "-1 where the head counts upwards as positive", 1, choices=(1, -1)),),
    ),
    "visca": ProtocolKind(
        "pan-tilt-zoom cameras, VISCA",
        "pointing",
        (*STREAMS, "udp_device"),
        (
            _scale("pan_steps_per_deg", "from the camera's manual; negative: it counts leftwards", 10_000.0),
            _scale("tilt_steps_per_deg", "from the camera's manual; negative: it counts downwards", 10_000.0),
        ),
        highest_address=7,  # three bits of a message's first byte; 0xFF there would end it
    ),
    "onvif": ProtocolKind(
        "pan-tilt cameras on the network, ONVIF",
        "pointing",
        ("onvif_camera",),
        (
            _scale("tilt_deg_per_unit", "tilt between 0 and 1 of its range; negative: it counts downwards", 360.0),
            _scale("pan_deg_per_unit", "pan between 0 and 1 of its range; negative: it counts leftwards", 360.0, 180.0),
            Key("tilt_at_zero_deg", "number", "where its tilt 0 looks", 0.0, at_least=-90.0, at_most=90.0),
        ),
    ),
    "sensor_json": ProtocolKind("a sensor of one's own, JSON lines (docs/own-sensor-json.md)", "own", STREAMS),
    "sensor_binary": ProtocolKind("a sensor of one's own, COBS frames (docs/own-sensor-binary.md)", "own", STREAMS),
    "mapping": ProtocolKind(
        "a device of text lines or Modbus registers that a table explains (docs/own-sensor-mapping.md)",
        "own",
        ASKED,
        (Key("mapping", "table", "what its lines or registers mean; see `sarhad check-mapping`", read=read_option),),
    ),
    "gnss": ProtocolKind(
        "a satellite receiver: NMEA 0183 and UBX",
        "own_position",
        STREAMS,
        (
            Key(
                "range_error_m",
                "number",
                "1-sigma of one range, for receivers without GST",
                5.0,
                above=0.0,
                at_most=100.0,
            ),
            Key("needs_checksum", "yes_no", "refuse sentences without checksum", True),
        ),
    ),
    "yolo": ProtocolKind(
        "a camera and our detector",
        "camera",
        ("video_file", "usb_camera", "rtsp_camera", "jetson_camera"),
        (
            Key("min_confidence", "number", "detections below are left out", 0.0, at_least=0.0, at_most=1.0),
            Key("classes", "table", 'what another model\'s classes are called here: { uav = "drone" }', None),
        ),
        Accuracy(math.radians(0.3), math.radians(0.3)),
    ),
}
