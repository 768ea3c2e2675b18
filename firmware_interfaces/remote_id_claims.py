"""Remote ID claims: what a transmitter says in many messages, merged into one state, and told as claims.

A transmitter sends who it is, where it is and where its operator is in separate messages. A claim is given with each
Location, and when the identity becomes known; a Location that was heard longer ago than 30 s is left out of it. All of
it may be false.
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from firmware_interfaces.decoder import Counts
from firmware_interfaces.open_drone_id_messages import (
    CATEGORIES,
    ID_TYPES,
    STATUSES,
    BasicId,
    Location,
    Message,
    OperatorId,
    SelfId,
    System,
    clean_text,
    horizontal_sigma_m,
    identity_of,
    speed_sigma_m_s,
    vertical_sigma_m,
)
from firmware_interfaces.positions import geodetic
from fusion.types import Claim, Geodetic, Sensor

MAX_TRANSMITTERS = 256  # an attacker can invent addresses; the one not heard for longest is forgotten
HOUR_NS = 3_600_000_000_000
MAX_CLAIM_AGE_NS = 30_000_000_000  # a position older than this is old news, or the sender's clock is wrong
MAX_CLAIM_AHEAD_NS = 2_000_000_000
REPEATED_ZERO_POSITIONS = 5  # one is a drone before its first fix


@dataclass(slots=True)
class Heard:
    """What one transmitter has said so far."""

    identities: dict[int, BasicId] = field(default_factory=dict)  # by id type
    location: Location | None = None
    location_ns: int = 0  # when it was heard
    system: System | None = None
    operator_id: OperatorId | None = None
    self_id: SelfId | None = None

    def merge(self, message: Message, heard_ns: int) -> bool:
        """Take in one message; whether it is worth a claim of its own."""
        if isinstance(message, Location):
            self.location, self.location_ns = message, heard_ns
            return True
        if isinstance(message, BasicId) and message.id_type in ID_TYPES and message.uas_id:
            is_news = self.identities.get(message.id_type) != message
            self.identities[message.id_type] = message
            return is_news
        if isinstance(message, System):
            self.system = message
        elif isinstance(message, OperatorId):
            self.operator_id = message
        elif isinstance(message, SelfId):
            self.self_id = message
        return False

    def location_at(self, heard_ns: int) -> Location | None:
        """The last Location; None where it is old news."""
        return self.location if abs(heard_ns - self.location_ns) <= MAX_CLAIM_AGE_NS else None

    def identity(self) -> BasicId | None:
        """The id that says most: serial number, then registration, UTM, session."""
        return self.identities[min(self.identities)] if self.identities else None


class Transmitters:
    """All that one receiver hears, by the key of the transmitter."""

    def __init__(self, sensor: Sensor, counts: Counts) -> None:
        self._sensor, self._counts = sensor, counts
        self._heard: OrderedDict[str, Heard] = OrderedDict()
        self._zero_positions: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._heard)

    def hear(
        self, transmitter: str, messages: Sequence[Message], received_ns: int, power_dbm: float | None = None
    ) -> Sequence[Claim]:
        """Take in what came at once; the claim that it makes, if it makes one."""
        heard, heard_ns = self._state_of(transmitter), received_ns - self._sensor.latency_ns
        is_news = [heard.merge(message, heard_ns) for message in messages]
        if not any(is_news):
            return ()
        self._watch_position(transmitter, heard.location_at(heard_ns))
        return (self._claim(transmitter, heard, heard_ns, power_dbm),)

    def diagnosis(self) -> str | None:
        """Who keeps claiming to be nowhere."""
        lost = [name for name, count in self._zero_positions.items() if count >= REPEATED_ZERO_POSITIONS]
        if not lost:
            return None
        return f"claims position 0,0: {', '.join(sorted(lost)[:3])}: no fix yet, or hiding it"

    def _state_of(self, transmitter: str) -> Heard:
        heard = self._heard.setdefault(transmitter, Heard())
        self._heard.move_to_end(transmitter)
        while len(self._heard) > MAX_TRANSMITTERS:
            forgotten, _ = self._heard.popitem(last=False)
            self._zero_positions.pop(forgotten, None)
        return heard

    def _watch_position(self, transmitter: str, location: Location | None) -> None:
        if location is None:
            return
        if position_of(location) is not None:
            self._zero_positions.pop(transmitter, None)
            return
        self._counts.remarks["claims position 0,0"] += 1
        self._zero_positions[transmitter] += 1

    def _claim(self, transmitter: str, heard: Heard, heard_ns: int, power_dbm: float | None) -> Claim:
        location, system = heard.location_at(heard_ns), heard.system
        basic = heard.identity()
        return Claim(
            sensor_id=self._sensor.sensor_id,
            time_ns=heard_ns if location is None else claim_time_ns(location.timestamp_s, heard.location_ns),
            protocol="open_drone_id",
            transmitter=transmitter,
            identity=None if basic is None else identity_of(basic),
            identity_type=None if basic is None else ID_TYPES[basic.id_type],
            category=None if basic is None else CATEGORIES.get(basic.aircraft_type),
            position=None if location is None else position_of(location),
            horizontal_sigma_m=None if location is None else horizontal_sigma_m(location.horizontal_accuracy),
            vertical_sigma_m=None if location is None else vertical_sigma_m(location.vertical_accuracy),
            velocity_enu_m_s=None if location is None else velocity_of(location),
            speed_sigma_m_s=None if location is None else speed_sigma_m_s(location.speed_accuracy),
            operator_position=None if system is None else operator_position_of(system),
            operator_id=None if heard.operator_id is None else clean_text(heard.operator_id.operator_id),
            status=None if location is None else STATUSES.get(location.status),
            text=None if heard.self_id is None else clean_text(heard.self_id.text),
            authenticated=False,  # pages of type 2 are seen in the field, but no key infrastructure stands behind them
            power_dbm=power_dbm,
        )


def claim_time_ns(timestamp_s: float | None, heard_ns: int) -> int:
    """When a Location was true: its seconds since the full hour put into the hour that lies nearest to `heard_ns`.

    A time that lies further back than 30 s, or ahead, is not believed: then it is when the message was heard.
    """
    if timestamp_s is None or not 0.0 <= timestamp_s < 3600.0:
        return heard_ns
    hour_ns = heard_ns - heard_ns % HOUR_NS
    since_ns = round(timestamp_s * 1e9)
    nearest_ns = min((hour_ns + turn * HOUR_NS + since_ns for turn in (-1, 0, 1)), key=lambda t: abs(t - heard_ns))
    is_plausible = -MAX_CLAIM_AHEAD_NS <= heard_ns - nearest_ns <= MAX_CLAIM_AGE_NS
    return min(nearest_ns, heard_ns) if is_plausible else heard_ns


def position_of(location: Location) -> Geodetic | None:
    """The claimed position; height is the geodetic altitude (WGS-84), None where only pressure altitude is given."""
    if location.latitude_deg is None or location.longitude_deg is None:
        return None
    return geodetic(location.latitude_deg, location.longitude_deg, location.geodetic_altitude_m)


def operator_position_of(system: System) -> Geodetic | None:
    """Where the operator claims to be."""
    if system.operator_latitude_deg is None or system.operator_longitude_deg is None:
        return None
    return geodetic(system.operator_latitude_deg, system.operator_longitude_deg, system.operator_altitude_m)


def velocity_of(location: Location) -> tuple[float, float, float | None] | None:
    """East, north, up m/s; a drone that stands still needs no direction."""
    if location.speed_m_s is None or (location.direction_deg is None and location.speed_m_s > 0.0):
        return None
    return velocity_enu_m_s(location.direction_deg or 0.0, location.speed_m_s, location.vertical_speed_m_s)


def velocity_enu_m_s(
    direction_deg: float, speed_m_s: float, climb_m_s: float | None
) -> tuple[float, float, float | None]:
    """East, north and up of a speed over ground in a direction clockwise from north."""
    direction_rad = math.radians(direction_deg)
    return speed_m_s * math.sin(direction_rad), speed_m_s * math.cos(direction_rad), climb_m_s
