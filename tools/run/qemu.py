# SPDX-License-Identifier: BSD-2-Clause
"""QEMU: its command line and its process, which never outlives ours."""
import ctypes
import os
import shlex
import signal
import socket
import subprocess
import uuid

from board import Board, DEFAULT
from common import Stop, USAGE

PR_SET_PDEATHSIG = 1
DISK = "-drive file=%s,format=raw,if=none,id=disk -device virtio-blk-device,drive=disk"
LIBC = ctypes.CDLL(None, use_errno=True)


def command(image, bootfs, smp=1, mem="128M", net="none", port=None, append="", extra="",
            board=DEFAULT):
    """The command for one guest; bootfs None: a boot loader finds it.

    net: 'user' (forwards port to 80), 'none', 'tap:IFNAME', or QEMU's words for a backend."""
    machine = Board(board)
    args = ["qemu-system-riscv64", "-M", machine.machine,
            "-smp", str(smp + machine.harts_extra), "-m", machine.memory(str(mem)),
            "-nodefaults", "-display", "none", "-no-reboot", "-bios", "default",
            "-chardev", "stdio,id=console,signal=off"]
    args += ["-serial", "null"] * machine.console + ["-serial", "chardev:console", "-kernel", image]
    if machine.tree:
        args += ["-dtb", machine.tree]
    if bootfs:
        args += ["-initrd", bootfs]
    if append:
        args += ["-append", append]
    if net == "user":
        forward = ",hostfwd=tcp:127.0.0.1:%d-:80" % port if port else ""
        args += machine.nic_words("user" + forward)
    elif net.startswith("tap:"):
        args += machine.nic_words("tap,ifname=%s,script=no,downscript=no" % net[4:])
    elif net != "none":
        args += machine.nic_words(net)
    try:
        return args + coverage_words() + shlex.split(extra)
    except ValueError as error:
        raise Stop("--qemu: %s" % error, USAGE)


def coverage_words():
    """./run test --coverage says in the environment where each guest leaves what it ran of the kernel (coverage.py)."""
    plugin, folder = os.environ.get("SKERRY_COVERAGE_PLUGIN"), os.environ.get("SKERRY_COVERAGE")
    if not plugin:
        return []
    return ["-plugin", "%s,out=%s" % (plugin, os.path.join(folder, uuid.uuid4().hex))]


def die_with_parent():
    """Runs in the child: the kernel kills it when ./run is gone, however that ended."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def start(args, **kwargs):
    """Starts QEMU in its own session, so that Ctrl-C reaches ./run only."""
    kwargs.setdefault("stdin", subprocess.PIPE)
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen(args, start_new_session=True, preexec_fn=die_with_parent, **kwargs)


def stop(process):
    """Ends QEMU: asked once, then killed."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            try:
                stream.close()
            except OSError:
                pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def check_port(port):
    """One clear line for a port that cannot be had."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except PermissionError:
            raise Stop("port %d: only root may use it; choose another with --port N" % port, USAGE)
        except OSError:
            raise Stop("port %d is taken; choose another with --port N" % port, USAGE)


def check_tap(name):
    """The interface must exist and be a tap; making one is the user's business."""
    try:
        socket.if_nametoindex(name)
    except OSError:
        raise Stop("--net tap:%s: there is no such interface "
                   "(ip tuntap add %s mode tap)" % (name, name or "NAME"), USAGE)
    # /sys may show another network namespace than ours; then QEMU is the one to complain.
    device = os.path.join("/sys/class/net", name)
    if os.path.exists(device) and not os.path.exists(os.path.join(device, "tun_flags")):
        raise Stop("--net tap:%s: the interface is not a tap" % name, USAGE)
