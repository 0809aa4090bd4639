# SPDX-License-Identifier: BSD-2-Clause
"""A guest on an odd machine: where things lie, which hart boots, and what the device tree says are given.

OpenSBI gets the tree of the machine that QEMU is; a trampoline in the kernel's usual place then starts the
kernel elsewhere, with a tree of ours, as a boot loader could.
"""
import os
import socket
import struct
import subprocess

import qemu
from guest import Guest, hang_limit

FIRMWARE_END = 0x801FF000  # the last page that neither OpenSBI nor Skerry uses: what follows lies there
LATE_AT, GO, STUCK_AT, FIRST_AT, INFO_AT = (FIRMWARE_END + offset for offset in (0, 64, 128, 256, 512))
TREE_BYTES_SPARE = 8192
# Of the boot hart, in supervisor mode: auipc t0, 0; ld t1, 32(t0); ld a1, 40(t0); ld t2, 48(t0); sd t0, 0(t2);
# jr t1; two words of padding; then the addresses of the kernel, the tree and GO.
TRAMPOLINE = struct.Struct("<8I3Q")
TRAMPOLINE_CODE = (0x00000297, 0x0202B303, 0x0282B583, 0x0302B383, 0x0053B023, 0x00030067, 0, 0)
# From reset into OpenSBI, as QEMU's own code at 0x1000 does it, but with an INFO of ours, which names the boot hart:
# csrr a0, mhartid; addi a2, t0, INFO_AT - here; lui t1, 1; ld a1, 32(t1); ld t1, 24(t1); jr t1
FIRST = struct.pack("<7I", 0x00000297, 0xF1402573, 0x10028613, 0x00001337, 0x02033583, 0x01833303, 0x00030067)
# The same for a hart that waits for GO: auipc t0, 0; 1: lw t1, 64(t0); beqz t1, 1b
LATE = struct.pack("<9I", 0x00000297, 0x0402A303, 0xFE030EE3, 0xF1402573, 0x20028613, 0x00001337, 0x02033583,
                   0x01833303, 0x00030067)
INFO = struct.Struct("<6Q")  # OpenSBI's fw_dynamic_info: magic, version, next address, next mode, options, boot hart
STUCK = struct.pack("<I", 0x0000006F)  # j .


class OddGuest(Guest):
    """What is 0 is not passed on: archive_at=0 is a machine without an archive, tree_at=0 one without a tree.

    edits are arguments of fdtput, in order, for the kernel's tree. archive_bytes replaces the built archive.
    boot_hart boots, while the others wait for the kernel; stuck harts never leave machine mode.
    """

    def __init__(self, kernel_at=0x80400000, archive_at=0x84000000, tree_at=0x83000000, edits=(), boot_hart=None,
                 stuck=(), change_archive=None, loads=(), **kwargs):
        super().__init__(**kwargs)
        self.kernel_at, self.archive_at, self.tree_at = kernel_at, archive_at, tree_at
        self.edits, self.boot_hart, self.stuck = edits, boot_hart, stuck
        self.change_archive = change_archive
        self.loads = loads  # (bytes, address)

    def command(self, image, bootfs):
        if self.change_archive:
            with open(bootfs, "rb") as file:
                changed = self.change_archive(file.read())
            with open(bootfs, "wb") as file:
                file.write(changed)
        trampoline = self.write("trampoline", TRAMPOLINE.pack(*TRAMPOLINE_CODE, self.kernel_at, self.tree_at, GO))
        options = dict(self.options)
        append = options.pop("append")
        self.monitor = os.path.join(self.folder, "monitor")
        words = qemu.command(trampoline, None, port=self.port, **options)
        words += ["-monitor", "unix:%s,server=on,wait=off" % self.monitor]
        words += load(image, self.kernel_at)
        if self.archive_at:
            words += load(bootfs, self.archive_at)
        if self.tree_at:
            words += load(self.make_tree(append, os.path.getsize(bootfs)), self.tree_at)
        for number, (data, address) in enumerate(self.loads):
            words += load(self.write("load%d" % number, data), address)
        return words + self.send_harts()

    def send_harts(self):
        """Where each hart begins, if not as usual."""
        starts = {hart: STUCK_AT for hart in self.stuck}
        pieces = [(STUCK_AT, STUCK)] if self.stuck else []
        if self.boot_hart is not None:
            starts = {hart: LATE_AT for hart in range(self.options["smp"])}
            starts[self.boot_hart] = FIRST_AT
            info = INFO.pack(0x4942534F, 2, 0x80200000, 1, 0, self.boot_hart)
            pieces = [(LATE_AT, LATE), (FIRST_AT, FIRST), (INFO_AT, info)]
        words = []
        for address, code in pieces:
            words += load(self.write("code%x" % address, code), address)
        for hart, address in starts.items():
            words += ["-device", "loader,addr=%#x,cpu-num=%d" % (address, hart)]
        return words

    def memory(self, address, size):
        """What lies there, whatever the guest's page tables say. The machine need not be running."""
        saved = os.path.join(self.folder, "saved")
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(hang_limit())
            monitor.connect(self.monitor)
            for command in ('pmemsave %#x %d "%s"' % (address, size, saved), "help quit"):
                monitor.sendall(command.encode() + b"\n")
            answer = b""
            while b"quit the emulator" not in answer.lower():  # the answer to the second: the first is done
                answer += monitor.recv(4096)
        with open(saved, "rb") as file:
            return file.read()

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def make_tree(self, append, archive_size):
        """The machine's own tree, as QEMU says, then as it is told."""
        dump, tree = os.path.join(self.folder, "dump.dtb"), os.path.join(self.folder, "tree.dtb")
        machine = ["-M", "virt,dumpdtb=" + dump, "-display", "none"]
        for name in ("smp", "mem"):
            machine += ["-" + name[0] if name == "mem" else "-smp", str(self.options[name])]
        tool(["qemu-system-riscv64"] + machine + self.options["extra"].split())
        tool(["dtc", "-q", "-I", "dtb", "-O", "dtb", "-p", str(TREE_BYTES_SPARE), "-o", tree, dump])
        tool(["fdtput", "-t", "s", tree, "/chosen", "bootargs", append])
        if self.archive_at:
            for name, value in (("start", self.archive_at), ("end", self.archive_at + archive_size)):
                tool(["fdtput", "-t", "x", tree, "/chosen", "linux,initrd-" + name] + cells(value))
        for edit in self.edits:
            options = [word for word in edit if word in ("-r", "-d", "-c", "-p")]
            rest = list(edit[len(options):])
            if rest[:1] == ["-t"]:
                options, rest = options + rest[:2], rest[2:]
            tool(["fdtput"] + options + [tree] + rest)
        return tree


def tool(words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def load(path, address):
    return ["-device", "loader,file=%s,addr=%#x,force-raw=on" % (path, address)]


def cells(*values):
    """Each value as two cells, in hexadecimal."""
    return [part for value in values for part in ("%x" % (value >> 32), "%x" % (value & 0xFFFFFFFF))]
