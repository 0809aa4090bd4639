# SPDX-License-Identifier: BSD-2-Clause
"""What a kernel panic tells, and how a start that cannot succeed ends.

The panics are real: the archive's init is a program that ends at once, and without init there is no system; a
kernel stack is filled through QEMU's debugger.
"""
import os
import re
import socket
import subprocess
import sys
import tempfile

from build import ROOT
from guest import Guest
from tap import Tap

PROGRAM = os.path.join(os.environ["SKERRY_BUILD"], "userland/bin/test-child.stripped")

tap = Tap()


def constant(name):
    path = os.path.join(ROOT, "arch", "riscv64", "include", "arch_impl", "offsets.h")
    with open(path) as file:
        return int(re.search(r"#define %s (\w+)" % name, file.read())[1], 0)


STACK, STACK_SLOT = constant("STACK_BYTES"), constant("STACK_SLOT_BYTES")


def symbol(name):
    nm = os.environ.get("NM", "riscv64-unknown-elf-nm")
    listing = subprocess.run([nm, os.path.join(os.environ["SKERRY_BUILD"], "skerry.elf")], check=True,
                             capture_output=True, text=True).stdout
    return {line.split()[-1]: int(line.split()[0], 16) for line in listing.splitlines()}[name]


class Debugger:
    """As much of GDB's remote protocol as it takes to change a register of a running machine."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.socket.sendall(b"\x03")  # stop
        self.answer()
        self.ask("qXfer:features:read:target.xml:0,ff")  # QEMU lets only those who know its registers change one

    def send(self, packet):
        self.socket.sendall(b"$%s#%02x" % (packet.encode(), sum(packet.encode()) % 256))

    def answer(self):
        text = b""
        while not re.search(rb"\$[^#]*#..", text):
            more = self.socket.recv(4096)
            assert more, "QEMU has gone"
            text += more
        self.socket.sendall(b"+")
        return re.search(rb"\$([^#]*)#", text)[1].decode()

    def ask(self, packet):
        self.send(packet)
        return self.answer()

    def run_to(self, address, trigger):
        assert self.ask("Z1,%x,4" % address) == "OK"
        self.send("c")
        trigger()
        assert self.answer().startswith("T")
        assert self.ask("z1,%x,4" % address) == "OK"

    def sp(self):
        return int.from_bytes(bytes.fromhex(self.ask("p2")), "little")

    def set_sp(self, value):
        assert self.ask("P2=" + value.to_bytes(8, "little").hex()) == "OK"

    def detach(self):
        self.ask("D")


with Guest(net="none", smp=4, append="panic=off", files={"bin/init": PROGRAM}) as guest:
    guest.wait_end()
    lines = guest.console().splitlines()
    found = [i for i, line in enumerate(lines) if line.startswith("PANIC: init has ended")]
    tap.equal(len(found), 1, "one panic names its cause")
    after = lines[found[0] + 1:] if found else []
    tap.ok(after and re.match(r"hart \d \(id \d\)", after[0]), "it names the hart")
    calls = [m for m in (re.match(r"  f{8}[0-9a-f]{8} (\S+)\+0x", line) for line in after) if m]
    names = [m.group(1) for m in calls]
    if names[:1] == ["print_backtrace"]:  # a compiler may or may not have inlined it
        del names[0]
    tap.equal(names[:1], ["panic"], "its backtrace begins at the panic")
    tap.ok("?" not in names, "every call has a name")
    tap.ok("kernel_exit" in names, "and goes back to the kernel's end of every entry")

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "gdb")
    extra = "-gdb unix:%s,server=on,wait=off" % path
    with Guest(net="none", smp=1, append="panic=off", extra=extra) as guest:
        guest.wait_for("http-server: listening")
        debugger = Debugger(path)
        debugger.run_to(symbol("kernel_exit"), lambda: guest.send("x"))
        slot = (debugger.sp() - 1) // STACK_SLOT * STACK_SLOT  # of an empty stack, sp is where the next slot begins
        debugger.set_sp(slot + STACK_SLOT - STACK)  # full: the next word that is pushed lies below
        debugger.detach()
        guest.wait_end()
        found = re.search(r"PANIC: stack overflow in the kernel: pc f{8}[0-9a-f]{8}, value ([0-9a-f]{16})",
                          guest.console())
        tap.ok(found and slot <= int(found[1], 16) < slot + STACK_SLOT - STACK,
               "a kernel stack that overflows is a panic that says so, and hits the pages below alone",
               found[0] if found else guest.console()[-500:])

with Guest(net="none", smp=1, append="panic=off", drop=["bin/init"]) as guest:
    guest.wait_end()
    tap.ok("Skerry cannot start: the boot archive has no bin/init" in guest.console(),
           "an archive without init is one line, then the power goes off")

with Guest(net="none", smp=1, append="panic=off", files={"bin/init": __file__}) as guest:
    guest.wait_end()
    tap.ok("Skerry cannot start: bin/init is not a program for this machine" in guest.console(),
           "so is an init that is no program")

sys.exit(tap.done())
