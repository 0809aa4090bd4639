# SPDX-License-Identifier: BSD-2-Clause
"""The figures of ./run bench against their limits: executed instructions and bytes repeat, so they may gate.

A limit is what the project aims at, or where it stands, whichever is larger; it only ever goes down.
"""
import os
import sys

import bench
import build
from guest import GuestError, build_dir
from tap import Tap

LIMITS = {
    "size.image": 256 * 1024,
    "size.bootfs": 2 * 1024 * 1024,
    "boot.first_user": 60_000_000,
    "boot.first_200": 60_000_000,
    "mem.smallest": 24,
    "idle.per_second": 25_000,
    "http.keepalive.spaced": 45_000,
    "http.connection.spaced": 120_000,
}

tap = Tap()
if os.path.realpath(build_dir()) != os.path.realpath(build.path(build.GUEST)):
    tap.skip("figures", "this build directory is not the one of ./run")
else:
    seen = set()
    for group in bench.GROUPS.values():
        try:
            for name, value, unit in group():
                seen.add(name)
                tap.ok(value <= LIMITS[name], "%s is at most %d %s" % (name, LIMITS[name], unit),
                       "it is %d" % value)
                tap.note("bench %s %d %s" % (name, value, unit))
        except (GuestError, OSError) as error:
            tap.note(error)
    tap.equal(sorted(set(LIMITS) - seen), [], "every figure could be measured")
sys.exit(tap.done())
