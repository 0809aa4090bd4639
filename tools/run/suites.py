# SPDX-License-Identifier: BSD-2-Clause
"""./run test: builds, runs the suites through `meson test`, counts every TAP case.

A suite's long tests are Meson's suite long-SUITE; only `./run test --long` runs them (long.py).
"""
import json
import os
import subprocess
import sys
import time

import build
import long
import packages
import qemu
import tap
from common import FAILED, ROOT, Stop, USAGE, say

# suite: (build directory, budget in minutes on two cores). With three minutes for the builds a clean clone has 25.
SUITES = {
    "host": (build.HOST, 1.0),
    "fuzz": (build.HOST, 3.6),
    "model": (build.HOST, 0.3),
    "mutation": (build.HOST, 0.9),
    "kernel": (build.GUEST, 1.5),
    "ipc": (build.GUEST, 0.3),
    "system": (build.GUEST, 1.5),
    "hostile": (build.GUEST, 2.1),
    "http": (build.GUEST, 1.5),
    "boards": (build.GUEST, 2.2),
    "heal": (build.GUEST, 2.2),
    "matrix": (build.GUEST, 3.0),
    "bench": (build.GUEST, 1.2),
}
EXPLANATION_LINES = 12  # of what follows a failed case
GOOD = ("OK", "EXPECTEDFAIL")


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.before = 0  # tests, not cases, that need not run again
        self.notes = []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.before += other.before
        self.notes += other.notes

    def case(self, verdict, where, name, reason=""):
        if verdict == tap.PASS:
            self.passed += 1
        elif verdict == tap.SKIPPED:
            self.skipped += 1
            self.notes.append("SKIP %s: %s%s" % (where, name, " (%s)" % reason if reason else ""))
        else:
            self.failed += 1
            self.notes.append("FAIL %s: %s" % (where, name))

    def __str__(self):
        text = "%d passed, %d failed" % (self.passed, self.failed)
        return text + (", %d skipped" % self.skipped if self.skipped else "")


def count_test(record, count):
    """One line of Meson's JSON log: each TAP case counts; a program without TAP is one case."""
    where, result = record["name"].split("/")[-1].strip(), record["result"]
    failed_before, cases, explain = count.failed, 0, 0
    # Programs in the guest explain a failure before its line, scripts after it: after the last line of all, or when
    # nothing came before, what follows is no other case's.
    before, after = [], None
    for line in record.get("stdout", "").splitlines():
        case = tap.parse_case(line)
        if line.startswith(tap.SUMMARY):
            count.notes.append(line[len(tap.SUMMARY):])
        elif case:
            cases += 1
            count.case(case[0], where, case[1], case[2])
            failed = case[0] == tap.FAIL
            count.notes += before if failed else []
            explain = EXPLANATION_LINES if failed and not before else 0
            before, after = [], [] if failed else None
        elif explain and line.startswith("#"):
            explain -= 1
            count.notes.append("    " + line)
        elif line.startswith("#"):
            before = before[1 - EXPLANATION_LINES:] + ["    " + line]
            if after is not None and len(after) < EXPLANATION_LINES:
                after.append("    " + line)
    count.notes += after or []
    if result == "SKIP" and not cases:
        count.case(tap.SKIPPED, where, "the whole test")
    elif result in GOOD and not cases:
        count.case(tap.PASS, where, "")
    elif result not in GOOD + ("SKIP",) and count.failed == failed_before:
        count.case(tap.FAIL, where, "ended with %s" % result)
    if result not in GOOD + ("SKIP",):
        errors = [l for l in record.get("stderr", "").splitlines()
                  if l and not l.startswith("(test program exited")]
        count.notes += ["    " + line for line in errors[-EXPLANATION_LINES:]]


def read_log(path):
    count = Count()
    if os.path.exists(path):
        with open(path) as f:
            for line in f:
                count_test(json.loads(line), count)
    return count


def run_meson(folder, suite, timeout, tests=(), each_line=None):
    """Runs a Meson suite, or some of its tests, passing Meson's lines on up to its own summary."""
    logbase = "testlog-" + suite
    log = build.path(folder, "meson-logs", logbase + ".json")
    if os.path.exists(log):
        os.unlink(log)
    environment = dict(os.environ)
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--suite", suite,
               "--logbase", logbase, *tests]
    if timeout:
        environment["SKERRY_TIMEOUT"] = str(timeout)
        command += ["--timeout-multiplier", str(max(1, int(timeout) // 60))]
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace",
                             preexec_fn=qemu.die_with_parent)
    quiet = False
    try:
        for line in child.stdout:
            if line.startswith(("Ok:  ", "No suitable tests", "Summary of Failures")):
                quiet = True
            if each_line:
                each_line(line)
            if not quiet and line.strip() and not line.startswith(("ninja:", ">>>")):
                sys.stdout.write(line)
                sys.stdout.flush()
        status = child.wait()
    except KeyboardInterrupt:
        child.wait()
        raise
    count = read_log(log)
    if count.failed:
        count.notes.append("    consoles and messages: %s" % os.path.relpath(log[:-4] + "txt"))
    if status != 0 and not count.failed:
        count.case(tap.FAIL, suite, "meson test ended with status %d" % status)
    return count


def run_suite(name, options):
    return run_meson(SUITES[name][0], name, options.timeout)


def run_long_suite(name, options):
    """The long tests of a suite, without those that have passed with these sources already."""
    folder, suite = SUITES[name][0], "long-" + name
    tests = long.tests_of(folder, suite)
    record = long.Record(folder, options.fresh)
    todo = [t for t in tests if t not in record.passed]
    count = Count()
    if len(todo) < len(tests):
        count.notes.append("%s: %d of %d tests passed before with these sources (--fresh repeats them)"
                           % (suite, len(tests) - len(todo), len(tests)))
    count.before = len(tests) - len(todo)
    if todo:
        with long.Progress(record, suite, todo) as progress:
            count.add(run_meson(folder, suite, options.timeout, todo, progress.line))
    return count


def choose(names):
    for name in names:
        if name not in SUITES:
            raise Stop("no suite '%s' (there are %s)" % (name, ", ".join(SUITES)), USAGE)
    return [n for n in SUITES if n in names] or list(SUITES)


def run_all(chosen, options):
    """Returns the whole count, and a line for each suite."""
    total, timings = Count(), []
    for name in chosen:
        began = time.monotonic()
        count = run_long_suite(name, options) if options.long else run_suite(name, options)
        minutes = (time.monotonic() - began) / 60
        budget = long.BUDGET_MINUTES if options.long else SUITES[name][1]
        if count.passed + count.failed + count.skipped + count.before or not options.long:
            timings.append("%-8s %s; %.1f of %.1f minutes%s"
                           % (name, count, minutes, budget,
                              ", WARNING: over budget" if minutes > budget else ""))
        total.add(count)
    return total, timings


def main(options):
    if options.fresh and not options.long:
        raise Stop("--fresh goes with --long", USAGE)
    chosen = choose(options.suites)
    wanted = [tool for name in chosen for tool in packages.TEST_WANTED.get(name, [])]
    packages.need(packages.TEST, options.offline, wanted)
    if options.coverage:
        import coverage
        return coverage.main(options)
    build.build(options.offline, {SUITES[name][0] for name in chosen})
    total, timings = run_all(chosen, options)
    print()
    for line in total.notes + timings:
        print(line)
    in_ci = os.environ.get("CI", "").lower() in ("1", "true", "yes")
    if in_ci and total.skipped:
        print("in CI a skipped test is a failure")
    if not total.passed + total.failed + total.skipped + total.before:
        say("no test ran")
    print(total, flush=True)
    bad = total.failed or not total.passed + total.before or (in_ci and total.skipped)
    return FAILED if bad else 0
