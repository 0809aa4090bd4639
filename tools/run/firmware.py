# SPDX-License-Identifier: BSD-2-Clause
"""Firmware of boards that this Debian has no package of: from a newer release, for another architecture.

The packages are unpacked in build-firmware/ and never installed; nothing of them is shipped. A package's folder
appears by one rename, complete.
"""
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from common import ROOT

sys.path.append(os.path.join(ROOT, "tools"))
import debian_archive

FOLDER = os.path.join(ROOT, "build-firmware")
RELEASE = "trixie"
ARCHITECTURE = "riscv64"
# package: the folder in it that is kept
PACKAGES = {
    "u-boot-sifive": "usr/lib/u-boot/sifive_unleashed",
    "u-boot-qemu": "usr/lib/u-boot/qemu-riscv64_smode",
}


def path(package, *names):
    return os.path.join(FOLDER, package, *names)


def have(package):
    return os.path.isdir(path(package))


def unpack(archive, package):
    """Of a .deb, the folder that is wanted and who may do what with it."""
    with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".unpack-") as work:
        subprocess.run(["dpkg-deb", "-x", archive, work], check=True)
        kept = os.path.join(work, PACKAGES[package])
        os.rename(os.path.join(work, "usr/share/doc", package, "copyright"), os.path.join(kept, "copyright"))
        os.rename(kept, path(package))


def fetch(packages):
    """Gets those that are not there. Returns None, or why some still are not."""
    os.makedirs(FOLDER, exist_ok=True)
    handle = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        for leftover in Path(FOLDER).glob(".*"):  # of a killed run
            shutil.rmtree(leftover)
        absent = [package for package in packages if not have(package)]
        with tempfile.TemporaryDirectory(dir=FOLDER, prefix=".apt-") as work:
            apt = debian_archive.Apt(Path(work), [RELEASE], "deb", ARCHITECTURE)
            if apt.refusal or not absent:
                return apt.refusal
            apt.run("update")
            apt.run("download", *("%s/%s" % (package, RELEASE) for package in absent))
            for package in absent:
                found = list(apt.files.glob(package + "_*.deb"))
                if not found:
                    return "; ".join(apt.errors()[:2]) or "%s did not come" % package
                unpack(found[0], package)
        return None
    except (OSError, subprocess.CalledProcessError) as error:
        return str(error)
    finally:
        os.close(handle)
