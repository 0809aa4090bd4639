# SPDX-License-Identifier: BSD-2-Clause
"""./run bench: prints `bench <name> <value> <unit>`, one line for each figure.

Costs are executed guest instructions on one hart, counted by tools/insncount: time asleep counts
nothing, and a busy machine gives the same figure. A cost for each operation is the difference of two
runs of different length, so that what is not the operation cancels.
"""
import http.client as http_client
import json
import os
import socket
import statistics
import tempfile
import time

import build
import healing
import ipc_figures
import netns
import packages
from common import FAILED, Stop, USAGE, say
from guest import Guest, GuestError

LISTENING = "http-server: listening on port 80"
# The reset ROM and the firmware come first, then the kernel at its load address until its page tables are on.
RANGES = "range=rom:1000:ffff,range=fw:80000000:801fffff,range=early:80200000:8fffffff," \
         "range=user:0:ffffffffffffff,range=kernel:100000000000000:ffffffffffffffff,first=user"
SPACING_S = 0.008
SHORT_RUN, LONG_RUN, ROUNDS = 100, 300, 3
HEAL_MEBIBYTES, HEAL_PERIOD_S = 100, 2.0


class CountedGuest(Guest):
    """A guest on one hart whose executed instructions can be read at any time."""

    def __init__(self, **kwargs):
        self.sockets = tempfile.TemporaryDirectory(prefix="skerry-")  # a short path, as sockets need
        self.counter = os.path.join(self.sockets.name, "count")
        plugin = build.path(build.GUEST, "tools", "insncount", "libinsncount.so")
        extra = "-icount shift=0 -plugin %s,sock=%s,%s" % (plugin, self.counter, RANGES)
        super().__init__(smp=1, extra=extra, **kwargs)

    def counts(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(self.counter)
            data = b""
            while not data.endswith(b"\n"):
                piece = s.recv(65536)
                if not piece:
                    raise GuestError("QEMU ended while its counter was read")
                data += piece
        return json.loads(data)

    def total(self):
        return self.counts()["total"]


def first_page(guest):
    guest.wait_for(LISTENING)
    status, _, body = guest.get("/")
    if status != 200 or not body:
        raise GuestError("the first page has status %d" % status)


def sizes():
    for name, file in (("size.image", "Image"), ("size.bootfs", "bootfs.cpio")):
        yield name, os.path.getsize(build.path(build.GUEST, file)), "bytes"


def boot():
    with CountedGuest(net="user") as guest:
        first_page(guest)
        counts = guest.counts()
    yield "boot.first_user", counts["first"], "instructions"
    yield "boot.first_200", counts["total"], "instructions"


def seconds_to_serve(mebibytes, limit):
    """How long a guest with this memory took to serve a page; None if it did not within the limit."""
    began = time.monotonic()
    try:
        with Guest(net="user", mem="%dM" % mebibytes) as guest:
            guest.wait_for(LISTENING, timeout=limit)
            if guest.get("/", timeout=limit)[0] == 200:
                return time.monotonic() - began
    except (GuestError, OSError, http_client.HTTPException):
        pass
    return None


def memory():
    """Bisection: `bad` does not serve, `good` does. What works is quick, so little is waited for."""
    bad, good = 4, 32
    needed = seconds_to_serve(good, 120)
    if needed is None:
        raise GuestError("%d MiB do not serve" % good)
    while good - bad > 1:
        middle = (good + bad) // 2
        if seconds_to_serve(middle, max(5, 10 * needed)):
            good = middle
        else:
            bad = middle
    yield "mem.smallest", good, "MiB"


class Client:
    """Fetches one file again and again, over one connection or a new one each time."""

    def __init__(self, address, path, size, keep_alive):
        self.address, self.size, self.keep_alive = address, size, keep_alive
        self.request = ("GET %s HTTP/1.1\r\nHost: bench\r\nConnection: %s\r\n\r\n"
                        % (path, "keep-alive" if keep_alive else "close")).encode()
        self.connection = None

    def fetch(self):
        if self.connection is None:
            self.connection = socket.create_connection(self.address, timeout=30)
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sendall(self.request)
        data = b""
        while b"\r\n\r\n" not in data or \
                len(data) < data.index(b"\r\n\r\n") + 4 + self.size:
            piece = self.connection.recv(65536)
            if not piece:
                break
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 ") or len(body) != self.size:
            raise GuestError("a wrong answer: %r" % data[:80])
        if not self.keep_alive:
            self.close()

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def spaced(guest, client, requests):
    """Instructions that this many requests took, one every SPACING_S."""
    before = guest.total()
    due = time.monotonic()
    for _ in range(requests):
        client.fetch()
        due = max(due + SPACING_S, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
    return guest.total() - before


def per_request(guest, client):
    costs = []
    spaced(guest, client, 20)
    for _ in range(ROUNDS):
        short, long = spaced(guest, client, SHORT_RUN), spaced(guest, client, LONG_RUN)
        costs.append((long - short) / (LONG_RUN - SHORT_RUN))
    client.close()
    return round(statistics.median(costs))


def http():
    reason = netns.why_not()
    if reason:
        say("http: over QEMU's user network, whose figures are a little higher (%s)" % reason)
        options = {"net": "user"}
    else:
        netns.enter()
        options = {"net": "tap:" + netns.TAP, "append": netns.GUEST_IP,
                   "address": (netns.GUEST, 80)}
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"0123456789abcdef" * 64)
        file.flush()
        with CountedGuest(files={"www/1k.bin": file.name}, **options) as guest:
            first_page(guest)
            for name, keep_alive in (("keepalive", True), ("connection", False)):
                client = Client(guest.address, "/1k.bin", 1024, keep_alive)
                yield "http.%s.spaced" % name, per_request(guest, client), "instructions"


def idle():
    with CountedGuest(net="user") as guest:
        first_page(guest)
        time.sleep(10)  # net's timers of this connection run out after 6 s, and init looks at everybody once more
        before, began = guest.total(), time.monotonic()
        time.sleep(10)
        per_second = (guest.total() - before) / (time.monotonic() - began)
    yield "idle.per_second", round(per_second), "instructions"
    yield "idle.timer_interrupts", ipc_figures.idle_timer_interrupts(), "in 10 s"


def ipc():
    for name, value in ipc_figures.measure().items():
        yield name, value, "instructions"
    yield from ipc_figures.several_harts()


HEAL_COMPONENTS = (("nic", "nic0"), ("net", "net"), ("http-server", "http-server"), ("fs", "fs"),
                   ("console", "console"), ("sysinfo", "sysinfo"), ("devmgr", "devmgr"))


def recoveries():
    """Guest time under -icount: a nanosecond is an instruction, and sleeping takes no time of ours."""
    with healing.guest(net="user", smp=1, extra="-icount shift=0") as guest:
        healer = healing.Healer(guest)
        for name, component in HEAL_COMPONENTS:
            times = [healer.recover(component) for _ in range(ROUNDS + 1)]
            yield "heal.%s.ms" % name, statistics.median(times[1:]) / 1e6, "ms"


def throughput_ratio():
    """The same download with and without a driver that dies, one right after the other."""
    ratios = []
    with tempfile.NamedTemporaryFile() as file:
        healing.write_noise(file, HEAL_MEBIBYTES)
        with healing.guest(net="tap:" + netns.TAP, append=netns.GUEST_IP, mem="512M",
                           address=(netns.GUEST, 80), files={"www/big.bin": file.name}) as guest:
            healer = healing.Healer(guest)
            healer.warm_up()
            for number in range(2 * ROUNDS + 1):
                load = healing.Download("http://%s/big.bin" % netns.GUEST)
                kills = healer.kill_while(load, "nic0", HEAL_PERIOD_S if number % 2 == 0 else 1e9)
                wrong = load.wait(file.name)
                if wrong:
                    raise GuestError("%d MiB, %d kills: %s" % (HEAL_MEBIBYTES, kills, wrong))
                say("heal: %d MiB in %.2f s, the driver killed %d times"
                    % (HEAL_MEBIBYTES, load.seconds, kills))
                if number == 0:
                    continue  # the first is slower, whatever it is
                if number % 2 == 1:
                    quiet_s = load.seconds
                else:
                    ratios.append(quiet_s / load.seconds)
    yield "heal.throughput_ratio", min(1.0, statistics.median(ratios)), "of undisturbed"


def heal():
    yield from recoveries()
    reason = netns.why_not()
    if reason:
        say("heal.throughput_ratio: not measured (%s)" % reason)
        return
    netns.enter()
    yield from throughput_ratio()


# http and heal last: they move this process into another network namespace.
GROUPS = {"size": sizes, "boot": boot, "mem": memory, "idle": idle, "ipc": ipc, "heal": heal, "http": http}


def show(value):
    return "%d" % value if value == int(value) else "%.3f" % value


def compare_with_baseline(figures, update):
    """Says what changed against the committed baseline; writes it anew if asked to."""
    figures = {name: value for name, value in figures.items() if ".smp." not in name}
    if update:
        ipc_figures.write_baseline(figures)
        say("%s is written: commit it with the change, and say why" % ipc_figures.BASELINE)
        return
    baseline = ipc_figures.read_baseline()
    for name, value in figures.items():
        verdict = ipc_figures.judge(value, baseline.get(name, value))
        if verdict:
            say("%s is %s than its baseline, %d" % (name, verdict, baseline[name]))


def main(options):
    for name in options.groups:
        if name not in GROUPS:
            raise Stop("no group '%s' (there are %s)" % (name, ", ".join(GROUPS)), USAGE)
    if options.update_baseline and "ipc" not in options.groups:
        raise Stop("only the group ipc has a baseline (./run bench ipc --update-baseline)", USAGE)
    packages.need(packages.BENCH, options.offline)
    build.build(options.offline)
    bad = 0
    for name in [g for g in GROUPS if g in options.groups] or GROUPS:
        figures = {}
        try:
            for figure, value, unit in GROUPS[name]():
                print("bench %s %s %s" % (figure, show(value), unit), flush=True)
                figures[figure] = value
            if name == "ipc":
                compare_with_baseline(figures, options.update_baseline)
        except BrokenPipeError:  # our reader has gone
            raise
        except (GuestError, OSError, http_client.HTTPException) as error:
            say("%s: %s" % (name, error))
            bad += 1
    return FAILED if bad else 0
