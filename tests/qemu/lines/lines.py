# SPDX-License-Identifier: BSD-2-Clause
"""A driver reaches a field of a system register over a line that devmgr made, in all its lives and the
provider's, and nothing else. The machine is virt, whose clock is said to be a JH7110's system registers; the device beside it is
test-lines (lines.c)."""
import os
import shutil
import subprocess
import sys
import tempfile

from guest import Guest
from tap import Tap

HERE = os.path.dirname(os.path.abspath(__file__))
CLOCK = "/soc/rtc@101000"
DEVICE = "/soc/test@101000"


def put(tree, node, name, kind, *values):
    subprocess.run(["fdtput", "-t", kind, tree, node, name, *values], check=True)


def add_node(tree, node):
    subprocess.run(["fdtput", "-c", tree, node], check=True)


def make_tree(folder):
    dump, tree = os.path.join(folder, "virt.dtb"), os.path.join(folder, "tree.dtb")
    subprocess.run(["qemu-system-riscv64", "-M", "virt,dumpdtb=" + dump, "-m", "128M", "-display", "none"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dtb", "-p", "4096", "-o", tree, dump], check=True)
    put(tree, CLOCK, "compatible", "s", "starfive,jh7110-sys-syscon")
    put(tree, CLOCK, "phandle", "x", "70")
    put(tree, CLOCK, "#clock-cells", "x", "1")
    add_node(tree, "/fixed")
    put(tree, "/fixed", "compatible", "s", "fixed-clock")
    put(tree, "/fixed", "phandle", "x", "71")
    put(tree, "/fixed", "#clock-cells", "x", "0")
    put(tree, "/fixed", "clock-frequency", "u", "50000000")
    add_node(tree, DEVICE)
    put(tree, DEVICE, "compatible", "s", "skerry,test-lines")
    put(tree, DEVICE, "reg", "x", "0", "101000", "0", "1000")
    put(tree, DEVICE, "test,field", "x", "70", "c", "4")
    put(tree, DEVICE, "clocks", "x", "70", "0", "70", "1", "71")
    put(tree, DEVICE, "clock-names", "s", "pll", "none", "fixed")
    return tree


tap = Tap()
if shutil.which("fdtput") is None:
    tap.skip("lines", "device-tree-compiler is not installed")
    sys.exit(tap.done())
with tempfile.TemporaryDirectory() as folder:
    with Guest(tests=True, extra="-dtb " + make_tree(folder),
               files={"etc/drivers/test-lines.driver": os.path.join(HERE, "test-lines.driver")}) as machine:
        machine.wait_for("test-lines: all as it should be")
        tap.ok(True, "a line gives what the tree names and nothing else")
        text = "\n".join(machine.lines)
        tap.equal(text.count("rtc: test-lines ended with exit code 1"), 2, "a driver's next life has a line of its own")
        tap.equal(text.count("provider0: syscon-jh7110 ended by a fault"), 1, "and so has the provider's")
sys.exit(tap.done())
