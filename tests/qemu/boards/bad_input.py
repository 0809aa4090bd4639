# SPDX-License-Identifier: BSD-2-Clause
"""A boot that cannot succeed: one line names the fault and the remedy, then the power goes off (panic=off)."""
import sys

from guest import GuestError
from odd_guest import OddGuest, cells
from tap import Tap

REFUSAL = "Skerry cannot start: "
tap = Tap()


def refuses(name, *words, ends=True, **machine):
    """One line with all these words; the machine then switches off, if it could read that it is to."""
    try:
        with OddGuest(**machine) as guest:
            guest.wait_for(REFUSAL)
            if ends:
                guest.wait_end()
            lines = [line for line in guest.lines if REFUSAL in line]
            tap.ok(len(lines) == 1 and all(word in lines[0] for word in words), name, guest.console())
    except GuestError as error:
        tap.ok(False, name, str(error))


def half(archive):
    return archive[:len(archive) // 2]


def damaged(archive):
    """A letter where the second header has a digit."""
    at = archive.index(b"070701", 110)
    return archive[:at + 54] + b"x" + archive[at + 55:]


def main():
    refuses("no archive", "there is no boot archive (initrd)", "load bootfs.cpio too", archive_at=0)
    refuses("half an archive", "is cut short", "load bootfs.cpio again, all of it", change_archive=half)
    refuses("a damaged archive", "malformed header at byte ", "load bootfs.cpio again", change_archive=damaged)
    refuses("something else as the archive", "is no cpio (newc) archive at byte 0", "load bootfs.cpio again",
            change_archive=lambda archive: bytes(len(archive)))
    refuses("an archive outside memory", "0x84000000 to 0x", "is not in memory", "load it elsewhere",
            edits=[("-t", "x", "/memory@80000000", "reg", *cells(0x80000000, 0x3800000))])
    refuses("an archive over the kernel", "overlaps the kernel (0x80400000 to 0x", "load it elsewhere",
            edits=[("-t", "x", "/chosen", "linux,initrd-start", *cells(0x80401000)),
                   ("-t", "x", "/chosen", "linux,initrd-end", *cells(0x80501000))])
    refuses("too little memory", "KiB of memory are free, which is too little", "give the machine", mem="64M",
            kernel_at=0x83800000, archive_at=0x80400000, tree_at=0x83600000,
            edits=[("-t", "x", "/memory@80000000", "reg", *cells(0x80000000, 0x3FC0000))])
    refuses("a tree without memory", "/memory: reg names no memory", "a1 must point to", ends=False,
            edits=[("-r", "/memory@80000000")])
    refuses("a tree without harts that can be used", "/cpus: mmu-type is on no enabled hart", "a1 must point to",
            ends=False, edits=[("-d", "/cpus/cpu@0", "mmu-type")])
    refuses("no tree", "device tree: header: FDT_ERR_BADMAGIC", "a1 must point to", ends=False, tree_at=0)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
