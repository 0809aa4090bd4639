# SPDX-License-Identifier: BSD-2-Clause
"""Makes and repairs the build directories.

The lock is flock on the project's folder itself: exclusive while a build changes files,
shared while somebody copies what was built. So two ./run never see a half-written Image.
"""
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading

from common import ROOT, Stop, say
from packages import cross_prefix

GUEST, HOST, RUNS, MATRIX = "build", "build-host", "build-run", "build-matrix"
COVERAGE, FUZZ, FIRMWARE = "build-coverage", "build-fuzz", "build-firmware"
CROSS_FILE = "cross-riscv64.txt"
SETUP = {  # build directory: how Meson sets it up; tools/run/matrix.py adds its rows
    GUEST: ["--cross-file", CROSS_FILE],
    HOST: ["-Db_sanitize=address,undefined", "-Db_lundef=false",
           "--force-fallback-for=lwip,llhttp,libfdt"],
    COVERAGE: ["-Db_coverage=true", "-Db_lundef=false", "--force-fallback-for=lwip,llhttp,libfdt"],
    FUZZ: ["-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false",
           "-Dc_args=-fsanitize=fuzzer-no-link", "--force-fallback-for=lwip,llhttp,libfdt"],
}
TOOLCHAIN_FILE = "toolchain.txt"


def path(*parts):
    return os.path.join(ROOT, *parts)


@contextlib.contextmanager
def locked(exclusive, where=ROOT):
    fd = os.open(where, os.O_RDONLY | os.O_DIRECTORY)
    try:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if exclusive:
                say("waiting for another ./run that is building")
            fcntl.flock(fd, kind)
        yield
    finally:
        os.close(fd)


def has_toolchain_file(name):
    """CROSS chooses the compiler of the builds that the GCC cross file describes."""
    return CROSS_FILE in SETUP[name]


def toolchain_text():
    return "[constants]\ncross = '%s'\n" % cross_prefix()


def why_stale(name):
    """Why an existing build directory cannot be used as it is, or None."""
    folder = path(name)
    if not os.path.exists(os.path.join(folder, "build.ninja")):
        return "is incomplete"
    try:
        with open(os.path.join(folder, "meson-info", "meson-info.json")) as f:
            info = json.load(f)
        made_for = info["directories"]["source"]
        made_by = info["meson_version"]["full"]
    except (OSError, ValueError, KeyError):
        return "is damaged"
    if os.path.realpath(made_for) != os.path.realpath(ROOT):
        return "was made for another source folder"
    version = subprocess.run(["meson", "--version"], capture_output=True, text=True).stdout.strip()
    if version != made_by:
        return "was made by Meson %s (this is %s)" % (made_by, version)
    if has_toolchain_file(name):
        try:
            with open(os.path.join(folder, TOOLCHAIN_FILE)) as f:
                before = f.read()
        except OSError:
            before = toolchain_text() if "CROSS" not in os.environ else ""
        if before != toolchain_text():
            return "was made with another toolchain"
    return None


def run_quietly(command, announcement):
    """Runs a tool, announced if it takes longer than a moment. Returns (ok, output)."""
    announce = threading.Timer(1.5, say, [announcement])
    announce.start()
    try:
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace")
    finally:
        announce.cancel()
    return done.returncode == 0, done.stdout


def show_errors(output, mark):
    """A tool's output from shortly before its first complaint."""
    lines = output.splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if mark in line), 0)
    sys.stderr.writelines(lines[max(0, first - 2):])


def fetch_sources(offline):
    """The libraries' sources, in subprojects/."""
    command = [sys.executable, "-B", path("tools", "fetch_sources.py")]
    if subprocess.call(command + (["--offline"] if offline else []), stdout=sys.stderr) != 0:
        raise Stop("the libraries' sources could not be had")


def setup(name):
    folder = path(name)
    os.makedirs(folder, exist_ok=True)
    command = ["meson", "setup", name, "--wrap-mode=nodownload"] + SETUP[name]
    if os.environ.get("CI"):
        command += ["--werror"]
    if has_toolchain_file(name):
        with open(os.path.join(folder, TOOLCHAIN_FILE), "w") as f:
            f.write(toolchain_text())
        command += ["--cross-file", os.path.join(name, TOOLCHAIN_FILE)]
    ok, output = run_quietly(command, "setting up %s/" % name)
    if not ok:
        shutil.rmtree(folder, ignore_errors=True)
        show_errors(output, "ERROR:")
        raise Stop("Meson could not set up %s/ (its messages are above)" % name)


def ninja(name, targets):
    return run_quietly(["ninja", "-C", name] + list(targets), "building %s/" % name)


def make(name, targets=()):
    """Brings one build directory up to date (all of it without targets). The caller holds the exclusive lock."""
    if os.path.exists(path(name)):
        reason = why_stale(name)
        if reason:
            say("%s/ %s: making it anew" % (name, reason))
            shutil.rmtree(path(name))
    if not os.path.exists(path(name)):
        setup(name)
    ok, output = ninja(name, targets)
    if not ok and ("FAILED:" not in output or "FAILED: build.ninja" in output):
        # Not a compiler's complaint, so the build directory itself may be at fault.
        say("%s/ is out of step with the sources: making it anew" % name)
        shutil.rmtree(path(name))
        setup(name)
        ok, output = ninja(name, targets)
    if not ok:
        show_errors(output, "FAILED:")
        raise Stop("the build failed (its messages are above)")


def build(offline=False, names=(GUEST,)):
    with locked(exclusive=True):
        fetch_sources(offline)
        for name in names:
            make(name)
    for name in ("Image", "bootfs.cpio") if GUEST in names else ():
        if not os.path.exists(path(GUEST, name)):
            raise Stop("the build made no %s/%s" % (GUEST, name))


@contextlib.contextmanager
def private_folder():
    """A folder for one run; ./run clean finds what a killed one left behind. Where they are stays: others may make theirs."""
    os.makedirs(path(RUNS), exist_ok=True)
    folder = tempfile.mkdtemp(dir=path(RUNS))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_boot_files(top, archive, folder):
    """A private copy of (Image, boot archive), so that a later build cannot touch them."""
    with locked(exclusive=False):
        return [shutil.copy(os.path.join(top, name), folder) for name in ("Image", archive)]


def clean():
    """Removes what ./run made outside git."""
    names = [n for n in (GUEST, HOST, COVERAGE, FUZZ, RUNS, MATRIX, FIRMWARE) if os.path.isdir(path(n))]
    sources = path("subprojects")
    names += [os.path.join("subprojects", n) for n in os.listdir(sources)
              if n != "packagefiles" and os.path.isdir(os.path.join(sources, n))]
    with locked(exclusive=True):
        for name in names:
            shutil.rmtree(path(name))
        for folder, dirs, _ in os.walk(ROOT):
            dirs[:] = [d for d in dirs if d != ".git"]
            if "__pycache__" in dirs:
                shutil.rmtree(os.path.join(folder, "__pycache__"))
                dirs.remove("__pycache__")
    say("removed: %s" % (", ".join(n + "/" for n in sorted(names)) or "nothing was there"))
