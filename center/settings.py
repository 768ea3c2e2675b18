"""What the center is told: one TOML file, read once and checked whole.

    [broker]                          [store]
    host = "127.0.0.1"                path = "center.db"
    port = 1883
    certificate = "center.crt"        [listen]
    key = "center.key"                host = "127.0.0.1"
    authority = "authority.crt"       port = 8000

    [posts]                           [retention]
    retired = ["old-gate"]            days = 30
                                      least_free_mb = 500

Only [broker] host is needed. Paths are taken from the folder of the file. The center has no log-in, so it listens on the
loopback interface alone: a reverse proxy with its own log-in may stand in front of it.
"""

from __future__ import annotations

import ipaddress
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "broker": {"host": str, "port": int, "certificate": str, "key": str, "authority": str},
    "store": {"path": str},
    "listen": {"host": str, "port": int},
    "retention": {"days": (int, float), "least_free_mb": (int, float)},
    "posts": {"retired": list},
}
TYPE_NAMES = {str: "a text", int: "a whole number", float: "a number", list: "a list", bool: "true or false"}
DEFAULT_MQTT_PORT, DEFAULT_MQTT_TLS_PORT = 1883, 8883
DEFAULT_HTTP_PORT = 8000
DEFAULT_RETENTION_DAYS = 30.0
HIGHEST_RETENTION_DAYS = 36_500.0  # a hundred years: beyond it nanoseconds leave 64 bits
DEFAULT_LEAST_FREE_MB = 500.0  # a hundred posts write it in about an hour


class SettingsError(Exception):
    """One line: file, field, what was found, what was expected."""


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where the MQTT broker is; with an authority the connection is TLS, with certificate and key mutual TLS."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    authority: Path | None = None


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """For how long messages are kept, and how much room their disk must have left."""

    days: float = DEFAULT_RETENTION_DAYS
    least_free_mb: float = DEFAULT_LEAST_FREE_MB


@dataclass(frozen=True, slots=True)
class CenterSettings:
    broker: BrokerSettings
    store_path: Path
    listen_host: str = "127.0.0.1"
    listen_port: int = DEFAULT_HTTP_PORT
    retention: RetentionSettings = RetentionSettings()
    retired_posts: frozenset[str] = frozenset()


def read_settings(path: Path) -> CenterSettings:
    """The settings in a file. Raises SettingsError, naming file, field, found and expected."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error
    try:
        return settings_from(tables, path.parent)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def settings_from(tables: Mapping[str, Any], folder: Path) -> CenterSettings:
    """The settings in parsed TOML; relative paths are taken from `folder`. Raises SettingsError without the file's name."""
    check_fields(tables)
    listen, store = (tables.get(name, {}) for name in ("listen", "store"))
    return CenterSettings(
        broker=broker_from(tables.get("broker", {}), folder),
        store_path=folder / store.get("path", "center.db"),
        listen_host=loopback(listen.get("host", "127.0.0.1")),
        listen_port=port_from("[listen] port", listen.get("port", DEFAULT_HTTP_PORT), lowest=0),
        retention=retention_from(tables.get("retention", {})),
        retired_posts=retired_from(tables.get("posts", {}).get("retired", [])),
    )


def check_fields(tables: Mapping[str, Any]) -> None:
    """Refuse tables and fields nobody knows, and values of the wrong type."""
    for table_name, table in tables.items():
        if table_name not in FIELDS:
            raise SettingsError(f"[{table_name}] is not known; expected one of {names(FIELDS)}")
        if not isinstance(table, dict):
            raise SettingsError(f"{table_name} is {table!r}; expected a table [{table_name}]")
        for name, value in table.items():
            expected = FIELDS[table_name].get(name)
            if expected is None:
                raise SettingsError(f"[{table_name}] {name} is not known; expected one of {names(FIELDS[table_name])}")
            types = expected if isinstance(expected, tuple) else (expected,)
            if isinstance(value, bool) or not isinstance(value, types):
                raise SettingsError(f"[{table_name}] {name} is {value!r}; expected {TYPE_NAMES[types[-1]]}")


def broker_from(table: Mapping[str, Any], folder: Path) -> BrokerSettings:
    if not table.get("host"):
        raise SettingsError('[broker] host is missing; expected the broker\'s name or address, such as "127.0.0.1"')
    if ("certificate" in table) != ("key" in table):
        raise SettingsError("[broker] certificate and key belong together; only one of them is given")
    if "certificate" in table and "authority" not in table:
        raise SettingsError("[broker] authority is missing; a certificate needs the authority that signed the broker's")
    files = {name: folder / table[name] for name in ("certificate", "key", "authority") if name in table}
    for name, file in files.items():
        if not file.is_file():
            raise SettingsError(f"[broker] {name} is {str(table[name])!r}; no such file")
    default_port = DEFAULT_MQTT_TLS_PORT if "authority" in files else DEFAULT_MQTT_PORT
    return BrokerSettings(table["host"], port_from("[broker] port", table.get("port", default_port), lowest=1), **files)


def retention_from(table: Mapping[str, Any]) -> RetentionSettings:
    days = float(table.get("days", DEFAULT_RETENTION_DAYS))
    if not 0 < days <= HIGHEST_RETENTION_DAYS:
        raise SettingsError(f"[retention] days is {days:g}; expected more than 0, at most {HIGHEST_RETENTION_DAYS:g}")
    least_free_mb = float(table.get("least_free_mb", DEFAULT_LEAST_FREE_MB))
    if not 0 <= least_free_mb < math.inf:
        raise SettingsError(f"[retention] least_free_mb is {least_free_mb:g}; expected 0 or more")
    return RetentionSettings(days, least_free_mb)


def retired_from(found: list[Any]) -> frozenset[str]:
    for name in found:
        if not isinstance(name, str) or not name:
            raise SettingsError(f'[posts] retired holds {name!r}; expected ids of posts, such as ["old-gate"]')
    return frozenset(found)


def port_from(field: str, port: int, lowest: int) -> int:
    if not lowest <= port <= 65_535:
        raise SettingsError(f"{field} is {port}; expected {lowest} to 65535")
    return port


def loopback(host: str) -> str:
    """The host, if only this machine can reach it. Raises SettingsError."""
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise SettingsError(
            f"[listen] host is {host!r}; expected a loopback address such as 127.0.0.1: "
            "the center has no log-in, so nobody outside this machine may reach it"
        )
    return host


def names(known: Mapping[str, Any]) -> str:
    return ", ".join(sorted(known))
