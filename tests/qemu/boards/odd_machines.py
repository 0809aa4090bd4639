# SPDX-License-Identifier: BSD-2-Clause
"""Machines that differ from QEMU's usual one: each must count its harts and memory and serve a page."""
import os
import re
import sys

import healing
from guest import Guest, GuestError
from odd_guest import OddGuest, cells
from tap import Tap

SERVING = "http-server: listening on port 80"
MEMORY = "/memory@80000000"
CONTROLLER = "/soc/plic@c000000"
HIDDEN = "time,ipi,rfence,hsm,reset,console"
ARRIVAL_S = 60  # at most: the kernel waits 5 s for a hart, of its own time
tap = Tap()


def serves(name, expected, **machine):
    """Boots, looks for each of the words on the console, and fetches a page."""
    try:
        with OddGuest(net="user", **machine) as guest:
            guest.wait_for(SERVING)
            status = guest.get("/")[0]
            # A page may be served while the boot hart still waits for another one.
            missing = [words for words in expected if not guest.appears(re.escape(words), ARRIVAL_S)]
            tap.ok(status == 200 and not missing, name,
                   "status %d, not on the console: %r\n%s" % (status, missing, guest.console()))
    except (GuestError, OSError) as error:
        tap.ok(False, name, str(error))


def reserve(*regions):
    """Edits that add them to /reserved-memory."""
    yield "-c", "/reserved-memory"
    yield "-t", "x", "/reserved-memory", "#address-cells", "2"
    yield "-t", "x", "/reserved-memory", "#size-cells", "2"
    for start, size in regions:
        node = "/reserved-memory/kept@%x" % start
        yield "-c", node
        yield ("-t", "x", node, "reg", *cells(start, size))


def memory_in_pieces():
    """Banks with holes, a ragged end and reserved regions in the middle. All of it is filled, the regions stay.
    The archive is not aligned."""
    name = "banks with holes and reserved regions: "
    kept = [(0x84800800, 0x101000), (0x81000000, 0x1000)]
    banks = cells(0x80000000, 0x3000000, 0x84000000, 0x2000000, 0x88000000, 0x4001800)
    holes = [(0x83000000, 0x1000), (0x87FFF000, 0x1000), (0x8C002000, 0x1000)]
    marks = [(os.urandom(size), start) for start, size in kept + holes]
    edits = [("-t", "x", MEMORY, "reg", *banks), *reserve(*kept)]
    with OddGuest(tests=True, mem="512M", archive_at=0x88000123, tree_at=0x8BE00000, edits=edits, loads=marks,
                  append="manifest=fill run=test-fill") as guest:
        filled = int(guest.wait_for(r"# filled (\d+) MiB")[1])
        guest.wait_for(r"\bok 1 ")
        tap.ok(", 144 MiB, " in guest.console(), name + "they are counted", guest.console())
        tap.ok(filled >= 100, name + "their memory is used", "%d MiB were filled" % filled)
        for data, start in marks:
            tap.ok(guest.memory(start, len(data)) == data, name + "%#x is left alone" % start)


def interrupts_to_harts():
    """An APLIC without IMSICs. Its lines stay up until the driver was there; what is typed comes by interrupts, too, and
    drivers die with claims of theirs open."""
    name = "a machine with aia=aplic"
    try:
        with healing.guest(net="user", smp=4, extra="-machine aia=aplic") as guest:
            healer = healing.Healer(guest)
            page = guest.get("/")
            tap.equal(page[0], 200, name + " serves a page")
            answers = [(healer.restart("nic0"), guest.get("/")[2] == page[2]) for _ in range(5)]
            tap.equal(answers, [("success", True)] * 5, name + " serves it after each restart of its network driver")
            healer.quit()
            tap.equal(guest.wait_end(), 0, name + " ends in order")
    except (GuestError, OSError) as error:
        tap.ok(False, name, str(error))


def interrupts_by_message():
    """Not supported, and said to be."""
    name = "a machine with aia=aplic-imsic says why its devices will not work"
    try:
        with Guest(extra="-machine aia=aplic-imsic") as guest:
            guest.wait_for(r"no interrupt controller that reaches a usable hart \(the tree has IMSICs")
            guest.wait_for("Skerry .*, 1 hart, ")
            tap.ok(True, name)
    except GuestError as error:
        tap.ok(False, name, str(error))


def main():
    serves("hart 2 boots, and the kernel lies high above the archive", [", 4 harts, ", "Boot HART ID              : 2"],
           smp=4, boot_hart=2, kernel_at=0x86600000, archive_at=0x80400000, tree_at=0x87000000)
    serves("hart ids 3, 5 and 6 of 8", [", 3 harts, ", "Boot HART ID              : 5"],
           smp=8, boot_hart=5,
           edits=[("-t", "s", "/cpus/cpu@%d" % i, "status", "disabled") for i in (0, 1, 2, 4, 7)])
    serves("a hart that never comes is left out, and said to be", ["hart 2 did not start and is left out"],
           smp=3, stuck=(2,))
    serves("an archive above 4 GiB", [", 5120 MiB, "], smp=2, mem="5G", archive_at=0x1A0000000)
    serves("an interrupt controller whose machine contexts are unused",
           [], smp=2, edits=[("-t", "x", CONTROLLER, "interrupts-extended", "4", "ffffffff", "4", "9",
                              "2", "ffffffff", "2", "9")])
    serves("firmware with the legacy calls alone: the boot hart works", [" cannot be started and is left out"], smp=2,
           append="sbi-hide=" + HIDDEN, extra="-cpu rv64,sstc=off")
    serves("SiFive's U54: no Sstc, nothing newer", [", 4 harts, "], smp=4, extra="-cpu sifive-u54")
    serves("a machine without a serial port says so once",
           ["console: no serial port that a driver here knows is in the device tree"],
           edits=[("-r", "/soc/serial@10000000"), ("-d", "/chosen", "stdout-path")])
    memory_in_pieces()
    interrupts_to_harts()
    interrupts_by_message()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
