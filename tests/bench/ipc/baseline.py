# SPDX-License-Identifier: BSD-2-Clause
"""The costs of the kernel's operations against the committed baseline: they repeat exactly, so they gate."""
import sys

import ipc_figures
from guest import GuestError
from tap import Tap

HOW = "it is %d; if that is meant, commit what ./run bench ipc --update-baseline writes, with the reason"

tap = Tap()
baseline = ipc_figures.read_baseline()
try:
    figures = ipc_figures.measure()
    for name, accepted in baseline.items():
        value = figures.get(name)
        if value is None:
            continue
        verdict = ipc_figures.judge(value, accepted)
        tap.ok(verdict != "worse", "%s is at most 2 %% above %d" % (name, accepted), HOW % value)
        if verdict == "better":
            tap.note("%s is %d, better: ./run bench ipc --update-baseline keeps the gain" % (name, value))
    tap.equal(sorted(figures), sorted(baseline), "what is measured is what the baseline lists")
    # Starting them and a busy host's delays move some, never as many; one line in each call would be 1,000.
    moved = ipc_figures.lines_moved()
    tap.ok(moved < 50, "pairs on two harts take no cache line from each other", "%.1f in 1000 calls" % moved)
except GuestError as error:
    tap.ok(False, "the benchmark runs to its end", str(error))
sys.exit(tap.done())
