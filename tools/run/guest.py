# SPDX-License-Identifier: BSD-2-Clause
"""A guest under test: QEMU with what was built, its console read line by line.

    from guest import Guest
    with Guest(net="user", smp=2) as guest:
        guest.wait_for("http-server: listening on port 80")
        status, headers, body = guest.get("/")

A timeout here only detects hangs: limits are far above what a slow machine needs.
SKERRY_BUILD names the build directory (meson sets it), SKERRY_TIMEOUT replaces every limit.
"""
import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
import time

import build
import qemu
from board import DEFAULT

PANIC = "PANIC:"
FAILED_LINE = "init: switching off: failure"
STAYS_ON = "init: the machine cannot be switched off"  # comes after the verdict; QEMU is ended then
HANG_S = 120.0
PANIC_S = 5.0  # silence after a panic
MKBOOTFS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "mkbootfs.py")


class GuestError(Exception):
    """The guest did not do what was waited for; the text says what, and ends with its console."""


def build_dir():
    return os.environ.get("SKERRY_BUILD") or build.path(build.GUEST)


def hang_limit(seconds=None):
    return float(os.environ.get("SKERRY_TIMEOUT") or seconds or HANG_S)


class Guest:
    """One boot. tests=True boots the archive that also holds the test programs.

    board is a machine of boards/, smp the harts that Skerry is to use there.
    address is where the guest's port 80 is reached; with net="user" it is a forwarded free port.
    kernel is started instead of the built Image: a boot loader.
    disk is a raw image that it finds as the first virtio disk; then kernel, archive and command line come
    from there alone. The guest may write to it.
    files adds to the archive or replaces ('www/big.bin': path on this machine); drop removes
    what begins with a prefix. echo receives each console line as it comes. QEMU ends with the
    thread that started it.
    """

    def __init__(self, smp=1, mem="128M", net="none", append="", extra="", tests=False,
                 address=None, files=None, drop=(), echo=None, kernel=None, board=DEFAULT,
                 disk=None):
        self.options = dict(smp=smp, mem=mem, net=net, append=("panic=off " + append).strip(),
                            extra=extra, board=board)
        self.archive = "tests/runs/test.cpio" if tests else "bootfs.cpio"
        self.files = files or {}
        self.drop = drop
        self.kernel = kernel
        self.disk = disk
        self.echo = echo
        self.port = qemu.free_port() if net == "user" else None
        self.address = address or ("127.0.0.1", self.port)
        self.lines = []
        self.partial = ""
        self.changed = threading.Condition()
        self.ended = False
        self.matched_line = -1

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            self.folder = undo.enter_context(build.private_folder())
            self.start()
            self.undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        qemu.stop(self.process)
        self.reader.join(5)
        self.undo.close()

    def start(self):
        qemu.die_with_parent()
        # Meson ends a test by SIGTERM: leave nothing behind.
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        image, bootfs = build.copy_boot_files(build_dir(), self.archive, self.folder)
        if self.files or self.drop:
            changed = bootfs + ".changed"
            command = [sys.executable, "-B", MKBOOTFS, "-o", changed, "--base", bootfs]
            command += [a for prefix in self.drop for a in ("--drop", prefix)]
            command += ["%s=%s" % item for item in self.files.items()]
            subprocess.run(command, check=True)
            bootfs = changed
        if self.disk:
            bootfs = None
            self.options["append"] = ""
            self.options["extra"] += " " + qemu.DISK % self.disk
        self.process = qemu.start(self.command(image, bootfs), stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self.read_console, daemon=True)
        self.reader.start()

    def command(self, image, bootfs):
        """QEMU's command line for these two files, which are ours alone."""
        return qemu.command(self.kernel or image, bootfs, port=self.port, **self.options)

    def read_console(self):
        while True:
            try:
                data = os.read(self.process.stdout.fileno(), 65536)
            except (OSError, ValueError):
                data = b""
            with self.changed:
                *whole, self.partial = (self.partial + data.decode("utf-8", "replace")).split("\n")
                if not data and self.partial:
                    whole, self.partial = whole + [self.partial], ""
                for line in whole:
                    self.lines.append(line.rstrip("\r"))
                    if self.echo:
                        self.echo(self.lines[-1])
                self.ended = not data
                self.changed.notify_all()
            if not data:
                return

    def console(self):
        with self.changed:
            return "\n".join(self.lines)

    def panicked(self):
        return PANIC in self.console()

    def wait_for(self, pattern, timeout=None, start=0, prompt=False):
        """Waits for a console line in which the regular expression is found.

        Returns the match; matched_line is the line's number, so start=matched_line+1 looks on.
        A prompt may stand in a line that has not ended yet.
        Raises GuestError on a panic, on the guest's end, or when nothing comes for too long.
        """
        wanted = re.compile(pattern)
        end = time.monotonic() + hang_limit(timeout)
        at = start
        with self.changed:
            while True:
                while at < len(self.lines):
                    found = wanted.search(self.lines[at])
                    if found:
                        self.matched_line = at
                        return found
                    if PANIC in self.lines[at]:
                        raise self.error("the kernel panicked while waiting for /%s/" % pattern)
                    at += 1
                found = wanted.search(self.partial) if prompt else None
                if found:
                    return found
                if self.ended:
                    raise self.error("the guest ended without /%s/" % pattern)
                if not self.changed.wait(max(0.0, end - time.monotonic())) and \
                        time.monotonic() >= end:
                    raise self.error("no /%s/ within the time limit" % pattern)

    def appears(self, pattern, seconds, start=0):
        """Whether the expression is found in a console line from `start` on, within so many seconds."""
        wanted = re.compile(pattern)
        with self.changed:
            return self.changed.wait_for(
                lambda: any(wanted.search(line) for line in self.lines[start:]), seconds)

    def error(self, what):
        return GuestError("%s; its console ends:\n%s" % (what, "\n".join(self.lines[-40:])))

    def send(self, text):
        """Types on the console."""
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def stays_on(self):
        return any(STAYS_ON in line for line in self.lines)

    def wait_end(self, timeout=None):
        """Waits for power-off; QEMU's exit status, 1 also when the guest says that it failed.

        A machine that has no power-off says so last; one that panicked stays silent.
        """
        end = time.monotonic() + hang_limit(timeout)
        with self.changed:
            while not self.ended and not self.stays_on():
                if not self.changed.wait(PANIC_S if self.panicked() else end - time.monotonic()):
                    break
        if self.ended:
            status = self.process.wait(hang_limit(timeout))
        elif self.stays_on() or self.panicked():
            qemu.stop(self.process)
            status = 1 if self.panicked() else 0
        else:
            raise self.error("the guest did not power off within the time limit")
        self.reader.join(5)
        # OpenSBI's sifive_test driver reports a failure to QEMU as status 0; init says it as well.
        return 1 if status == 0 and FAILED_LINE in self.console() else status

    def request(self, method, path, headers=None, timeout=None):
        """One HTTP request on a connection of its own: (status, headers, body)."""
        connection = http.client.HTTPConnection(*self.address, timeout=hang_limit(timeout))
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path="/", timeout=None):
        return self.request("GET", path, timeout=timeout)
