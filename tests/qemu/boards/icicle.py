# SPDX-License-Identifier: BSD-2-Clause
"""The Icicle Kit, as QEMU has it, with the tree that Linux has for the board: two banks of memory far apart, a
console whose registers are four bytes wide and apart, and the GEM without SiFive's management block."""
import json
import sys

from guest import Guest
from tap import Tap

tap = Tap()


def whole_machine():
    with Guest(board="icicle-kit", net="user", smp=4) as guest:
        first = guest.wait_for(r"Skerry \S+, (\d+) harts, (\d+) MiB, (.*)")
        tap.equal(first.groups(), ("4", "2048", "Microchip PolarFire-SoC Icicle Kit"),
                  "the machine is told")
        guest.wait_for("http-server: listening on port 80")
        tap.equal(guest.get("/")[0], 200, "a page is served")
        status = json.loads(guest.get("/status.json")[2])
        names = [process["name"] for process in status["processes"]]
        tap.equal((names.count("uart-ns16550"), names.count("net-gem")), (4, 2),
                  "every enabled serial port and both GEMs have their driver")
        up = {entry["service"] for entry in status["services"] if entry["state"] == "up"}
        tap.ok({"uart0", "nic0", "nic1"} <= up, "they offer their services", str(up))
        tap.ok(status["memory"]["total"] > 2000 << 20, "both banks of memory are in use",
               str(status["memory"]))
        tap.equal(sorted(hart["id"] for hart in status["harts"]), [1, 2, 3, 4],
                  "harts 1 to 4 are in use")


def harts_that_are_not_there():
    """QEMU with two harts of the four that the tree has."""
    with Guest(board="icicle-kit", net="user", smp=2) as guest:
        for hart in (3, 4):
            guest.wait_for("hart %d did not start and is left out" % hart)
        guest.wait_for("http-server: listening on port 80")
        tap.equal(guest.get("/")[0], 200, "a page is served without the harts that never came")


whole_machine()
harts_that_are_not_there()
sys.exit(tap.done())
