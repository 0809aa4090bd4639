# SPDX-License-Identifier: BSD-2-Clause
"""Tests of tools/run, tools/mkbootfs.py and tools/check_layers.py that need no guest."""
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tools", "run"), os.path.join(TOP, "tools")]

import board
import check_layers
import guest_test
import mkbootfs
import suites
import symbols
import tap
import www
from common import Stop, USAGE, size_bytes

T = tap.Tap()


def refusal(function, *args):
    """The message with which it refuses, or None; the status must be that of wrong usage."""
    try:
        function(*args)
    except Stop as stop:
        return str(stop) if stop.status == USAGE else "wrong status: %s" % stop
    return None


def test_boards():
    kit = board.Board("icicle-kit")
    T.equal(kit.memory(board.MEM_DEFAULT), "2G", "a board may have memory of its own")
    T.equal(refusal(kit.memory, "256M"), "--mem 256M: icicle-kit has 2G, no more and no less",
            "and refuses any other")
    T.equal(board.Board(board.DEFAULT).memory("24M"), "24M", "virt takes what it is given")
    T.equal(refusal(kit.check_harts, 5), "--smp 5: icicle-kit has at most 4 harts",
            "a board has no more harts than it has")
    T.ok("no board 'toaster'" in (refusal(board.Board, "toaster") or ""), "an unknown board is named")


def test_tap():
    T.equal(tap.parse_case("ok 3 - a b"), (tap.PASS, "a b", ""), "a passing case is read")
    T.equal(tap.parse_case("not ok 3 - a"), (tap.FAIL, "a", ""), "a failing case is read")
    T.equal(tap.parse_case("prog: not ok 3 - a"), (tap.FAIL, "a", ""), "a tagged case is read")
    T.equal(tap.parse_case("[p] ok 3 - a # SKIP no net"), (tap.SKIPPED, "a", "no net"),
            "a skipped case is read with its reason")
    T.equal(tap.parse_case("all is ok 3 times"), None, "prose is not a case")
    T.equal(tap.parse_case("ok"), None, "a bare ok is not a case")
    T.equal(tap.parse_plan("prog: 1..12"), 12, "a tagged plan is read")


def judge(console, status):
    report = guest_test.Report()
    report.out = Silent()
    for line in console.splitlines():
        report.line(line)
    return report.why_bad(status)


class Silent(tap.Tap):
    """Counts as Tap does and prints nothing."""

    def ok(self, condition, name, detail=""):
        self.failed += 0 if condition else 1

    def skip(self, name, reason):
        pass

    @staticmethod
    def note(text):
        pass


def test_verdict():
    T.equal(judge("ok 1 - a\n1..1", 0), None, "a clean boot passes")
    T.ok("plan" in judge("ok 1 - a", 0), "no plan fails")
    T.ok("plan says 2" in judge("1..2\nok 1 - a", 0), "a short run fails")
    T.ok("PANIC" in judge("ok 1 - a\n1..1\nPANIC: x", 0), "a panic after the plan fails")
    T.ok("status is 3" in judge("ok 1 - a\n1..1", 3), "a bad power-off fails")
    T.ok("success" in judge("not ok 1 - a\n1..1", 0), "a failure that powers off as success shows")


def test_counting():
    count = suites.Count()
    suites.count_test({"name": "p:s / t", "result": "OK", "stdout": "ok 1 - a\nok 2 - b\n"}, count)
    suites.count_test({"name": "t", "result": "FAIL", "stdout": "ok 1 - a\nnot ok 2 - b\n"}, count)
    suites.count_test({"name": "t", "result": "TIMEOUT", "stdout": "ok 1 - a\n"}, count)
    suites.count_test({"name": "t", "result": "OK", "stdout": "ok 1 - a # SKIP why\n"}, count)
    suites.count_test({"name": "t", "result": "SKIP", "stdout": ""}, count)
    T.equal(str(count), "4 passed, 2 failed, 2 skipped", "cases are counted, a hang fails")


def test_archive():
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "d/e"))
        for name, data in (("a", b""), ("d/b", b"x" * 5000), ("d/e/c", b"y")):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        two = os.path.join(folder, "two.cpio")
        one = two + ".first"
        T.equal(mkbootfs.main(["-o", one, "www/=" + os.path.join(folder, "d"),
                               "bin/a=" + os.path.join(folder, "a")]), 0, "an archive is made")
        blob = open(one, "rb").read()
        entries = mkbootfs.read_archive(blob)
        T.equal(sorted(entries), ["bin", "bin/a", "www", "www/b", "www/e", "www/e/c"],
                "it names every file and folder")
        T.equal(blob.index(b"x" * 5000) % 4096, 0, "data begins on a page")
        T.equal(mkbootfs.write_archive(entries), blob, "writing again gives the same bytes")
        listed = subprocess.run(["cpio", "-it", "--quiet"], input=blob, capture_output=True,
                                check=False) if have("cpio") else None
        if listed:
            T.equal(listed.stdout.split(), b"bin bin/a www www/b www/e www/e/c".split(),
                    "cpio reads it")
        else:
            T.skip("cpio reads it", "cpio is missing")
        mkbootfs.main(["-o", two, "--base", one, "--drop", "www", "www/z=" + one])
        T.equal(sorted(mkbootfs.read_archive(open(two, "rb").read())),
                ["bin", "bin/a", "www", "www/z"], "a web root can be replaced")


def have(tool):
    return any(os.access(os.path.join(p, tool), os.X_OK) for p in os.environ["PATH"].split(":"))


def test_www():
    with tempfile.TemporaryDirectory() as folder:
        def put(name):
            return os.path.join(folder, name)
        with open(put("index.html"), "wb") as f:
            f.write(b"z" * 3000)
        os.symlink("index.html", put("inside"))
        T.equal(refusal(www.check, folder, 1 << 20), None, "a plain folder is taken")
        T.ok("half" in refusal(www.check, folder, 4096), "too much for the memory is refused")
        T.ok("not exist" in refusal(www.check, put("no"), 1 << 20), "a missing folder is refused")
        T.ok("not a folder" in refusal(www.check, put("inside"), 1 << 20), "a file is refused")
        for name, target, why in (("out", "/etc/passwd", "leaves"), ("nil", "gone", "nothing"),
                                  ("up", ".", "contains it")):
            os.symlink(target, put(name))
            T.ok(why in (refusal(www.check, folder, 1 << 20) or ""), "a link %s: refused" % why)
            os.unlink(put(name))
        os.mkfifo(put("pipe"))
        T.ok("neither" in refusal(www.check, folder, 1 << 20), "a pipe is refused")


def test_sizes():
    T.equal([size_bytes(s) for s in ("128M", "1g", "64")], [128 << 20, 1 << 30, 64 << 20],
            "sizes are read as QEMU reads them")
    for bad in ("", "M", "0", "12X", "-1"):
        T.ok(refusal(size_bytes, bad), "the size '%s' is refused" % bad)


def test_symbols():
    listing = "0000000000011000 T main\n0000000000011010 t helper\n0000000000012000 D data\n"
    T.equal(symbols.function_at(listing, 0x11012), "helper+0x2", "an address is named by its function")
    T.equal(symbols.function_at(listing, 0x11000), "main+0x0", "a function begins at its address")
    T.equal(symbols.function_at(listing, 0x10fff), None, "what lies before all functions has no name")
    fault = "net: thread 82: read of an address that it may not read, address 0x0, at pc 0x165e1d4012 = text + 0x12"
    T.ok(symbols.FAULT.match(fault), "the kernel's fault report is recognised")
    T.equal(symbols.explain("net: listening at pc 0x11012"), None, "other lines are left alone")


def test_layers():
    def offences(path, text):
        return [what for _, what in check_layers.check_file(path, text)]
    clean = "/* asm volatile 0x10000000 */\n#include <skerry/types.h>\n"
    T.equal(offences("kernel/a.c", clean), [], "comments are no offence")
    for path, text, what in (
            ("kernel/a.c", "#include <ipc/channel.h>\n", "kernel must not see ipc"),
            ("services/net/a.c", "#include <kernel/thread.h>\n", "a service must not see kernel"),
            ("drivers/a/b.c", '#include "../../kernel/x.h"\n', "nobody reaches around"),
            ("kernel/a.c", "void f(void) { __asm__(\"nop\"); }\n", "no assembly"),
            ("userland/lib/a.c", "volatile int x;\n", "no volatile"),
            ("drivers/a/b.c", "int x = 0x10001000;\n", "no board address"),
            ("ipc/a.c", "#ifdef __riscv\n#endif\n", "no #if")):
        T.equal(len(offences(path, text)), 1, "layering: " + what)
    T.equal(offences("arch/riscv64/a.c", "volatile int x = 0x10001000;\n"), [],
            "the machine's folder may")


for test in (test_boards, test_tap, test_verdict, test_counting, test_archive, test_www, test_sizes,
             test_symbols, test_layers):
    test()
sys.exit(T.done())
