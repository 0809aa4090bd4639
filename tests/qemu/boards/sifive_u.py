# SPDX-License-Identifier: BSD-2-Clause
"""What only sifive_u has: a network card with a PHY, whose cable is pulled and plugged in again, and with less
reach than the machine has memory; no hart 0, no power-off, no clock of day, no source of entropy."""
import json
import os
import re
import socket
import sys
import tempfile

from guest import Guest
from tap import Tap

BOARD = "sifive-u"
CARD = "cadence_gem.0"
LISTENING = "http-server: listening on port 80"
tap = Tap()


def ask(path, command, **arguments):
    """One command for QEMU's machine protocol; its answer, events left out."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        stream = s.makefile("rw")
        stream.readline()  # the greeting
        for request in ({"execute": "qmp_capabilities"},
                        {"execute": command, "arguments": arguments}):
            stream.write(json.dumps(request) + "\n")
            stream.flush()
            answer = json.loads(stream.readline())
            while "event" in answer:
                answer = json.loads(stream.readline())
        return answer


def machine(guest):
    state = json.loads(guest.get("/status.json")[2])
    tap.equal(sorted(hart["id"] for hart in state["harts"]), [1, 2, 3, 4], "harts 1 to 4 are in use")
    names = [process["name"] for process in state["processes"]]
    tap.equal((names.count("uart-sifive"), names.count("net-gem")), (2, 1),
              "each serial port and the network card have their driver")
    lines = [line for line in guest.lines if re.match("net: .*random", line)]
    tap.equal(len(lines), 1, "that there is no source of entropy is said once")


def cable(guest, control):
    page = guest.get("/")
    tap.equal(page[0], 200, "a page is served")
    for number in range(2):
        start = len(guest.lines)
        tap.ok("return" in ask(control, "set_link", name=CARD, up=False), "the cable is pulled")
        guest.wait_for("net: link down", start=start)
        tap.ok("return" in ask(control, "set_link", name=CARD, up=True), "and plugged in")
        guest.wait_for("net: link up", start=start)
        tap.equal(guest.get("/")[2], page[2], "the page is served as before, %d" % (number + 1))


def more_memory_than_the_card_reaches():
    with Guest(board=BOARD, net="user", smp=4, mem="8G") as guest:
        found = guest.wait_for(r"Skerry \S+, 4 harts, (\d+) MiB")
        tap.equal(found.group(1), "8192", "8 GiB are in use, half of them beyond 32 bits")
        guest.wait_for(LISTENING)
        tap.equal(guest.get("/")[0], 200, "a page is served")


with tempfile.TemporaryDirectory() as folder:
    socket_path = os.path.join(folder, "qmp")
    with Guest(board=BOARD, net="user", smp=4,
               extra="-qmp unix:%s,server=on,wait=off" % socket_path) as booted:
        booted.wait_for(LISTENING)
        machine(booted)
        cable(booted, socket_path)
more_memory_than_the_card_reaches()
sys.exit(tap.done())
