# SPDX-License-Identifier: BSD-2-Clause
"""`bootflow scan`, with which newer mainline U-Boot boots: it finds Skerry on the VisionFive 2 card, by its flag.

That U-Boot is of a newer Debian, unchanged. Its build for QEMU has the command, without options, but another bootcmd:
so the command is typed. The card is a virtio disk, as in flash_path.py.
"""
import os
import subprocess
import sys
import tempfile

import card
import disk
import firmware
from guest import Guest, build_dir
from tap import Tap

PACKAGE = "u-boot-qemu"
FOUND = r"Booting bootflow 'virtio-blk#\d+\.bootdev\.part_3' with extlinux"
tap = Tap()


def booted(image, net):
    return Guest(kernel=firmware.path(PACKAGE, "u-boot.bin"), disk=image, net=net, mem="512M", smp=2)


def type_scan(guest):
    guest.wait_for("^Net:")
    guest.send("\n")
    guest.wait_for("=> ", prompt=True)
    guest.send("bootflow scan; echo nothing more\n")


def main(folder):
    description = card.Card("visionfive2")
    image = os.path.join(folder, "card.img")
    disk.make(image, description, description.contents(build_dir()))
    with booted(image, "user") as guest:
        type_scan(guest)
        guest.wait_for(FOUND)
        guest.wait_for("http-server: listening on port 80")
        tap.equal(guest.get("/")[0], 200, "a page is served after bootflow scan")
    subprocess.run(["sgdisk", "--attributes=3:clear:2", image], check=True, stdout=subprocess.DEVNULL)
    with booted(image, "none") as guest:
        type_scan(guest)
        guest.wait_for("^nothing more")
        text = guest.console()
        tap.ok("virtio-blk" not in text, "without LegacyBIOSBootable it finds nothing on the card", text[-800:])


if not firmware.have(PACKAGE):
    tap.skip("bootflow scan", "%s of Debian %s is not there" % (PACKAGE, firmware.RELEASE))
else:
    with tempfile.TemporaryDirectory() as place:
        main(place)
sys.exit(tap.done())
