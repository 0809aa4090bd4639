# SPDX-License-Identifier: BSD-2-Clause
"""--www DIR: checks the folder, then packs it as the web root of a private boot archive."""
import os
import stat
import subprocess
import sys

from common import ROOT, Stop, USAGE


def refuse(path, why):
    raise Stop("--www: %s %s" % (path, why), USAGE)


def check_entry(path, top):
    """Size of one file, or 0 for a folder; refuses what must not be or cannot be served."""
    if os.path.islink(path):
        target = os.path.realpath(path)
        if target != top and not target.startswith(top + os.sep):
            refuse(path, "is a link that leaves the folder (to %s)" % target)
    try:
        info = os.stat(path)
    except FileNotFoundError:
        refuse(path, "is a link to nothing")
    except OSError as error:
        refuse(path, "cannot be read: %s" % error.strerror)
    if stat.S_ISDIR(info.st_mode):
        parent = os.path.realpath(os.path.dirname(path)) + os.sep
        if os.path.islink(path) and parent.startswith(os.path.realpath(path) + os.sep):
            refuse(path, "is a link to a folder that contains it")
        if not os.access(path, os.R_OK | os.X_OK):
            refuse(path, "cannot be read")
        return 0
    if not stat.S_ISREG(info.st_mode):
        refuse(path, "is neither a file nor a folder")
    if not os.access(path, os.R_OK):
        refuse(path, "cannot be read")
    try:
        os.path.basename(path).encode("utf-8")
    except UnicodeEncodeError:
        refuse(os.fsencode(path).decode("utf-8", "replace"), "has a name that is not UTF-8")
    return info.st_size


def check(folder, mem_bytes):
    """Walks the folder as the packer will; refuses links out, unreadable files, too much data."""
    if not os.path.exists(folder):
        refuse(folder, "does not exist")
    if not os.path.isdir(folder):
        refuse(folder, "is not a folder")
    top = os.path.realpath(folder)
    check_entry(top, top)
    total = 0
    for base, dirs, files in os.walk(folder, followlinks=True):
        for name in sorted(dirs + files):
            total += check_entry(os.path.join(base, name), top)
    if total > mem_bytes // 2:
        refuse(folder, "holds %d MiB, more than half of --mem (%d MiB)"
               % (total >> 20, mem_bytes >> 20))


def pack(folder, base, output):
    """Makes `output` from the archive `base` with `folder` in place of its www/."""
    done = subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tools", "mkbootfs.py"),
                           "-o", output, "--base", base, "--drop", "www", "www/=" + folder],
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Stop("--www: " + done.stderr.strip().replace("mkbootfs: ", "", 1))
