# SPDX-License-Identifier: BSD-2-Clause
"""Faults are injected into the network driver while pages are fetched, up to 100 in each of its lives:
bits flipped in its code and data, wild writes, lost wake-ups, wrong lengths, endless loops (inject.c).

    SKERRY_BUILD=build PYTHONPATH=tools/run python3 tests/qemu/heal/faults.py [--count N] [--seed S] [--no-offloads]

Whatever becomes of the driver, the system serves again, no other process dies, and nothing leaks. The
table says what became of it, by the kind of the last fault before.
"""
import argparse
import http.client
import os
import sys
import tempfile
import threading
import time

import healing
import netns
from tap import Tap

KINDS = ("bit of code", "bit of data", "wild write", "lost wake-up", "wrong length", "endless loop")
BATCH = 100
GOOD_AGAIN_S = 20
NOTICED_S = 4
HEAP_PAGES = 80  # connections that were lost are kept for a while, and so heaps have grown
OUTCOMES = ("nothing", "crash", "hang", "nonsense", "deaf", "escape")
ESCAPED = 99  # exit code, inject.c
NO_OFFLOADS = " ".join("-global virtio-net-device.%s=off" % p for p in (
    "csum", "guest_csum", "gso", "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo", "host_tso4", "host_tso6",
    "host_ecn", "host_ufo"))
HERE = os.path.dirname(os.path.abspath(__file__))
tap = Tap()


class Pages(threading.Thread):
    """Fetches one file again and again; a driver with faults may lose or spoil some."""

    def __init__(self, address, path, body):
        super().__init__(daemon=True)
        self.address, self.path, self.body = address, path, body
        self.good = self.wrong = self.lost = 0
        self.stop = False

    def fetch(self, limit_s):
        connection = http.client.HTTPConnection(*self.address, timeout=limit_s)
        try:
            connection.request("GET", self.path)
            answer = connection.getresponse()
            return answer.status == 200 and answer.read() == self.body
        except (OSError, http.client.HTTPException, ValueError):
            return None
        finally:
            connection.close()

    def run(self):
        while not self.stop:
            found = self.fetch(2)
            self.good += found is True
            self.wrong += found is False
            self.lost += found is None

    def good_within(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.fetch(2):
                return True
        return False


class Table:
    def __init__(self):
        self.injected = [0] * len(KINDS)
        self.escapes = self.lives = 0
        self.outcomes = [dict.fromkeys(OUTCOMES, 0) for _ in KINDS]

    def print(self, pages):
        print("# | last fault | injected | " + " | ".join(OUTCOMES) + " |")
        print("# |---|" + "---|" * (len(OUTCOMES) + 1))
        for kind, name in enumerate(KINDS):
            print("# | %s | %d | %s |" % (name, self.injected[kind], " | ".join(
                str(self.outcomes[kind][column]) for column in OUTCOMES)))
        print("# %d faults in %d lives; %d would have escaped by DMA; pages: %d good, %d wrong, %d lost"
              % (sum(self.injected), self.lives, self.escapes, pages.good, pages.wrong, pages.lost),
              flush=True)


def outcome_of(cause, code):
    if cause == healing.EXITED and code == ESCAPED:
        return "escape"
    return {healing.HUNG: "hang", healing.NONSENSE: "nonsense"}.get(cause, "crash")


def one_life(healer, pages, table, seed):
    """Up to BATCH faults; True if the system served again afterwards."""
    restarts = healer.driver("nic0")[0]
    start = len(healer.guest.lines)
    found = healer.ask("inject %d %d" % (BATCH, seed),
                       r"inject ([a-z ]+):" + r" (\d+)" * (len(KINDS) + 2))
    numbers = [int(n) for n in found.groups()[1:]]
    for kind in range(len(KINDS)):
        table.injected[kind] += numbers[kind]
    table.escapes += numbers[len(KINDS)]
    table.lives += 1
    all_injected, last = found.group(1) == "success", numbers[len(KINDS) + 1]
    healthy = all_injected and pages.good_within(1)
    if not healthy:
        healer.guest.appears("devmgr: nic0: test-faulty-nic ", NOTICED_S, start)
    now, cause, code = healer.driver("nic0")
    if now != restarts:
        table.outcomes[last][outcome_of(cause, code)] += 1
    else:
        table.outcomes[last]["nothing" if healthy else "deaf"] += 1
        healer.restart("nic0")  # the next batch finds a driver without faults
    return pages.good_within(GOOD_AGAIN_S)


def processes(healer):
    status = healing.status(healer.guest)
    return {p["name"]: p["id"] for p in status["processes"] if p["name"] != "test-faulty-nic"}


def inject(guest, body, count, seed):
    healer = healing.Healer(guest)
    healer.warm_up()
    pages = Pages(guest.address, "/noise.bin", body)
    tap.ok(pages.fetch(30), "pages are served")
    living, before, table = processes(healer), healer.counts(), Table()
    pages.start()
    served = True
    while served and sum(table.injected) < count:
        served = one_life(healer, pages, table, seed + table.lives)
        if table.lives % 100 == 0:
            table.print(pages)
    pages.stop = True
    pages.join()
    table.print(pages)
    tap.ok(served, "the system served again after each of %d lives" % table.lives)
    tap.ok(sum(table.injected) >= count, "%d faults were injected" % sum(table.injected))
    healer.restart("nic0")
    tap.ok(pages.good_within(GOOD_AGAIN_S), "pages are served in the end")
    tap.equal(processes(healer), living, "no other process has died")
    after = healer.settle(before, HEAP_PAGES)
    tap.equal(after[:-1], before[:-1], "objects and handles are as before")
    tap.ok(after[-1] >= before[-1] - HEAP_PAGES, "and pages, but for what heaps keep",
           "%d free, %d before" % (after[-1], before[-1]))
    healer.quit()
    tap.equal(guest.wait_end(), 0, "it ends in order")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-offloads", action="store_true", help="the system makes and checks checksums itself")
    parser.add_argument("-v", action="store_true")
    options = parser.parse_args()
    reason = netns.why_not()
    if reason:
        tap.skip("faults in the network driver", reason)
        return
    netns.enter()
    body = os.urandom(100000)
    with tempfile.NamedTemporaryFile() as noise:
        noise.write(body)
        noise.flush()
        files = {"www/noise.bin": noise.name,
                 "etc/drivers/virtio-net.driver": os.path.join(HERE, "faulty-nic.driver")}
        with healing.guest(net="tap:" + netns.TAP, smp=2, append=netns.GUEST_IP, files=files,
                           extra=NO_OFFLOADS if options.no_offloads else "",
                           address=(netns.GUEST, 80),
                           echo=print if options.v else None) as guest:
            inject(guest, body, options.count, options.seed)


main()
sys.exit(tap.done())
