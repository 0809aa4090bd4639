# SPDX-License-Identifier: BSD-2-Clause
"""The costs of the kernel's operations, as the guest program tests/bench/ipc measures them, and their baseline.

One hart under -icount shift=0: virtual time is the number of executed instructions, rdinstret is exact,
and two runs of one build print the same. Fewer is better, for every figure.
"""
import os
import re

import build
from guest import Guest, GuestError

BASELINE = build.path("tests", "bench", "ipc", "baseline.txt")
WORSE = 1.02  # times the baseline; a compiler's whims stay below it
FIGURE = re.compile(r"\bbench (ipc\.\S+) (\d+) instructions$")
HEAD = """\
# What tests/bench/ipc printed when this was last accepted, in guest instructions.
# A change that makes a figure more than 2 % worse is committed with this file (./run bench ipc --update-baseline)
# and the reason; one that makes it better takes its gain along in the same way.
"""


def guest_program(arguments, **options):
    """Runs the program to its end; the console's lines."""
    with Guest(tests=True, append="manifest=test run=" + ",".join(["bench-ipc"] + arguments),
               **options) as guest:
        status = guest.wait_end()
        if status or not any(line.endswith("bench end") for line in guest.lines):
            raise guest.error("the benchmark did not reach its end")
        return guest.lines


def measure():
    """{name: instructions}, in the program's order."""
    lines = guest_program([], smp=1, extra="-icount shift=0 -seed 1")
    found = [FIGURE.search(line) for line in lines]
    figures = {match[1]: int(match[2]) for match in found if match}
    if not figures:
        raise GuestError("the benchmark printed no figure")
    return figures


def read_baseline():
    with open(BASELINE) as file:
        pairs = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return {name: int(value) for name, value in pairs}


def write_baseline(figures):
    changed = BASELINE + ".new"
    with open(changed, "w") as file:
        file.write(HEAD)
        file.writelines("%s %d\n" % item for item in figures.items())
    os.replace(changed, BASELINE)


def judge(value, accepted):
    """What there is to say about a figure and its baseline, or None."""
    if value > accepted * WORSE:
        return "worse"
    return "better" if value * WORSE < accepted else None
