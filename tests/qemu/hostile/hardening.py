# SPDX-License-Identifier: BSD-2-Clause
"""Hardening, seen from below: page tables, canaries and the SUM bit of a running machine, through QEMU's
monitor, while a program computes; two boots, as what is random must differ."""
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

from guest import Guest, build_dir
from tap import Tap

UPPER_HALF = 1 << 63
SUM = 1 << 18
LIMIT_SECONDS = 60
LOADED_AT = 0x80200000 # where OpenSBI starts the image on this machine


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(20)
        self.read()

    def read(self):
        text = ""
        while not text.endswith("(qemu) "):
            text += self.socket.recv(65536).decode(errors="replace")
        return text.replace("\r", "")

    def ask(self, command):
        self.socket.sendall(command.encode() + b"\n")
        return self.read()


def mappings(monitor):
    """[(va, size, attributes)] of the hart's address space, at this moment."""
    found = []
    for line in monitor.ask("info mem").splitlines():
        match = re.match(r"([0-9a-f]{16}) [0-9a-f]{16} ([0-9a-f]{16}) ([rwxugad-]{7})", line)
        if match:
            found.append((int(match[1], 16), int(match[2], 16), match[3]))
    return found


def symbol(name):
    """The physical address of a kernel symbol."""
    nm = os.environ.get("NM", "riscv64-unknown-elf-nm")
    listing = subprocess.run([nm, os.path.join(build_dir(), "skerry.elf")], check=True,
                             capture_output=True, text=True).stdout
    values = {l.split()[-1]: int(l.split()[0], 16) for l in listing.splitlines()}
    return LOADED_AT + values[name] - values["_start"]


def look():
    """One boot: the spaces in which user pages were seen, the canary, status registers."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "monitor")
        extra = "-monitor unix:%s,server=on,wait=off" % path
        with Guest(tests=True, append="manifest=test run=test-child,spin", extra=extra) as guest:
            guest.wait_for("Skerry ")
            monitor, spaces, status = Monitor(path), [], []
            end = time.monotonic() + LIMIT_SECONDS
            while len(spaces) < 5 and time.monotonic() < end:
                time.sleep(0.2) # the program computes for ever: any moment will do
                monitor.ask("stop")
                space = mappings(monitor)
                if any("u" in attributes for _, _, attributes in space):
                    spaces.append(space)
                registers = monitor.ask("info registers")
                status += [int(m, 16) for m in re.findall(r"mstatus +([0-9a-f]+)", registers)]
                guard = monitor.ask("xp /1gx 0x%x" % symbol("__stack_chk_guard"))
                monitor.ask("cont")
            canary = int(re.findall(r": 0x([0-9a-f]{16})", guard)[-1], 16)
            return spaces, canary, status


def sum_setters():
    """Functions of the kernel that may set SUM: whatever sets bits of sstatus that are no constant without it."""
    objdump = os.environ.get("OBJDUMP", "riscv64-unknown-elf-objdump")
    listing = subprocess.run([objdump, "-d", "--no-show-raw-insn", os.path.join(build_dir(), "skerry.elf")],
                             check=True, capture_output=True, text=True).stdout
    function, constants, setters, found = "", {}, set(), 0
    for line in listing.splitlines():
        begin = re.match(r"[0-9a-f]+ <(.*)>:", line)
        if begin:
            function, constants = begin[1], {}
            continue
        code = re.match(r" *[0-9a-f]+:\s+(\S+)\s+(\S+)", line)
        if not code:
            continue
        operation, operands = code[1], code[2].split(",")
        if "sstatus" in operands and operation.startswith("csr") and operation not in ("csrr", "csrc", "csrci"):
            found += 1
            if operation not in ("csrsi", "csrs") or (  # an immediate has five bits, and SUM is the 19th
                    operation == "csrs" and constants.get(operands[1], SUM) & SUM):
                setters.add(function)
        elif operation in ("lui", "li"):
            constants[operands[0]] = int(operands[1], 0) << (12 if operation == "lui" else 0)
        else:
            constants.pop(operands[0], None)
    return found, setters


tap = Tap()
count, setters = sum_setters()
tap.ok(count > 0 and not setters, "no instruction of the kernel sets SUM: it reaches no user page by its address",
       "%d instructions, %s" % (count, setters))
(spaces, canary, status), (others, other_canary, _) = look(), look()
tap.ok(len(spaces) >= 5 and len(others) >= 5, "a program's address space was seen")
pages = [m for space in spaces for m in space]
user = [m for m in pages if "u" in m[2]]
kernel = [m for m in pages if m[0] >= UPPER_HALF]
tap.ok(not [m for m in pages if "w" in m[2] and "x" in m[2]], "no page is writable and executable")
tap.ok(kernel and not [m for m in kernel if "u" in m[2]], "no page of the upper half is a program's")
tap.ok(user and not [m for m in pages if m[0] < UPPER_HALF and "u" not in m[2]],
       "all pages of the lower half are")
tap.ok([m for m in kernel if "x" in m[2]], "the kernel's code is seen")
tap.ok(status and not [s for s in status if s & SUM], "the kernel's access to user pages is off")
tap.ok(canary and canary & 0xff == 0 and canary != other_canary,
       "the kernel's stack canary differs from boot to boot", "%#x %#x" % (canary, other_canary))


def tops(some):
    """Where what is writable in the low half lies: data and stack."""
    return {va for space in some for va, _, attributes in space
            if "w" in attributes and va < UPPER_HALF}


tap.ok(tops(spaces) and not tops(spaces) & tops(others), "data and stacks lie elsewhere in every boot",
       "%s %s" % (tops(spaces), tops(others)))
sys.exit(tap.done())
