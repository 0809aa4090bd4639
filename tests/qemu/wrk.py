# SPDX-License-Identifier: BSD-2-Clause
"""wrk.py [BOARD [SECONDS]]. Load: wrk for 30 s with 64 connections over tap, in a network namespace of the test's own.

The port is named in the address: without one, wrk looks for a list of services that not every machine has.
"""
import re
import shutil
import subprocess
import sys

import netns
from board import DEFAULT
from guest import Guest
from tap import Tap

LISTENING = "http-server: listening on port 80"
BOARD = sys.argv[1] if len(sys.argv) > 1 else DEFAULT
SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 30
CONNECTIONS = 64

tap = Tap()


def errors(report):
    """The lines in which wrk counts what went wrong; it prints them only if there is something."""
    return [line.strip() for line in report.splitlines()
            if "Socket errors" in line or "Non-2xx" in line]


def load(smp):
    name = "%d harts" % smp if smp > 1 else "1 hart"
    with Guest(net="tap:" + netns.TAP, smp=smp, append=netns.GUEST_IP, board=BOARD,
               address=(netns.GUEST, 80)) as guest:
        guest.wait_for(LISTENING)
        before = guest.get("/")
        done = subprocess.run(["wrk", "-t1", "-c%d" % CONNECTIONS, "-d%ds" % SECONDS, "--timeout",
                               "20s", "http://%s:80/" % netns.GUEST], capture_output=True, text=True)
        tap.note(done.stdout + done.stderr)
        tap.equal(done.returncode, 0, "wrk ends well (%s)" % name)
        tap.equal(errors(done.stdout), [], "no connection and no answer failed (%s)" % name)
        answered = re.search(r"(\d+) requests in", done.stdout)
        tap.ok(answered and int(answered.group(1)) > CONNECTIONS,
               "every connection was served (%s)" % name)
        after = guest.get("/")
        tap.equal((after[0], len(after[2]) > 0), (before[0], True),
                  "afterwards the page is served as before (%s)" % name)
        tap.ok(not guest.panicked(), "the kernel has not panicked (%s)" % name)


reason = netns.why_not() or (None if shutil.which("wrk") else "wrk is missing")
if reason:
    tap.skip("wrk over tap", reason)
else:
    netns.enter()
    load(2)
sys.exit(tap.done())
