# SPDX-License-Identifier: BSD-2-Clause
"""The flash path: U-Boot, as boards have it, boots the VisionFive 2 card image by each of its ways.

U-Boot is Debian's, unchanged, under OpenSBI on QEMU's virt; the card is its virtio disk instead of an SD card.
What is on the card is what a user writes to one: no byte is changed for the test, but where a case says so.
"""
import os
import subprocess
import sys
import tempfile

import card
import card_update
import disk
import qemu
from guest import Guest, build_dir
from tap import Tap

UBOOT = "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"
SERVING = "http-server: listening on port 80"
LOADED = r"Moving Image from 0x\w+ to 0x80200000"
MACHINE = dict(kernel=UBOOT, mem="512M", smp=2)

# What the factory's U-Boot has in its environment (2021.10, v3.7.5 and later) and `bootcmd` runs, as far as
# its commands exist here: a virtio disk is its mmc device, and what chipa_set_linux does to the board's
# device tree is to put virt's own in its place. vf2_uEnv.txt is what the card has.
FACTORY = [
    "setenv bootdev virtio; setenv devnum 0; setenv bootpart 3; setenv bootenv_sdk vf2_uEnv.txt",
    "setenv chip_vision B; setenv loadaddr 0x88000000",
    "setenv chipa_set_linux 'fdt addr ${fdt_addr_r} && fdt list / model; "
    "fdt move ${fdtcontroladdr} ${fdt_addr_r} 10000'",
    "setenv load_sdk_uenv 'fatload ${bootdev} ${devnum}:${bootpart} ${loadaddr} ${bootenv_sdk};"
    "env import -t ${loadaddr} ${filesize}'",
]# Versions up to 3.1 have no bootdev, and name the partition in one word. There is no mmc here to go on with.
OLD_FACTORY = ["setenv bootdev; setenv bootpart 1:3; run skerry_where; echo disk is ${skerry_disk}"]

tap = Tap()


def to_prompt(guest):
    """The key waits for the countdown, so that no time can be missed."""
    guest.wait_for("^Net:")
    guest.send("\n")
    guest.wait_for("=> ", prompt=True)


def type_lines(guest, lines):
    """Types one command after the other, each when the one before has ended."""
    for number, line in enumerate(lines):
        guest.send("%s; echo done-$?-%d\n" % (line, number))
        guest.wait_for(r"^done-0-%d$" % number)


def serves(guest, how):
    guest.wait_for(SERVING)
    tap.equal(guest.get("/")[0], 200, "a page is served after a boot " + how)


def by_extlinux(image):
    """Nothing is typed: what happens when a board is switched on."""
    with Guest(net="user", disk=image, **MACHINE) as guest:
        guest.wait_for("Found /extlinux/extlinux.conf")
        guest.wait_for("Retrieving file: /bootfs.cpio")
        guest.wait_for(LOADED)
        serves(guest, "by extlinux.conf")


def by_script(image):
    with Guest(net="user", disk=image, **MACHINE) as guest:
        to_prompt(guest)
        guest.send("setenv scan_dev_for_extlinux; run bootcmd_virtio0\n")
        guest.wait_for("Found U-Boot script /boot.scr")
        guest.wait_for("Skerry by boot.scr")
        guest.wait_for(LOADED)
        serves(guest, "by boot.scr")


def by_factory_environment(image):
    with Guest(net="user", disk=image, **MACHINE) as guest:
        to_prompt(guest)
        type_lines(guest, FACTORY)
        type_lines(guest, ["run load_sdk_uenv"] + OLD_FACTORY)
        guest.wait_for("disk is mmc 1:3$")
        type_lines(guest, FACTORY[:1] + ["setenv chip_vision A; run skerry_where skerry_board skerry_tree"])
        guest.wait_for('model = "StarFive VisionFive 2 v1.2A"')
        type_lines(guest, FACTORY[:2])
        guest.send("run boot2\n")
        guest.wait_for('model = "StarFive VisionFive 2 v1.3B"')
        guest.wait_for(LOADED)
        serves(guest, "by vf2_uEnv.txt")


def without_the_flag(image, folder):
    changed = os.path.join(folder, "noflag.img")
    subprocess.run(["cp", "--sparse=always", image, changed], check=True)
    subprocess.run(["sgdisk", "--attributes=3:clear:2", changed], check=True,
                   stdout=subprocess.DEVNULL)
    with Guest(disk=changed, **MACHINE) as guest:
        guest.wait_for("Hit any key", prompt=True)
        guest.wait_for("=> ", prompt=True)  # it has tried everything
        text = guest.console()
        tap.ok("Device 0: QEMU VirtIO Block Device" in text and "Retrieving file" not in text,
               "without LegacyBIOSBootable nothing is found on the card", text[-800:])


def by_network(image):
    """As docs/boards.md says it; the card is there and stays unused. QEMU serves the files by TFTP."""
    port = qemu.free_port()
    network = ("-netdev user,id=n0,tftp=%s,hostfwd=tcp:127.0.0.1:%d-:80 -device virtio-net-device,netdev=n0"
               % (build_dir(), port))
    with Guest(disk=image, extra=network, address=("127.0.0.1", port), **MACHINE) as guest:
        to_prompt(guest)
        type_lines(guest, ["setenv autoload no; setenv bootargs; dhcp; setenv serverip 10.0.2.2",
                           "tftpboot ${kernel_addr_r} Image", "tftpboot ${ramdisk_addr_r} bootfs.cpio"])
        guest.send("booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}\n")
        guest.wait_for(LOADED)
        serves(guest, "over the network by TFTP")


def after_an_update(image, folder):
    """The card as a user updates it: mounted, here as a folder of the same files."""
    mounted, built, changed = (os.path.join(folder, name) for name in ("mounted", "built", "new.img"))
    for name in (mounted, built):
        os.mkdir(name)
    subprocess.run(["mcopy", "-i", image + "@@8M", "-s", "-m", "::/*", mounted], check=True)
    for name in ("Image", "NOTICES"):
        os.symlink(os.path.join(build_dir(), name), os.path.join(built, name))
    with open(os.path.join(built, "bootfs.cpio"), "wb") as f:
        f.write(b"an archive that does not start")
    description = card.Card("visionfive2")
    card_update.update(mounted, description, built)
    contents = read_tree(mounted)
    # The menu waits for ever here, instead of two seconds that a busy machine might miss.
    contents[card.MENU] = contents[card.MENU].replace(b"timeout 20\n", b"")
    disk.make(changed, description, contents)
    with Guest(net="user", disk=changed, **MACHINE) as guest:
        guest.wait_for("Enter choice:", prompt=True)
        guest.send("2\n")
        guest.wait_for("Retrieving file: /previous/bootfs.cpio")
        serves(guest, "of the menu's second entry, the first being an update that does not start")
    with Guest(net="user", disk=changed, **MACHINE) as guest:
        to_prompt(guest)
        type_lines(guest, FACTORY)
        guest.send("run load_sdk_uenv; run previous\n")
        guest.wait_for(LOADED)
        serves(guest, "of the same by the factory's U-Boot")


def read_tree(folder):
    contents = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as f:
                contents[os.path.relpath(path, folder)] = f.read()
    return contents


def main():
    with tempfile.TemporaryDirectory() as folder:
        description = card.Card("visionfive2")
        image = os.path.join(folder, "card.img")
        disk.make(image, description, description.contents(build_dir()))
        by_extlinux(image)
        by_script(image)
        by_factory_environment(image)
        by_network(image)
        after_an_update(image, folder)
        without_the_flag(image, folder)


if not os.path.exists(UBOOT):
    tap.skip("card", "u-boot-qemu is not installed")
else:
    main()
sys.exit(tap.done())
