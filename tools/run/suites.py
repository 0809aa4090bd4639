# SPDX-License-Identifier: BSD-2-Clause
"""./run test: builds, runs the suites through `meson test`, counts every TAP case."""
import json
import os
import subprocess
import sys
import time

import build
import packages
import qemu
import tap
from common import FAILED, ROOT, Stop, USAGE, say

# suite: (build directory, budget in minutes on two cores)
SUITES = {
    "host": (build.HOST, 4.0),
    "kernel": (build.GUEST, 1.5),
    "ipc": (build.GUEST, 1.5),
    "system": (build.GUEST, 1.5),
    "http": (build.GUEST, 3.5),
    "bench": (build.GUEST, 2.0),
}
EXPLANATION_LINES = 12  # of what follows a failed case
GOOD = ("OK", "EXPECTEDFAIL")


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.notes = []

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
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
    for line in record.get("stdout", "").splitlines():
        case = tap.parse_case(line)
        if case:
            cases += 1
            count.case(case[0], where, case[1], case[2])
            explain = EXPLANATION_LINES if case[0] == tap.FAIL else 0
        elif explain and line.startswith("#"):
            explain -= 1
            count.notes.append("    " + line)
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


def run_suite(name, timeout):
    """Runs one suite, passing Meson's lines on up to its own summary."""
    folder, _ = SUITES[name]
    logbase = "testlog-" + name
    log = build.path(folder, "meson-logs", logbase + ".json")
    if os.path.exists(log):
        os.unlink(log)
    environment = dict(os.environ)
    command = ["meson", "test", "-C", folder, "--no-rebuild", "--suite", name,
               "--logbase", logbase]
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
        count.case(tap.FAIL, name, "meson test ended with status %d" % status)
    return count


def choose(names):
    for name in names:
        if name not in SUITES:
            raise Stop("no suite '%s' (there are %s)" % (name, ", ".join(SUITES)), USAGE)
    return [n for n in SUITES if n in names] or list(SUITES)


def main(options):
    chosen = choose(options.suites)
    wanted = [tool for name in chosen for tool in packages.TEST_WANTED.get(name, [])]
    packages.need(packages.TEST, options.offline, wanted)
    build.build(options.offline, {SUITES[name][0] for name in chosen})
    total, timings = Count(), []
    for name in chosen:
        began = time.monotonic()
        count = run_suite(name, options.timeout)
        minutes, budget = (time.monotonic() - began) / 60, SUITES[name][1]
        timings.append("%-7s %s; %.1f of %.1f minutes%s"
                       % (name, count, minutes, budget,
                          ", WARNING: over budget" if minutes > budget else ""))
        total.add(count)
    print()
    for line in total.notes + timings:
        print(line)
    in_ci = os.environ.get("CI", "").lower() in ("1", "true", "yes")
    if in_ci and total.skipped:
        print("in CI a skipped test is a failure")
    if not total.passed + total.failed + total.skipped:
        say("no test ran")
    print(total, flush=True)
    bad = total.failed or not total.passed or (in_ci and total.skipped)
    return FAILED if bad else 0
