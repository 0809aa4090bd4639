# SPDX-License-Identifier: BSD-2-Clause
"""Without a network card: the server serves over loopback, a client in the guest gets the bodies;
and with the net service switched off the server says so and ends, everything else lives."""
import json
import os
import sys
import tempfile

from build import ROOT
from guest import Guest
from tap import Tap

WWW = os.path.join(ROOT, "userland", "apps", "http-server", "www")
tap = Tap()


def client_output(guest):
    """What http-client printed. The console cuts long lines, so line ends are dropped."""
    tag = "http-client: "
    return "".join(line[len(tag):] for line in guest.console().splitlines() if line.startswith(tag))


def fetch(path, append="", files=None):
    """Boots, fetches one path over loopback in the guest: (exit status, output, console)."""
    with Guest(append="%s run=http-client,http://127.0.0.1%s" % (append, path), files=files) as guest:
        status = guest.wait_end()
        return status, client_output(guest), guest.console()


def without_ends(text):
    return text.replace("\n", "")


status, output, console = fetch("/")
with open(os.path.join(WWW, "index.html"), encoding="utf-8") as page:
    tap.ok(output == without_ends(page.read()), "the page comes over loopback as it is", output[-500:])
tap.equal(status, 0, "a complete 200 is exit code 0, and the guest powers off with it")

status, output, console = fetch("/no-such-page")
tap.ok(status != 0, "a 404 is a failing exit code")
tap.ok("status 404" in output, "and it is named", output)

status, output, console = fetch("/status.json")
tap.equal(status, 0, "the state of the system comes over loopback")
state = json.loads(output)
tap.equal(state["schema"], 1, "it is of schema 1")
up = {s["service"] for s in state["services"] if s["state"] == "up"}
tap.ok({"fs", "net", "sysinfo"} <= up, "the services are up", str(up))

def without(program):
    """A manifest in which one program is switched off, as an open file."""
    manifest = tempfile.NamedTemporaryFile("w", suffix=".manifest")
    with open(os.path.join(ROOT, "services", "init", "manifests", "system.manifest"),
              encoding="utf-8") as system:
        manifest.write(system.read().replace("program %s\n" % program,
                                             "program %s\n    off\n" % program))
    manifest.flush()
    return manifest


with without("sysinfo") as manifest:
    status, output, console = fetch("/status.json", "manifest=off", {"etc/off.manifest": manifest.name})
tap.ok(status != 0 and "status 503" in output, "without sysinfo /status.json is 503", console)

with without("net") as manifest:
    with Guest(append="manifest=off run=hello", files={"etc/off.manifest": manifest.name}) as guest:
        status = guest.wait_end()
        console = guest.console()
tap.ok('http-server: cannot connect to service "net": service down' in console,
       "without the net service http-server says what is missing", console)
tap.ok("http-server ended with exit code 1" in console, "and ends with code 1", console)
tap.ok("hello: Hello, world!" in console and status == 0, "everything else lives", console)
sys.exit(tap.done())
