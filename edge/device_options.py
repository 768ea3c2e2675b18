"""What a site file may say of devices and protocols: the drivers with their options, the protocols with their drivers.

One table each; the site file's checks, its reference in docs/ and `edge/sensors.py`, which builds the things, use them.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.site_keys import Key

BAUDS = (
    *(1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600),
    *(1000000, 1250000, 1500000, 2000000, 3000000),
)
PORT = Key("port", "integer", "its port", at_least=1, at_most=65535)


@dataclass(frozen=True, slots=True)
class DriverKind:
    """One kind of device, its options and what it delivers: "bytes" or "frames" (compressed pictures)."""

    words: str
    delivers: str
    options: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class ProtocolKind:
    """One kind of speech, the drivers it may come over, and what its sensor is.

    family: "radar" (position, orientation and coverage asked for), "camera" (and a lens), "claims" (targets that say
    where they are), "own_position".
    """

    words: str
    family: str
    drivers: tuple[str, ...]
    options: tuple[Key, ...] = ()
    measures_elevation: bool = False


DRIVERS: dict[str, DriverKind] = {
    "serial_port": DriverKind(
        "a serial port (USB or built in)",
        "bytes",
        (
            Key("path", "path", "the port; by-id names survive another socket: /dev/serial/by-id/..."),
            Key("baud", "integer", "symbols a second", choices=BAUDS),
            Key("dtr", "yes_no", "level of the DTR line, set before the port is opened", False),
            Key("rts", "yes_no", "level of the RTS line, set before the port is opened", False),
        ),
    ),
    "udp_listener": DriverKind(
        "datagrams sent to this machine",
        "bytes",
        (
            PORT,
            Key("host", "text", "the address to listen on", "0.0.0.0"),
            Key("allow", "texts", "addresses that may send; left out: all", None),
        ),
    ),
    "tcp_stream": DriverKind(
        "a byte stream from a server in the network",
        "bytes",
        (Key("host", "text", "the server"), PORT),
    ),
    "mqtt_feed": DriverKind(
        "messages of another MQTT broker",
        "bytes",
        (
            Key("host", "text", "the broker"),
            Key("port", "integer", "its port", 1883, at_least=1, at_most=65535),
            Key("topic", "text", "the topic to listen to; may hold + and #"),
        ),
    ),
    "video_file": DriverKind(
        "a film on disk, at its own speed",
        "frames",
        (
            Key("path", "path", "the film"),
            Key("loop", "yes_no", "start again at its end", False),
            Key("speed", "number", "1 is the film's own speed", 1.0, above=0.0, at_most=100.0),
        ),
    ),
    "usb_camera": DriverKind(
        "a USB camera",
        "frames",
        (
            Key("index_or_path", "integer_or_text", "0, 1, ... or /dev/v4l/by-id/..."),
            Key("width_px", "integer", "picture width asked for", 1280, at_least=16, at_most=16384),
            Key("height_px", "integer", "picture height asked for", 720, at_least=16, at_most=16384),
            Key("fps", "number", "pictures a second asked for", 10.0, above=0.0, at_most=240.0),
        ),
    ),
    "rtsp_camera": DriverKind(
        "a network camera",
        "frames",
        (
            Key("url", "text", "rtsp://..."),
            Key("format", "text", "how it is carried", None),
        ),
    ),
    "jetson_camera": DriverKind(
        "a camera on a Jetson's CSI connector (untested)",
        "frames",
        (
            Key("index", "integer", "which connector", 0, at_least=0, at_most=15),
            Key("width_px", "integer", "picture width", 1280, at_least=16, at_most=16384),
            Key("height_px", "integer", "picture height", 720, at_least=16, at_most=16384),
            Key("fps", "number", "pictures a second", 10.0, above=0.0, at_most=240.0),
        ),
    ),
}

PROTOCOLS: dict[str, ProtocolKind] = {
    "ti_mmwave": ProtocolKind(
        "TI mmWave radar boards, TLV frames",
        "radar",
        ("serial_port", "tcp_stream", "udp_listener"),
        measures_elevation=True,
    ),
    "open_drone_id": ProtocolKind(
        "Remote ID: what drones broadcast of themselves, as MAVLink",
        "claims",
        ("serial_port", "tcp_stream", "udp_listener", "mqtt_feed"),
    ),
    "gnss": ProtocolKind(
        "a satellite receiver, NMEA 0183",
        "own_position",
        ("serial_port", "tcp_stream", "udp_listener"),
    ),
    "yolo": ProtocolKind(
        "a camera and our detector",
        "camera",
        ("video_file", "usb_camera", "rtsp_camera", "jetson_camera"),
        measures_elevation=True,
    ),
}
