# SPDX-License-Identifier: BSD-2-Clause
"""./run image: makes a board's card image, or puts what was built on a mounted card."""
import os

import build
import card
import card_update
import disk
import packages
from common import Stop, USAGE

FLASH = """\
To write it to a card, which destroys what is on the card (lsblk shows its name; sdX here):
    sudo dd if=%s of=/dev/sdX bs=4M conv=fsync status=progress
To replace only Skerry on such a card later, with its partition 3 mounted at DIR:
    ./run image %s --update DIR"""


def main(options):
    description = card.Card(options.board)
    card.check_append(options.append)
    if options.update and options.output:
        raise Stop("-o and --update exclude each other", USAGE)
    if options.update and options.firmware:
        raise Stop("--firmware and --update exclude each other", USAGE)
    firmware = description.read_firmware(options.firmware) if options.firmware else None
    output = options.output or os.path.relpath(build.path(build.GUEST, options.board + ".img"))
    if options.update:
        card_update.check(card_update.Target(options.update))
    elif options.output:
        disk.check_target(output)
    packages.need(packages.IMAGE, options.offline)
    build.build(options.offline)
    with build.locked(exclusive=False):
        if options.update:
            update(options, description)
        else:
            contents = description.contents(build.path(build.GUEST), options.append)
            disk.make(output, description, contents, firmware)
            print("%s (%d MiB)" % (output, description.mib))
            print(FLASH % (output, options.board))
    return 0


def update(options, description):
    try:
        replaced = card_update.update(options.update, description, build.path(build.GUEST),
                                      options.append)
    except OSError as error:
        raise Stop("--update %s: %s; the card boots all the same, and the next update goes on from here"
                   % (options.update, error.strerror))
    for name in replaced:
        print("replaced " + name)
    if not replaced:
        print("nothing to replace: the card has what was built")
    elif os.path.isdir(os.path.join(options.update, card_update.PREVIOUS)):
        print("the pair from before is the second entry of the boot menu")
    print("now: umount %s" % options.update)
