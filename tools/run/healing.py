# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of suite heal and `./run bench heal` share: a guest in which things can be made to die
(tests/qemu/heal/healer.c does it), and downloads whose bodies are compared."""
import hashlib
import json
import os
import random
import subprocess
import tempfile
import time

import qemu
from guest import Guest

LISTENING = "http-server: listening on port 80"
SETTLE_S = 20.0
# enum sk_init_cause
EXITED, KILLED, FAULT, OVER_BUDGET, HUNG, NONSENSE = 1, 2, 3, 4, 5, 8


def guest(append="", **options):
    return Guest(tests=True, append=("manifest=heal run=test-healer " + append).strip(),
                 **options)


def write_noise(file, mebibytes):
    """Bytes that no compression or zero page makes easy, always the same."""
    source = random.Random(mebibytes)
    for _ in range(mebibytes):
        file.write(source.randbytes(1 << 20))
    file.flush()


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def status(guest):
    return json.loads(guest.get("/status.json")[2])


class Healer:
    """Types commands to test-healer, reads its answers."""

    def __init__(self, guest):
        self.guest = guest
        guest.wait_for(LISTENING)
        guest.wait_for("test-healer: ready")
        self.line = guest.matched_line + 1

    def ask(self, command, answer):
        self.guest.send(command + "\r")
        found = self.guest.wait_for("test-healer: " + answer, start=self.line)
        self.line = self.guest.matched_line + 1
        return found

    def warm_up(self):
        """The first request and the first restart make what is then kept."""
        for _ in range(2):
            self.guest.get("/")
            self.restart("nic0")
            self.guest.get("/")

    def restart(self, name):
        return self.ask("restart " + name, "restart %s: (.*)" % name).group(1)

    def recover(self, name):
        """Ends a component; the guest's nanoseconds until its next good response."""
        found = self.ask("recover " + name, r"recover %s (\d+): (.*)" % name)
        if found.group(2) != "success":
            raise self.guest.error("%s: %s" % (name, found.group(2)))
        return int(found.group(1))

    def kill(self, program):
        return self.ask("kill " + program, "kill %s: (.*)" % program).group(1)

    def driver(self, name):
        """Restarts, cause and code of the last end."""
        found = self.ask("driver " + name, r"driver %s (\d+) (\d+) (-?\d+)" % name)
        return tuple(int(n) for n in found.groups())

    def counts(self):
        """Live objects by type, handles, free pages."""
        return [int(n) for n in self.ask("counts", r"counts([ \d]+)").group(1).split()]

    def settle(self, wanted, pages=0):
        """Waits for counts to come back to what they were, but for so many pages; returns what they are."""
        end = time.monotonic() + SETTLE_S
        now = self.counts()
        while (now[:-1] != wanted[:-1] or now[-1] < wanted[-1] - pages) and time.monotonic() < end:
            time.sleep(0.2)
            now = self.counts()
        return now

    def kill_while(self, load, name, period_s):
        """Ends the driver of a service every period_s until the load is done, first after half of that;
        how often."""
        kills, due = 0, time.monotonic() + period_s / 2
        while not load.done():
            time.sleep(min(0.02, max(0.0, due - time.monotonic())))
            if time.monotonic() >= due:
                kills += self.restart(name) == "success"
                due += period_s
        return kills

    def hang(self):
        """The driver that injects faults hangs; answered when it has been ended."""
        return self.ask("hang", "hang: (.*)").group(1)

    def quit(self):
        self.guest.send("quit\r")


class Download:
    """curl, which must not need to try again."""

    def __init__(self, url, limit_s=280):
        self.began = time.monotonic()
        self.file = tempfile.NamedTemporaryFile()
        self.process = subprocess.Popen(["curl", "-sS", "--max-time", str(limit_s), "-o",
                                         self.file.name, url], stderr=subprocess.PIPE, text=True,
                                        preexec_fn=qemu.die_with_parent)

    def done(self):
        return self.process.poll() is not None

    def wait_for_more(self, count):
        """Returns when so many bytes more have come, or it is done."""
        goal = os.path.getsize(self.file.name) + count
        while os.path.getsize(self.file.name) < goal and not self.done():
            time.sleep(0.01)

    def wait(self, original):
        """Waits for its end and compares with the file served: what is wrong, or None."""
        _, errors = self.process.communicate()
        self.seconds = time.monotonic() - self.began
        if self.process.returncode != 0:
            return "curl ended with %d: %s" % (self.process.returncode, errors.strip())
        if sha256(self.file.name) != sha256(original):
            return "%d bytes with another hash" % os.path.getsize(self.file.name)
        return None
