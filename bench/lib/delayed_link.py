"""A line with a delay between two network namespaces: `python delayed_link.py DELAY_MS NAME PID NAME PID`.

For kernels without netem. Makes two network devices, each put into the network namespace of the process PID, and carries
packets between them, each so many milliseconds late, as many at once as the ends send. Segments stay as large as the
kernel hands them over (as with a network card that cuts them itself), so that the line costs little. Prints `ready`
when both stand, and ends with its standard input.
"""

import fcntl
import os
import selectors
import struct
import subprocess
import sys
import time
from collections import deque

TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4 = 0x01, 0x02
LARGEST = 65536 + 64


def open_device(name: str, pid: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI | IFF_VNET_HDR))
    fcntl.ioctl(device, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4)
    subprocess.run(["ip", "link", "set", name, "txqueuelen", "100000", "netns", pid], check=True)
    return device


def carry(ends: list[int], delay: float) -> None:
    selector = selectors.DefaultSelector()
    for end in ends:
        selector.register(end, selectors.EVENT_READ, end)
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    waiting: deque[tuple[float, int, bytes]] = deque()
    while True:
        timeout = None if not waiting else max(0.0, waiting[0][0] - time.monotonic())
        for key, _ in selector.select(timeout):
            if key.data is None:
                return
            take_all(key.data, other[key.data], waiting, delay)
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, target, packet = waiting.popleft()
            give(target, packet)


def take_all(end: int, target: int, waiting: deque, delay: float) -> None:
    try:
        for _ in range(64):
            packet = os.read(end, LARGEST)
            waiting.append((time.monotonic() + delay, target, packet))
    except (BlockingIOError, OSError):
        return  # Nothing more, or the device is not up yet.


def give(target: int, packet: bytes) -> None:
    try:
        os.write(target, packet)
    except OSError:
        pass  # A line may lose packets: while its other end is not up, all of them.


def main(delay_ms: str, *devices: str) -> None:
    ends = [open_device(name, pid) for name, pid in zip(devices[::2], devices[1::2], strict=True)]
    print("ready", flush=True)
    carry(ends, float(delay_ms) / 1000)


if __name__ == "__main__":
    main(*sys.argv[1:])
