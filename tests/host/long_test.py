# SPDX-License-Identifier: BSD-2-Clause
"""Tests of tools/run/long.py: what a long run remembers."""
import os
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tools", "run")]

import build
import long
import tap

T = tap.Tap()
OK = " 1/20 skerry:long-host / fuzz-elf        OK              12.34s"
BAD = "2/2 skerry:long-host / fuzz-cpio        TIMEOUT         99.00s   killed"


def test_lines():
    T.equal(long.ENDED.match(OK).groups(), ("fuzz-elf", "OK"), "a test that passed is read")
    T.equal(long.ENDED.match(BAD).groups(), ("fuzz-cpio", "TIMEOUT"), "a test that failed is read")
    T.equal(long.ENDED.match("ninja: Entering directory"), None, "another line is none")


def test_record(folder):
    state = "abc"
    long.sources_state = lambda: state
    build.path = lambda *parts: os.path.join(folder, parts[-1])
    record = long.Record("build", fresh=False)
    progress = long.Progress(record, "long-host", ["fuzz-elf", "fuzz-cpio"])
    progress.line(OK)
    progress.line(BAD)
    T.equal(progress.waiting, [], "both have ended")
    T.equal(long.Record("build", fresh=False).passed, ["fuzz-elf"], "only what passed is remembered")
    T.equal(long.Record("build", fresh=True).passed, [], "--fresh forgets it")
    state = "abd"
    T.equal(long.Record("build", fresh=False).passed, [], "other sources start anew")


test_lines()
with tempfile.TemporaryDirectory() as scratch:
    test_record(scratch)
sys.exit(T.done())
