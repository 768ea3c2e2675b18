"""The process that runs one tracker on the detections of all posts: `python -m center.detected`, started by `tracking.py`.

    stdin   Given (messages `sensors` and `scans`, as posts sent them) ──▶ waiting, by post ──▶ AllPosts, each 0.25 s
    stdout  DetectedPicture, each time

Each frame is a MessagePack object after its length, four bytes, little-endian. Of a post no more waits than two seconds of an
honest one's, the oldest giving way; so a post that floods loses its own, and what is worked in is never old. A post is known
until another needs its place and it has sent nothing for an hour. The process ends with its input.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import BinaryIO

import msgspec

from fusion.all_posts import MOST_POSTS, AllPosts, Arrived
from fusion.hand_over import Numbered
from fusion.messages import UPPER, claim_message
from fusion.scan_messages import ScansMessage, SensorsMessage
from fusion.wire import ClaimMessage

TICK_S = 0.25  # late scans take up the past anew: half as often as at 0.1 s, for half the work
WAITING = 20  # messages of a post: two seconds
BYTES_A_SECOND, BYTES_AT_ONCE = 1_000_000.0, 3_000_000.0  # of a post: decoding takes 50 ms of a second
FORGOTTEN_NS = 3_600_000_000_000  # a post that has sent nothing for so long makes room for another
FRAME_BYTES = 32_000_000


class Given(msgspec.Struct, frozen=True, array_like=True):
    """A message of a post's, as it came."""

    name: str  # "sensors", "scans"
    site_id: str
    received_ns: int
    payload: bytes


class DetectedObject(msgspec.Struct, frozen=True, array_like=True):
    """An object of the tracker's; state (6,) and the upper triangle of its covariance, 21 numbers, in ECEF axes."""

    number: int  # of this run of the process
    state: tuple[float, ...]
    covariance: tuple[float, ...]
    existence_probability: float
    classes: tuple[float, ...]
    claims: tuple[ClaimMessage, ...]


class DetectedPicture(msgspec.Struct, frozen=True):
    """All that the tracker sees at one time, and how it is doing."""

    run_id: str
    time_ns: int
    objects: tuple[DetectedObject, ...]
    heard: tuple[str, ...]  # posts whose detections it holds
    behind_s: float  # how long the oldest message of the last tick had waited
    tiles: int
    worked_in: int  # scans and claims since the start
    refused: dict[str, dict[str, int]]  # of them, by post and reason; of what could not be read, messages
    complaints: dict[str, str]  # by post: what was wrong with the newest message that could not be read


@dataclass(slots=True)
class Waiting:
    """What came of one post and is not yet worked in."""

    scans: deque[Given] = field(default_factory=deque)
    sensors: Given | None = None
    bytes_left: float = BYTES_AT_ONCE
    counted_ns: int = 0

    def affords(self, given: Given) -> bool:
        """Whether the post may send so many bytes now."""
        since_s = max(given.received_ns - self.counted_ns, 0) / 1e9
        self.counted_ns = given.received_ns  # which may be earlier: the center's clock was set
        self.bytes_left = min(self.bytes_left + since_s * BYTES_A_SECOND, BYTES_AT_ONCE)
        if len(given.payload) > self.bytes_left:
            return False
        self.bytes_left -= len(given.payload)
        return True


class Inbox:
    """All posts' waiting messages; filled by one thread and emptied by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._posts: dict[str, Waiting] = {}
        self._forgotten: list[str] = []
        self.dropped: Counter[tuple[str, str]] = Counter()

    def put(self, given: Given) -> None:
        with self._lock:
            post = self._posts.get(given.site_id)
            if post is None and (len(self._posts) < MOST_POSTS or self._forget_one(given.received_ns)):
                post = self._posts[given.site_id] = Waiting()
            if post is None:
                self.dropped["others", "too many posts"] += 1
            elif not post.affords(given):
                self.dropped[given.site_id, "more bytes than a post needs"] += 1
            elif given.name == "sensors":
                post.sensors = given
            else:
                post.scans.append(given)
                if len(post.scans) > WAITING:
                    post.scans.popleft()
                    self.dropped[given.site_id, "the tracker is behind"] += 1

    def _forget_one(self, now_ns: int) -> bool:
        """Whether the post that has been quiet for longest is known no more: it has been so for an hour."""
        quiet_ns = {site_id: abs(now_ns - post.counted_ns) for site_id, post in self._posts.items()}
        longest = max(quiet_ns, key=lambda site_id: quiet_ns[site_id])
        if quiet_ns[longest] <= FORGOTTEN_NS:
            return False
        del self._posts[longest]
        for key in [key for key in self.dropped if key[0] == longest]:
            del self.dropped[key]
        self._forgotten.append(longest)
        return True

    def forgotten(self) -> list[str]:
        """The posts that are known no more since this was asked last."""
        with self._lock:
            names, self._forgotten = self._forgotten, []
        return names

    def take(self) -> list[Given]:
        """All that waits: sensors first, then scans, by post."""
        with self._lock:
            posts = [self._posts[site_id] for site_id in sorted(self._posts)]
            taken = [post.sensors for post in posts if post.sensors is not None]
            for post in posts:
                taken += post.scans
                post.sensors = None
                post.scans.clear()
        return taken


class Work:
    """The tracker and its counts."""

    def __init__(self, run_id: str) -> None:
        self.run_id, self.inbox, self.tracker = run_id, Inbox(), AllPosts()
        self._scans, self._sensors = msgspec.json.Decoder(ScansMessage), msgspec.json.Decoder(SensorsMessage)
        self._behind_s = 0.0
        self._complaints: dict[str, str] = {}

    def step(self, now_ns: int) -> None:
        """Work in all that waits."""
        for site_id in self.inbox.forgotten():
            self.tracker.forget(site_id)
            self._complaints.pop(site_id, None)
        arrived: list[Arrived] = []
        taken = self.inbox.take()
        self._behind_s = max(((now_ns - given.received_ns) / 1e9 for given in taken), default=0.0)
        for given in taken:
            try:
                if given.name == "sensors":
                    self.tracker.describe(self._sensors.decode(given.payload), given.received_ns)
                else:
                    arrived.append(Arrived(self._scans.decode(given.payload), given.received_ns))
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                self.tracker.refused[given.site_id, f"{given.name} that cannot be"] += 1
                self._complaints[given.site_id] = f"{given.name}: {error}"[:200]
        self.tracker.take(arrived)

    def picture(self, now_ns: int) -> DetectedPicture:
        refused: dict[str, dict[str, int]] = {}
        for (site_id, reason), count in sorted((self.tracker.refused + self.inbox.dropped).items()):
            refused.setdefault(site_id, {})[reason] = count
        return DetectedPicture(
            run_id=self.run_id,
            time_ns=now_ns,
            objects=tuple(detected_object(one) for one in self.tracker.look(now_ns)),
            heard=self.tracker.heard(now_ns),
            behind_s=round(self._behind_s, 2),
            tiles=self.tracker.tile_count,
            worked_in=self.tracker.worked_in,
            refused=refused,
            complaints=dict(sorted(self._complaints.items())),
        )


def detected_object(one: Numbered) -> DetectedObject:
    """An object as told."""
    track = one.sighted.track
    return DetectedObject(
        number=one.number,
        state=tuple(one.sighted.state.tolist()),
        covariance=tuple(one.sighted.covariance[UPPER].tolist()),
        existence_probability=track.existence_probability,
        classes=tuple(probability for _, probability in track.classes),
        claims=tuple(claim_message(claim) for claim in track.claims),
    )


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame; None at the end."""
    head = stream.read(4)
    size = int.from_bytes(head, "little")
    if len(head) < 4 or size > FRAME_BYTES:
        return None
    data = stream.read(size)
    return data if len(data) == size else None


def write_frame(stream: BinaryIO, message: msgspec.Struct) -> None:
    data = msgspec.msgpack.encode(message)
    stream.write(len(data).to_bytes(4, "little") + data)
    stream.flush()


def main() -> None:
    work, has_ended = Work(sys.argv[1]), threading.Event()

    def listen() -> None:
        while (frame := read_frame(sys.stdin.buffer)) is not None:
            work.inbox.put(msgspec.msgpack.decode(frame, type=Given))
        has_ended.set()

    threading.Thread(target=listen, name="listener", daemon=True).start()
    while not has_ended.wait(TICK_S):
        work.step(time.time_ns())
        write_frame(sys.stdout.buffer, work.picture(time.time_ns()))


if __name__ == "__main__":
    main()
