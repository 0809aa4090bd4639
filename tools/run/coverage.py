# SPDX-License-Identifier: BSD-2-Clause
"""./run test --coverage: which lines of kernel/ and ipc/ the host tests run.

A build directory of its own, without sanitizers; every native test program runs once; gcov counts. What only the guest
runs (arch/riscv64, what boots) is not in it.
"""
import collections
import glob
import json
import os
import subprocess

import build
from common import FAILED, ROOT, Stop, say

# The kernel that is linked into tests, and the files of it that some tests compile themselves.
OBJECTS = (os.path.join("libkernel-host.a.p", "*.gcda"), os.path.join("tests", "runs", "*.p", ".*_kernel_*.gcda"))
OTHER_KERNEL = ("race",)  # has one of its own, for the thread sanitizer
FOLDERS = ("kernel/", "ipc/")
# Started by the entry code of a real machine; the host boots by itself.
GUEST_ONLY = ("kernel/boot.c", "kernel/boot_init.c")


def recorded(folder):
    return sorted(path for pattern in OBJECTS for path in glob.glob(build.path(folder, pattern)))


def test_programs(folder):
    """[(name, command)] of the tests that are native programs, with the kernel in them or not."""
    shown = subprocess.run(["meson", "introspect", "--tests", folder], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout
    top = build.path(folder) + os.sep
    return [(t["name"], t["cmd"]) for t in json.loads(shown)
            if t["cmd"][0].startswith(top) and t["name"] not in OTHER_KERNEL
            and not any("long-" in s for s in t["suite"])]


def run_programs(programs, folder):
    failed = []
    for name, command in programs:
        done = subprocess.run(command, cwd=build.path(folder), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=600)
        if done.returncode != 0:
            failed.append(name)
    return failed


def count_lines(folder):
    """{source: {line: times}} of the kernel's sources."""
    lines = collections.defaultdict(dict)
    notes = recorded(folder)
    if not notes:
        raise Stop("no coverage was recorded in %s/" % folder)
    shown = subprocess.run(["gcov", "--json-format", "--stdout", *notes], cwd=build.path(folder),
                           capture_output=True, text=True, check=True).stdout
    for part in shown.splitlines():
        for source in json.loads(part)["files"]:
            path = os.path.relpath(os.path.join(build.path(folder), source["file"]), ROOT)
            if path.startswith(FOLDERS) and path.endswith(".c"):
                for line in source["lines"]:
                    number = line["line_number"]
                    lines[path][number] = lines[path].get(number, 0) + line["count"]
    return lines


def spans(numbers):
    """'3-5 9' for [3, 4, 5, 9]."""
    out, rest = [], sorted(numbers)
    while rest:
        first = last = rest.pop(0)
        while rest and rest[0] <= last + 2: # a blank or a brace between is no gap
            last = rest.pop(0)
        out.append(str(first) if first == last else "%d-%d" % (first, last))
    return " ".join(out)


def main(options):
    folder = build.COVERAGE
    build.build(options.offline, [folder])
    for old in recorded(folder):
        os.unlink(old)
    programs = test_programs(folder)
    failed = run_programs(programs, folder)
    if failed:
        say("failed, so what follows is less than it could be: %s" % ", ".join(failed))
    lines = count_lines(folder)
    print("%-24s %7s %7s %6s  lines that no host test runs" % ("file", "lines", "run", ""))
    total = run = 0
    for path in sorted(lines):
        missed = [n for n, times in lines[path].items() if times == 0]
        count = len(lines[path])
        note = "only the guest boots" if path in GUEST_ONLY else spans(missed)
        print("%-24s %7d %7d %5.1f%%  %s" % (path, count, count - len(missed), 100 * (1 - len(missed) / count), note))
        if path not in GUEST_ONLY:
            total, run = total + count, run + count - len(missed)
    print("%-24s %7d %7d %5.1f%%  by %d test programs" % ("kernel/ and ipc/", total, run, 100 * run / total, len(programs)))
    return FAILED if failed else 0
