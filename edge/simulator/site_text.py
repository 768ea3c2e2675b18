"""The site file of a simulated post: the scenario's own tables with a device for every sensor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Device = Mapping[str, str | int | float | bool]

DEVICES: dict[str, Device] = {  # by protocol; in a simulated recording's site file these are named and never opened
    "ti_mmwave": {"driver": "serial_port", "path": "/dev/ttyUSB1", "baud": 921600},
    "open_drone_id": {"driver": "serial_port", "path": "/dev/ttyACM0", "baud": 57600},
    "esp32_remote_id": {"driver": "serial_port", "path": "/dev/ttyUSB3", "baud": 115200},
    "ld2450": {"driver": "serial_port", "path": "/dev/ttyUSB4", "baud": 256000},
    "krakensdr": {"driver": "tcp_stream", "host": "192.0.2.11", "port": 8081},
    "odas": {"driver": "tcp_stream", "host": "0.0.0.0", "port": 9000, "listen": True},
    "gnss": {"driver": "serial_port", "path": "/dev/ttyACM1", "baud": 9600},
    "yolo": {"driver": "rtsp_camera", "url": "rtsp://192.0.2.10/stream1"},
}
LOCAL_BROKER = {"host": "127.0.0.1", "port": 1883, "outbox": {"path": "outbox.db", "keep_hours": 1}}


def site_text(
    tables: Mapping[str, Any],
    devices: Mapping[str, Device] | None = None,
    broker: Mapping[str, Any] = LOCAL_BROKER,
) -> str:
    """A whole site file. devices: by sensor id; left out: none is meant to be opened."""
    parts = [f'# Simulated post of the scenario "{tables.get("scenario", {}).get("name", "")}".']
    for name, table in (("site", tables.get("site", {})), ("broker", broker), ("tracker", tables.get("tracker"))):
        if isinstance(table, Mapping):
            parts.append(f"\n[{name}]\n" + lines(table))
    for sensor in tables.get("sensor", []):
        rest = {key: value for key, value in sensor.items() if key not in ("simulate", "device")}
        device = devices[sensor["id"]] if devices is not None else DEVICES.get(str(sensor.get("protocol")))
        parts.append("\n[[sensor]]\n" + lines(rest if device is None else rest | {"device": device}))
    return "\n".join(parts)


def lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {toml_value(value)}\n" for key, value in table.items())


def toml_value(value: Any) -> str:
    """A value on one line, tables inline."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(inner) for inner in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # a JSON string is a TOML basic string
    return repr(value)
