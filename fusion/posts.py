"""A post as its messages tell of it, for the tracker of all posts' detections: is it heard, and what may it still send?

scan, claim ──▶ of a sensor that it described? can its numbers and time be? is it no more than it may send? ──▶ taken
                                                                                                 └── no ──▶ why not
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fusion.admission import out_of_time, wrong_claim, wrong_scan
from fusion.frames import LocalFrame
from fusion.scan_messages import ScanMessage, SensorDescription
from fusion.tiles import Tile
from fusion.types import Geodetic, Sensor
from fusion.wire import ClaimMessage

DETECTIONS_A_SECOND, SCANS_A_SECOND = 2_000.0, 200.0  # of a post, as claims too; twenty sensors at ten a second
BURST_S = 3.0  # so much may come at once, as after a moment without a link
MOST_TRANSMITTERS = 100  # of a post, heard in the last ten seconds: a tile holds claims of 512
TRANSMITTER_NS = 10_000_000_000
HEARD_NS = 3_000_000_000  # a sensor whose scan was worked in so lately, or within two of its turns, is heard
LONGEST_TURN_NS = 10_000_000_000


@dataclass(slots=True)
class Post:
    """A post as its messages tell of it, and what it may still send."""

    origin: Geodetic
    frame: LocalFrame
    sensors: dict[str, SensorDescription]
    described_ns: int
    pause_ns: int  # until other sensors are taken
    bare: dict[str, Sensor]  # in the post's own frame: what a scan is of
    tiles: dict[str, list[Tile]]  # that each sensor feeds
    looks: dict[str, Looks] = field(default_factory=dict)  # of each sensor of which a scan was worked in
    announced: set[str] = field(default_factory=set)  # of these, those whose tiles know them as they are described now
    transmitters: dict[tuple[str, str], int] = field(default_factory=dict)  # and when each was last heard
    detections_left: float = DETECTIONS_A_SECOND * BURST_S
    scans_left: float = SCANS_A_SECOND * BURST_S
    counted_ns: int = 0

    def refill(self, now_ns: int) -> None:
        since_s = max(now_ns - self.counted_ns, 0) / 1e9
        self.counted_ns = now_ns  # which may be earlier: the center's clock was set
        self.detections_left = min(self.detections_left + since_s * DETECTIONS_A_SECOND, DETECTIONS_A_SECOND * BURST_S)
        self.scans_left = min(self.scans_left + since_s * SCANS_A_SECOND, SCANS_A_SECOND * BURST_S)

    def is_heard(self, now_ns: int) -> bool:
        return any(looks.are_fresh(now_ns) for looks in self.looks.values())

    def has_room_for(self, transmitter: tuple[str, str], now_ns: int) -> bool:
        """Whether it may tell of this transmitter, too; if so it is held as heard now."""
        if transmitter not in self.transmitters and len(self.transmitters) >= MOST_TRANSMITTERS:
            lately = {one: at for one, at in self.transmitters.items() if abs(now_ns - at) <= TRANSMITTER_NS}
            self.transmitters = lately
            if len(lately) >= MOST_TRANSMITTERS:
                return False
        self.transmitters[transmitter] = now_ns
        return True


@dataclass(slots=True)
class Looks:
    """When the newest scan of a sensor came that was worked in, and how long after the one before."""

    newest_ns: int
    apart_ns: int = 0

    def add(self, received_ns: int) -> None:
        if received_ns > self.newest_ns:
            self.apart_ns = min(received_ns - self.newest_ns, LONGEST_TURN_NS)
        self.newest_ns = received_ns

    def are_fresh(self, now_ns: int) -> bool:
        return abs(now_ns - self.newest_ns) <= max(HEARD_NS, 2 * self.apart_ns)


def refusal(scan: ScanMessage, post: Post, received_ns: int) -> str | None:
    """Why a scan is not worked in; None where it is."""
    if scan.sensor_id not in post.bare:
        return "of no sensor that it has described"
    return wrong_scan(scan) or out_of_time(scan.time, received_ns) or overdrawn(post, len(scan.detections))


def refusal_of_claim(claim: ClaimMessage, post: Post, received_ns: int) -> str | None:
    """Why a claim is not worked in; None where it is."""
    if claim.sensor_id not in post.bare:
        return "of no sensor that it has described"
    return wrong_claim(claim) or out_of_time(claim.time, received_ns) or overdrawn(post, 1)


def overdrawn(post: Post, detections: int) -> str | None:
    """Take so much from what a post may send; what is too much is told."""
    if post.scans_left < 1.0 or post.detections_left < detections:
        return "too many"
    post.scans_left -= 1.0
    post.detections_left -= detections
    return None
