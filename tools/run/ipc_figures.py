# SPDX-License-Identifier: BSD-2-Clause
"""The costs of the kernel's operations, as the guest program tests/bench/ipc measures them, and their baseline.

One hart under -icount shift=0: virtual time is the number of executed instructions, rdinstret is exact,
and two runs of one build print the same. Fewer is better, for every figure. Several harts run at the
host's pace (they never overlap under -icount); those figures have no baseline.
"""
import json
import os
import re
import tempfile

import build
from guest import Guest, GuestError, build_dir

BASELINE = build.path("tests", "bench", "ipc", "baseline.txt")
WORSE = 1.02  # times the baseline; a compiler's whims stay below it
FIGURE = re.compile(r"\bbench (ipc\.\S+) (\d+) instructions$")
WALL = re.compile(r"\bbench wall (\d+) (\d+) (\d+) (\d+)$")
IDLE = re.compile(r"\bbench idle.timer_interrupts (\d+) in")
SHORT_RUN, LONG_RUN = 5_000, 65_000  # calls of each pair; what they do not share cancels
HEAD = """\
# What tests/bench/ipc printed when this was last accepted, in guest instructions.
# A change that makes a figure more than 2 % worse is committed with this file (./run bench ipc --update-baseline)
# and the reason; one that makes it better takes its gain along in the same way.
"""


def guest_program(*arguments, manifest="bench", **options):
    """Runs the program to its end; the console's lines."""
    words = "manifest=%s run=%s" % (manifest, ",".join(("bench-ipc",) + arguments))
    with Guest(tests=True, append=words, **options) as guest:
        status = guest.wait_end()
        if status or not any(line.endswith("bench end") for line in guest.lines):
            raise guest.error("the benchmark did not reach its end")
        return guest.lines


def measure():
    """{name: instructions}, in the program's order."""
    lines = guest_program(smp=1, extra="-icount shift=0 -seed 1")
    found = [FIGURE.search(line) for line in lines]
    figures = {match[1]: int(match[2]) for match in found if match}
    if not figures:
        raise GuestError("the benchmark printed no figure")
    return figures


def pairs_run(pairs, calls, plugin, arguments=""):
    """What the plugin says of so many pairs on as many harts."""
    library = os.path.join(build_dir(), "tools", plugin, "lib%s.so" % plugin)
    with tempfile.NamedTemporaryFile("r", prefix="skerry-") as out:
        guest_program("pairs", str(pairs), str(calls), smp=pairs,
                      extra="-plugin %s,out=%s%s" % (library, out.name, arguments))
        return json.loads(out.read())


def pairs_cost(pairs):
    """Instructions of a round trip, when so many pairs have as many harts. The firmware's waiting is not ours."""
    counted = [pairs_run(pairs, calls, "insncount", ",mode=insn")["insn"]
               for calls in (SHORT_RUN, LONG_RUN)]
    totals = [count["user"] + count["kernel"] for count in counted]
    return (totals[1] - totals[0]) / (LONG_RUN - SHORT_RUN) / pairs


def lines_moved():
    """How often a kernel cache line goes from hart to hart in 1,000 calls of two pairs on two harts."""
    short, long = (pairs_run(2, calls, "sharedlines")["moves"] for calls in (SHORT_RUN, LONG_RUN))
    return max(0, long - short) * 1000 / (2 * (LONG_RUN - SHORT_RUN))


def wall_of_two():
    """How much more two pairs do than one, against two loops and one loop at the same time."""
    rounds = [m.groups() for m in map(WALL.search, guest_program("wall", smp=2)) if m]
    loops1, loops2, calls1, calls2 = (sum(map(int, column)) for column in zip(*rounds))
    return calls2 / calls1 / (loops2 / loops1)


def several_harts():
    one = pairs_cost(1)
    for pairs in (2, 4):
        yield "ipc.smp.pairs%d" % pairs, round(100 * pairs_cost(pairs) / one), "percent"
    yield "ipc.smp.lines2", round(lines_moved()), "lines moved in 1000 calls"
    yield "ipc.smp.wall2", round(100 * wall_of_two()), "percent"


def idle_timer_interrupts():
    """Timer interrupts of 10 s in which a system with network has nothing to do; no second is waited for."""
    lines = guest_program("idle", manifest="net", net="user", extra="-icount shift=0,sleep=off")
    return int(next(match[1] for match in map(IDLE.search, lines) if match))


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
