# SPDX-License-Identifier: BSD-2-Clause
"""Makes a disk image with partitions and a FAT32 file system, as an ordinary user."""
import errno
import os
import stat
import tempfile
import uuid

import card
from common import Stop

MIB = 1 << 20
BOOTABLE = 2  # attribute bit "LegacyBIOSBootable"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def check_target(path):
    """Where an image may go: a new file, or an ordinary one that is replaced."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise Stop("%s: there is no folder %s" % (path, folder))
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        raise Stop("%s is not an ordinary file; devices are never written to" % path)


def partition_arguments(description):
    arguments = ["sgdisk", "--clear", "--set-alignment=1", "--disk-guid=" + description.guid]
    for number, (name, kind, start, size) in enumerate(description.partitions, 1):
        guid = str(uuid.uuid5(uuid.UUID(description.guid), name))
        arguments += ["--new=%d:%d:%d" % (number, start, start + size - 1), "--change-name=%d:%s" % (number, name),
                      "--typecode=%d:%s" % (number, kind), "--partition-guid=%d:%s" % (number, guid)]
    return arguments + ["--attributes=%d:set:%d" % (len(description.partitions), BOOTABLE)]


def write_tree(contents, folder):
    for name, data in contents.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
    for parent, folders, files in os.walk(folder):
        for name in folders + files:
            os.utime(os.path.join(parent, name), (int(card.DATE), int(card.DATE)))


def fill(image, description, contents):
    _, _, start, size = description.partitions[-1]
    needed = sum(len(data) for data in contents.values())
    mib = size // card.SECTORS_PER_MIB
    if needed > (mib - 4) * MIB:  # the file system's own tables take less than the rest
        raise Stop("the files are %d MiB, the card's partition has %d" % (needed // MIB + 1, mib))
    inside = "%s@@%d" % (image, start * card.SECTOR)
    card.run_tool(["mformat", "-i", inside, "-F", "-T", str(size), "-h", "255",
                   "-s", "63", "-H", str(start), "-N", description.serial,
                   "-v", description.label, "::"])
    with tempfile.TemporaryDirectory() as folder:
        write_tree(contents, folder)
        sources = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
        card.run_tool(["mcopy", "-i", inside, "-s", "-p", "-m"] + sources + ["::/"])


def put_firmware(image, description, firmware):
    with open(image, "r+b") as f:
        for name, _, start, _ in description.partitions:
            f.seek(start * card.SECTOR)
            f.write(firmware.get(name, b""))


def make(path, description, contents, firmware=None):
    """Makes the image beside `path` and puts it there when it is whole. firmware: {partition: bytes}."""
    check_target(path)
    try:
        handle, partial = tempfile.mkstemp(prefix=".image-", dir=os.path.dirname(os.path.abspath(path)))
        try:
            try:
                os.posix_fallocate(handle, 0, description.mib * MIB)
            finally:
                os.close(handle)
            card.run_tool(partition_arguments(description) + [partial])
            fill(partial, description, contents)
            put_firmware(partial, description, firmware or {})
            os.chmod(partial, 0o644)
            os.replace(partial, path)
        finally:
            if os.path.exists(partial):
                os.unlink(partial)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise Stop("%s: no room there for an image of %d MiB" % (path, description.mib))
