# SPDX-License-Identifier: BSD-2-Clause
"""./run matrix: every compiler and kind of build, booted on every kind of machine.

A row is a build: {gcc, clang} x {debug, release, checks}. release is what ./run build makes, with gcc it is that very
build; checks is the same with the kernel's assertions and lock checks in. A cell is a boot of that build: it must
count its harts and serve the page that is in its archive. `./run test matrix` runs one cell of each row.
"""
import contextlib
import os
import shutil
import time

import build
import card
import disk
import ipc_figures
import packages
from common import FAILED, Stop, USAGE, say
from guest import Guest, GuestError

ARTEFACTS = os.path.join(build.MATRIX, "artefacts")
CROSS = {"gcc": build.CROSS_FILE, "clang": os.path.join("tools", "cross-riscv64-clang.txt")}
KINDS = {
    "debug": ["--buildtype=debug"],
    "release": [],
    "checks": ["-Dchecks=true"],
}
SHIPPED = "gcc-release"
FILES = ("Image", "bootfs.cpio", "NOTICES")  # what goes on a card
SERVING = "http-server: listening on port 80"
PAGE = build.path("userland", "apps", "http-server", "www", "index.html")
UBOOT = "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"


def rows():
    return ["%s-%s" % (compiler, kind) for compiler in CROSS for kind in KINDS]


class Row:
    """One build, in a folder of its own under build-matrix/; what ./run build makes is in build/ already.

    The checks are the kernel's alone: their row has the archives of the release row.
    """

    def __init__(self, name):
        if name not in rows():
            raise Stop("no row '%s' (there are %s)" % (name, ", ".join(rows())), USAGE)
        self.name = name
        self.compiler, kind = name.split("-")
        self.folder = build.GUEST if name == SHIPPED else os.path.join(build.MATRIX, name)
        self.archives = Row(self.compiler + "-release") if kind == "checks" else self
        if name != SHIPPED:
            build.SETUP[self.folder] = ["--cross-file", CROSS[self.compiler], "--werror"] + KINDS[kind]

    def build(self, targets=FILES):
        """Up to date, targets only; a warning is an error, in build/ if CI is set. The libraries' sources are there."""
        borrowed = [] if self.archives is self else [name for name in targets if name != "Image"]
        if borrowed:
            self.archives.build(borrowed)
        with self.locked():
            build.make(self.folder, [name for name in targets if name not in borrowed])
            for name in borrowed:
                shutil.copy2(build.path(self.archives.folder, name), build.path(self.folder, name))

    def locked(self):
        if self.name == SHIPPED:
            return build.locked(exclusive=True)
        os.makedirs(build.path(self.folder + ".lock"), exist_ok=True)
        return build.locked(exclusive=True, where=build.path(self.folder + ".lock"))

    @contextlib.contextmanager
    def chosen(self):
        """Guests started inside boot this build."""
        before = os.environ.get("SKERRY_BUILD")
        os.environ["SKERRY_BUILD"] = build.path(self.folder)
        try:
            yield
        finally:
            del os.environ["SKERRY_BUILD"]
            if before is not None:
                os.environ["SKERRY_BUILD"] = before


def expect_served(guest, harts):
    """The boot is whole: so many harts, and the page as it is in the sources."""
    guest.wait_for(SERVING)
    banner = next((line for line in guest.lines if line.startswith("Skerry ")), "")
    if ", %d hart%s, " % (harts, "s" if harts > 1 else "") not in banner or "left out" in guest.console():
        raise guest.error("not all of %d harts came up" % harts)
    with open(PAGE, "rb") as file:
        expected = file.read()
    status, _, body = guest.get("/")
    if (status, body) != (200, expected):
        raise guest.error("the page has status %d and %d of %d bytes" % (status, len(body), len(expected)))


def boot_virt(row, harts):
    with Guest(net="user", smp=harts) as guest:
        expect_served(guest, harts)


def boot_sifive_u(row):
    with Guest(net="user", smp=4, board="sifive-u", mem="256M") as guest:
        expect_served(guest, 4)


def make_card(row, output):
    description = card.Card("visionfive2")
    disk.make(output, description, description.contents(build.path(row.folder)))


def boot_card(row):
    """U-Boot finds the card by itself, as on a board."""
    with build.private_folder() as folder:
        image = os.path.join(folder, "card.img")
        make_card(row, image)
        with Guest(kernel=UBOOT, disk=image, net="user", smp=2, mem="512M") as guest:
            expect_served(guest, 2)


CELLS = {
    "virt-1": lambda row: boot_virt(row, 1),
    "virt-2": lambda row: boot_virt(row, 2),
    "virt-4": lambda row: boot_virt(row, 4),
    "sifive-u": boot_sifive_u,
    "card": boot_card,
}


def run_cell(row, cell):
    """Raises GuestError if the boot is not as it must be."""
    with row.chosen():
        CELLS[cell](row)


def bench_lines(row):
    """Sizes, and the instruction counts of the kernel's operations."""
    for name, file in (("size.image", "Image"), ("size.bootfs", "bootfs.cpio")):
        yield "bench %s %d bytes" % (name, os.path.getsize(build.path(row.folder, file)))
    with row.chosen():
        for name, value in ipc_figures.measure().items():
            yield "bench %s %d instructions" % (name, value)


def keep_artefacts(row):
    """What CI uploads: the pair, the card, the figures."""
    folder = build.path(ARTEFACTS, row.name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name in FILES:
        shutil.copy(build.path(row.folder, name), folder)
    make_card(row, os.path.join(folder, "visionfive2.img"))
    with open(os.path.join(folder, "bench.txt"), "w") as file:
        for line in bench_lines(row):
            file.write(line + "\n")
            if line.startswith("bench size."):
                say("%s: %s" % (row.name, line))


def run_row(row, cells):
    """How many cells failed; a row that does not build is one."""
    bad = 0
    try:
        row.build(FILES + ("tests/runs/test.cpio",))
    except Stop as stop:
        print("FAIL %s: %s" % (row.name, stop), flush=True)
        return 1
    for cell in cells:
        began = time.monotonic()
        try:
            run_cell(row, cell)
            verdict = "ok"
        except (GuestError, OSError) as error:
            say(str(error))
            verdict, bad = "FAIL", bad + 1
        print("%-4s %s %s (%.0f s)" % (verdict, row.name, cell, time.monotonic() - began), flush=True)
    keep_artefacts(row)
    return bad


def main(options):
    chosen = [Row(name) for name in options.rows or rows()]
    for cell in options.cells:
        if cell not in CELLS:
            raise Stop("no cell '%s' (there are %s)" % (cell, ", ".join(CELLS)), USAGE)
    packages.need(packages.MATRIX, options.offline)
    with build.locked(exclusive=True):
        build.fetch_sources(options.offline)
    bad = 0
    for row in chosen:
        bad += run_row(row, options.cells or CELLS)
    print("artefacts: %s/" % ARTEFACTS)
    return FAILED if bad else 0
