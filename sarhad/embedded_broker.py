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
from typing import Any

HOST = "127.0.0.1"


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
