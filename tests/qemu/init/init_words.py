# SPDX-License-Identifier: BSD-2-Clause
"""Init seen from outside: the command line's words, exit status to power-off, bad manifests."""
import os
import sys
import tempfile

from guest import Guest
from tap import Tap

tap = Tap()


def boot(append, files=None):
    """(exit status, console) of one boot to its end."""
    with Guest(tests=True, append=append, files=files) as guest:
        return guest.wait_end(60), guest.console()


def expect(append, good, lines, name, files=None):
    status, console = boot(append, files)
    missing = [line for line in lines if console.count(line) != 1]
    tap.ok((status == 0) == good and not missing, name,
           "exit status %d, not there once: %s\n%s" % (status, missing, console[-2000:]))


expect("manifest=test run=hello", True, ["hello: Hello, world!"],
       "a foreground program that succeeds switches off as a success")
expect("manifest=test run=test-child,exit,3", False, ["init: test-child ended with exit code 3"],
       "one that fails switches off as a failure")
expect("manifest=test run=test-child,fault,null", False, ["init: test-child ended by a fault"],
       "one that faults switches off as a failure")
expect("manifest=test run=no-such-program", False, ["init: cannot start no-such-program: not found"],
       "one that does not exist is named")
expect("manifest=nowhere run=hello", False, ["init: etc/nowhere.manifest: not found"],
       "a manifest that does not exist is named")
expect("manifest=test quiet root=/dev/vda run=hello,a,b", True,
       ['init: command line: "quiet" is unknown', 'init: command line: "root=/dev/vda" is unknown',
        "hello: Hello, a!", "hello: Hello, b!"],
       "unknown words get one line each and do no harm")
expect("manifest=test off=nobody run=hello", True,
       ['init: command line: "nobody" is no program of the manifest'],
       "switching off a program that is not there is told")

with tempfile.TemporaryDirectory() as folder:
    for text, line, name in (
            ("program a\n  color red\n", "etc/bad.manifest:2: unknown key color", "an unknown key"),
            ("program a\n  priority 77\n", "etc/bad.manifest:2: not a priority 77",
             "a wrong number"),
            ("program hello\n", "init: run=hello: it is started anyway",
             "a foreground program that is started anyway")):
        path = os.path.join(folder, "bad.manifest")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        expect("manifest=bad run=hello", False, [line], "refused with one line: " + name,
               {"etc/bad.manifest": path})

for name in ("fs", "net", "sysinfo", "devmgr", "rtc"):
    expect("run=test-child,connect," + name, True, [], "the shipped system offers " + name)
expect("run=test-child,connect,rng", False, ["init: test-child ended with exit code 14"],
       "without an entropy device nobody offers rng: not found")
expect("run=test-child,connect,uart0", False, ["init: test-child ended with exit code 22"],
       "a program that is not listed may not reach a device")

# The shipped manifest with one line more.
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(ROOT, "services/init/manifests/system.manifest"), encoding="utf-8") as source:
        text = source.read().replace("program net\n", "program net\n    off\n")
    path = os.path.join(folder, "system.manifest")
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    expect("run=hello", True,
           ["init: http-server ended with exit code 1; restarting in 20 ms",
            "init: http-server ended with exit code 1; given up after 8 times without a response",
            "hello: Hello, world!"],
           "without the net service http-server is tried some times and given up, everything else lives",
           {"etc/system.manifest": path})

sys.exit(tap.done())
