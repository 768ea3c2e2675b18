"""The embedded MQTT broker: `python -m sarhad.embedded_broker PORT`, a process of its own on loopback.

For the demo, for tests and for a box without mosquitto: MQTT 3.1.1, anonymous, 127.0.0.1 only. It forgets everything when
it stops, queued and retained messages included; the post's outbox is made for that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Iterator
from typing import Any

HOST = "127.0.0.1"


class SteadyDict(dict[str, Any]):
    """A dict that may change while somebody goes through it.

    amqtt 0.12 awaits in the midst of loops over its subscriptions and retained messages. A client that connects while
    another one subscribes would raise there, and be left with a connection that nobody serves.
    """

    def __iter__(self) -> Iterator[str]:
        return iter(list(super().__iter__()))

    def items(self) -> Any:
        return list(super().items())

    def values(self) -> Any:
        return list(super().values())


def settings(port: int) -> dict[str, Any]:
    """What amqtt is told: one listener, no plugins but the one that lets anonymous clients in."""
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }


async def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    from amqtt.broker import Broker

    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    broker = Broker(settings(port))
    for name in ("_subscriptions", "_retained_messages", "_sessions"):
        setattr(broker, name, SteadyDict(getattr(broker, name)))
    await broker.start()
    await stopped.wait()
    with contextlib.suppress(Exception):
        await asyncio.wait_for(broker.shutdown(), timeout=3.0)


def main() -> None:
    logging.basicConfig(level=logging.ERROR, format="embedded broker: %(message)s")
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    asyncio.run(serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
