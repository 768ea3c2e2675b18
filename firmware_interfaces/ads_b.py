"""ADS-B: what aircraft broadcast of themselves on 1090 MHz, merged by address and told as claims.

    Beast, AVR, SBS-1 ──▶ messages ──▶ one state for each address ──▶ Claim, at a position and when identity changes
    ads_b_streams.py      mode_s.py    position by cpr.py

Nothing in it is authenticated: anybody can broadcast any of it. A claimed height is above the ellipsoid only where the
aircraft tells its GNSS height, or the difference between that and its pressure altitude; else it is None. Errors are those
of the accuracy codes (`adsb_accuracy.py`); a transponder whose version is not heard yet counts as version 0, as the standard
asks. Replies to radars (DF0, 4, 5, 16, 20, 21) are believed only for addresses that squitters have told.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from firmware_interfaces import adsb_accuracy, cpr
from firmware_interfaces.ads_b_streams import Heard, Messages
from firmware_interfaces.decoder import Counts, Framed, diagnose
from firmware_interfaces.positions import geodetic
from fusion.types import Claim, Geodetic, Reading, Sensor

FOOT_M, KNOT_M_S, NM_M = 0.3048, 1852.0 / 3600.0, 1852.0
MAX_AIRCRAFT = (
    2048  # a busy sky has some hundreds; an attacker can invent addresses: the one not heard longest is forgotten
)
AIRBORNE_PAIR_S, SURFACE_PAIR_S = 10.0, 25.0  # how far apart an even and an odd message may be
LOCAL_S = 60.0  # how long a place serves as reference: 60 s at 700 m/s is 42 km, half a zone is 330 km
FRESH_S = 15.0  # of velocity and height difference
FASTEST_M_S, SLACK_M = 700.0, 3000.0  # between two positions of one aircraft; 17 bits are 5 m
MAX_RANGE_M = 600_000.0  # beyond the radio horizon of the highest flyers
CLAIM_PERIOD_S = 1.0  # of one aircraft; a busy sky sends thousands of positions a second, and a thin link carries nine
SURE_PAIRS = 2  # global positions that agree, before one message alone is enough
CATEGORIES = {
    (2, 1): "surface_vehicle", (2, 3): "surface_vehicle", (3, 1): "glider", (3, 2): "balloon", (3, 4): "ultralight",
    (3, 6): "drone", (4, 7): "helicopter",
    **{(4, number): "airplane" for number in range(1, 7)},
}  # fmt: skip
EMERGENCY_SQUAWKS = ("7500", "7600", "7700")


@dataclass(slots=True)
class Place:
    """A CPR message as it came."""

    pair: tuple[int, int]
    time_s: float
    on_ground: bool


@dataclass(slots=True)
class Aircraft:
    """What one address has told so far."""

    is_known: bool = False  # a squitter whose parity holds told the address
    callsign: str | None = None
    category: str | None = None
    squawk: str | None = None
    emergency: bool = False
    on_ground: bool | None = None
    version: int = 0
    nac_p: int | None = None
    gva: int | None = None
    nac_v: int | None = None
    nuc_p: int | None = None
    altitude_ft: float | None = None
    is_geometric: bool = False
    difference_ft: float | None = None  # GNSS height less pressure altitude
    difference_s: float = -math.inf
    velocity: tuple[float, float, float | None] | None = None  # east, north, up m/s
    velocity_s: float = -math.inf
    places: list[Place | None] = field(default_factory=lambda: [None, None])  # even, odd
    position: tuple[float, float] | None = None
    position_s: float = -math.inf
    told_s: float = -math.inf  # when its last claim was given
    identity_told_s: float = -math.inf  # when the last one was given for its identity
    has_news: bool = False  # an identity that no claim has told yet
    agreeing: int = 0  # global positions in a row that could follow each other

    def locate(self, fields: dict[str, Any], time_s: float, receiver: tuple[float, float] | None) -> bool:
        """Take in a CPR message; whether the position is known by it."""
        is_odd = fields["cpr_format"]
        on_ground = fields["bds"] == "0,6"
        place = Place((fields["cpr_lat"], fields["cpr_lon"]), time_s, on_ground)
        self.places[is_odd] = place
        found = self._beside_the_last(place, is_odd) if self.agreeing >= SURE_PAIRS else None
        if found is None:
            found = self._of_the_pair(place, is_odd, receiver)
            if found is None:
                return False
            self.agreeing = self.agreeing + 1 if self._can_follow(found, time_s) else 1
        if receiver is not None and distance_m(found, receiver) > MAX_RANGE_M:
            self.agreeing = 0
            return False
        self.position, self.position_s = found, time_s
        return True

    def _beside_the_last(self, place: Place, is_odd: int) -> tuple[float, float] | None:
        """By the last position alone; None where that is too old, or the place is out of the aircraft's reach."""
        if self.position is None or not 0.0 <= place.time_s - self.position_s <= LOCAL_S:
            return None
        found = cpr.local_position(place.pair, bool(is_odd), self.position, place.on_ground)
        return found if self._can_follow(found, place.time_s) else None

    def _of_the_pair(
        self, place: Place, is_odd: int, receiver: tuple[float, float] | None
    ) -> tuple[float, float] | None:
        other = self.places[1 - is_odd]
        longest_s = SURFACE_PAIR_S if place.on_ground else AIRBORNE_PAIR_S
        if other is None or other.on_ground != place.on_ground or not 0.0 <= place.time_s - other.time_s <= longest_s:
            return None
        even, odd = (other.pair, place.pair) if is_odd else (place.pair, other.pair)
        if not place.on_ground:
            return cpr.global_position(even, odd, bool(is_odd))
        reference = receiver if receiver is not None else self.position
        return None if reference is None else cpr.surface_position(even, odd, bool(is_odd), reference)

    def _can_follow(self, found: tuple[float, float], time_s: float) -> bool:
        if self.position is None:
            return True
        return distance_m(found, self.position) <= SLACK_M + FASTEST_M_S * abs(time_s - self.position_s)


def distance_m(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Between two points given in degrees; near enough over a few hundred kilometres."""
    east_deg = (first[1] - second[1] + 180.0) % 360.0 - 180.0
    cosine = math.cos(math.radians(0.5 * (first[0] + second[0])))
    return 111_200.0 * math.hypot(first[0] - second[0], east_deg * cosine)


class Sky:
    """All that one receiver hears, by address; bounded."""

    def __init__(self, receiver: tuple[float, float] | None = None) -> None:
        self._receiver = receiver
        self.aircraft: OrderedDict[str, Aircraft] = OrderedDict()

    def hear(self, heard: Heard, time_s: float) -> tuple[Aircraft, str]:
        """Take in one message; the aircraft, and what is worth a claim in it: a "position", an "identity", or ""."""
        fields: dict[str, Any] = heard.fields or {}
        aircraft = self._state_of(fields["icao"])
        if heard.form == "sbs":
            aircraft.is_known = True
            return aircraft, _hear_sbs(aircraft, fields, time_s)
        df = fields["df"]
        if df == 17 or df == 18:
            aircraft.is_known = True
            return aircraft, self._hear_squitter(aircraft, fields, time_s)
        if df == 11:
            aircraft.is_known = True
        elif aircraft.is_known:
            aircraft.squawk = fields.get("squawk", aircraft.squawk)
        return aircraft, ""

    def _state_of(self, address: str) -> Aircraft:
        found = self.aircraft.get(address)
        if found is None:
            found = self.aircraft[address] = Aircraft()
            if len(self.aircraft) > MAX_AIRCRAFT:
                self.aircraft.popitem(last=False)
        else:
            self.aircraft.move_to_end(address)
        return found

    def _hear_squitter(self, aircraft: Aircraft, fields: dict[str, Any], time_s: float) -> str:
        code = fields["typecode"]
        if 9 <= code <= 18 or 20 <= code <= 22:
            aircraft.on_ground = False
            aircraft.altitude_ft, aircraft.is_geometric = fields["altitude"], code >= 20
            aircraft.nuc_p = fields["nuc_p"]
            return "position" if aircraft.locate(fields, time_s, self._receiver) else ""
        if code == 19:
            _hear_velocity(aircraft, fields, time_s)
        elif 5 <= code <= 8:
            aircraft.on_ground, aircraft.nuc_p = True, 14 - code  # version 0: type 5 is NUCp 9, 8 is 6
            aircraft.altitude_ft = None
            if fields["groundspeed"] is not None and fields["track"] is not None:
                aircraft.velocity = velocity_of(fields["groundspeed"], fields["track"], 0.0)
                aircraft.velocity_s = time_s
            return "position" if aircraft.locate(fields, time_s, self._receiver) else ""
        elif 1 <= code <= 4:
            callsign, category = fields["callsign"] or None, CATEGORIES.get((code, fields["category"]))
            aircraft.has_news |= (callsign, category) != (aircraft.callsign, aircraft.category)
            aircraft.callsign, aircraft.category = callsign, category
            return "identity" if aircraft.has_news else ""
        elif code == 31 and fields["subtype"] in (0, 1):
            aircraft.version, aircraft.nac_p = fields["version"], fields["nac_p"] if fields["version"] else None
            aircraft.gva = fields.get("gva")
        elif code == 29 and fields["subtype"] == 1:
            aircraft.nac_p = fields["nac_p"]
        elif code == 28 and fields["subtype"] == 1:
            aircraft.squawk, aircraft.emergency = fields["squawk"], fields["emergency_state"] != 0
        return ""


def _hear_velocity(aircraft: Aircraft, fields: dict[str, Any], time_s: float) -> None:
    aircraft.nac_v = fields["nac_v"]
    aircraft.difference_ft, aircraft.difference_s = fields["geo_minus_baro"], time_s
    climb = fields["vertical_rate"]
    if "east_kt" in fields:
        aircraft.velocity = (
            fields["east_kt"] * KNOT_M_S,
            fields["north_kt"] * KNOT_M_S,
            None if climb is None else climb * FOOT_M / 60.0,
        )
        aircraft.velocity_s = time_s


def _hear_sbs(aircraft: Aircraft, fields: dict[str, Any], time_s: float) -> str:
    """SBS tells no accuracy and no geometric height; positions are put together by the receiver."""
    aircraft.squawk = fields.get("squawk", aircraft.squawk)
    aircraft.emergency = fields.get("emergency", aircraft.emergency)
    aircraft.on_ground = fields.get("on_ground", aircraft.on_ground)
    if "groundspeed" in fields and "track" in fields:
        climb = fields.get("vertical_rate")
        up_m_s = None if climb is None else climb * FOOT_M / 60.0
        aircraft.velocity = velocity_of(fields["groundspeed"], fields["track"], up_m_s)
        aircraft.velocity_s = time_s
    aircraft.has_news |= "callsign" in fields and fields["callsign"] != aircraft.callsign
    aircraft.callsign = fields.get("callsign", aircraft.callsign)
    latitude, longitude = fields.get("latitude"), fields.get("longitude")
    if latitude is None or longitude is None or geodetic(latitude, longitude, None) is None:
        return "identity" if aircraft.has_news else ""
    aircraft.position, aircraft.position_s = (latitude, longitude), time_s
    return "position"


def velocity_of(speed_kt: float, track_deg: float, up_m_s: float | None) -> tuple[float, float, float | None]:
    """East, north, up m/s."""
    track_rad, speed_m_s = math.radians(track_deg), speed_kt * KNOT_M_S
    return speed_m_s * math.sin(track_rad), speed_m_s * math.cos(track_rad), up_m_s


class Decoder:
    """Readings in, claims out."""

    def __init__(self, sensor: Sensor, latitude_deg: float | None = None, longitude_deg: float | None = None) -> None:
        """The receiver's own place, where given, tells aircraft on the ground apart, and forged far ones."""
        if (latitude_deg is None) != (longitude_deg is None):
            raise ValueError("latitude_deg and longitude_deg are needed both, or none of them")
        self._sensor = sensor
        self._messages = Messages()
        self.counts: Counts = self._messages.counts
        place = None if latitude_deg is None or longitude_deg is None else (latitude_deg, longitude_deg)
        self._sky = Sky(place)

    @property
    def kept_bytes(self) -> int:
        """Bytes of an unfinished message."""
        return self._messages.stream.kept_bytes

    @property
    def aircraft_count(self) -> int:
        """How many addresses are remembered."""
        return len(self._sky.aircraft)

    def feed(self, reading: Reading) -> Sequence[Claim]:
        """A claim at a position and one when it tells another identity, each once a second for each aircraft."""
        claims = []
        time_s = reading.monotonic_ns * 1e-9
        heard_ns = reading.received_ns - self._sensor.latency_ns
        for framed in self._messages.feed(reading.data, reading.monotonic_ns):
            heard = framed.message
            if heard.fields is None:
                continue
            aircraft, news = self._sky.hear(heard, time_s)
            last_s = aircraft.identity_told_s if news == "identity" else aircraft.told_s
            if news and not 0.0 <= time_s - last_s < CLAIM_PERIOD_S:
                aircraft.told_s, aircraft.has_news = time_s, False
                if news == "identity":
                    aircraft.identity_told_s = time_s
                claims.append(self._claim(heard, aircraft, time_s, heard_ns))
        return claims

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        return diagnose(self.counts, "Mode S message", "is it Beast, AVR or SBS-1? wrong baud? Beast speaks 3000000")

    def _claim(self, heard: Heard, aircraft: Aircraft, time_s: float, heard_ns: int) -> Claim:
        assert heard.fields is not None
        address = heard.fields["icao"]
        position = position_of(aircraft, time_s)
        is_moving = time_s - aircraft.velocity_s <= FRESH_S
        horizontal_m, vertical_m = sigmas_m(aircraft)
        return Claim(
            sensor_id=self._sensor.sensor_id,
            time_ns=heard_ns,
            protocol="ads_b",
            transmitter=address,
            identity=address,
            identity_type="icao" if is_icao(heard) else None,
            category=aircraft.category,
            position=position,
            horizontal_sigma_m=None if position is None else horizontal_m,
            vertical_sigma_m=None if position is None or position.height_m is None else vertical_m,
            velocity_enu_m_s=aircraft.velocity if is_moving else None,
            speed_sigma_m_s=adsb_accuracy.speed_sigma_m_s(aircraft.nac_v) if is_moving else None,
            operator_position=None,
            operator_id=None,
            status=status_of(aircraft),
            text=aircraft.callsign,
            authenticated=False,
            power_dbm=None,  # receivers tell a level of their own scale
        )


def is_icao(heard: Heard) -> bool:
    """Whether a state has assigned the address: DF18 may carry others, as its first bits say; SBS-1 marks them."""
    if heard.form == "sbs":
        return heard.fields is not None and not heard.fields["icao"].startswith("~")
    return not (heard.data[0] >> 3 == 18 and heard.data[0] & 7 not in (0, 6))


def position_of(aircraft: Aircraft, time_s: float) -> Geodetic | None:
    """The last position, height above the ellipsoid where that is told; None where it is older than its velocity may be."""
    if aircraft.position is None or time_s - aircraft.position_s > FRESH_S:
        return None
    height_ft = aircraft.altitude_ft
    if height_ft is not None and not aircraft.is_geometric:
        is_fresh = aircraft.difference_ft is not None and time_s - aircraft.difference_s <= FRESH_S
        height_ft = height_ft + aircraft.difference_ft if is_fresh and aircraft.difference_ft is not None else None
    return geodetic(*aircraft.position, None if height_ft is None else height_ft * FOOT_M)


def sigmas_m(aircraft: Aircraft) -> tuple[float | None, float | None]:
    """1-sigma, horizontal axis and height."""
    if aircraft.version == 0 and aircraft.nac_p is None:
        nuc_p = aircraft.nuc_p
        return adsb_accuracy.horizontal_sigma_of_nuc_m(nuc_p), adsb_accuracy.vertical_sigma_of_nuc_m(nuc_p)
    return adsb_accuracy.horizontal_sigma_m(aircraft.nac_p), adsb_accuracy.vertical_sigma_m(aircraft.gva)


def status_of(aircraft: Aircraft) -> str | None:
    """What it says of itself."""
    if aircraft.emergency or aircraft.squawk in EMERGENCY_SQUAWKS:
        return "emergency"
    return None if aircraft.on_ground is None else "ground" if aircraft.on_ground else "airborne"


TICKS_A_SECOND = 12e6


class CaptureFile:
    """A capture for `captures.py`: messages with the positions that follow from those before them."""

    def __init__(self) -> None:
        self._messages = Messages()
        self.counts = self._messages.counts
        self._sky = Sky()

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[Heard]]:
        """The messages that these bytes complete."""
        return self._located(self._messages.feed(data, monotonic_ns))

    def finish(self) -> list[Framed[Heard]]:
        """What can be made of the rest when nothing more will come."""
        return self._located(self._messages.finish())

    def _located(self, found: list[Framed[Heard]]) -> list[Framed[Heard]]:
        for framed in found:
            heard = framed.message
            if heard.fields is not None and heard.form != "sbs":
                aircraft, _ = self._sky.hear(heard, capture_time_s(heard))
                if "cpr_format" in heard.fields and aircraft.position_s == capture_time_s(heard):
                    assert aircraft.position is not None
                    heard.fields["latitude"], heard.fields["longitude"] = aircraft.position
        return found


def capture_time_s(heard: Heard) -> float:
    """When a message was heard, by its capture: the counter's time, CSV's seconds; 0 where neither is kept."""
    if heard.timestamp is not None:
        return heard.timestamp / TICKS_A_SECOND
    try:
        return float(heard.time_text or 0.0)
    except ValueError:
        return 0.0


def record(heard: Heard) -> dict[str, Any]:
    """A message as plain data, fields named as in open decoders."""
    told: dict[str, Any] = {}
    if heard.form == "beast":
        told["type"] = heard.kind
    if heard.timestamp is not None:
        told["ts_12mhz"] = heard.timestamp
    if heard.signal is not None:
        told["signal"] = heard.signal
    if heard.time_text:
        told["t"] = heard.time_text
    if heard.data:
        told["msg"] = heard.data.hex().upper()
    if heard.fields is not None:
        told["icao"] = heard.address.upper() or heard.fields["icao"]
        told["decoded"] = heard.fields
    return told
