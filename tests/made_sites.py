"""Parts of site files that tests of several folders go on from."""

from __future__ import annotations

RIDGE = """
[site]
id = "ridge"
origin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }
"""
RECEIVER = """
[[sensor]]
id = "remote-id"
device = { driver = "serial_port", path = "/dev/ttyACM0", baud = 115200 }
protocol = "open_drone_id"
"""
BROKER = """
[broker]
host = "127.0.0.1"
port = 1883
"""
OUTBOX = """
[broker.outbox]
path = "OUTBOX"
"""
NARROW_CAMERA = (
    RIDGE
    + """[[sensor]]
id = "narrow"
device = { driver = "rtsp_camera", url = "rtsp://192.0.2.10/stream" }
protocol = "yolo"
position = { east_m = 0.0, north_m = 0.0, up_m = 5.0 }
orientation = { heading_deg = 30.0, pitch_deg = 0.0, roll_deg = 0.0 }
accuracy = { azimuth_deg = 0.1, elevation_deg = 0.1 }
lens = { size_px = [1920, 1080], focal_px = [12000.0, 12000.0], center_px = [960.0, 540.0] }
"""
)
