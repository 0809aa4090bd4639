# SPDX-License-Identifier: BSD-2-Clause
"""./run serve and ./run gdb: boots what was built and stays until the guest or the user ends it."""
import http.client
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import build
import console
import packages
import qemu
import symbols
import www
from board import Board
from common import FAILED, Stop, USAGE, say, size_bytes
from guest import FAILED_LINE, PANIC, PANIC_S, STAYS_ON

LISTENING = "http-server: listening on port 80"
ADDRESS = re.compile(r"\bnet: address (\d+\.\d+\.\d+\.\d+)")


def check_options(options):
    """Everything that can be wrong with the options, before anything is built."""
    machine = Board(options.board)
    machine.check_harts(options.smp)
    options.mem = machine.memory(options.mem)
    mem = size_bytes(options.mem)
    if options.net == "user":
        if not 0 <= options.port <= 65535:
            raise Stop("--port %d: a port is a number from 1 to 65535" % options.port, USAGE)
        options.port = options.port or qemu.free_port()
        qemu.check_port(options.port)
    elif options.net.startswith("tap:"):
        qemu.check_tap(options.net[4:])
    elif options.net != "none":
        raise Stop("--net %s: user, none or tap:IFNAME" % options.net, USAGE)
    if options.www:
        www.check(options.www, mem)


class Watch:
    """Watches the console for failures; says where the first page was answered with 200."""

    def __init__(self, options):
        self.options = options
        self.started = time.monotonic()
        self.address = None
        self.answered = threading.Event()
        self.polling = False
        self.failed = False
        self.end = None  # ends QEMU
        self.end_at = None  # when it is to be ended, on a machine that has no power-off
        self.news = None  # to be said between two lines of the guest

    def on_line(self, line):
        # OpenSBI's test device reports every power-off to QEMU as a success.
        self.failed = self.failed or PANIC in line or FAILED_LINE in line
        if STAYS_ON in line:
            self.end_at = time.monotonic()
        elif PANIC in line:
            self.end_at = time.monotonic() + PANIC_S
        where = symbols.explain(line)
        if where:
            say(where)
        found = ADDRESS.search(line)
        if found:
            self.address = found.group(1)
        if LISTENING in line and not self.polling and self.options.net != "none":
            self.polling = True
            threading.Thread(target=self.poll, daemon=True).start()

    def place(self):
        if self.options.net == "user":
            return "127.0.0.1", self.options.port
        return self.address, 80

    def poll(self):
        while not self.answered.is_set():
            time.sleep(0.1)
            host, port = self.place()
            if host is None:
                continue
            try:
                page = http.client.HTTPConnection(host, port, timeout=5)
                page.request("GET", "/")
                if page.getresponse().status == 200:
                    url = "http://%s%s/" % (host, "" if port == 80 else ":%d" % port)
                    self.news = "%s answers (after %.1f s); Ctrl-C ends it" % (
                        url, time.monotonic() - self.started)
                    self.answered.set()
                page.close()
            except (OSError, http.client.HTTPException):
                pass

    def on_pause(self, between_lines):
        if self.news and between_lines:
            say(self.news)
            self.news = None
        if self.end_at and time.monotonic() >= self.end_at:
            self.end()
        limit = self.options.timeout
        if limit and not self.answered.is_set() and time.monotonic() - self.started > limit:
            raise Stop("no page was served within %d s" % limit)


def guest_command(options, folder, extra=""):
    """QEMU's command line, over a private copy of what was built."""
    image, bootfs = build.copy_boot_files(build.path(build.GUEST), "bootfs.cpio", folder)
    if options.www:
        packed = bootfs + ".www"
        www.pack(options.www, bootfs, packed)
        bootfs = packed
    append = ("panic=off " + options.append).strip()
    return qemu.command(image, bootfs, options.smp, options.mem, options.net, options.port,
                        append, (options.qemu + " " + extra).strip(), options.board)


def serve(options):
    check_options(options)
    packages.need(packages.SERVE, options.offline)
    build.build(options.offline)
    with build.private_folder() as folder:
        page = Watch(options)
        guest = qemu.start(guest_command(options, folder))
        try:
            page.end = guest.terminate
            errors = console.stream(guest, page.on_line, page.on_pause)
            status = guest.wait()
        finally:
            page.answered.set()
            qemu.stop(guest)
    refusal = [l for l in errors.splitlines() if l.startswith("qemu-system-riscv64:")]
    if status != 0 and refusal:
        first = refusal[0].split(":", 1)[1].strip()
        raise Stop("QEMU refused: %s" % first, USAGE)
    if status != 0 or page.failed:
        raise Stop("the guest ended with a failure")
    return 0


def gdb(options):
    """QEMU waits at reset; gdb has the terminal, the guest's console goes to a file."""
    check_options(options)
    packages.need(packages.GDB, options.offline)
    build.build(options.offline)
    port = qemu.free_port()
    log = build.path(build.GUEST, "gdb-console.log")
    debugger = shutil.which("gdb-multiarch") or packages.cross_prefix() + "gdb"
    with build.private_folder() as folder, open(log, "wb") as out:
        guest = qemu.start(guest_command(options, folder, "-S -gdb tcp:127.0.0.1:%d" % port),
                           stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        old = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C belongs to gdb
        try:
            say("the guest's console goes to %s; QEMU waits at reset, type 'continue'"
                % os.path.relpath(log))
            return FAILED if subprocess.call(
                [debugger, "-q", "-ex", "target remote 127.0.0.1:%d" % port,
                 build.path(build.GUEST, "skerry.elf")] + options.gdb_args) else 0
        finally:
            signal.signal(signal.SIGINT, old)
            qemu.stop(guest)
