# SPDX-License-Identifier: BSD-2-Clause
"""Card images and their update (tools/run/card.py, disk.py, card_update.py): what is on them, and that a card
boots whenever an update is cut short. tests/qemu/boards/flash_path.py boots one."""
import functools
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import uuid
import zlib

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tools", "run")]

os.environ["PATH"] = "/usr/bin:/bin"  # an ordinary user's

import card
import card_update
import disk
import tap
from common import Stop

T = tap.Tap()
BOARD = "visionfive2"
TOOLS = ("sgdisk", "mformat", "mcopy", "mkimage")
# Type GUIDs: the SPL's is the one the JH7110's boot ROM looks for.
PARTITIONS = [("spl", "2e54b353-1271-4842-806f-e436d6af6985", 4096, 4096, 0),
              ("uboot", "bc13c2ff-59e6-4262-a352-b275fd6f7172", 8192, 8192, 0),
              ("boot", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", 16384, 119 * 2048, 1 << 2)]
# The same two types the other way round; the second one's place is in the firmware's code.
UNLEASHED = [("spl", "5b193300-fc78-40cd-8002-e86c45580b47", 34, 2048, 0),
             ("uboot", "2e54b353-1271-4842-806f-e436d6af6985", 2082, 8192, 0),
             ("boot", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", 16384, 55 * 2048, 1 << 2)]


class Cut(Exception):
    """The card was pulled out."""


def refusal(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except Stop as stop:
        return str(stop)
    return None


def fake_build(folder, mark):
    """A build directory whose files tell which build they are of."""
    os.makedirs(folder)
    for name in card.PAIR + ("NOTICES",):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(b"%s of build %s\n" % (name.encode(), mark.encode()))
    return folder


def read_tree(folder):
    contents = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(parent, name), "rb") as f:
                contents[os.path.relpath(os.path.join(parent, name), folder)] = f.read()
    return contents


def read_image(path):
    with open(path, "rb") as f:
        return f.read()


def test_partitions(image, mib, partitions):
    data = read_image(image)
    T.equal(len(data), mib << 20, "the image has %d MiB" % mib)
    T.equal(data[446 + 4], 0xEE, "a protective MBR comes first")
    for name, at, there in (("first", 1, 2), ("backup", len(data) // 512 - 1, len(data) // 512 - 33)):
        header = data[at * 512:at * 512 + 92]
        own = struct.unpack_from("<I", header, 16)[0]
        count, size, entries_crc = struct.unpack_from("<III", header, 80)
        entries = data[there * 512:there * 512 + count * size]
        T.ok(header[:8] == b"EFI PART" and zlib.crc32(header[:16] + bytes(4) + header[20:]) == own
             and zlib.crc32(entries) == entries_crc, "the %s partition table is whole" % name)
    found = []
    for at in range(0, 128 * len(partitions), 128):
        kind, _, first, last, attributes = struct.unpack_from("<16s16sQQQ", entries, at)
        name = entries[at + 56:at + 128].decode("utf-16-le").rstrip("\0")
        found.append((name, str(uuid.UUID(bytes_le=kind)), first, last + 1 - first, attributes))
    T.equal(found, partitions, "names, types, places and attributes of the partitions")
    T.ok(not any(data[partitions[0][2] * 512:8 << 20]), "the partitions for firmware are empty")


def test_firmware(build_dir, folder):
    """It lies where the board looks for it, and nothing else of the card changes."""
    description = card.Card("hifive-unleashed")
    plain, full = (os.path.join(folder, name) for name in ("plain.img", "full.img"))
    contents = description.contents(build_dir)
    disk.make(plain, description, contents)
    test_partitions(plain, 64, UNLEASHED)
    sizes = {"u-boot-spl.bin": 90000, "u-boot.itb": 4 << 20}
    for name, size in sizes.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(name[-1].encode() * size)
    disk.make(full, description, contents, description.read_firmware(folder))
    expected = bytearray(read_image(plain))
    expected[34 * 512:34 * 512 + 90000] = b"n" * 90000
    expected[2082 * 512:2082 * 512 + (4 << 20)] = b"b" * (4 << 20)
    T.ok(read_image(full) == expected, "firmware is put where the board looks for it")
    with open(os.path.join(folder, "u-boot.itb"), "ab") as f:
        f.write(b"x")
    T.equal(refusal(description.read_firmware, folder), "--firmware %s: larger than its place on the card (4096 KiB)"
            % os.path.join(folder, "u-boot.itb"), "firmware that is too large is refused")
    T.equal(refusal(description.read_firmware, "/nowhere"), "--firmware /nowhere/u-boot-spl.bin: No such file or "
            "directory", "and a file that is not there")
    T.equal(refusal(card.Card(BOARD).read_firmware, folder), "--firmware: this board's firmware is not on the card",
            "and any for a board that has it elsewhere")
    for path in (plain, full):
        os.unlink(path)


def test_files(image, build_dir, folder):
    out = os.path.join(folder, "files")
    os.mkdir(out)
    subprocess.run(["mcopy", "-i", image + "@@8M", "-s", "::/*", out], check=True)
    found = read_tree(out)
    T.equal(found, card.Card(BOARD).contents(build_dir), "every file is on the card as it should be")
    for name, model in (("starfive/jh7110-starfive-visionfive-2-v1.2a.dtb", b"VisionFive 2 v1.2A"),
                        ("starfive/jh7110-starfive-visionfive-2-v1.3b.dtb", b"VisionFive 2 v1.3B"),
                        ("starfive/jh7110-visionfive-v2.dtb", b"VisionFive 2 v1.3B"),
                        ("jh7110-visionfive-v2.dtb", b"VisionFive 2 v1.3B")):
        T.ok(model in found["dtbs/" + name], "dtbs/%s is of the right revision" % name)
    menu = found[card.MENU].decode().split("\n")
    for line in ("    kernel /Image", "    initrd /bootfs.cpio", "    fdtdir /dtbs",
                 "    append manifest=system"):
        T.ok(line in menu, "extlinux.conf has '%s'" % line.strip())
    last = "booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdt_addr_r}"
    for name in ("vf2_uEnv.txt", "uEnv.txt"):
        text = found[name].decode()
        T.ok(last in text and text.index("}bootfs.cpio" if "vf2" in name else " bootfs.cpio")
             > text.index("Image"), "%s loads the archive last" % name)
    script = found["boot.scr"]
    magic, crc, _, size, _, _, body_crc, _, _, kind = struct.unpack_from(">IIIIIIIBBB", script)
    T.ok(magic == 0x27051956 and kind == 6 and len(script) == 64 + size
         and zlib.crc32(script[64:]) == body_crc
         and zlib.crc32(script[:4] + bytes(4) + script[8:64]) == crc, "boot.scr is a U-Boot script")
    longest = card.Card(BOARD).contents(build_dir, "x" * card.APPEND_MAX)
    T.ok(len(longest["uEnv.txt"]) <= 512, "uEnv.txt stays within what old firmware reads of it")
    T.ok(b"MIT" in found["dtbs/LICENSE"] and b"Permission is hereby granted" in found["dtbs/LICENSE"],
         "the licence of the device trees is on the card")


def make_limited(path, contents):
    """In a process that may write no more than 1 MiB to a file."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limit[1]))
    try:
        disk.make(path, card.Card(BOARD), contents)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


def test_refusals(build_dir, folder):
    description = card.Card(BOARD)
    contents = description.contents(build_dir)
    T.equal(refusal(card.Card, "toaster"), "no card image for a board 'toaster' (there are: hifive-unleashed, visionfive2)",
            "an unknown board is refused, and the known ones are named")
    T.equal(refusal(description.contents, folder),
            "%s is not built: ./run build makes it" % os.path.join(folder, "Image"),
            "what is not built is named")
    T.ok("devices are never written to" in (refusal(disk.make, "/dev/null", description, contents) or ""),
         "a device is never written to")
    missing = os.path.join(folder, "nowhere", "x.img")
    T.equal(refusal(disk.make, missing, description, contents),
            "%s: there is no folder %s" % (missing, os.path.dirname(missing)), "no such folder")
    full = os.path.join(folder, "full.img")
    T.equal(refusal(make_limited, full, contents), "%s: no room there for an image of 128 MiB" % full,
            "no room for the image")
    T.ok(not [n for n in os.listdir(folder) if "image" in n or "full" in n],
         "nothing is left of an image that was not finished")
    large = dict(contents, Image=bytes(118 << 20))
    T.equal(refusal(disk.make, full, description, large),
            "the files are 119 MiB, the card's partition has 119", "files that do not fit")
    for words in ("a;b", "a\nb", "$(x)", 'a"b', "x" * (card.APPEND_MAX + 1)):
        T.ok("go through U-Boot's scripts" in (refusal(card.check_append, words) or ""),
             "a command line that breaks U-Boot's scripts is refused: %.8r" % words)


def test_command(folder):
    """What ./run image refuses before it builds anything."""
    for arguments, message in (
            (["toaster"], "no card image for a board 'toaster' (there are: hifive-unleashed, visionfive2)"),
            (["visionfive2", "--append", "a;b"], "go through U-Boot's scripts"),
            (["visionfive2", "-o", "x.img", "--update", folder], "-o and --update exclude each other"),
            (["hifive-unleashed", "--firmware", folder, "--update", folder], "--firmware and --update exclude"),
            (["visionfive2", "-o", "/dev/null"], "devices are never written to"),
            (["visionfive2", "--update", folder], "not a card of ours")):
        done = subprocess.run([os.path.join(TOP, "run"), "image", "--offline"] + arguments,
                              capture_output=True, text=True)
        T.ok(done.returncode in (1, 2) and message in done.stderr and done.stderr.count("\n") == 1
             and not done.stdout, "./run image %s: one line" % " ".join(arguments)[:30], done.stderr)


def mounted_card(folder, build_dir, append=None):
    for name, data in card.Card(BOARD).contents(build_dir, append).items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
    with open(os.path.join(folder, "mine.txt"), "w") as f:
        f.write("a file of the user's")
    return folder


def update(folder, build_dir, **kwargs):
    return card_update.update(folder, card.Card(BOARD), build_dir, **kwargs)


def test_update(one, two, folder):
    mounted = mounted_card(os.path.join(folder, "card"), one, "ip=192.168.1.9 manifest=system")
    T.equal(update(mounted, one), [], "an update by the same build changes nothing")
    T.equal(set(read_tree(mounted)), set(card.Card(BOARD).contents(one)) | {"mine.txt"},
            "and leaves nothing behind")
    replaced = update(mounted, two)
    now = read_tree(mounted)
    T.equal(replaced, ["Image", "NOTICES", "bootfs.cpio", card.MENU], "an update replaces what changed")
    T.equal(now["Image"], b"Image of build two\n", "the new kernel is there")
    T.equal([now["previous/" + name] for name in card.PAIR],
            [b"%s of build one\n" % name.encode() for name in card.PAIR], "the old pair is kept")
    T.ok(now[card.MENU].count(b"append ip=192.168.1.9 manifest=system\n") == 2
         and b"label previous" in now[card.MENU], "it is the second entry, with the card's own words")
    T.equal(now["mine.txt"], b"a file of the user's", "files of the user stay")
    T.equal(update(mounted, two, append="manifest=system"),
            ["boot.scr", "boot.scr.uimg", card.MENU, "uEnv.txt", "vf2_uEnv.txt"],
            "other words change the menu and the scripts alone")
    T.equal(read_tree(mounted)["previous/Image"], b"Image of build one\n",
            "and the previous pair stays the previous one")


def whole(tree, prefix=""):
    """Which build a pair is of; None for a torn or missing one."""
    marks = {tree.get(prefix + name, b"?")[len(name):] for name in card.PAIR}
    return marks.pop() if len(marks) == 1 and b"?" not in marks else None


def bootable(folder):
    """A whole pair is in the first entry, or in a second one that the menu offers."""
    tree = read_tree(folder)
    return whole(tree) or (b"label previous" in tree[card.MENU] and whole(tree, "previous/"))


def cut_short(folder, build_dir, at):
    """Updates until the at-th change, then the card is gone: the file being written is half there."""
    steps = []

    def step(what):
        steps.append(what)
        if len(steps) == at:
            if what.startswith("write "):
                path = os.path.join(folder, what[6:])
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(b"hal")
            raise Cut(what)
    try:
        update(folder, build_dir, step=step)
    except Cut:
        return True
    return False


def test_cuts(one, two, folder):
    """Cut at every step of an update, then once more at every step of the next try."""
    bad, cuts, first, going = [], 0, 1, True
    while going:
        second, second_going = 1, True
        while second_going:
            mounted = mounted_card(os.path.join(folder, "cut"), one)
            going = cut_short(mounted, two, first)
            if not bootable(mounted):
                bad.append("after step %d" % first)
            second_going = going and cut_short(mounted, two, second)
            if not bootable(mounted):
                bad.append("after steps %d and %d" % (first, second))
            update(mounted, two)
            tree = read_tree(mounted)
            left = set(tree) - set(card.Card(BOARD).contents(two)) - {
                "mine.txt", "previous/Image", "previous/bootfs.cpio"}
            if whole(tree) != b" of build two\n" or whole(tree, "previous/") != b" of build one\n" or left:
                bad.append("the next update after steps %d and %d: %s" % (first, second, sorted(left)))
            shutil.rmtree(mounted)
            second += 1
            cuts += 1
        first += 1
    T.ok(not bad, "a card whose update was cut short boots, and the next update puts it right",
         "\n".join(bad[:8]))
    T.ok(cuts > 150, "it was cut at every step", "%d cuts" % cuts)


def quick(test, *args):
    """Hundreds of updates: without waiting for the disk, and each script made once."""
    fsync, os.fsync = os.fsync, lambda handle: None
    script, card.uboot_script = card.uboot_script, functools.lru_cache(None)(card.uboot_script)
    try:
        test(*args)
    finally:
        os.fsync, card.uboot_script = fsync, script


def test_update_refusals(one, folder):
    other = os.path.join(folder, "other")
    os.makedirs(os.path.join(other, "extlinux"))
    with open(os.path.join(other, card.MENU), "w") as f:
        f.write("default linux\n")
    T.equal(refusal(update, other, one),
            "--update %s: not a card of ours (no extlinux/extlinux.conf that begins with '# Skerry'); "
            "nothing was changed" % other, "a card that is not ours is left alone")
    T.equal(read_tree(other), {card.MENU: b"default linux\n"}, "indeed")
    T.ok("there is no such folder" in (refusal(update, other + "x", one) or ""), "no such folder")
    mounted = mounted_card(os.path.join(folder, "small"), one)
    usage, shutil.disk_usage = shutil.disk_usage, lambda path: usage(path)._replace(free=10)
    try:
        big = fake_build(os.path.join(folder, "big"), "b" * 4096)
        T.equal(refusal(update, mounted, big),
                "--update %s: needs 13 KiB, 0 are free; nothing was changed" % mounted,
                "an update that does not fit is not begun")
    finally:
        shutil.disk_usage = usage


def main():
    with tempfile.TemporaryDirectory() as folder:
        one = fake_build(os.path.join(folder, "one"), "one")
        two = fake_build(os.path.join(folder, "two"), "two")
        image, again = os.path.join(folder, "card.img"), os.path.join(folder, "again.img")
        for path in (image, again):
            disk.make(path, card.Card(BOARD), card.Card(BOARD).contents(one))
        T.ok(read_image(image) == read_image(again), "the same files make the same image")
        test_partitions(image, 128, PARTITIONS)
        test_files(image, one, folder)
        test_firmware(one, folder)
        os.unlink(image)
        os.unlink(again)
        test_refusals(one, folder)
        test_command(folder)
        test_update(one, two, folder)
        test_update_refusals(one, folder)
        quick(test_cuts, one, two, folder)


missing = [tool for tool in TOOLS if not shutil.which(tool)]
if missing:
    T.skip("card images", "missing: %s" % ", ".join(missing))
else:
    main()
sys.exit(T.done())
