# SPDX-License-Identifier: BSD-2-Clause
"""U-Boot's booti starts the same Image at another load address, as a board's firmware does."""
import os
import shutil
import sys
import tempfile

from guest import Guest, build_dir
from tap import Tap

UBOOT = "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"
RAM = 0x80000000
LOADED = RAM + 0x0A000000  # where QEMU puts the file; U-Boot moves it from here
TEXT_OFFSET_AT = 8         # in the Image header, 8 bytes, little-endian

tap = Tap()


def image_with_offset(folder, offset):
    path = shutil.copy(os.path.join(build_dir(), "Image"), os.path.join(folder, "moved"))
    with open(path, "r+b") as f:
        f.seek(TEXT_OFFSET_AT)
        f.write(offset.to_bytes(8, "little"))
    return path


def boots_at(offset):
    where = "at %#x" % (RAM + offset)
    with tempfile.TemporaryDirectory() as folder:
        loader = "-device loader,file=%s,addr=%#x,force-raw=on" % (
            image_with_offset(folder, offset), LOADED)
        with Guest(net="user", mem="256M", smp=2, kernel=UBOOT, extra=loader) as guest:
            guest.wait_for("^Net:")  # the key waits for the countdown
            guest.send("\n")
            guest.wait_for("=> ", prompt=True)
            guest.send("setenv bootargs panic=off; booti %#x - ${fdtcontroladdr}\n" % LOADED)
            moved = guest.wait_for(r"Moving Image from 0x(\w+) to 0x(\w+)")
            tap.equal(int(moved.group(2), 16), RAM + offset, "U-Boot puts the Image " + where)
            guest.wait_for("http-server: listening on port 80")
            tap.equal(guest.get("/")[0], 200, "a page is served from there")


if not os.path.exists(UBOOT):
    tap.skip("booti", "u-boot-qemu is not installed")
else:
    for text_offset in (0x00200000, 0x02E00000):
        boots_at(text_offset)
sys.exit(tap.done())
