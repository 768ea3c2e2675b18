"""The order in which messages go to the broker, without a broker: a played outbox, broker and center, and a played clock."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.outbox_table import Message, Place
from edge.sending_order import (
    BACKLOG_PROBE,
    BACKLOG_UNANSWERED,
    FIRST_WINDOW_BYTES,
    LAST_PAUSE_S,
    LIVE_ON_THE_WAY,
    RESEND_S,
    OnTheWay,
    SendingOrder,
    key_of,
)
from fusion.wire import VERSION, AckMessage

STEP_S = 0.25  # the sender looks at least so often
ROWS = 10_000  # more than an outbox has of earlier runs here


class World:
    """One post's order, with an outbox that keeps all, and a broker and a center that answer when told to."""

    def __init__(self, *earlier: Message) -> None:
        self.now_s = 100.0
        self.outbox = dict(enumerate(earlier))  # by row
        self.order = SendingOrder(is_behind=bool(earlier))
        self.added = 0
        self.sent: list[tuple[float, Message]] = []
        self.at_the_broker: dict[int, Message] = {}  # not yet taken
        self.at_the_center: list[Message] = []  # not yet acknowledged

    def add(self, topic_name: str = "tracks") -> Message:
        self.added += 1
        message = made(self.added, topic_name)
        self.outbox[ROWS + self.added] = message
        if self.order.add(message):
            self.send(message, False)
        return message

    def send(self, message: Message, is_backlog: bool) -> None:
        assert key_of(message) not in {key_of(one) for one in self.at_the_broker.values()}, "it is on its way already"
        number = len(self.sent) + 1
        self.sent.append((self.now_s, message))
        self.at_the_broker[number] = message
        self.order.handed_over(number, OnTheWay(key_of(message), message.bytes, self.now_s, is_backlog), self.now_s)

    def run_sender(self) -> None:
        """All that the sender would do at this moment."""
        self.order.give_up_waiting(self.now_s)
        while True:
            if (entry := self.order.next()) is not None:
                self.send(*entry)
            elif self.order.wants_round(self.now_s):
                self.order.read_on(self.pending(self.order.next_place()), False, self.now_s)
            else:
                return

    def pending(self, after: Place) -> list[tuple[Place, Message]]:
        rows = [((message.priority, number), message) for number, message in self.outbox.items()]
        return sorted((row for row in rows if row[0] > after), key=lambda row: row[0])[:100]

    def take(self) -> None:
        while self.order.is_connected and self.at_the_broker:
            number = min(self.at_the_broker)
            self.at_the_center.append(self.at_the_broker.pop(number))
            self.order.taken(number, self.now_s)

    def answer(self) -> None:
        for message in self.at_the_center if self.order.is_connected else ():
            self.outbox = {row: one for row, one in self.outbox.items() if one is not message}
            self.order.acknowledge(AckMessage(VERSION, message.run_id, ((message.sequence, message.sequence),)))
        self.at_the_center.clear()

    def lose(self) -> None:
        self.order.disconnect()

    def connect(self) -> None:
        """The broker is back and has forgotten all; the client sends again what was on its way."""
        self.at_the_center.clear()
        self.order.connect(self.now_s)

    def wait(self) -> None:
        self.now_s += STEP_S
        self.run_sender()

    def wait_long(self) -> None:
        """Longer than the center may take."""
        self.now_s += RESEND_S + STEP_S
        self.run_sender()


def made(sequence: int, topic_name: str = "tracks", size: int = 100, run_id: str = "run-1") -> Message:
    return Message(run_id, sequence, topic_name, b"x" * size)


def connected(*earlier: Message) -> World:
    world = World(*earlier)
    world.connect()
    return world


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(("add", "add", "add", "alert", "take", "answer", "wait", "wait_long", "lose", "connect")),
        min_size=5,
        max_size=60,
    )
)
def test_when_all_is_well_again_every_message_reaches_the_center_whatever_came_before(happenings: list[str]) -> None:
    world = connected(*(made(number, run_id="run-0") for number in range(150)))
    for happening in happenings:
        if happening == "alert":
            world.add("alerts")
        else:
            getattr(world, happening)()
    world.lose()
    world.connect()
    for _ in range(int(4 * (RESEND_S + LAST_PAUSE_S) / STEP_S)):
        world.wait()
        world.take()
        world.answer()
    assert world.outbox == {}


def test_alerts_go_before_tracks_and_live_ones_before_the_backlog() -> None:
    world = connected(*(made(number, run_id="run-0") for number in range(50)))
    live = [world.add() for _ in range(LIVE_ON_THE_WAY + 5)]  # the last five wait
    alert = world.add("alerts")
    world.take()
    world.run_sender()
    following = [message for _, message in world.sent[LIVE_ON_THE_WAY:]]
    assert following[:6] == [alert, *live[LIVE_ON_THE_WAY:]]
    assert {message.run_id for message in following[6:]} == {"run-0"}


def test_while_nobody_answers_a_round_sends_few_and_the_pauses_grow() -> None:
    world = connected(*(made(number, run_id="run-0") for number in range(2_000)))
    rounds: list[float] = []
    while world.now_s < 400.0:
        world.wait()
        world.take()  # a broker that takes all, and no center
        if world.sent[-1][0] == world.now_s and (not rounds or world.now_s - rounds[-1] > 2 * STEP_S):
            rounds.append(world.now_s)
    pauses = [later - earlier for earlier, later in itertools.pairwise(rounds)][
        2:
    ]  # the first round goes out in two parts
    assert pauses == sorted(pauses)
    assert LAST_PAUSE_S <= pauses[-1] <= LAST_PAUSE_S + RESEND_S + STEP_S
    last = [message for sent_s, message in world.sent if sent_s >= rounds[-1]]
    assert 0 < len(last) <= BACKLOG_PROBE
    assert max(len([one for one in world.sent if one[0] == at_s]) for at_s in rounds) <= BACKLOG_UNANSWERED


def test_the_first_answer_opens_the_way_for_all() -> None:
    world = connected(*(made(number, run_id="run-0") for number in range(200)))
    while world.now_s < 300.0:
        world.wait()
        world.take()
    began_s = world.now_s
    world.answer()
    while world.outbox and world.now_s < began_s + 60.0:
        world.wait()
        world.take()
        world.answer()
    assert world.outbox == {}
    assert world.now_s - began_s <= 3 * RESEND_S


def test_a_broker_that_takes_nothing_gets_one_window_of_backlog_and_is_found_deaf() -> None:
    world = connected(*(made(number, size=900, run_id="run-0") for number in range(100)))
    while world.now_s < 120.0:
        world.wait()
    on_the_way = [message.bytes for _, message in world.sent]
    assert FIRST_WINDOW_BYTES <= sum(on_the_way) < FIRST_WINDOW_BYTES + max(on_the_way)
    assert world.order.nothing_taken_s(world.now_s) == world.now_s - world.sent[0][0]
