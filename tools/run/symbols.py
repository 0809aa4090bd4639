# SPDX-License-Identifier: BSD-2-Clause
"""Names the function in which a program faulted: the guest knows only the address, the build the names."""
import os
import re
import subprocess

import build
from packages import cross_prefix

# The kernel's report: "NAME: thread 12: cause, address 0x0, at pc 0x165e1d5274 = text + 0x274" (kernel/syscall.c).
FAULT = re.compile(r"^([\w.-]+): thread \d+: .* at pc 0x([0-9a-f]+) = text \+ 0x([0-9a-f]+)$")
TEXT_START = "_start"  # of every program, where its text begins (userland/crt/riscv64/user.ld)


def function_at(listing, pc):
    """'name+0x12' for the last function of an `nm -n` listing that begins at or before pc, or None."""
    best = None
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[1] in "Tt" and int(fields[0], 16) <= pc:
            best = "%s+0x%x" % (fields[2], pc - int(fields[0], 16))
    return best


def address_of(listing, name):
    """The address of a symbol in an `nm -n` listing, or None."""
    found = [int(fields[0], 16) for fields in map(str.split, listing.splitlines()) if fields[1:] in (["T", name], ["t", name])]
    return found[0] if found else None


def explain(line):
    """A sentence that names the function of a fault report, or None for any other line."""
    found = FAULT.match(line)
    if not found:
        return None
    program, pc, offset = found.group(1), int(found.group(2), 16), int(found.group(3), 16)
    elf = build.path(build.GUEST, "userland", "bin", program)
    if not os.path.exists(elf):
        return None
    listed = subprocess.run([cross_prefix() + "nm", "-n", elf], stdout=subprocess.PIPE, text=True)
    start = address_of(listed.stdout, TEXT_START) if listed.returncode == 0 else None
    name = function_at(listed.stdout, start + offset) if start is not None else None
    return "%s: pc 0x%x is in %s" % (program, pc, name) if name else None
