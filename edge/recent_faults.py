"""What a feed's decoder met in the last minute: a new fault must not hide behind a good year, nor outlive its cure.

    bins of 10 s     | frames, failed, bytes | ... | ... | ... | ... | now |      six whole ones and the one being filled

A decoder's counts only grow; their differences over the window say how the line is now. Time comes in with the readings.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from firmware_interfaces.came_before import CAME_AGAIN, STEPPED_BACK
from firmware_interfaces.decoder import MISSED, Counts

BIN_NS = 10_000_000_000
BINS = 6
FRAMES_TO_JUDGE = 20
FAILED_SHARE = 0.05  # of frames; a line with fewer faults loses little
MISSED_SHARE = 0.05  # of frames that were sent
AGAIN_SHARE = 0.05  # of frames; a bridge may repeat one now and then
BYTES_TO_JUDGE = 4096  # a second of a slow port


@dataclass(frozen=True, slots=True)
class Totals:
    """A decoder's counts at one time."""

    time_ns: int
    bytes: int
    frames: int
    failed: int  # checksums
    refused: int  # frames, for whatever reason
    again: int  # frames that were equal to an earlier one
    missed: int  # frames that never came, by the numbers of those that did
    back: int  # frames whose number was lower than the last one's, without a restart


class RecentFaults:
    """The last minute of one decoder. Pure."""

    def __init__(self) -> None:
        self._past: deque[Totals] = deque(maxlen=BINS + 1)

    def note(self, now_ns: int, counts: Counts) -> None:
        """Take the counts in; kept about every ten seconds."""
        if not self._past or now_ns - self._past[-1].time_ns >= BIN_NS or now_ns < self._past[-1].time_ns:
            self._past.append(totals(now_ns, counts))

    def complaint(self, now_ns: int, counts: Counts) -> str | None:
        """What is wrong with the line now, and what to do."""
        if not self._past:
            return None
        before, now = self._past[0], totals(now_ns, counts)
        seconds = (now_ns - before.time_ns) / 1e9
        size, frames, failed = now.bytes - before.bytes, now.frames - before.frames, now.failed - before.failed
        again = now.again - before.again
        if now.frames == 0:
            return None  # never a good one: the decoder knows what its protocol needs
        if frames == 0 and before.frames and size >= BYTES_TO_JUDGE and seconds * 1e9 >= BIN_NS:
            return (
                f"{size} bytes and no frame in the last {seconds:.0f} s, after {before.frames} good ones: "
                "was the device's baud or output format changed, or another device plugged in?"
            )
        if frames >= FRAMES_TO_JUDGE and again > AGAIN_SHARE * frames:
            return (
                f"{again} of {frames} frames in the last {seconds:.0f} s came before, byte for byte, and are not used: "
                "restart the sensor; if it goes on, look for who plays old data into its line"
            )
        if (back := now.back - before.back) > 0:
            return (
                f"the frame number stepped back without a silence, {back} times in the last {seconds:.0f} s: did another "
                "sensor, or who plays old data, get onto its line?"
            )
        if frames + failed >= FRAMES_TO_JUDGE and failed > FAILED_SHARE * (frames + failed):
            return (
                f"{failed} of {frames + failed} frames failed their checksum in the last {seconds:.0f} s: "
                "noise on the line, a cable too long for its baud, or two programs reading one port"
            )
        missed = now.missed - before.missed
        if frames >= FRAMES_TO_JUDGE and missed > MISSED_SHARE * (frames + missed):
            return (
                f"{missed} of {frames + missed} frames in the last {seconds:.0f} s never came, by the numbers of the others: "
                "the line is too slow for them, the machine too busy, or two programs read one port"
            )
        return None


def totals(now_ns: int, counts: Counts) -> Totals:
    rejected = counts.rejected
    return Totals(
        now_ns,
        counts.bytes,
        sum(counts.decoded.values()),
        rejected.get("checksum", 0),
        sum(rejected.values()),
        counts.remarks.get(CAME_AGAIN, 0),
        counts.remarks.get(MISSED, 0),
        counts.remarks.get(STEPPED_BACK, 0),
    )
