"""What a site file may say of devices: the drivers with their options.

The site file's checks, its reference in docs/ and `edge/sensors.py`, which builds the things, use this table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.site_keys import Key

BAUDS = (
    *(1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 256000, 460800, 921600),
    *(1000000, 1250000, 1500000, 2000000, 3000000),
)
PORT = Key("port", "integer", "its port", at_least=1, at_most=65535)
ALLOW = Key("allow", "texts", "addresses or networks that may send, such as 192.0.2.0/24; left out: all", None)
WIDTH = Key(
    "width_px", "integer", "picture width asked for; left out: the camera's own", None, at_least=16, at_most=16384
)
HEIGHT = Key(
    "height_px", "integer", "picture height asked for; left out: the camera's own", None, at_least=16, at_most=16384
)
FPS = Key("fps", "number", "pictures a second asked for; left out: the camera's own", None, above=0.0, at_most=240.0)
QUALITY = Key("quality", "integer", "of the JPEG pictures", 90, at_least=1, at_most=100)


@dataclass(frozen=True, slots=True)
class DriverKind:
    """One kind of device, its options and what it delivers: "bytes" or "frames" (compressed pictures)."""

    words: str
    delivers: str
    options: tuple[Key, ...]


DRIVERS: dict[str, DriverKind] = {
    "serial_port": DriverKind(
        "a serial port (USB or built in)",
        "bytes",
        (
            Key("path", "path", "the port; by-id names survive another socket: /dev/serial/by-id/..."),
            Key("baud", "integer", "symbols a second", choices=BAUDS),
            Key("dtr", "yes_no", "level of the DTR line, set before the port is opened", False),
            Key("rts", "yes_no", "level of the RTS line, set before the port is opened", False),
            Key("lock_dir", "path", "folder for the port's lock file; left out: the system's", None),
        ),
    ),
    "polled_port": DriverKind(
        "a serial port whose device is asked, round by round: Modbus units, a tinySA",
        "bytes",
        (
            Key("path", "path", "the port; by-id names survive another socket: /dev/serial/by-id/..."),
            Key("baud", "integer", "symbols a second", choices=BAUDS),
            Key(
                "ask",
                "texts",
                'what is asked: of Modbus units "unit:function:first:count", such as "5:3:40:4"; of a tinySA its commands, '
                'such as "scanraw 2400000000 2500000000 290"',
            ),
            Key("every_s", "number", "from one round of questions to the next", 1.0, at_least=0.05, at_most=3600.0),
            Key("answer_s", "number", "so long an answer is waited for", 1.0, at_least=0.05, at_most=60.0),
            Key("parity", "text", "of each character", "none", choices=("none", "even", "odd")),
            Key("dtr", "yes_no", "level of the DTR line, set before the port is opened", False),
            Key("rts", "yes_no", "level of the RTS line, set before the port is opened", False),
            Key("lock_dir", "path", "folder for the port's lock file; left out: the system's", None),
        ),
    ),
    "udp_listener": DriverKind(
        "datagrams sent to this machine",
        "bytes",
        (
            PORT,
            Key("host", "text", "the address to listen on", "0.0.0.0"),
            Key("group", "text", "a multicast group to join", None),
            ALLOW,
        ),
    ),
    "udp_device": DriverKind(
        "a camera's head on the network, spoken to in datagrams",
        "bytes",
        (Key("host", "text", "the camera"), replace(PORT, words="its port; 52381 for VISCA over IP")),
    ),
    "onvif_camera": DriverKind(
        "a network camera's pan-tilt service, ONVIF over HTTP",
        "bytes",
        (
            Key("host", "text", "the camera"),
            Key("profile", "text", "token of the media profile that is turned, such as Profile_1"),
            replace(PORT, default=80),
            Key("path", "text", "of its PTZ service", "/onvif/ptz_service"),
            Key("user", "text", "name to log in with", None),
            Key("password_file", "path", "file that holds the password", None),
        ),
    ),
    "http_page": DriverKind(
        "a page that a device keeps up to date, asked for again and again over HTTP",
        "bytes",
        (
            Key("host", "text", "the device"),
            replace(PORT, default=80, words="its port; 8081 of a KrakenSDR"),
            Key("path", "text", "of the page; /DOA_value.html of a KrakenSDR", "/"),
            Key("every_s", "number", "from one asking to the next", 0.5, at_least=0.05, at_most=3600.0),
        ),
    ),
    "tcp_stream": DriverKind(
        "a byte stream over the network",
        "bytes",
        (
            PORT,
            Key("host", "text", "the server; with listen, the address to listen on", "127.0.0.1"),
            Key("listen", "yes_no", "wait for the device to connect", False),
            ALLOW,
        ),
    ),
    "mqtt_feed": DriverKind(
        "messages of another MQTT broker",
        "bytes",
        (
            Key("topic", "text", "the topic to listen to; may hold + and #"),
            Key("host", "text", "the broker", "127.0.0.1"),
            replace(PORT, default=1883),
            Key("user", "text", "name to log in with", None),
            Key("password_file", "path", "file that holds the password", None),
            Key("authority", "path", "who signed the broker's certificate (PEM)", None),
            Key("certificate", "path", "our certificate (PEM)", None),
            Key("key", "path", "the certificate's key (PEM)", None),
            Key("allow", "texts", "topics that are taken, of those listened to; left out: all", None),
        ),
    ),
    "video_file": DriverKind(
        "a film on disk, at its own speed",
        "frames",
        (
            Key("path", "path", "the film"),
            Key("speed", "number", "1 is the film's own speed", 1.0, above=0.0, at_most=100.0),
            Key("loop", "yes_no", "start again at its end", False),
        ),
    ),
    "usb_camera": DriverKind(
        "a USB camera (no real one was at hand yet)",
        "frames",
        (
            Key("index_or_path", "integer_or_text", "0, 1, ... or /dev/v4l/by-id/...", at_least=0),
            WIDTH,
            HEIGHT,
            FPS,
            QUALITY,
        ),
    ),
    "rtsp_camera": DriverKind(
        "a network camera (no real one was at hand yet)",
        "frames",
        (
            Key("url", "text", "rtsp://... or tcp://host:port"),
            Key("format", "text", "of a raw stream over tcp://", None, choices=("h264", "hevc", "mpegts")),
            Key("stall_s", "number", "no bytes for so long: lost", 5.0, above=0.0, at_most=300.0),
        ),
    ),
    "jetson_camera": DriverKind(
        "a camera on a Jetson's CSI connector (untested)",
        "frames",
        (
            Key("index", "integer", "which connector", 0, at_least=0, at_most=15),
            replace(WIDTH, words="picture width", default=1920),
            replace(HEIGHT, words="picture height", default=1080),
            replace(FPS, words="pictures a second", default=30.0),
            QUALITY,
        ),
    ),
}
