"""A post on real pseudo-terminals: ports that speak, and a film."""

from __future__ import annotations

import os
import pty
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # made_commands.py

Speak = Callable[[str, bytes], Path]


@pytest.fixture
def speaking_port(tmp_path: Path) -> Iterator[Speak]:
    """speaking_port(name, data): a pseudo-terminal that says data ten times a second; b"" is silent."""
    stopping = threading.Event()
    threads: list[threading.Thread] = []
    descriptors: list[int] = []

    def make(name: str, data: bytes) -> Path:
        master, held = pty.openpty()
        tty.setraw(held)
        os.set_blocking(master, False)
        descriptors.extend((master, held))
        link = tmp_path / name
        link.symlink_to(os.ttyname(held))

        def speak() -> None:
            while not stopping.wait(0.1):
                try:
                    os.write(master, data)
                except BlockingIOError:  # nobody reads yet
                    continue

        thread = threading.Thread(target=speak if data else stopping.wait)
        thread.start()
        threads.append(thread)
        return link

    yield make
    stopping.set()
    for thread in threads:
        thread.join()
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Two seconds of 320 x 240 H.264."""
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10), options={"bf": "0", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(20):
            picture = np.full((240, 320, 3), number * 10, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path
