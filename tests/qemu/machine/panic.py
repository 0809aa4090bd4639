# SPDX-License-Identifier: BSD-2-Clause
"""What a kernel panic tells, and how a start that cannot succeed ends.

The panic is real: the archive's init is a program that ends at once, and without init there is no system.
"""
import os
import re
import sys

from guest import Guest
from tap import Tap

PROGRAM = os.path.join(os.environ["SKERRY_BUILD"], "userland/bin/test-child.stripped")

tap = Tap()

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

with Guest(net="none", smp=1, append="panic=off", drop=["bin/init"]) as guest:
    guest.wait_end()
    tap.ok("Skerry cannot start: the boot archive has no bin/init" in guest.console(),
           "an archive without init is one line, then the power goes off")

with Guest(net="none", smp=1, append="panic=off", files={"bin/init": __file__}) as guest:
    guest.wait_end()
    tap.ok("Skerry cannot start: bin/init is not a program for this machine" in guest.console(),
           "so is an init that is no program")

sys.exit(tap.done())
