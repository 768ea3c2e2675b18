"""The keys of a site file, table by table: the one place where their meanings, limits and defaults stand."""

from __future__ import annotations

from edge.site_keys import Key

UNALIGNED_DEG = 5.0  # 1-sigma of a mounting that nobody has measured
ID_LENGTH = 48  # an id is a level of an MQTT topic and a column on a phone's screen

TOP = (
    Key("site", "table", "the post"),
    Key("broker", "table", "where its messages go; left out: a broker on this machine", {}),
    Key("tracker", "table", "settings of the tracker; left out: the defaults", {}),
    Key("recording", "table", "how recordings are kept; left out: the defaults", {}),
    Key("law", "table", "what may be heard and kept here", {}),
    Key("alarm", "table", "a buzzer or light at the post", None),
    Key("guard_page", "table", "a page for the guards, served by the post itself", None),
    Key("sensor", "tables", "one [[sensor]] for each sensor"),
)

SITE = (
    Key("id", "text", f"the post's name: letters, digits, - and _, at most {ID_LENGTH}"),
    Key("origin", "table", "the point (0, 0, 0) that positions count from"),
    Key("geoid_height_m", "number", "ellipsoid above sea level here", None, at_least=-120.0, at_most=120.0),
    Key("terrain", "table", "the ground's heights", None),
)

ORIGIN = (
    Key("latitude_deg", "number", "WGS-84, north positive", at_least=-90.0, at_most=90.0),
    Key("longitude_deg", "number", "WGS-84, east positive", at_least=-180.0, at_most=180.0),
    Key("height_m", "number", "above the WGS-84 ellipsoid, not above sea level", at_least=-500.0, at_most=9000.0),
)

TERRAIN = (
    Key("path", "path", "the file"),
    Key("datum", "text", "what its heights are counted from", choices=("EGM96", "EGM2008", "WGS84")),
    Key("sha256", "text", "the file's SHA-256, 64 hexadecimal digits"),
)

BROKER = (
    Key("host", "text", "name or address", "127.0.0.1"),
    Key("port", "integer", "left out: 8883 with certificates, 1883 without", None, at_least=1, at_most=65535),
    Key("certificate", "path", "this post's certificate (PEM); its common name is the site's id", None),
    Key("key", "path", "the certificate's key (PEM); left out: it stands in the certificate's file", None),
    Key("authority", "path", "who signed the broker's certificate (PEM); left out: the system's authorities", None),
    Key("outbox", "table", "messages that the center has not yet acknowledged", {}),
    Key(
        "send_detections",
        "yes_no",
        "whether every detection goes to the center too, whose tracker then works on those of all posts; 0.3 kB each: "
        "simulated, a radar and a camera before four objects send 10 kB/s, six sensors before twenty 76 kB/s. Live only: "
        "what the link does not take at once is dropped and counted",
        False,
    ),
)

OUTBOX = (
    Key("path", "path", "left out: outbox-SITE.db beside the site file", None),
    Key(
        "keep_hours",
        "number",
        "older messages are deleted; before that, where room lacks, the least urgent and oldest",
        48.0,
        above=0.0,
        at_most=8760.0,
    ),
)

RECORDING = (
    Key("part_minutes", "number", "a recording is cut into parts of this length", 60.0, at_least=1.0, at_most=1440.0),
    Key(
        "keep_gb",
        "number",
        "beyond this the oldest parts go; left out: as the disk needs",
        None,
        above=0.0,
        at_most=1e6,
    ),
    Key(
        "least_free_gb",
        "number",
        "the oldest parts go before less of the disk is free",
        2.0,
        at_least=0.05,
        at_most=1e6,
    ),
)

TRACKER = (
    Key("acceleration_m_s2", "number", "1-sigma manoeuvre a drone may fly", 3.0, above=0.0, at_most=100.0),
    Key("gate_probability", "number", "share of true detections the gate lets through", 0.99, above=0.0, below=1.0),
    Key("confirm_at", "number", "existence probability from which a track is believed", 0.90, above=0.0, below=1.0),
    Key("drop_below", "number", "existence probability under which it is given up", 0.01, above=0.0, below=1.0),
    Key("rewind_s", "number", "how far back a late scan is still worked in", 4.0, at_least=0.0, at_most=30.0),
    Key("clock_error_s", "number", "bound of the site's clock error", 0.0, at_least=0.0, at_most=10.0),
    Key(
        "clock_drift_ppm",
        "number",
        "how fast it grows, for other posts, while nothing disciplines the clock",
        20.0,
        at_least=0.0,
        at_most=1e4,
    ),
    Key("compiled", "yes_no", "its arithmetic by numba: quicker; the same tracks but for their last digits", False),
)

SENSOR = (
    Key("id", "text", f"the sensor's name: letters, digits, - and _, at most {ID_LENGTH}"),
    Key("device", "table", "the driver and its options, see Drivers"),
    Key("protocol", "text", "what it speaks, see Protocols"),
    Key("protocol_options", "table", "settings of the protocol, see Protocols", {}),
    Key("command", "table", "a second port over which it is started", None),
    Key("power", "table", "a switch that takes its power for a moment when it has been gone or dumb for long", None),
    Key("head", "table", "of a pan-tilt head: the camera on it, which is turned to where tracks are", None),
    Key("transmits", "table", "what it radiates; left out: nothing", None),
    Key("position", "table", "where it stands; radars and cameras need it", None),
    Key("position_sigma_m", "number", "1-sigma of that position", 0.0, at_least=0.0, at_most=1000.0),
    Key("orientation", "table", "how it is turned; radars and cameras need it", None),
    Key(
        "mounting_sigma_deg",
        "number",
        "1-sigma of heading, pitch and roll after alignment",
        0.0,
        at_least=0.0,
        at_most=90.0,
    ),
    Key("bias", "table", "constant errors, measured minus true; they are taken off", {}),
    Key(
        "accuracy",
        "table",
        "1-sigma errors of one measurement; without azimuth_deg the sensor counts as unaligned",
        None,
    ),
    Key(
        "coverage",
        "table",
        "where it sees; radars need it; left out, a camera's is its lens's view to where a 1.5 m drone is 4 pixels wide",
        None,
    ),
    Key(
        "latency_s", "number", "from the moment a measurement was true to its arrival", 0.0, at_least=0.0, at_most=10.0
    ),
    Key(
        "detection_probability",
        "number_or_table",
        "chance to detect a present drone in one scan; left out: silence means nothing",
        None,
        at_least=0.0,
        at_most=1.0,
    ),
    Key("false_alarms_per_scan", "number", "detections of nothing, in one scan", None, at_least=0.0, at_most=1e6),
    Key("lens", "table", "a camera's lens; cameras need it", None),
    Key("model", "table", "a camera's detector; left out: the one that ships", {}),
    Key(
        "aligned_picture",
        "table",
        "a camera's picture by which it was aligned: its landmarks tell what turned it since; `sarhad align` writes it",
        None,
    ),
)

COMMAND = (
    Key("path", "path", "the command port"),
    Key("baud", "integer", "symbols a second", 115200, at_least=1200, at_most=4_000_000),
    Key("send", "path", "file whose lines are sent, again after every reconnect"),
)

SWITCH = (
    Key("switch", "text", "what switches", choices=("kernel_file", "serial_relay")),
    Key("path", "path", "the kernel's file (a USB port's `disable`, a light's `brightness`), or the relay's port"),
    Key("on", "text", "kernel_file: what is written for on; a USB port's `disable` takes 0", "1"),
    Key("off", "text", "kernel_file: what is written for off; a USB port's `disable` takes 1", "0"),
    Key("channel", "integer", "serial_relay: which of its relays", 1, at_least=1, at_most=16),
)

POWER = (
    *SWITCH,
    Key("off_s", "number", "how long the power stays off", 5.0, at_least=0.1, at_most=20.0),
    Key(
        "after_s",
        "number",
        "so long without bytes; twice as long before each further time, up to an hour. A receiver that may have nothing "
        "to say counts only while its port is gone",
        60.0,
        at_least=5.0,
        at_most=3600.0,
    ),
)

LAW = (
    Key(
        "decode_broadcasts",
        "yes_no",
        "whether what others broadcast (Remote ID, DroneID, ADS-B) may be decoded; false refuses such sensors",
        None,
    ),
    Key(
        "keep_operators",
        "yes_no",
        "whether operators' positions and ids are sent on and recorded; false also leaves those receivers' bytes out of "
        "recordings",
        True,
    ),
)

HEAD = (
    Key("carries", "text", "the id of the camera on it"),
    Key("address", "integer", "the head's own; VISCA knows 1 to 7", 1, at_least=1, at_most=255),
    Key("lag_s", "number", "from a command until it has turned", 0.7, at_least=0.0, at_most=10.0),
    Key("tilt_limits_deg", "pair", "how low and how high it may look", [-20.0, 80.0], at_least=-90.0, at_most=90.0),
    Key("private_zones", "tables", "directions in which it never rests", []),
)

PRIVATE_ZONE = (
    Key(
        "azimuth_deg",
        "numbers",
        "from true north, clockwise from the first to the second",
        count=2,
        at_least=-180,
        at_most=360,
    ),
    Key("elevation_deg", "pair", "from the horizon", [-90.0, 90.0], at_least=-90.0, at_most=90.0),
)

ALARM = (
    *SWITCH,
    Key("classes", "texts", "what it is for: drone, bird, airplane, helicopter, unknown", ["drone"]),
    Key("probability", "number", "from which a confirmed track switches it on", 0.5, above=0.0, at_most=1.0),
    Key("hold_s", "number", "how much longer it stays on", 10.0, at_least=1.0, at_most=3600.0),
    Key(
        "longest_s",
        "number",
        "for how long one track may hold it on anew, from when it first does; left out: as long as it is there",
        None,
        at_least=1.0,
        at_most=86400.0,
    ),
)

GUARD_PAGE = (
    Key("host", "text", "the address to serve on; 127.0.0.1: this box alone", "127.0.0.1"),
    Key("port", "integer", "the port", 8088, at_least=1, at_most=65535),
)

TRANSMITS = (
    Key("band_ghz", "pair", "the band's edges", above=0.0, at_most=300.0),
    Key("power_dbm", "number", "radiated power", None, at_least=-100.0, at_most=120.0),
    Key("permit", "text", "the permit it transmits under", None),
)

POSITION = (
    Key("east_m", "number", "east of the origin", at_least=-100_000.0, at_most=100_000.0),
    Key("north_m", "number", "north of the origin", at_least=-100_000.0, at_most=100_000.0),
    Key("up_m", "number", "above the origin", at_least=-5_000.0, at_most=5_000.0),
)

ORIENTATION = (
    Key("heading_deg", "number", "of the boresight, clockwise from true north", at_least=-180.0, at_most=360.0),
    Key("pitch_deg", "number", "boresight above the horizon", 0.0, at_least=-90.0, at_most=90.0),
    Key("roll_deg", "number", "right side down", 0.0, at_least=-180.0, at_most=180.0),
)

BIAS = (
    Key("azimuth_deg", "number", "clockwise", 0.0, at_least=-45.0, at_most=45.0),
    Key("slant_range_m", "number", "too far is positive", 0.0, at_least=-1000.0, at_most=1000.0),
)

ACCURACY = (
    Key("azimuth_deg", "number", "left out: unaligned", None, above=0.0, at_most=90.0),
    Key("elevation_deg", "number", "needed where the protocol measures it", None, above=0.0, at_most=90.0),
    Key("slant_range_m", "number", "radars", None, above=0.0, at_most=10_000.0),
    Key("range_rate_m_s", "number", "radars that measure it", None, above=0.0, at_most=100.0),
)

COVERAGE = (
    Key("azimuth_deg", "pair", "from the boresight, right positive", at_least=-180.0, at_most=180.0),
    Key("elevation_deg", "pair", "from the sensor's own plane, up positive", at_least=-90.0, at_most=90.0),
    Key("slant_range_m", "pair", "nearest and farthest", at_least=0.0, at_most=500_000.0),
)

DETECTION_PROBABILITY = (
    Key("by", "text", "what the table is by", choices=("pixels",)),
    Key("at", "points", "[[pixels on target, probability], ...], growing"),
    Key("night", "text", "at night: the same, none, or left out: not measured", None, choices=("same", "none")),
)

LENS = (
    Key("size_px", "numbers", "width and height of the picture", count=2, at_least=16, at_most=65_536),
    Key("focal_px", "numbers", "focal lengths along x and y", count=2, above=0.0, at_most=1e6),
    Key("center_px", "numbers", "where the optical axis meets the picture", count=2, at_least=0.0, at_most=65_536),
    Key("distortion", "numbers", "OpenCV's k1, k2, p1, p2, k3", [0.0, 0.0, 0.0, 0.0, 0.0], count=5),
    Key(
        "readout_s",
        "number",
        "rolling shutter: from the first row's exposure to the last one's; 0: all rows at once",
        0.0,
        at_least=0.0,
        at_most=0.2,
    ),
)

MODEL = (
    Key("path", "path", "left out: the one that ships", None),
    Key("sha256", "text", "of the file; checked", None),
    Key("confidence", "number", "detections below are left out", 0.25, above=0.0, below=1.0),
    Key(
        "spectrum",
        "text",
        "what its pictures show; left out: their colours tell, and grey is infrared. Needed for a thermal camera that "
        "shows warmth in colours, and for a visible one that shows grey",
        None,
        choices=("visible", "infrared"),
    ),
)

ALIGNED_PICTURE = (Key("path", "path", "the file"), Key("sha256", "text", "of the file; checked"))

SECTIONS: tuple[tuple[str, tuple[Key, ...]], ...] = (
    ("[site]", SITE),
    ("site.origin", ORIGIN),
    ("site.terrain", TERRAIN),
    ("[broker]", BROKER),
    ("broker.outbox", OUTBOX),
    ("[recording]", RECORDING),
    ("[tracker]", TRACKER),
    ("[law]", LAW),
    ("[alarm]", ALARM),
    ("[guard_page]", GUARD_PAGE),
    ("[[sensor]]", SENSOR),
    ("sensor.command", COMMAND),
    ("sensor.power", POWER),
    ("sensor.head", HEAD),
    ("sensor.head.private_zones", PRIVATE_ZONE),
    ("sensor.transmits", TRANSMITS),
    ("sensor.position", POSITION),
    ("sensor.orientation", ORIENTATION),
    ("sensor.bias", BIAS),
    ("sensor.accuracy", ACCURACY),
    ("sensor.coverage", COVERAGE),
    ("sensor.detection_probability", DETECTION_PROBABILITY),
    ("sensor.lens", LENS),
    ("sensor.model", MODEL),
    ("sensor.aligned_picture", ALIGNED_PICTURE),
)
