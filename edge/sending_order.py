"""Which message goes to the broker next: new ones at once, alerts first; what nobody acknowledged again, in paced rounds.

    add ──▶ urgent, live ──┐
                           ├── next ──▶ on the way ── taken ──▶ waiting ── acknowledged: done
    outbox ──▶ backlog ────┘                                       │
       ▲                                                           │ nobody answered within RESEND_S
       └──────── a round: read on to the end, then pause ◀─────────┘

Live goes before backlog, alerts before the rest. A message that waits here, is on its way or may still be acknowledged is
claimed: a round does not take it from the outbox a second time. While nobody acknowledges, a round sends only a few, and
the pauses between rounds double; the first answer ends that. The window of backlog on its way to the broker grows while the
broker takes a message quickly and is halved when it is slow: it never holds more than the link carries in about half a
second, so that a live message hardly waits on a thin link.

No thread, no clock and no connection: the caller holds one lock around every call, and hands in the time (monotonic, s).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from edge.outbox_table import PRIORITIES, START, Message, Place
from fusion.wire import AckMessage

RESEND_S = 5.0  # a center commits and acknowledges within a second
FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 30.0  # between rounds through the outbox while nobody acknowledges
LIVE_LIMIT = 1000  # messages waiting in memory; beyond it they go out from the outbox
LIVE_ON_THE_WAY = 64  # messages that the broker has not taken yet
BACKLOG_UNANSWERED = 512  # backlog messages that the center has not acknowledged yet
BACKLOG_PROBE = 32  # the same while nobody acknowledges: 0.7 kB/s at the longest pause, which leaves a thin link free
FIRST_WINDOW_BYTES, LAST_WINDOW_BYTES = 8_192, 2**20  # of backlog on its way to the broker
QUICK_S, SLOW_S = 0.5, 2.0  # the window grows while the broker takes a message quicker, shrinks when slower

Key: TypeAlias = tuple[str, int]  # run_id, sequence


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """A message that the broker has not taken yet."""

    key: Key
    bytes: int
    sent_s: float
    is_backlog: bool


class SendingOrder:
    """What waits, what is on its way, and what the center still has to acknowledge."""

    def __init__(self, is_behind: bool) -> None:
        """`is_behind`: the outbox holds messages of earlier runs."""
        self.is_connected = False
        self._connected_s = 0.0
        self._urgent: deque[Message] = deque()
        self._live: deque[Message] = deque()
        self._backlog: deque[Message] = deque()
        self._claimed: set[Key] = set()  # live, on the way, or waiting: not to be taken from the outbox
        self._on_the_way: dict[int, OnTheWay] = {}  # by the client's message number
        self._backlog_on_the_way = self._backlog_on_the_way_bytes = 0
        self._waiting: dict[Key, float] = {}  # live messages that the center should acknowledge, and until when
        self._waiting_backlog: dict[Key, float] = {}
        self._early: set[int] = set()  # taken by the broker before `handed_over` told their number
        self._sending = 0  # threads that are handing a message to the client
        self._is_behind = is_behind  # the outbox may hold messages that are not claimed
        self._place: Place | None = None  # how far the round through the outbox is; None between rounds
        self._next_round_s, self._pause_s = 0.0, FIRST_PAUSE_S
        self._round_sends = False
        self._window_bytes = FIRST_WINDOW_BYTES

    # the connection

    def connect(self, now_s: float) -> None:
        """The broker is back, and may have forgotten what it took: what has no acknowledgement goes out again."""
        self.is_connected, self._connected_s = True, now_s  # what was on its way before is sent again now
        for waiting in (self._waiting, self._waiting_backlog):
            self._claimed.difference_update(waiting)
            waiting.clear()
        self._next_round_s, self._pause_s, self._place = 0.0, FIRST_PAUSE_S, None
        self._is_behind = True

    def disconnect(self) -> None:
        """Nothing can go: what waited goes out from the outbox later."""
        self.is_connected = False
        for message in (*self._urgent, *self._live):
            self._claimed.discard(key_of(message))
        for queue in (self._urgent, self._live, self._backlog):
            queue.clear()

    def nothing_taken_s(self, now_s: float) -> float:
        """How long the broker has left the oldest message of this connection untaken; 0 where none is on its way."""
        return now_s - max(self._connected_s, min((sent.sent_s for sent in self._on_the_way.values()), default=now_s))

    def forget_on_the_way(self) -> None:
        self._on_the_way.clear()
        self._backlog_on_the_way = self._backlog_on_the_way_bytes = 0

    # one message

    def add(self, message: Message) -> bool:
        """A new message; True: the caller hands it to the client at once, and calls `handed_over`."""
        if not self.is_connected or len(self._live) >= LIVE_LIMIT:
            self._is_behind = True
            return False
        self._claimed.add(key_of(message))
        goes_now = not (self._sending or self._urgent or self._live) and len(self._on_the_way) < LIVE_ON_THE_WAY
        if goes_now:
            self._sending += 1
        else:
            (self._urgent if message.priority <= PRIORITIES["alerts"] else self._live).append(message)
        return goes_now

    def next(self) -> tuple[Message, bool] | None:
        """The next message that may go now, and whether it is backlog; the caller sends it and calls `handed_over`."""
        chosen = self._choose() if self.is_connected else None
        self._sending += chosen is not None
        return chosen

    def _choose(self) -> tuple[Message, bool] | None:
        if len(self._on_the_way) < LIVE_ON_THE_WAY:
            if self._urgent:
                return self._urgent.popleft(), False
            if self._live:
                return self._live.popleft(), False
        unanswered = len(self._waiting_backlog) + self._backlog_on_the_way
        limit = BACKLOG_UNANSWERED if self._pause_s == FIRST_PAUSE_S else BACKLOG_PROBE
        has_room = self._backlog_on_the_way_bytes < self._window_bytes and unanswered < limit
        while self._backlog and has_room and len(self._on_the_way) < 2 * LIVE_ON_THE_WAY:
            message = self._backlog.popleft()
            if key_of(message) not in self._claimed:
                self._claimed.add(key_of(message))
                return message, True
        return None

    def handed_over(self, number: int | None, sent: OnTheWay, now_s: float) -> None:
        """The client has a message under this number; None: it would not have it, and it stays in the outbox."""
        self._sending -= 1
        if number is None:
            self._claimed.discard(sent.key)
        elif number in self._early:
            self._await_answer(sent, now_s)
        else:
            self._on_the_way[number] = sent
            self._backlog_on_the_way += sent.is_backlog
            self._backlog_on_the_way_bytes += sent.bytes if sent.is_backlog else 0
        if not self._sending:
            self._early.clear()

    def taken(self, number: int, now_s: float) -> None:
        """The broker has taken a message; from now on the center has time to answer."""
        if (sent := self._on_the_way.pop(number, None)) is not None:
            self._backlog_on_the_way -= sent.is_backlog
            self._backlog_on_the_way_bytes -= sent.bytes if sent.is_backlog else 0
            self._await_answer(sent, now_s)
        elif self._sending:
            self._early.add(number)

    def _await_answer(self, sent: OnTheWay, now_s: float) -> None:
        (self._waiting_backlog if sent.is_backlog else self._waiting)[sent.key] = now_s + RESEND_S
        if sent.is_backlog and now_s - sent.sent_s < QUICK_S:
            self._window_bytes = min(LAST_WINDOW_BYTES, self._window_bytes + sent.bytes)
        elif sent.is_backlog and now_s - sent.sent_s > SLOW_S:
            self._window_bytes = max(FIRST_WINDOW_BYTES, self._window_bytes // 2)

    def acknowledge(self, ack: AckMessage) -> None:
        """The center has committed these."""
        for waiting in (self._waiting, self._waiting_backlog):
            for key in [key for key in waiting if is_within(key, ack)]:
                del waiting[key]
                self._claimed.discard(key)
        self._backlog = deque(entry for entry in self._backlog if not is_within(key_of(entry), ack))
        if self._pause_s > FIRST_PAUSE_S:  # the center is back
            self._next_round_s, self._pause_s = 0.0, FIRST_PAUSE_S

    def give_up_waiting(self, now_s: float) -> None:
        """What nobody has acknowledged in time goes out again from the outbox."""
        if next(iter(self._waiting_backlog.values()), now_s + 1.0) <= now_s:
            self._backlog.clear()  # nobody answers: no more of this round
            self._end_round(now_s)
        for waiting in (self._waiting, self._waiting_backlog):
            while waiting:
                key, until_s = next(iter(waiting.items()))  # the first has waited longest
                if until_s > now_s:
                    break
                del waiting[key]
                self._claimed.discard(key)
                self._is_behind = True

    # rounds through the outbox

    def wants_round(self, now_s: float) -> bool:
        """Whether to read on in the outbox: a round is under way, or one is due."""
        if not self.is_connected or self._backlog:
            return False
        return self._place is not None or (self._is_behind and now_s >= self._next_round_s)

    def next_place(self) -> Place:
        """Where the round reads on, or begins; the caller reads the outbox behind it, and calls `read_on`."""
        self._is_behind = self._is_behind and self._place is not None
        return self._place or START

    def read_on(self, entries: Sequence[tuple[Place, Message]], has_trouble: bool, now_s: float) -> None:
        """What the outbox holds there. Nothing: the round is finished, and followed by a pause that grows."""
        if entries:
            self._place = entries[-1][0]
            self._backlog.extend(message for _, message in entries if key_of(message) not in self._claimed)
            self._round_sends = self._round_sends or bool(self._backlog)
            return
        self._is_behind = self._is_behind or has_trouble
        self._end_round(now_s)

    def _end_round(self, now_s: float) -> None:
        self._place = None
        self._next_round_s = now_s + self._pause_s
        if self._round_sends:
            self._pause_s = min(LAST_PAUSE_S, 2 * self._pause_s)
        self._round_sends = False


def key_of(message: Message) -> Key:
    return message.run_id, message.sequence


def is_within(key: Key, ack: AckMessage) -> bool:
    return key[0] == ack.run_id and any(low <= key[1] <= high for low, high in ack.ranges)
