"""Which track messages may go where an outbox has no room: positions of long ago, until those left lie farther apart.

    ●  ·  ·  ●  ·  ·  ◆  ·  ·  ●       ● `spacing_s` and more after the last one kept      · goes
                                       ◆ something other than a position has changed

Kept are all messages in which a track or claim comes up first or any of what `state_of` names is another than before, or
in which a group changes: births, confirmations, drops, retractions, what it is, whom it claims to be and whether that
agrees. What is read first counts as new, so walks must begin at the oldest message.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

import msgspec

from fusion.wire import parse_rfc3339

MOST_KNOWN = 20_000  # tracks and claims; of one forgotten the next position is kept once more


class Claim(msgspec.Struct, frozen=True):
    """What counts of a `ClaimMessage`."""

    sensor_id: str
    transmitter: str
    agreement: str
    identity: str | None = None
    status: str | None = None


class Track(msgspec.Struct, frozen=True):
    """What counts of a `TrackMessage`."""

    track_number: int
    status: str
    reason: str | None
    classes: dict[str, float]
    claims: tuple[Claim, ...]
    group_number: int | None = None


class Tracks(msgspec.Struct, frozen=True):
    """What counts of a `TracksMessage`."""

    as_of: str
    tracks: tuple[Track, ...]
    claims: tuple[Claim, ...]
    groups: tuple[msgspec.Raw, ...] = ()


Name: TypeAlias = tuple[str, "int | str"]  # the run, and a track's number or a claim's sensor and transmitter
State: TypeAlias = tuple[object, ...]


class Thinning:
    """One walk through the messages of an outbox, from the oldest on."""

    def __init__(self, spacing_s: float) -> None:
        self.spacing_s = spacing_s
        self._read = msgspec.json.Decoder(Tracks)
        self._known: OrderedDict[Name, tuple[State, float]] = OrderedDict()  # as last told, and when one was kept last

    def keeps(self, run_id: str, payload: bytes) -> bool:
        """Whether this message stays. What cannot be read stays: nobody knows what it says."""
        try:
            message = self._read.decode(payload)
            time_s = parse_rfc3339(message.as_of) / 1e9
        except (msgspec.DecodeError, ValueError):
            return True
        states = states_of(run_id, message)
        keeps = bool(message.groups) or any(self._is_news(name, state, time_s) for name, state in states.items())
        for name, state in states.items():
            kept_s = time_s if keeps or name not in self._known else self._known[name][1]
            self._known[name] = state, kept_s
            self._known.move_to_end(name)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return keeps

    def _is_news(self, name: Name, state: State, time_s: float) -> bool:
        told, kept_s = self._known.get(name, (None, 0.0))
        return state != told or abs(time_s - kept_s) >= self.spacing_s


def states_of(run_id: str, message: Tracks) -> dict[Name, State]:
    """All that a message tells of, by name, without positions."""
    tracks = {(run_id, track.track_number): state_of(track) for track in message.tracks}
    claims = {
        (run_id, f"{claim.sensor_id} {claim.transmitter}"): (claim.agreement, claim.identity, claim.status)
        for claim in message.claims
    }
    return {**tracks, **claims}


def state_of(track: Track) -> State:
    """What of a track is no position."""
    likeliest = max(track.classes.items(), key=lambda entry: entry[1], default=None)
    claims = tuple((claim.transmitter, claim.agreement, claim.identity, claim.status) for claim in track.claims)
    return track.status, track.reason, likeliest and likeliest[0], track.group_number, claims
