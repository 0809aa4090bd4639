# SPDX-License-Identifier: BSD-2-Clause
"""The network card over a tap interface: what a real wire does, with each set of offloads.

Echoed bodies are compared; then ping, fragments, a closed port, a lossy link, many at once.
"""
import concurrent.futures
import fcntl
import os
import random
import select
import socket
import struct
import sys
import tempfile
import threading

import netns
from cable import Cable
from echo_client import datagram, end, ping, stream
from guest import Guest
from tap import Tap

TUNSETIFF, TUNSETOFFLOAD, IFF_TAP_NO_PI = 0x400454ca, 0x400454d0, 0x1002
ECHO = (netns.GUEST, 7)
PROPERTY = "-global virtio-net-device."
SETS = (
    ("all offloads", ""),
    ("no offloads", "".join(PROPERTY + p + "=off " for p in (
        "csum", "guest_csum", "gso", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo",
        "host_tso4", "host_tso6", "host_ecn", "host_ufo"))),
    ("no mergeable buffers", PROPERTY + "mrg_rxbuf=off"),
    ("no event index", PROPERTY + "event_idx=off"),
    ("header of its own", PROPERTY + "any_layout=off " + PROPERTY + "mrg_rxbuf=off"),
    ("version 2", "-global virtio-mmio.force-legacy=false"),
)
tap = Tap()


def peer(extra="", smp=1):
    return Guest(net="tap:" + netns.TAP, smp=smp, extra=extra, tests=True, address=ECHO,
                 append="manifest=peer run=test-net-peer " + netns.GUEST_IP)


def bodies(name, extra):
    with peer(extra) as guest:
        guest.wait_for("test-net-peer: ready")
        guest.wait_for("net: address")
        for size in (1, 1460, 100000, 1 << 20):
            wrong = stream(ECHO, size)
            tap.ok(wrong is None, "%s: %d bytes there and back" % (name, size), wrong or "")
        end(ECHO)
        tap.equal(guest.wait_end(), 0, "%s: it ends in order" % name)


def pass_frames(tap_fd, cable, loss):
    """Carries frames between the tap interface and QEMU, and loses some, always the same ones."""
    dice = random.Random(1)
    while True:
        for ready in select.select([tap_fd, cable.socket], [], [])[0]:
            frame = os.read(tap_fd, 65536) if ready == tap_fd else cable.socket.recv(65536)
            if dice.random() < loss:
                continue
            if ready == tap_fd:
                cable.send(frame)
            else:
                os.write(tap_fd, frame)


def lossy(loss, folder):
    """A link of our own that loses frames, both ways."""
    tap_fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap_fd, TUNSETIFF, struct.pack("16sH22x", netns.TAP.encode(), IFF_TAP_NO_PI))
    fcntl.ioctl(tap_fd, TUNSETOFFLOAD, 0)  # what QEMU had asked for
    cable = Cable(folder)
    threading.Thread(target=pass_frames, args=(tap_fd, cable, loss), daemon=True).start()
    with Guest(net=cable.backend, tests=True,
               append="manifest=peer run=test-net-peer " + netns.GUEST_IP) as guest:
        guest.wait_for("test-net-peer: ready")
        guest.wait_for("net: address")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            wrong = [w for w in pool.map(lambda _: stream(ECHO, 100000), range(8)) if w]
        tap.ok(not wrong, "%d %% of all frames lost: 8 bodies come back the same" % (loss * 100),
               str(wrong[:3]))
        end(ECHO)
        tap.equal(guest.wait_end(), 0, "it ends in order")


def wire():
    with peer(smp=2) as guest:
        guest.wait_for("test-net-peer: ready")
        guest.wait_for("net: address")
        for size in (0, 56, 1472, 4000):
            wrong = ping(netns.GUEST, size)
            tap.ok(wrong is None, "ping with %d bytes" % size, wrong or "")
        for size in (0, 1, 1472, 1473, 8000):
            wrong = datagram(ECHO, size)
            tap.ok(wrong is None, "a datagram of %d bytes there and back" % size, wrong or "")
        try:
            socket.create_connection((netns.GUEST, 4242), 5).close()
            tap.ok(False, "a closed port refuses")
        except ConnectionRefusedError:
            tap.ok(True, "a closed port refuses")
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            wrong = [w for w in pool.map(lambda _: stream(ECHO, 20000), range(256)) if w]
        tap.ok(not wrong, "256 connections, 64 at once", str(wrong[:3]))
        for i in range(200):
            s = socket.create_connection(ECHO, 10)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.send(b"x" * 100)
            s.close()
        tap.ok(stream(ECHO, 5000) is None, "200 resets leave it serving")
        end(ECHO)
        tap.equal(guest.wait_end(), 0, "it ends in order")


reason = netns.why_not()
if reason:
    tap.skip("the network card over tap", reason)
else:
    netns.enter()
    for set_name, set_extra in SETS:
        bodies(set_name, set_extra)
    wire()
    with tempfile.TemporaryDirectory() as folder:
        lossy(0.03, folder)
sys.exit(tap.done())
