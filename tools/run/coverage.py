# SPDX-License-Identifier: BSD-2-Clause
"""./run test --coverage: which lines of kernel/ and ipc/ the host and guest tests run.

Host: a build directory of its own, without sanitizers; every native test program runs once; gcov counts. Guest: some
suites run in build/ as they always do, and a QEMU plugin (tools/ranlines) notes the instructions of the kernel that
they run; the kernel's line table says whose they are. That kernel is optimized, so a line of the guest's counts when
any of its instructions ran. Which lines there are the native compiler says, where it compiles the file.
"""
import collections
import glob
import json
import os
import re
import struct
import subprocess
import tempfile

import build
import packages
import suites
from common import FAILED, ROOT, Stop, say

# The kernel that is linked into tests, and the files of it that some tests compile themselves.
OBJECTS = (os.path.join("libkernel-host.a.p", "*.gcda"), os.path.join("tests", "runs", "*.p", ".*_kernel_*.gcda"))
OTHER_KERNEL = ("race",)  # has one of its own, for the thread sanitizer
FOLDERS = ("kernel/", "ipc/")
# Started by the entry code of a real machine; the host boots by itself.
GUEST_ONLY = ("kernel/boot.c", "kernel/boot_init.c")
GUEST_SUITES = ("kernel", "ipc", "system", "hostile")
PF_X = 1


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


# --- The guest ---

def kernel_text():
    """(address, bytes) of the kernel's instructions."""
    with open(build.path(build.GUEST, "skerry.elf"), "rb") as f:
        elf = f.read()
    at, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    for i in range(count):
        kind, flags, _, address, _, _, length = struct.unpack_from("<IIQQQQQ", elf, at + i * size)
        if kind == 1 and flags & PF_X:
            return address, (length + 15) & ~15
    raise Stop("build/skerry.elf has no instructions")


def run_guests(folder):
    """Runs the suites; what their guests ran of the kernel is left in `folder`. The suites that failed."""
    base, size = kernel_text()
    plugin = build.path(build.GUEST, "tools", "ranlines", "libranlines.so")
    os.environ["SKERRY_COVERAGE"] = folder
    os.environ["SKERRY_COVERAGE_PLUGIN"] = "%s,base=%x,size=%x" % (plugin, base, size)
    try:
        return [suite for suite in GUEST_SUITES if not run_suite(suite)]
    finally:
        del os.environ["SKERRY_COVERAGE_PLUGIN"]


def run_suite(suite):
    say("suite %s, its guests watched" % suite)
    return not suites.run_meson(build.GUEST, suite, None).failed


def instructions_run(folder):
    """A set of addresses, and how many guests it is of."""
    base, size = kernel_text()
    together, guests = bytearray(size // 16), 0
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as f:
            bits = f.read()
        together = bytearray(a | b for a, b in zip(together, bits))
        guests += 1
    return {base + (i * 8 + bit) * 2 for i, byte in enumerate(together) if byte for bit in range(8)
            if byte >> bit & 1}, guests


def line_table():
    """[(address, file, line or None)] of kernel/ and ipc/, and what lies between; by address."""
    shown = subprocess.run([packages.cross_prefix() + "objdump", "--dwarf=decodedline",
                            build.path(build.GUEST, "skerry.elf")], capture_output=True, text=True, check=True).stdout
    rows, path = [], None
    for line in shown.splitlines():
        head = re.fullmatch(r"(\S+):(?:\[\+\+\])?", line)
        row = re.match(r"\S+\s+(\d+|-)\s+0x([0-9a-f]+)", line)
        if head:
            path = os.path.normpath(head[1]).lstrip("./")
        elif row:
            rows.append((int(row[2], 16), path, int(row[1]) if row[1] != "-" else None))
    return sorted(rows, key=lambda r: r[0])


def guest_lines(ran):
    """{source: {line: it was run}} of the guest's kernel."""
    rows = line_table()
    lines = collections.defaultdict(dict)
    end = 0
    for i in range(len(rows) - 1, -1, -1):
        address, path, number = rows[i]
        if i + 1 < len(rows) and rows[i + 1][0] > address:
            end = rows[i + 1][0]
        if number is None or path is None or not path.startswith(FOLDERS) or not path.endswith(".c"):
            continue
        was_run = any(at in ran for at in range(address, end, 2))
        lines[path][number] = lines[path].get(number, False) or was_run
    return lines


# --- Together ---

def show(host, guest):
    """The table, and the sum of what was run by either."""
    print("%-24s %6s %6s %6s %9s %6s  lines that no test runs" % ("file", "lines", "host", "guest", "together", ""))
    sums = [0, 0, 0, 0]
    for path in sorted(set(host) | {p for p in guest if p in GUEST_ONLY}):
        by_guest = {n for n, was_run in guest.get(path, {}).items() if was_run}
        known = set(guest[path]) if path in GUEST_ONLY else set(host[path])
        by_host = {n for n in known if host.get(path, {}).get(n, 0) > 0} if path not in GUEST_ONLY else set()
        by_guest &= known
        row = [len(known), len(by_host), len(by_guest), len(by_host | by_guest)]
        sums = [a + b for a, b in zip(sums, row)]
        print("%-24s %6d %6d %6d %9d %5.1f%%  %s" % (path, *row, 100 * row[3] / max(row[0], 1),
                                                     spans(known - by_host - by_guest)))
    print("%-24s %6d %6d %6d %9d %5.1f%%  (host alone %.1f%%, guest alone %.1f%%)" % (
        "kernel/ and ipc/", *sums, *(100 * n / sums[0] for n in (sums[3], sums[1], sums[2]))))


def main(options):
    folder = build.COVERAGE
    build.build(options.offline, [folder, build.GUEST])
    for old in recorded(folder):
        os.unlink(old)
    programs = test_programs(folder)
    failed = run_programs(programs, folder)
    with tempfile.TemporaryDirectory() as guests:
        failed += run_guests(guests)
        ran, count = instructions_run(guests)
    show(count_lines(folder), guest_lines(ran))
    print("by %d native test programs, and %d guests of the suites %s" % (len(programs), count, ", ".join(GUEST_SUITES)))
    if failed:
        say("failed, so that is less than it could be: %s" % ", ".join(failed))
    return FAILED if failed else 0
