#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes a boot archive: cpio "newc" in which every file's data starts on a page boundary.

The kernel maps file data straight from the archive, so the name of each file is padded with NULs
until its data is page-aligned. The result depends on the names and contents of the files only.

An ENTRY is NAME=FILE for one file, or NAME/=DIR for a whole folder (NAME/ alone may be empty).
With --base an earlier archive is the starting point; --drop PREFIX removes what it has there.
"""
import argparse
import os
import stat
import sys

PAGE = 4096
HEADER = 110
MODE_FILE, MODE_EXEC, MODE_DIR = 0o100644, 0o100755, 0o040755


def header(inode, mode, size, namesize):
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, namesize, 0)
    return b"070701" + b"".join(b"%08X" % f for f in fields)


def write_archive(entries):
    """entries: dict name -> (mode, bytes). Returns the archive."""
    out = bytearray()
    inode = 0
    for name in sorted(entries):
        mode, data = entries[name]
        inode += 1
        raw = name.encode() + b"\0"
        raw += b"\0" * (-(len(out) + HEADER + len(raw)) % (PAGE if data else 4))
        out += header(inode, mode, len(data), len(raw)) + raw + data
        out += b"\0" * (-len(out) % 4)
    raw = b"TRAILER!!!\0"
    out += header(0, 0, 0, len(raw)) + raw
    return bytes(out + b"\0" * (-len(out) % PAGE))


def read_archive(blob):
    """The inverse of write_archive, for --base and for tests."""
    entries, at = {}, 0
    while True:
        if blob[at:at + 6] != b"070701":
            raise ValueError("not a newc archive at offset %d" % at)
        field = [int(blob[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        mode, size, namesize = field[1], field[6], field[11]
        name = blob[at + HEADER:at + HEADER + namesize].split(b"\0")[0].decode()
        if name == "TRAILER!!!":
            return entries
        data = at + HEADER + namesize
        data += -data % 4
        entries[name] = (mode, blob[data:data + size])
        at = data + size
        at += -at % 4


def add_parents(entries):
    for name in list(entries):
        while "/" in name:
            name = name.rsplit("/", 1)[0]
            entries.setdefault(name, (MODE_DIR, b""))


def add_file(entries, name, path, used):
    with open(path, "rb") as f:
        mode = MODE_EXEC if name.startswith("bin/") else MODE_FILE
        entries[name] = (mode, f.read())
    used.append(path)


def add_tree(entries, prefix, top, used):
    for folder, dirs, files in os.walk(top, followlinks=True):
        dirs.sort()
        used.append(folder)
        base = prefix + os.path.relpath(folder, top).replace(os.sep, "/") + "/"
        base = os.path.normpath(base) + "/"
        entries[base.rstrip("/")] = (MODE_DIR, b"")
        for name in sorted(files):
            add_file(entries, base + name, os.path.join(folder, name), used)


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--depfile")
    parser.add_argument("--base", help="archive to start from")
    parser.add_argument("--drop", action="append", default=[], metavar="PREFIX")
    parser.add_argument("entries", nargs="*", metavar="ENTRY")
    args = parser.parse_args(argv)

    entries, used = {}, []
    if args.base:
        with open(args.base, "rb") as f:
            entries = read_archive(f.read())
        entries = {n: e for n, e in entries.items()
                   if not any(n == p.rstrip("/") or n.startswith(p.rstrip("/") + "/")
                              for p in args.drop)}
    for entry in args.entries:
        name, _, path = entry.partition("=")
        if name.endswith("/"):
            add_tree(entries, name, path, used)
        else:
            add_file(entries, name, path, used)
    add_parents(entries)

    with open(args.output, "wb") as f:
        f.write(write_archive(entries))
    if args.depfile:
        with open(args.depfile, "w") as f:
            escaped = [p.replace(" ", "\\ ") for p in used]
            f.write("%s: %s\n" % (args.output, " ".join(escaped)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError) as error:
        sys.exit("mkbootfs: %s" % error)
