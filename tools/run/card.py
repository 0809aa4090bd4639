# SPDX-License-Identifier: BSD-2-Clause
"""What is on a board's card: boards/BOARD/card.ini, read and filled in.

contents() is {name on the card: bytes}; disk.py makes an image of it, card_update.py puts it on a mounted card.
"""
import configparser
import os
import re
import subprocess
import tempfile

from common import Stop, USAGE, ROOT

BOARDS = os.path.join(ROOT, "boards")
MENU = "extlinux/extlinux.conf"
OURS = b"# Skerry"  # how our menu begins
PAIR = ("Image", "bootfs.cpio")
DEFAULT_APPEND = "manifest=system"
# U-Boot's scripts have the words between their own; old ones read 512 bytes of the whole file.
APPEND_MAX = 128
APPEND_WORDS = re.compile(r"[A-Za-z0-9_.,:=/+@% -]*")
MENU_APPEND = re.compile(rb"^\s+append (.*)$", re.MULTILINE)
SECTOR = 512
SECTORS_PER_MIB = 2048
DATE = "1767225600"  # of every file on a card (2026): the same files make the same image


def boards():
    return sorted(name for name in os.listdir(BOARDS)
                  if os.path.exists(os.path.join(BOARDS, name, "card.ini")))


def check_append(words):
    if len(words) > APPEND_MAX or not APPEND_WORDS.fullmatch(words):
        raise Stop("--append '%s': at most %d letters, digits, blanks and _.,:=/+@%%- go through "
                   "U-Boot's scripts" % (words, APPEND_MAX), USAGE)


def sectors(text):
    """'8' (MiB) or '34s' (sectors)."""
    return int(text[:-1]) if text.endswith("s") else int(text) * SECTORS_PER_MIB


class Card:
    """The description of one board's card."""

    def __init__(self, board):
        if board not in boards():
            raise Stop("no card image for a board '%s' (there are: %s)"
                       % (board, ", ".join(boards())), USAGE)
        self.folder = os.path.join(BOARDS, board)
        config = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        config.optionxform = str
        config.read(os.path.join(self.folder, "card.ini"))
        self.mib = config.getint("card", "mib")
        self.label, self.serial, self.guid = (config["card"][k] for k in ("label", "serial", "guid"))
        # (name, type GUID, first sector, sectors); the last one holds the files
        self.partitions = [(name, kind, sectors(start), sectors(size)) for name, (kind, start, size) in
                           ((n, v.split()) for n, v in config["partitions"].items())]
        self.firmware = dict(config["firmware"]) if "firmware" in config else {}
        self.files = {name: value.split() for name, value in config["files"].items()}

    def beside(self, source, append):
        with open(os.path.join(self.folder, source), "rb") as f:
            return f.read().replace(b"@APPEND@", append.encode())

    def contents(self, build_dir, append=None):
        """Every file."""
        append = append or DEFAULT_APPEND
        check_append(append)
        found = {}
        for name, (kind, source) in self.files.items():
            if kind == "build":
                found[name] = read_built(build_dir, source)
            elif kind == "copy":
                with open(os.path.join(self.folder, source), "rb") as f:
                    found[name] = f.read()
            elif kind == "text":
                found[name] = self.beside(source, append)
            else:
                found[name] = uboot_script(self.beside(source, append))
        return found

    def read_firmware(self, folder):
        """{partition: bytes}, of files that are not ours."""
        if not self.firmware:
            raise Stop("--firmware: this board's firmware is not on the card", USAGE)
        found = {}
        for name, _, _, size in self.partitions[:-1]:
            path = os.path.join(folder, self.firmware[name])
            try:
                with open(path, "rb") as f:
                    found[name] = f.read()
            except OSError as error:
                raise Stop("--firmware %s: %s" % (path, error.strerror))
            if len(found[name]) > size * SECTOR:
                raise Stop("--firmware %s: larger than its place on the card (%d KiB)" % (path, size * SECTOR // 1024))
        return found

    def add_previous(self, contents, append=None):
        """The menu offers the pair from before the last update as well."""
        contents[MENU] += self.beside("card/extlinux-previous.conf", append or DEFAULT_APPEND)


def read_built(build_dir, name):
    try:
        with open(os.path.join(build_dir, name), "rb") as f:
            return f.read()
    except FileNotFoundError:
        raise Stop("%s is not built: ./run build makes it" % os.path.join(build_dir, name))


def uboot_script(text):
    """A script as U-Boot's `source` takes it."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = os.path.join(folder, "source"), os.path.join(folder, "made")
        with open(source, "wb") as f:
            f.write(text)
        run_tool(["mkimage", "-A", "riscv", "-O", "linux", "-T", "script", "-C", "none",
                  "-n", "Skerry", "-d", source, made])
        with open(made, "rb") as f:
            return f.read()


def run_tool(command):
    """Runs a tool that makes part of a card; its last words if it fails."""
    environment = dict(os.environ, SOURCE_DATE_EPOCH=DATE, TZ="UTC")
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, text=True,
                              errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise Stop("%s is not installed" % command[0])
    if done.returncode != 0:
        words = done.stdout.strip().splitlines() or ["status %d" % done.returncode]
        raise Stop("%s: %s" % (command[0], words[-1]))


def append_of(menu):
    """The kernel's words in a card's menu, or None."""
    found = MENU_APPEND.search(menu)
    return found.group(1).decode("ascii", "replace").strip() if found else None
