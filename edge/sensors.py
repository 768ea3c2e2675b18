"""The two tables that tie a site file to code: which driver reads a device, which decoder understands its bytes.

Adding a device is one file in `hardware/`, one line in DRIVERS here and its options in `device_options.py`; adding a
protocol is one file in `firmware_interfaces/`, one line in PROTOCOLS here and its options in `protocol_options.py`. Modules
are imported only when a site names them.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.line_endings import with_end
from edge.protocol_options import QUESTIONS
from edge.site_file import SensorEntry, Site
from edge.site_types import SwitchSettings
from firmware_interfaces.decoder import Decoder
from fusion.types import VISION_SUFFIX
from hardware.device import Driver
from hardware.relay import KernelFile, PowerCycle, SerialRelay, Switch

if TYPE_CHECKING:
    from edge.vision.spectrum import Spectrum


@dataclass(frozen=True, slots=True)
class Protocol:
    """A decoder and what its sensor can do for the picture."""

    module: str
    sees: bool  # its detections can start a track; its silence can make a post blind
    says: str  # one line for `sarhad check` and the documents
    silence_s: float = 5.0  # a healthy sensor is never quiet for longer
    hears_only_claims: bool = False  # it is quiet while nobody broadcasts, and well all the same
    is_binary: bool = False  # binary all through, in one stream: every byte value comes, and no line ends
    has_lines: bool = False  # what it says are lines of text, each with its end


DRIVERS: dict[str, str] = {  # name in the site file -> module:class
    "serial_port": "hardware.serial_port:SerialPort",
    "polled_port": "hardware.polled_port:PolledPort",
    "video_file": "hardware.video_file:VideoFile",
    "usb_camera": "hardware.usb_camera:UsbCamera",
    "rtsp_camera": "hardware.rtsp_camera:RtspCamera",
    "jetson_camera": "hardware.jetson_camera:JetsonCamera",
    "udp_listener": "hardware.udp_listener:UdpListener",
    "udp_device": "hardware.udp_device:UdpDevice",
    "onvif_camera": "hardware.onvif_camera:OnvifCamera",
    "http_page": "hardware.http_page:HttpPage",
    "tcp_stream": "hardware.tcp_stream:TcpStream",
    "mqtt_feed": "hardware.mqtt_feed:MqttFeed",
}

PROTOCOLS: dict[str, Protocol] = {
    "ti_mmwave": Protocol(
        "firmware_interfaces.ti_mmwave", True, "TI mmWave radar, TLV frames over its data port", is_binary=True
    ),
    "yolo": Protocol("firmware_interfaces.yolo", True, "a camera, looked at by the vision process"),
    "open_drone_id": Protocol(
        "firmware_interfaces.open_drone_id",
        False,
        "Remote ID over MAVLink 2: claims, not measurements",
        silence_s=60.0,
        hears_only_claims=True,
    ),
    "dronescout": Protocol(
        "firmware_interfaces.dronescout", False, "Remote ID heard by DroneScout receivers", 300.0, True
    ),
    "esp32_remote_id": Protocol(
        "firmware_interfaces.esp32_remote_id",
        False,
        "Remote ID heard by ESP32 sniffers, JSON lines",
        300.0,
        True,
        has_lines=True,
    ),
    "radio_frames": Protocol(
        "firmware_interfaces.radio_frames", False, "Remote ID and DJI DroneID in captured radio frames", 300.0, True
    ),
    "antsdr": Protocol("firmware_interfaces.antsdr", False, "DJI DroneID heard by AntSDR receivers", 300.0, True),
    "ld2450": Protocol(
        "firmware_interfaces.ld2450", True, "LD2450 presence radar: a tripwire of six metres", is_binary=True
    ),
    "asterix": Protocol("firmware_interfaces.asterix", True, "a network radar's plots, ASTERIX CAT048 and 034", 30.0),
    "asterix_tracks": Protocol(
        "firmware_interfaces.asterix", False, "other systems' tracks, ASTERIX CAT062, 021, 020, 010, 015", 300.0, True
    ),
    "ads_b": Protocol(
        "firmware_interfaces.ads_b", False, "aircraft heard at 1090 MHz: Beast, AVR or SBS-1", 300.0, True
    ),
    "ops243": Protocol(
        "firmware_interfaces.ops243",
        True,
        "OPS243 radar: speed and range of what is in its beam",
        60.0,
        has_lines=True,
    ),
    "krakensdr": Protocol(
        "firmware_interfaces.krakensdr", True, "KrakenSDR: direction of a radio signal", 60.0, has_lines=True
    ),
    "odas": Protocol("firmware_interfaces.odas", True, "ODAS: directions of sound"),
    "rtl_433": Protocol(
        "firmware_interfaces.rtl_433", False, "wireless motion and door sensors", 86_400.0, True, has_lines=True
    ),
    "spectrum_sweep": Protocol("firmware_interfaces.spectrum_sweep", False, "spectrum sweeps", 60.0),
    "modbus_rtu": Protocol("firmware_interfaces.modbus_rtu", False, "fence and seismic sensors, Modbus RTU", 30.0),
    "pelco_d": Protocol("firmware_interfaces.pelco_d", False, "where a pan-tilt head points, Pelco-D", 60.0),
    "visca": Protocol("firmware_interfaces.visca", False, "where a pan-tilt-zoom camera points, VISCA", 60.0),
    "onvif": Protocol("firmware_interfaces.onvif", False, "where a network camera points, ONVIF", 60.0),
    "sensor_json": Protocol(
        "firmware_interfaces.sensor_json", True, "a sensor of one's own: JSON lines", 60.0, has_lines=True
    ),
    "sensor_binary": Protocol("firmware_interfaces.sensor_binary", True, "a sensor of one's own: COBS frames", 60.0),
    "mapping": Protocol("firmware_interfaces.mapping", True, "a device that a table of the site file explains", 60.0),
    "gnss": Protocol("firmware_interfaces.nmea", False, "the post's own position and time, NMEA 0183"),
}


def as_lines(entry: SensorEntry, data: bytes) -> bytes:
    """What a device delivered, with the line end that a message or datagram lacks."""
    if entry.device.driver not in ("mqtt_feed", "udp_listener"):
        return data
    mapping: Any = entry.protocol_options.get("mapping")
    has_lines = PROTOCOLS[entry.protocol].has_lines or (isinstance(mapping, dict) and mapping.get("form") == "ascii")
    return with_end(data, entry.device.driver == "mqtt_feed") if has_lines else data


def is_camera(entry: SensorEntry) -> bool:
    """Whether this sensor delivers pictures, which the vision process looks at."""
    return entry.protocol == "yolo"


def model_path(entry: SensorEntry) -> Path:
    """The detector's file for a camera: the site's choice, else the one that ships."""
    from edge.vision.detector import SHIPPED_MODEL

    return Path(entry.model.path) if entry.model and entry.model.path else SHIPPED_MODEL


def model_confidence(entry: SensorEntry) -> float:
    from edge.vision.detector import CONFIDENCE

    return entry.model.confidence if entry.model else CONFIDENCE


def model_spectrum(entry: SensorEntry) -> Spectrum | None:
    """Of a camera's pictures, as the site file says; None: their colours tell."""
    return entry.model.spectrum if entry.model else None


def driver_of(entry: SensorEntry) -> Driver:
    """The driver of a sensor's device, not yet opened."""
    if entry.head is not None:
        from edge.heads import driver_of_head

        return driver_of_head(entry)
    module, name = DRIVERS[entry.device.driver].split(":")
    options: dict[str, Any] = dict(entry.device.options)
    if "ask" in options:
        options["ask"] = QUESTIONS[entry.protocol](options["ask"])
    driver: Driver = getattr(importlib.import_module(module), name)(**options)
    return driver


def switch_of(settings: SwitchSettings) -> Switch:
    """A switch, not yet touched."""
    if settings.switch == "serial_relay":
        return SerialRelay(settings.path, settings.channel)
    return KernelFile(settings.path, settings.on, settings.off)


def power_of(entry: SensorEntry) -> PowerCycle | None:
    """What may take a sensor's power for a moment; a receiver that may be silent keeps it while its port is there."""
    if entry.power is None:
        return None
    on_silence = not PROTOCOLS[entry.protocol].hears_only_claims
    return PowerCycle(switch_of(entry.power.switch), entry.power.off_s, entry.power.after_s, on_silence)


def decoders_of(site: Site) -> dict[str, Decoder]:
    """A decoder for each sensor of a site, by the id of the readings it understands."""
    decoders: dict[str, Decoder] = {}
    for entry in site.sensors:
        make: Any = importlib.import_module(PROTOCOLS[entry.protocol].module).Decoder
        if is_camera(entry):
            decoders[entry.sensor.sensor_id + VISION_SUFFIX] = make(entry.sensor, entry.lens, **entry.protocol_options)
        else:
            decoders[entry.sensor.sensor_id] = make(entry.sensor, **entry.protocol_options)
    return decoders
