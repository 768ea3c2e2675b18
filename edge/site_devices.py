"""The device of a [[sensor]]: its driver, the driver's options, and whether these can work at all.

Nothing is opened and no name is looked up: an address must only look like one. What is refused here could never work.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edge.device_options import DRIVERS
from edge.protocol_options import PROTOCOLS, QUESTIONS
from edge.site_keys import Key, Place, read_keys, resolve
from edge.site_types import DeviceSettings

HOST_NAME = re.compile(r"(?=.{1,253}$)\w[\w-]{0,62}(\.\w[\w-]{0,62})*\.?")
STREAMS = ("rtsp", "rtsps", "rtp", "rtmp", "srt", "tcp", "udp", "http", "https")  # what FFmpeg takes from a network
LONGEST_TOPIC = 65_535  # bytes; MQTT 3.1.1, section 4.7.3


def read_device(table: Any, protocol: str, folder: Path | None, place: Place) -> DeviceSettings:
    """The driver, its options with their defaults, and whether this protocol can come over it."""
    named = {"driver": table["driver"]} if isinstance(table, dict) and "driver" in table else {}
    driver = read_keys(named, (one_of("driver", DRIVERS),), place)["driver"]
    keys = DRIVERS[driver].options
    options = given(read_keys({k: v for k, v in table.items() if k != "driver"}, keys, place))
    if driver not in PROTOCOLS[protocol].drivers:
        drivers = ", ".join(PROTOCOLS[protocol].drivers)
        raise place.found("driver", driver, f"one that {protocol} can come over: {drivers}")
    for key in keys:
        if key.name not in options:
            continue
        if key.kind == "path":
            options[key.name] = resolve(options[key.name], folder)
        if key.name == "ask":
            options["ask"] = read_questions(options["ask"], protocol, place)
        elif key.kind == "texts":
            read = read_topics if driver == "mqtt_feed" else read_addresses
            options[key.name] = read(key.name, options[key.name], place)
        if key.kind == "text" and key.name in CHECKS:
            CHECKS[key.name](key.name, options[key.name], place)
    if driver == "mqtt_feed" and "key" in options and "certificate" not in options:
        raise place.missing("certificate", "the certificate that belongs to key")
    return DeviceSettings(driver, options)


def one_of(name: str, table: dict[str, Any]) -> Key:
    return Key(name, "text", "", choices=tuple(table))


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Only what has a value."""
    return {name: value for name, value in options.items() if value is not None}


def read_addresses(name: str, addresses: list[str], place: Place) -> tuple[str, ...]:
    for address in addresses:
        try:
            ipaddress.ip_network(address.strip(), strict=False)
        except ValueError as error:
            raise place.found(
                name, addresses, f"addresses or networks such as 192.0.2.0/24; {address} is none"
            ) from error
    return tuple(addresses)


def read_topics(name: str, topics: list[str], place: Place) -> tuple[str, ...]:
    for topic in topics:
        check_topic(name, topic, place)
    return tuple(topics)


def read_questions(texts: list[str], protocol: str, place: Place) -> tuple[str, ...]:
    if not texts:
        raise place.found("ask", texts, "at least one question")
    try:
        QUESTIONS[protocol](texts)
    except ValueError as error:
        raise place.error(f"{place.inside}{error}") from None
    return tuple(texts)


def check_host(name: str, host: str, place: Place) -> None:
    """A host's name or address. Raises SiteFileError."""
    looks_like_number = re.fullmatch(r"[0-9.]+", host) is not None
    if not is_address(host) and (looks_like_number or not HOST_NAME.fullmatch(host)):
        raise place.found(name, host, "a host name or an address, such as radar.example.net or 192.0.2.10")


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def check_group(name: str, group: str, place: Place) -> None:
    """A multicast group that the datagram driver can join. Raises SiteFileError."""
    try:
        is_group = ipaddress.IPv4Address(group).is_multicast
    except ValueError:
        is_group = False
    if not is_group:
        raise place.found(name, group, "an IPv4 multicast group, 224.0.0.0 to 239.255.255.255")


def check_topic(name: str, topic: str, place: Place) -> None:
    """A topic filter: + is a whole level, # a whole level and the last one. MQTT 3.1.1, section 4.7.1."""
    *upper, last = topic.split("/")
    is_filter = all(level == "+" or not set(level) & set("+#") for level in [*upper, "" if last == "#" else last])
    if not is_filter or len(topic.encode()) > LONGEST_TOPIC:
        raise place.found(name, topic, "an MQTT topic; + stands for a whole level, # for all that follows, at its end")


def check_path(name: str, path: str, place: Place) -> None:
    """A path on a server, as HTTP sends it: what is not ASCII or a space is written with %. Raises SiteFileError."""
    if not re.fullmatch(r"/[!-~]*", path):
        raise place.found(name, path, "a path such as /onvif/ptz_service, letters of ASCII and no spaces")


def check_url(name: str, url: str, place: Place) -> None:
    """A network camera's address. Raises SiteFileError, which shows no password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    has_place = host is not None and (parts.scheme != "tcp" or port is not None)
    if parts.scheme not in STREAMS or not (has_place or (parts.scheme == "udp" and port)):
        expected = f"rtsp://host/path or tcp://host:port; known are {', '.join(STREAMS)}"
        raise place.found(name, without_password(url), expected)


def without_password(address: str) -> str:
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", address)


CHECKS: dict[str, Callable[[str, str, Place], None]] = {
    "host": check_host,
    "group": check_group,
    "topic": check_topic,
    "url": check_url,
    "path": check_path,
}
