# SPDX-License-Identifier: BSD-2-Clause
"""A clean build of a copy of the sources, in folders of other names and depths, has the bytes of ./run build's.

On a machine of CI that is a clean build as well; elsewhere it may have grown change by change, and must not show it.
"""
import os
import shutil
import subprocess
import sys
import tempfile

import build
import matrix
from common import Stop
from tap import Tap

tap = Tap()


def copy_sources(target):
    """What git knows, as it is here, and the libraries' sources. git describe goes on answering from here."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=build.ROOT, check=True, stdout=subprocess.PIPE).stdout
    for name in filter(None, listed.decode().split("\0")):
        source = build.path(name)
        if os.path.lexists(source):
            os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
            shutil.copy2(source, os.path.join(target, name), follow_symlinks=False)
    for name in os.listdir(build.path("subprojects")):
        if os.path.isdir(build.path("subprojects", name)) and name not in ("packagefiles", "packagecache"):
            shutil.copytree(build.path("subprojects", name), os.path.join(target, "subprojects", name),
                            dirs_exist_ok=True)


def clean_build(source, folder):
    """Compiles everything: no compiler cache helps."""
    environment = dict(os.environ, CCACHE_DISABLE="1", GIT_DIR=build.path(".git"), GIT_WORK_TREE=build.ROOT)
    with open(os.path.join(source, "toolchain.txt"), "w") as file:
        file.write(build.toolchain_text())
    for command in (["meson", "setup", folder, ".", "--wrap-mode=nodownload", *build.SETUP[build.GUEST],
                     "--cross-file", "toolchain.txt"],
                    ["ninja", "-C", folder, *matrix.FILES]):
        done = subprocess.run(command, cwd=source, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace")
        if done.returncode != 0:
            raise RuntimeError(done.stdout[-3000:])


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def first_difference(a, b):
    return next((i for i, pair in enumerate(zip(a, b)) if pair[0] != pair[1]), min(len(a), len(b)))


with tempfile.TemporaryDirectory(prefix="skerry-") as top:
    source, folder = os.path.join(top, "another", "place", "of-the-sources"), os.path.join(top, "out")
    try:
        row = matrix.Row(matrix.SHIPPED)
        row.build()
        os.makedirs(source)
        copy_sources(source)
        clean_build(source, folder)
        for name in matrix.FILES:
            one, other = read(build.path(row.folder), name), read(folder, name)
            tap.ok(one == other and len(one) > 0, "%s is the same" % name,
                   "%d and %d bytes, first difference at %d" % (len(one), len(other), first_difference(one, other)))
    except (Stop, RuntimeError, OSError, subprocess.CalledProcessError) as error:
        tap.ok(False, "both builds succeed", str(error))
sys.exit(tap.done())
