# SPDX-License-Identifier: BSD-2-Clause
"""The figures of ./run bench against their limits: executed instructions and bytes repeat, so they may gate.

A limit is a little above where the project stands; it only ever goes down.
"""
import http.client
import os
import sys

import bench
import build
from guest import GuestError, build_dir
from tap import Tap

LIMITS = {
    "size.image": 128 * 1024,
    "size.bootfs": 1024 * 1024,
    "boot.first_user": 15_000_000,
    "boot.first_200": 20_000_000,
    "mem.smallest": 24,
    "idle.per_second": 5_000,
    "idle.timer_interrupts": 5,
    "http.keepalive.spaced": 45_000,
    "http.connection.spaced": 95_000,
}

tap = Tap()
if os.path.realpath(build_dir()) != os.path.realpath(build.path(build.GUEST)):
    tap.skip("figures", "this build directory is not the one of ./run")
else:
    seen = set()
    # Those of ipc have a baseline instead (ipc/baseline.py), those of heal are of the suite heal.
    limited = {name.split(".")[0] for name in LIMITS}
    for group in [g for name, g in bench.GROUPS.items() if name in limited]:
        try:
            for name, value, unit in group():
                seen.add(name)
                tap.ok(value <= LIMITS[name], "%s is at most %d %s" % (name, LIMITS[name], unit),
                       "it is %d" % value)
                tap.note("bench %s %d %s" % (name, value, unit))
        except (GuestError, OSError, http.client.HTTPException) as error:
            tap.note(error)
    tap.equal(sorted(set(LIMITS) - seen), [], "every figure could be measured")
sys.exit(tap.done())
