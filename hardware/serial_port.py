"""A serial port: raw, ours alone, found again under whatever number it comes back.

The path is best a link of /dev/serial/by-id or by-path: it is resolved anew at each opening. DTR and RTS are set before the
port is opened, since an Arduino or ESP32 behind it is reset by their change. The port is proven raw by reading its settings
back: one that turns 0x0D into 0x0A changes measured values, and no checksum-less protocol would ever tell.

A program that knows no lock files and had the port before us is found in /proc and named by `shared_with`.

Works on pseudo-terminals too, where baud, DTR and RTS mean nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import termios
import time

import serial

from hardware.device import Delivery, DeviceLost
from hardware.port_lock import PortLock
from hardware.port_users import other_users

GATHER_S = 0.002  # a busy line is read no oftener: at 3 Mbaud a USB adapter gives 64 bytes 4700 times a second
READ_BYTES = 4096  # what the kernel's terminal layer holds at most
WRITE_TIMEOUT_S = 2.0
LOOK_FOR_OTHERS_S = 30.0

# settings that change or swallow bytes, by termios field
INPUT_FAULTS = ("ICRNL", "INLCR", "IGNCR", "ISTRIP", "IXON", "IXOFF", "PARMRK", "INPCK")
OUTPUT_FAULTS = ("OPOST",)
LOCAL_FAULTS = ("ICANON", "ECHO", "ISIG", "IEXTEN")

ADVICE = {
    errno.ENOENT: "no such port; is it plugged in? `ls -l /dev/serial/by-id` shows those there are",
    errno.EACCES: "not allowed; add the user to the group `dialout`",
    errno.EBUSY: "in use by another program",
    errno.EIO: "hung up: unplugged, powered off or reset",
    errno.ENXIO: "its device has gone",
    errno.ENODEV: "its device has gone",
}


class SerialPort:
    """Driver `serial_port`."""

    def __init__(self, path: str, baud: int, dtr: bool = False, rts: bool = False, lock_dir: str | None = None) -> None:
        self.path, self.baud, self.parity = path, baud, serial.PARITY_NONE
        self._dtr, self._rts, self._lock_dir = dtr, rts, lock_dir
        self._port: serial.Serial | None = None
        self._lock: PortLock | None = None
        self._poll = select.poll()
        self._put_back = b""
        self._read_s = 0.0  # when bytes were last taken, monotonic
        self._device = ""
        self._looked_s = 0.0
        self.shared_with: tuple[str, ...] = ()  # other processes that have it open

    def open(self) -> None:
        """Take the port. Raises DeviceLost with advice."""
        self.close()
        device = os.path.realpath(self.path)  # the number behind the link may have changed
        if not os.path.exists(device):
            raise self._lost(errno.ENOENT)
        lock = PortLock(device, self._lock_dir)
        lock.acquire()
        self._lock = lock
        try:
            self._port = self._opened(device)
            self._prove_raw()
        except (serial.SerialException, OSError) as error:
            self.close()
            raise self._lost(error.errno, str(error)) from error
        except termios.error as error:  # no OSError: pulled out between its opening and its settings
            self.close()
            raise self._lost(error.args[0], str(error)) from error
        except (ValueError, OverflowError) as error:
            self.close()
            raise DeviceLost(f"{self.path}: baud {self.baud} is not possible on this port: {error}") from error
        except DeviceLost:
            self.close()
            raise
        self._device = device
        self._look_for_others(time.monotonic())
        self._poll = select.poll()
        self._poll.register(self._port.fd, select.POLLIN)

    def read(self, timeout_s: float) -> Delivery | None:
        """What is there, at most 4096 bytes, as soon as anything is. Raises DeviceLost on a hang-up."""
        if self._put_back:
            data, self._put_back = self._put_back, b""
            return Delivery(data)
        port = self._opened_port()
        events = self._poll.poll(timeout_s * 1000.0)
        if not events:
            return None
        since_read_s = time.monotonic() - self._read_s
        if since_read_s < GATHER_S:
            time.sleep(GATHER_S - since_read_s)
        self._read_s = time.monotonic()
        if self._read_s - self._looked_s > LOOK_FOR_OTHERS_S:
            self._look_for_others(self._read_s)
        try:
            data = os.read(port.fd, READ_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._lost(error.errno, str(error)) from error
        if not data:  # readable, and nothing there: the other end has gone
            raise self._lost(errno.EIO)
        return Delivery(data)

    def write(self, data: bytes) -> None:
        """Send all of it. Raises DeviceLost."""
        try:
            self._opened_port().write(data)
        except serial.SerialTimeoutException as error:
            raise DeviceLost(f"{self.path} takes no bytes for {WRITE_TIMEOUT_S:.0f} s") from error
        except (serial.SerialException, OSError) as error:
            raise self._lost(error.errno, str(error)) from error

    def put_back(self, data: bytes) -> None:
        """Let the next `read` give these bytes first: what followed a reply belongs to the data."""
        self._put_back = data + self._put_back

    def close(self) -> None:
        """Close the port and give its lock back."""
        port, self._port = self._port, None
        self._put_back = b""
        if port is not None:
            # exclusive use outlives our closing where another process holds the device open too (a simulator's)
            with contextlib.suppress(OSError):
                fcntl.ioctl(port.fd, termios.TIOCNXCL)
            # a port that was pulled out fails to close, and is closed
            with contextlib.suppress(serial.SerialException, OSError):
                port.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def _opened(self, device: str) -> serial.Serial:
        port = serial.Serial(timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True)
        port.port, port.baudrate = device, self.baud
        port.dtr, port.rts, port.parity = self._dtr, self._rts, self.parity
        port.open()
        # keeps out those who know no lock files; where a device lacks it the lock file stands alone
        with contextlib.suppress(OSError):
            fcntl.ioctl(port.fd, termios.TIOCEXCL)
        return port

    def _prove_raw(self) -> None:
        """Read the port's settings back. Raises DeviceLost naming what would change bytes."""
        input_flags, output_flags, control_flags, local_flags = termios.tcgetattr(self._opened_port().fd)[:4]
        faults = [name for name in INPUT_FAULTS if input_flags & getattr(termios, name)]
        faults += [name for name in OUTPUT_FAULTS if output_flags & getattr(termios, name)]
        faults += [name for name in LOCAL_FAULTS if local_flags & getattr(termios, name)]
        if control_flags & termios.CSIZE != termios.CS8:
            faults.append("not 8 data bits")
        if faults:
            raise DeviceLost(f"{self.path} cannot be made raw: {', '.join(faults)}; it would change the bytes")

    def _look_for_others(self, now_s: float) -> None:
        self._looked_s = now_s
        self.shared_with = other_users(self._device)

    def _opened_port(self) -> serial.Serial:
        if self._port is None:
            raise DeviceLost(f"{self.path} is not open")
        return self._port

    def _lost(self, number: int | None, text: str = "") -> DeviceLost:
        advice = ADVICE.get(number or 0)
        return DeviceLost(f"{self.path}: {advice or text or 'lost'}")
