# SPDX-License-Identifier: BSD-2-Clause
"""The network driver dies again and again, and hangs, during downloads and both ways at once: no connection
notices. With a number: a download of so many MiB, the driver killed every 2 s."""
import os
import sys
import tempfile
import threading

import healing
import netns
from tap import Tap

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "net"))
import echo_client  # noqa: E402 (beside tests/qemu/net/wire.py)

KILLS_MIN, PERIOD_S, MEBIBYTES, HANGS, DEVMGR_KILLS = 3, 0.1, 48, 2, 2
GEM_MEBIBYTES, GEM_KILLS_MIN = 24, 2
HEAP_PAGES = 64  # rings of sockets that were not used before, and what heaps keep: less than two for each life
LIVES = 6  # services/devmgr/lives.c
ECHO = (netns.GUEST, 7)
tap = Tap()


def guest(file, **options):
    return healing.guest(net="tap:" + netns.TAP, append=netns.GUEST_IP, address=(netns.GUEST, 80),
                         mem="512M" if os.path.getsize(file) > 64 << 20 else "256M",
                         echo=print if "-v" in sys.argv else None, **options)


# Both have connected before the first kill: a host gives up when its questions for the guest's address are lost for 3 s.
def download(healer, file):
    load = healing.Download("http://%s/big.bin" % netns.GUEST)
    load.wait_for_more(1)
    return load, lambda: load.wait(file)


class Echo(threading.Thread):
    """Random bytes there and back, at the same time."""

    def __init__(self, mebibytes):
        super().__init__(daemon=True)
        self.size, self.wrong = mebibytes << 20, "it never ended"
        self.connection = echo_client.connect(ECHO)
        self.start()

    def run(self):
        self.wrong = echo_client.echo(self.connection, self.size)

    def done(self):
        return not self.is_alive()

    def wait(self):
        self.join()
        return self.wrong


def compare_counts(healer, before):
    after = healer.settle(before, HEAP_PAGES)
    tap.equal(after[:-1], before[:-1], "objects and handles are as before")
    tap.ok(after[-1] >= before[-1] - HEAP_PAGES, "and pages, but for rings and heaps",
           "%d free, %d before" % (after[-1], before[-1]))


def killed(name, healer, load, wait, period_s, least):
    """Kills the driver until the load is done, which must not notice."""
    earlier = healer.driver("nic0")[0]
    kills = healer.kill_while(load, "nic0", period_s)
    wrong = wait()
    tap.ok(wrong is None, "%s whole, the driver killed %d times" % (name, kills), wrong or "")
    tap.ok(kills >= least, "it was killed often enough", "%d times" % kills)
    restarts, cause, _ = healer.driver("nic0")
    tap.equal(restarts - earlier, kills, "each kill was one restart")
    tap.equal(cause, healing.KILLED, "the cause is told")


def kill_it(file, period_s, least):
    with guest(file, files={"www/big.bin": file}) as machine:
        healer = healing.Healer(machine)
        healer.warm_up()
        load, wait = download(healer, file)
        tap.equal(wait(), None, "the file arrives whole")
        tap.equal(Echo(4).wait(), None, "bytes there and back")
        before = healer.counts()
        load, wait = download(healer, file)
        killed("the file arrives", healer, load, wait, period_s, least)
        load = Echo(16 if period_s < 1 else 64)
        killed("bytes there and back", healer, load, load.wait, period_s, least)
        compare_counts(healer, before)
        earlier = healer.driver("nic0")[0]
        nic = [s for s in healing.status(machine)["services"] if s["service"] == "nic0"][0]
        tap.equal((nic["program"], nic["state"], nic["restarts"], nic["last_cause"]),
                  ("virtio-net", "up", earlier, "killed"), "and in /status.json")
        load, wait = download(healer, file)
        for _ in range(DEVMGR_KILLS):
            load.wait_for_more(1 << 20)
            healer.recover("devmgr")
        wrong = wait()
        tap.ok(wrong is None, "the file arrives whole while devmgr, and so every driver, is killed", wrong or "")
        told = machine.console().count("devmgr: nic0: virtio-net was killed; starting it again")
        tap.equal(told, earlier, "each restart is told on the console in one line")
        healer.quit()
        tap.equal(machine.wait_end(), 0, "it ends in order")


def hang_it(file):
    """A driver in an endless loop has a hart of its own here; see docs/faults.md for one hart."""
    files = {"www/big.bin": file,
             "etc/drivers/virtio-net.driver": os.path.join(HERE, "faulty-nic.driver")}
    with guest(file, files=files, smp=1) as machine:  # where a loop is worst
        healer = healing.Healer(machine)
        healer.warm_up()
        load, wait = download(healer, file)
        tap.equal(wait(), None, "the file arrives whole")
        before, earlier = healer.counts(), healer.driver("nic0")[0]
        load, wait = download(healer, file)
        for number in range(HANGS):
            load.wait_for_more(1 << 20)
            tap.equal(healer.hang(), "success", "the driver hangs, %d" % (number + 1))
        wrong = wait()
        tap.ok(wrong is None, "the file arrives whole all the same", wrong or "")
        restarts, cause, _ = healer.driver("nic0")
        tap.equal(restarts - earlier, HANGS, "it was found and replaced each time")
        tap.equal(cause, healing.HUNG, "the cause is told")
        compare_counts(healer, before)
        healer.quit()
        tap.equal(machine.wait_end(), 0, "it ends in order")


def give_up():
    """A "driver" that ends before it has answered anything."""
    with tempfile.NamedTemporaryFile("w") as manifest:
        manifest.write("driver hello\nservice nic*\ncompatible virtio,mmio\nvirtio 1\n")
        manifest.flush()
        files = {"etc/drivers/virtio-net.driver": manifest.name}
        with healing.guest(net="user", files=files) as machine:
            machine.wait_for(r"devmgr: nic0: hello ended with exit code \d+; given up, as it never answers")
            machine.wait_for("net: cannot use the network device: .*; loopback only")
            healer = healing.Healer(machine)
            started = machine.console().count("devmgr: nic0: hello ended with exit code")
            tap.equal(started, LIVES, "a driver that never answers is started so often, then given up")
            healer.quit()
            tap.equal(machine.wait_end(), 0, "the system works without it")


def kill_another_kind(file):
    """The other network card that QEMU has a board for: its driver is told from the same manifest keys."""
    with guest(file, board="sifive-u", smp=2, files={"www/big.bin": file}) as machine:
        healer = healing.Healer(machine)
        healer.warm_up()
        load, wait = download(healer, file)
        tap.equal(wait(), None, "the file arrives whole by the GEM")
        before = healer.counts()
        load, wait = download(healer, file)
        killed("the file arrives by the GEM", healer, load, wait, PERIOD_S, GEM_KILLS_MIN)
        compare_counts(healer, before)
        healer.quit()
        tap.equal(machine.wait_end(), 0, "it ends in order, where there is no power-off")


reason = netns.why_not()
if reason:
    tap.skip("the network driver is killed over tap", reason)
else:
    netns.enter()
    sizes = [int(word) for word in sys.argv[1:] if word.isdigit()]
    with tempfile.NamedTemporaryFile() as big:
        healing.write_noise(big, sizes[0] if sizes else MEBIBYTES)
        if sizes:
            kill_it(big.name, 2.0, 1)
        else:
            kill_it(big.name, PERIOD_S, KILLS_MIN)
            hang_it(big.name)
            with tempfile.NamedTemporaryFile() as small:
                healing.write_noise(small, GEM_MEBIBYTES)
                kill_another_kind(small.name)
            give_up()
sys.exit(tap.done())
