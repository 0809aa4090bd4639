# SPDX-License-Identifier: BSD-2-Clause
"""The HiFive Unleashed's own firmware, Debian's and unchanged, starts Skerry from a card on QEMU's sifive_u.

QEMU loads the first loader (SPL), which on a board the boot ROM would find on the card. From there on it is as on
the board: SPL sets up OpenSBI and U-Boot from the card or from the flash memory, U-Boot finds the menu on the card.
"""
import os
import sys
import tempfile

import card
import disk
import firmware
from board import Board
from guest import Guest, build_dir
from tap import Tap

PACKAGE = "u-boot-sifive"
BOARD = "hifive-unleashed"
FLASH_BYTES, UBOOT_IN_FLASH = 32 << 20, 0x105000
FROM_FLASH, FROM_CARD = 6, 11  # the board's boot switches
MEM = "8G"  # what SPL believes there is
tap = Tap()


class Unleashed(Guest):
    """The boot switches say where SPL finds what comes next."""

    def __init__(self, switches, card_image, flash=None):
        super().__init__(net="user", board="sifive-u", smp=4, mem=MEM)
        self.switches, self.card_image, self.flash = switches, card_image, flash

    def command(self, image, bootfs):
        machine = Board("sifive-u")
        words = ["qemu-system-riscv64", "-M", "%s,msel=%d" % (machine.machine, self.switches),
                 "-smp", str(4 + machine.harts_extra), "-m", MEM, "-nodefaults", "-display", "none", "-no-reboot",
                 "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                 "-bios", firmware.path(PACKAGE, "u-boot-spl.bin"),
                 "-drive", "if=sd,format=raw,file=" + self.card_image]
        if self.flash:
            words += ["-drive", "if=mtd,format=raw,file=" + self.flash]
        return words + machine.nic_words("user,hostfwd=tcp:127.0.0.1:%d-:80" % self.port)


def serves(guest, how):
    guest.wait_for("Found /extlinux/extlinux.conf")
    guest.wait_for("Retrieving file: /bootfs.cpio")
    guest.wait_for(r"Skerry \S+, 4 harts, 8192 MiB, SiFive HiFive Unleashed A00")
    guest.wait_for("http-server: listening on port 80")
    tap.equal(guest.get("/")[0], 200, "a page is served: " + how)


def all_from_the_card(image):
    """One command is typed: QEMU's card fails each second time that it is set up, and SPL was the first."""
    with Unleashed(FROM_CARD, image) as guest:
        guest.wait_for("Trying to boot from MMC1")
        guest.wait_for("^Net:")
        guest.send("\n")
        guest.wait_for("=> ", prompt=True)
        guest.send("mmc rescan; run bootcmd_mmc0\n")
        serves(guest, "SPL reads OpenSBI and U-Boot from the card, and these read Skerry")


def flash_and_card(image, folder):
    """Nothing is typed, and the card has no firmware."""
    flash = os.path.join(folder, "flash")
    with open(flash, "wb") as file, open(firmware.path(PACKAGE, "u-boot.itb"), "rb") as uboot:
        file.truncate(FLASH_BYTES)
        file.seek(UBOOT_IN_FLASH)
        file.write(uboot.read())
    with Unleashed(FROM_FLASH, image, flash) as guest:
        guest.wait_for("Trying to boot from SPI")
        serves(guest, "firmware in the board's flash memory finds the card by itself")


def main():
    description = card.Card(BOARD)
    contents = description.contents(build_dir())
    loaders = description.read_firmware(firmware.path(PACKAGE))
    with tempfile.TemporaryDirectory() as folder:
        full, plain = (os.path.join(folder, name) for name in ("full.img", "plain.img"))
        disk.make(full, description, contents, loaders)
        disk.make(plain, description, contents)
        all_from_the_card(full)
        flash_and_card(plain, folder)


if not firmware.have(PACKAGE):
    tap.skip("the board's firmware starts Skerry", "%s of Debian %s is not there" % (PACKAGE, firmware.RELEASE))
else:
    main()
sys.exit(tap.done())
