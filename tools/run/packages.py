# SPDX-License-Identifier: BSD-2-Clause
"""The tools that each command needs, and how they get onto a Debian machine."""
import os
import shutil
import subprocess
import sys

import firmware
from common import Stop, TOOL_MISSING, say

TESTED = "Debian 12 (bookworm)"


def cross_prefix():
    return os.environ.get("CROSS", "riscv64-unknown-elf-")


def have_picolibc():
    gcc = cross_prefix() + "gcc"
    if not shutil.which(gcc):
        return False
    found = subprocess.run([gcc, "-print-file-name=picolibc.specs"], capture_output=True, text=True)
    return os.path.isabs(found.stdout.strip())


def have_module(name):
    return subprocess.run(["pkg-config", "--exists", name], check=False).returncode == 0 \
        if shutil.which("pkg-config") else False


def have_meson():
    if not shutil.which("meson"):
        return False
    version = subprocess.run(["meson", "--version"], capture_output=True, text=True).stdout
    return [int(n) for n in version.strip().split(".")[:2] if n.isdigit()] >= [1, 0]


def have_libfuzzer():
    if not shutil.which("clang"):
        return False
    folder = subprocess.run(["clang", "-print-resource-dir"], capture_output=True, text=True).stdout.strip()
    return any("clang_rt.fuzzer" in f for _, _, files in os.walk(folder) for f in files)


def on_path(*names):
    return lambda: any(shutil.which(n) for n in names)


CROSS_GCC, PICOLIBC = "riscv64-unknown-elf-gcc 12", "picolibc 1.8"

# name shown to people: (Debian package, test)
TOOLS = {
    "git": ("git", on_path("git")),
    "meson 1.0": ("meson", have_meson),
    "ninja 1.10": ("ninja-build", on_path("ninja")),
    CROSS_GCC: ("gcc-riscv64-unknown-elf",
                lambda: shutil.which(cross_prefix() + "gcc") is not None),
    PICOLIBC: ("picolibc-riscv64-unknown-elf", have_picolibc),
    "gcc (native)": ("gcc", on_path("cc")),
    "libc headers": ("libc6-dev", lambda: os.path.exists("/usr/include/stdio.h")),
    "qemu-system-riscv64 7.2": ("qemu-system-misc", on_path("qemu-system-riscv64")),
    "gdb for RISC-V": ("gdb-multiarch", on_path("gdb-multiarch", cross_prefix() + "gdb")),
    "pkg-config": ("pkg-config", on_path("pkg-config")),
    "cmocka": ("libcmocka-dev", lambda: have_module("cmocka")),
    "libbsd headers": ("libbsd-dev", lambda: os.path.exists("/usr/include/bsd/sys/tree.h")),
    "curl": ("curl", on_path("curl")),
    "wrk": ("wrk", on_path("wrk")),
    "ip (iproute2)": ("iproute2", on_path("ip")),
    "chromium": ("chromium", on_path("chromium", "chromium-browser", "google-chrome")),
    "clang-format 14": ("clang-format", on_path("clang-format")),
    "cppcheck": ("cppcheck", on_path("cppcheck")),
    "spin": ("spin", on_path("spin")),
    "clang": ("clang", on_path("clang")),
    "libFuzzer": ("libclang-rt-14-dev", have_libfuzzer),
    "PyYAML": ("python3-yaml", lambda: os.path.isdir("/usr/lib/python3/dist-packages/yaml")),  # of Meson's Python
    "cpio": ("cpio", on_path("cpio")),
    "clang 14": ("clang-14", on_path("clang-14")),
    "lld 14": ("lld-14", on_path("ld.lld-14")),
    "llvm 14": ("llvm-14", on_path("llvm-objcopy-14")),
    "dtc": ("device-tree-compiler", on_path("fdtput")),
    "sgdisk": ("gdisk", on_path("sgdisk")),
    "mtools": ("mtools", on_path("mformat")),
    "mkimage": ("u-boot-tools", on_path("mkimage")),
    "U-Boot for QEMU": ("u-boot-qemu", lambda: os.path.exists("/usr/lib/u-boot/qemu-riscv64_smode")),
}

# Of these, a package of another release is unpacked beside the builds (firmware.py).
FIRMWARE = {"HiFive Unleashed firmware": "u-boot-sifive", "U-Boot 2025 for QEMU": "u-boot-qemu"}

BUILD = ["git", "meson 1.0", "ninja 1.10", CROSS_GCC, PICOLIBC,
         "gcc (native)", "libc headers"]
SERVE = BUILD + ["qemu-system-riscv64 7.2"]
GDB = SERVE + ["gdb for RISC-V"]
BENCH = SERVE + ["ip (iproute2)"]
IMAGE = BUILD + ["sgdisk", "mtools", "mkimage"]
MATRIX = IMAGE + ["qemu-system-riscv64 7.2", "clang 14", "lld 14", "llvm 14", "U-Boot for QEMU"]
CHECK = ["clang-format 14", "cppcheck", "git"]
FUZZ = BUILD + ["clang", "libFuzzer", "pkg-config", "cmocka", "libbsd headers"]
TEST = SERVE + ["pkg-config", "cmocka", "libbsd headers"]
# Tests that miss one of these say SKIP, so they are wanted and not needed.
TEST_WANTED = {
    "host": ["clang-format 14", "cppcheck", "cpio", "PyYAML", "sgdisk", "mtools", "mkimage"],
    "fuzz": ["clang", "libFuzzer"],
    "model": ["spin"],
    "system": ["U-Boot for QEMU"],
    "http": ["curl", "wrk", "ip (iproute2)", "chromium"],
    "boards": ["U-Boot for QEMU", "sgdisk", "mtools", "mkimage", "curl", "wrk", "ip (iproute2)", "dtc",
               *FIRMWARE],
    "matrix": ["clang 14", "lld 14", "llvm 14", "U-Boot for QEMU", "sgdisk", "mtools", "mkimage"],
    "heal": ["curl", "ip (iproute2)"],
}


def missing(names):
    return [n for n in names if not (firmware.have(FIRMWARE[n]) if n in FIRMWARE else TOOLS[n][1]())]


def why_no_apt(offline):
    """Why apt cannot be used here, or None."""
    if offline:
        return "--offline"
    if not shutil.which("apt-get"):
        return "this system has no apt"
    if os.geteuid() != 0 and not (shutil.which("sudo") and sys.stdin.isatty()):
        return "not root, and no sudo on a terminal"
    return None


def apt(packages):
    """Installs Debian packages; the lists are fetched once if the first try fails."""
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    install = sudo + ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q",
                      "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"] + packages
    update = sudo + ["apt-get", "update", "-q"]
    result = None
    for command in (install, update, install):
        stdin = None if sudo else subprocess.DEVNULL
        result = subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace")
        if command is install and result.returncode == 0:
            return True
    sys.stderr.write(result.stdout[-2000:])
    return False


def want_firmware(names, offline):
    """Gets it if that is possible; that takes no root."""
    if not names:
        return
    refusal = "--offline"
    if not offline:
        say("fetching from Debian %s: %s" % (firmware.RELEASE, " ".join(FIRMWARE[n] for n in names)))
        refusal = firmware.fetch([FIRMWARE[n] for n in names])
    if refusal:
        say("missing, so some tests will be skipped: %s (%s)" % (", ".join(names), refusal))


def need(names, offline, wanted=()):
    """Makes sure the named tools are there; `wanted` ones are installed if that is possible."""
    lacking = missing(list(names) + [n for n in wanted if n not in names])
    want_firmware([n for n in lacking if n in FIRMWARE], offline)
    lacking = [n for n in lacking if n not in FIRMWARE]
    if not lacking:
        return
    hard = [n for n in lacking if n in names]
    if "CROSS" in os.environ:
        for name in (CROSS_GCC, PICOLIBC):
            if name in hard:
                raise Stop("CROSS=%s: there is no %sgcc%s" % (
                    cross_prefix(), cross_prefix(),
                    " with picolibc (picolibc.specs)" if name == PICOLIBC else ""), TOOL_MISSING)
    refusal = why_no_apt(offline)
    if refusal is None:
        packages = sorted({TOOLS[n][0] for n in lacking})
        say("installing with apt: %s" % " ".join(packages))
        if not apt(packages):
            refusal = "apt failed"
        hard = missing(hard)
        lacking = missing(lacking)
    if hard:
        raise Stop("missing: %s (%s). Tested on %s: apt-get install %s. "
                   "Another cross compiler is named by CROSS=prefix-."
                   % (", ".join(hard), refusal or "still missing after apt", TESTED,
                      " ".join(sorted({TOOLS[n][0] for n in hard}))), TOOL_MISSING)
    if lacking:
        say("missing, so some tests will be skipped: %s (%s)" % (", ".join(lacking), refusal))
