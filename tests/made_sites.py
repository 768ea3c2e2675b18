"""Site files' beginnings that tests of several folders go on from."""

from __future__ import annotations

NARROW_CAMERA = """
[site]
id = "ridge"
origin = { latitude_deg = 45.0, longitude_deg = 7.0, height_m = 600.0 }
[[sensor]]
id = "narrow"
device = { driver = "rtsp_camera", url = "rtsp://192.0.2.10/stream" }
protocol = "yolo"
position = { east_m = 0.0, north_m = 0.0, up_m = 5.0 }
orientation = { heading_deg = 30.0, pitch_deg = 0.0, roll_deg = 0.0 }
accuracy = { azimuth_deg = 0.1, elevation_deg = 0.1 }
lens = { size_px = [1920, 1080], focal_px = [12000.0, 12000.0], center_px = [960.0, 540.0] }
"""
