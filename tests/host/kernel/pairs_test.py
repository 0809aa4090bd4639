# SPDX-License-Identifier: BSD-2-Clause
"""Each error that abi/syscalls.tbl lists for a system call has a test in which the kernel returns it.

Runs the test programs that boot the kernel, each of which writes down what every system call returned (tests/host/harness),
and compares that with the table: a listed error that no test saw fails, and so does one that was seen and is not listed.
"""
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(TOP, "tools", "run"), os.path.join(TOP, "tools")]

import gensyscalls
from tap import Tap

PROGRAMS = ["errors", "failures", "handle", "job", "space", "deadline", "call", "waitset", "ways"]


def words_of_status():
    with open(os.path.join(TOP, "abi", "include", "skerry", "status.h"), encoding="utf-8") as f:
        return {int(value): name for name, value in re.findall(r"X\((\w+), (-?\d+),", f.read())}


def seen_by(programs, folder):
    """{system call number: statuses} that the programs have seen; and those that failed."""
    path = os.path.join(folder, "pairs")
    failed = []
    for name in programs:
        program = os.path.join(os.environ["SKERRY_BUILD"], "tests", "runs", "test-" + name)
        done = subprocess.run([program], env=dict(os.environ, SKERRY_PAIRS=path), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode != 0:
            failed.append(name)
    seen = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            number, status = line.split()
            seen.setdefault(int(number), set()).add(int(status))
    return seen, failed


def main():
    tap = Tap()
    words = words_of_status()
    with tempfile.TemporaryDirectory() as folder:
        seen, failed = seen_by(PROGRAMS, folder)
    tap.equal(failed, [], "the programs ran")
    pairs = 0
    for call in gensyscalls.parse(os.path.join(TOP, "abi", "syscalls.tbl")):
        listed = set(call.all_errors())
        got = {words[s] for s in seen.get(call.number, ()) if s != 0}
        pairs += len(listed)
        tap.ok(not listed - got, "%s: all of its %d errors are tested" % (call.name, len(listed)),
               "no test sees " + " ".join(sorted(listed - got)))
        tap.ok(not got - set(call.all_errors()), "%s: returns nothing else" % call.name,
               "not listed: " + " ".join(sorted(got - set(call.all_errors()))))
    tap.summary("pairs of system call and error, each with a test: %d" % pairs)
    return tap.done()


sys.exit(main())
