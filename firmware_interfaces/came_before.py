"""Whether a frame has come before, byte for byte: a device that hangs in its output, or old data played into its line.

    numbers   41  42  43  43  43  43 ...          frozen: the last frame again and again
              41  42  43  12  13  14 ...          replayed: what the line said before

Noise makes any two measurements differ, and a frame carries its number and its time besides; so one whole frame that is
equal to one of the last `KEPT` says nothing of now, and is not used. A frame that measured nothing and carries no finer
time than its number may be equal to another by right, after its device has started anew: it counts only while the number
stands still.

So far and no farther: what is older than the last `KEPT` frames, or than this program's start, is not known again, nor is a
replayed frame that measured nothing and carries no finer time; what a liar writes anew is another matter altogether. Of a
replay that is not known the frame number may tell, where it steps back without the silence of a restart (`STEPPED_BACK`).
"""

from __future__ import annotations

from collections import OrderedDict

CAME_AGAIN = "frame came again"  # the remark under which `Counts` counts them
STEPPED_BACK = "frame number stepped back"  # while no device could have started anew
KEPT = 20_000  # frames: a quarter of an hour at 20 a second, in some 3 MB
RESTART_NS = 500_000_000  # no device starts anew in less


class CameBefore:
    """One device's memory of its frames. Pure."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._last = b""

    def again(self, digest: bytes, is_telling: bool) -> bool:
        """Whether this frame came before. is_telling: noise or a fine time in it make it unlike all others."""
        is_known = digest in self._seen if is_telling else digest == self._last
        self._last = digest
        self._seen[digest] = None
        self._seen.move_to_end(digest)
        if len(self._seen) > KEPT:
            self._seen.popitem(last=False)
        return is_known
