"""ASTERIX over UDP: radars and surveillance systems of air traffic control and air defence.

    datagram ──▶ blocks, read strictly by their edition ──▶ CAT048, 034 (001, 002)   Scan, a sector of a turn each
                 asterix_records.py                         CAT062, 020, 010, 015    RemoteTrack
                 does not fit: counted, and the feed        CAT021                   Claim
                 is doubted                                 CAT205, 065              Presence, Status

The edition of a category is not on the wire, and a block of another edition can fit by chance and be nonsense. So facts of a
category are given only when MIN_BLOCKS of its blocks were seen and at most MOST_MISFITS of the last ones did not fit; else
the diagnosis says which editions they do fit.

One sensor is one radar: where a feed carries several, `sac` and `sic` choose one; else it is the first that sends a plot.
Times of day come from the radar's clock; one that is far from the post's is not used.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from typing import Any

from firmware_interfaces import asterix_tracks, pcap
from firmware_interfaces.asterix_records import (
    MAX_SKIPPED_BYTES,
    Block,
    Edition,
    Misfit,
    Record,
    edition_of,
    edition_text,
    fitting_editions,
    library,
    read_datagram,
    read_editions,
)
from firmware_interfaces.asterix_tracks import raw_at, value_at
from firmware_interfaces.asterix_turns import Plot, Turns
from firmware_interfaces.decoder import Counts, Framed, Rejected, count_by_name, diagnose
from fusion.types import Claim, Presence, Reading, RemoteTrack, Scan, Sensor, Status

MIN_BLOCKS = 10  # of a category, before its facts are believed
JUDGED_BLOCKS = 100
MOST_MISFITS = 0.05
MOST_EXAMINED = 50  # of a category: a stranger's datagrams must not cost ten readings each
DAY_NS = 86_400_000_000_000
MOST_DELAY_NS = 30_000_000_000  # of a time of day behind the arrival; more is a wrong clock
MOST_AHEAD_NS = 2_000_000_000
REMEMBERED = 64  # datagrams: two networks may carry the same ones
PLOT_CATEGORIES = {1: "141", 48: "140"}  # -> item of the time of day
SECTOR_CATEGORIES = {2: "030", 34: "030"}
SECTOR_CROSSING = 2
TIME_ITEMS = {10: "140", 15: "145", 20: "140", 21: "073", 62: "070", 65: "030", 205: "030"}
NM_M = 1852.0
PLOT_CONFIDENCE = 0.9  # one look of a radar; the radar rates none
TRACKS = {
    10: asterix_tracks.multilateration_track,
    15: asterix_tracks.surveillance_track,
    20: asterix_tracks.multilateration_track,
    21: asterix_tracks.broadcast_claim,
    62: asterix_tracks.system_track,
    65: asterix_tracks.service_status,
    205: asterix_tracks.bearing_presence,
}
Fact = Scan | RemoteTrack | Claim | Presence | Status


class Datagrams:
    """Datagrams in, their blocks out; keeps account of how well each category fits its edition."""

    def __init__(self, editions: str = "", skip_bytes: int = 0) -> None:
        if not 0 <= skip_bytes <= MAX_SKIPPED_BYTES:
            raise ValueError(f"skip_bytes is {skip_bytes}, expected 0..{MAX_SKIPPED_BYTES}")
        self.counts = Counts()
        self._chosen: dict[int, Edition] = read_editions(editions)
        library()  # now, not when the first datagram waits
        self._skip_bytes = skip_bytes
        self._fits: dict[int, deque[bool]] = {}
        self._examined: Counter[int] = Counter()  # misfits that were held against all editions, by category ...
        self._fitting: dict[int, Counter[Edition]] = {}  # ... and how many of them fit each

    def read(self, datagram: bytes) -> tuple[Block, ...]:
        """The blocks of one datagram; none where it is refused."""
        self.counts.bytes += len(datagram)
        try:
            blocks = read_datagram(datagram, self._chosen, self._skip_bytes)
        except Misfit as misfit:
            self.counts.rejected[misfit.reason] += 1
            self._judge(misfit.category, False)
            if self._examined[misfit.category] < MOST_EXAMINED:
                self._examined[misfit.category] += 1
                fitting = fitting_editions(misfit.category, misfit.data)
                self._fitting.setdefault(misfit.category, Counter()).update(fitting)
            return ()
        except Rejected as rejected:
            self.counts.rejected[rejected.reason] += 1
            return ()
        for block in blocks:
            self._judge(block.category, True)
        count_by_name(self.counts.decoded, f"CAT{blocks[0].category:03}")
        return blocks

    def _judge(self, category: int, fits: bool) -> None:
        self._fits.setdefault(category, deque(maxlen=JUDGED_BLOCKS)).append(fits)  # a category is one byte: 256 of them

    def is_believed(self, category: int) -> bool:
        """Whether enough blocks of a category were seen, and fit."""
        fits = self._fits.get(category, ())
        return len(fits) >= MIN_BLOCKS and not self.is_doubtful(category)

    def is_doubtful(self, category: int) -> bool:
        """Whether more than a few percent of a category's blocks do not fit its edition."""
        fits = self._fits.get(category, ())
        return fits.count(False) > MOST_MISFITS * len(fits)

    def diagnosis(self) -> str | None:
        """Which category is read by a wrong edition, and which editions its blocks would fit."""
        for category in sorted(self._fits):
            if self.is_doubtful(category):
                return self._wrong_edition(category)
        return None

    def _wrong_edition(self, category: int) -> str:
        fits, others = self._fits[category], self._fitting.get(category, Counter())
        edition = edition_text(edition_of(category, self._chosen))
        # an edition that fits the blocks of old ones by chance does so rarely
        better = [edition_text(e) for e, count in sorted(others.items()) if count >= 0.95 * self._examined[category]]
        hint = f"they fit {', '.join(better)}: set editions" if better else "no known edition fits them"
        return (
            f"CAT{category:03}: {fits.count(False)} of the last {len(fits)} blocks do not fit edition {edition}: "
            f"wrong edition; {hint}"
        )


class CaptureFile:
    """A capture for `captures.py`: a pcap file of datagrams, or one datagram as it is."""

    def __init__(self, editions: str = "", skip_bytes: int = 0) -> None:
        self._datagrams = Datagrams(editions, skip_bytes)
        self.counts = self._datagrams.counts
        self.diagnosis = self._datagrams.diagnosis

    def feed(self, data: bytes, monotonic_ns: int) -> list[Framed[tuple[Block, ...]]]:
        """The datagrams that could be read; `offset` is the number of the datagram."""
        datagrams = [found.data for found in pcap.datagrams(data)] if pcap.is_capture(data) else [data]
        read = [
            Framed(blocks, index, len(datagram))
            for index, datagram in enumerate(datagrams)
            if (blocks := self._datagrams.read(datagram))
        ]
        self.counts.bytes = len(data)
        return read

    def finish(self) -> list[Framed[tuple[Block, ...]]]:
        """A file is read in one piece."""
        return []


class Decoder:
    """Readings in (a datagram each), facts out."""

    def __init__(
        self, sensor: Sensor, editions: str = "", skip_bytes: int = 0, sac: int | None = None, sic: int | None = None
    ) -> None:
        self._sensor = sensor
        self._datagrams = Datagrams(editions, skip_bytes)
        self.counts: Counts = self._datagrams.counts
        self._turns = None if sensor.accuracy.azimuth_rad is None else Turns(sensor)
        self._wanted = (sac, sic)
        self._radar: tuple[int, int] | None = None  # whose plots are this sensor's
        self._others: Counter[str] = Counter()  # radars whose plots are left out
        self._recent: OrderedDict[bytes, None] = OrderedDict()

    @property
    def kept_bytes(self) -> int:
        """A datagram is whole; plots wait for their sector's end."""
        return 0 if self._turns is None else self._turns.kept_bytes

    def feed(self, reading: Reading) -> Sequence[Fact]:
        """The facts of one datagram."""
        facts: list[Fact] = []
        if reading.data and not self._is_repeated(reading.data):
            for block in self._datagrams.read(reading.data):
                if self._datagrams.is_believed(block.category):
                    for record in block.records:
                        facts += self._facts(block.category, record, reading.received_ns)
                else:
                    self.counts.remarks["not believed yet: too few blocks fit the edition"] += 1
        if self._turns is not None:
            facts += self._turns.tell(reading.received_ns)
        return facts

    def diagnosis(self) -> str | None:
        """What is wrong with this feed and what to do."""
        if (told := self._datagrams.diagnosis()) is not None:
            return told
        remedy = "is it ASTERIX? does a gateway put bytes in front (skip_bytes)?"
        if (told := diagnose(self.counts, "ASTERIX block", remedy)) is not None:
            return told
        if self._others:
            names = ", ".join(sorted(self._others)[:5])
            return f"plots of other radars ({names}) are left out: give each a sensor of its own with sac and sic"
        return None

    def _is_repeated(self, datagram: bytes) -> bool:
        """Whether the same datagram came just before, over a second network."""
        digest = hashlib.blake2b(datagram, digest_size=16).digest()
        if digest in self._recent:
            self.counts.bytes += len(datagram)
            self.counts.remarks["datagram came twice"] += 1
            return True
        self._recent[digest] = None
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        return False

    def _facts(self, category: int, record: Record, received_ns: int) -> list[Fact]:
        if category in PLOT_CATEGORIES or category in SECTOR_CATEGORIES:
            return self._turn(category, record, received_ns)
        if not self._is_wanted(record):
            return []
        make = TRACKS.get(category)
        time_ns = self._time_ns(value_at(record, TIME_ITEMS.get(category, "")), received_ns)
        fact = make(record, self._sensor.sensor_id, time_ns) if make is not None else None
        return [] if fact is None else [fact]

    def _turn(self, category: int, record: Record, received_ns: int) -> list[Fact]:
        """A plot, or a crossing of this sensor's radar."""
        if self._turns is None or not self._is_ours(category, record):
            return []
        tod_s = None if category == 1 else value_at(record, (PLOT_CATEGORIES | SECTOR_CATEGORIES)[category])
        time_ns = self._time_ns(tod_s, received_ns)
        if category in SECTOR_CATEGORIES:
            azimuth_deg = value_at(record, "020")
            if raw_at(record, "000") != SECTOR_CROSSING or azimuth_deg is None:
                return []
            return list(self._turns.cross(azimuth_deg, time_ns, received_ns))
        slant_range_nm, azimuth_deg = value_at(record, "040", "RHO"), value_at(record, "040", "THETA")
        is_target = raw_at(record, "020", "TYP") != 0 or category == 1
        if slant_range_nm is None or azimuth_deg is None or not is_target or is_test(record):
            return []
        power_db = value_at(record, "130", "PAM")
        self._turns.add(Plot(time_ns, azimuth_deg, slant_range_nm * NM_M, PLOT_CONFIDENCE, power_db))
        return []

    def _is_wanted(self, record: Record) -> bool:
        sac, sic = self._wanted
        return sac in (None, raw_at(record, "010", "SAC")) and sic in (None, raw_at(record, "010", "SIC"))

    def _is_ours(self, category: int, record: Record) -> bool:
        """Whether it comes from this sensor's radar; the first that sends a plot is, unless the site names it."""
        sac, sic = raw_at(record, "010", "SAC"), raw_at(record, "010", "SIC")
        if sac is None or sic is None or not self._is_wanted(record):
            return False
        if self._radar is None and category in PLOT_CATEGORIES:
            self._radar = (sac, sic)
        if self._radar not in (None, (sac, sic)):
            if category in PLOT_CATEGORIES:
                count_by_name(self._others, f"{sac}/{sic}")
            return False
        return self._radar is not None

    def _time_ns(self, time_of_day_s: float | None, received_ns: int) -> int:
        """When it was true: the time of day put into the day that lies nearest; arrival where that clock is wrong."""
        if time_of_day_s is not None:
            of_day_ns = round(time_of_day_s * 1e9)
            behind_ns = (received_ns % DAY_NS - of_day_ns + DAY_NS // 2) % DAY_NS - DAY_NS // 2
            if -MOST_AHEAD_NS <= behind_ns <= MOST_DELAY_NS:
                return received_ns - behind_ns
            self.counts.remarks["time of day is far from ours"] += 1
        return received_ns - self._sensor.latency_ns


def is_test(record: Record) -> bool:
    """Simulated and test targets, and fixed transponders that a radar is checked with."""
    return any(raw_at(record, "020", name) for name in ("SIM", "TST", "RAB"))


def record(blocks: tuple[Block, ...]) -> dict[str, Any]:
    """A datagram as plain data; editions are named as libasterix names them."""
    return {
        "data_blocks": [
            {
                "cat": block.category,
                "edition": [f"Cat_{block.category:03}_{block.edition[0]}_{block.edition[1]}"],
                "records": list(block.records),
            }
            for block in blocks
        ]
    }
