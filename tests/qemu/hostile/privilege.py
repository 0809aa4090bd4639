# SPDX-License-Identifier: BSD-2-Clause
"""Walks every process of the running system and compares what it holds with what the manifest gives it.

The guest program test-holdings lists all handles of all processes once a page has been served; this
script reads the shipped manifest and says what each process may hold. Anything else is a failure.
"""
import copy
import fnmatch
import os
import sys
import tempfile

from build import ROOT
from guest import Guest
from tap import Tap

JOB, PROCESS, THREAD, ENDPOINT, MEMORY, WAITSET, EVENT, TIMER, INTERRUPT, RESOURCE = range(1, 11)
RAM, DMA, BOOT, DEVICE, SLICE = range(5)
ROOT_RESOURCE, MMIO, IRQ, DMA_GRANT, POWER, LOG, INSPECT = range(7)
READ, WRITE, MANAGE = 1 << 2, 1 << 3, 1 << 7

MANIFEST = os.path.join(ROOT, "services", "init", "manifests", "system.manifest")
WALKER = "\nprogram test-holdings\n    manual\n    handles log console inspect\n    connects net\n"


def read_manifest(text):
    """{program: {key: [words]}}; `console` among the handles is a connection."""
    programs, program = {}, None
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words and words[0] == "program":
            program = programs.setdefault(words[1], {})
        elif words:
            program[words[0]] = words[1:]
    for program in programs.values():
        if "console" in program.get("handles", []):
            program.setdefault("connects", []).append("console")
    return programs


class System:
    def __init__(self, lines):
        self.names, self.jobs, self.holdings = {}, {}, []
        for line in lines:
            words = line.split()
            if words[:1] == ["process"]:
                self.names[int(words[1])] = words[3]
                self.jobs[int(words[1])] = int(words[2])
            elif words[:1] == ["holds"]:
                self.holdings.append(tuple(int(word) for word in words[1:]))

    def holders(self, kind, identity):
        return {h[0] for h in self.holdings if h[1] == kind and h[4] == identity}


class Judge:
    def __init__(self, system, programs):
        self.system, self.programs = system, programs
        self.by_name = {name: identity for identity, name in system.names.items()}

    def is_driver(self, process):
        """Started by devmgr, which holds it."""
        return self.system.names[process] not in self.programs and \
            self.by_name["devmgr"] in self.system.holders(PROCESS, process)

    def has(self, process, key, word):
        return word in self.programs.get(self.system.names[process], {}).get(key, [])

    def offers(self, process):
        if self.is_driver(process):
            return self.programs["devmgr"]["may-offer"]
        return self.programs.get(self.system.names[process], {}).get("offers", [])

    def may_connect(self, client, service):
        wanted = self.programs.get(self.system.names[client], {}).get("connects", [])
        return any(fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch(pattern, name)
                   for name in self.offers(service) for pattern in wanted)

    def are_partners(self, a, b):
        if a == b or self.may_connect(a, b) or self.may_connect(b, a):
            return True
        return {self.system.names[a], self.system.names[b]} & {"devmgr"} != set() and \
            (self.is_driver(a) or self.is_driver(b))

    def is_due(self, process, kind, rights, detail, identity):
        """True if the manifest gives a process this, or makes it possible."""
        name, init = self.system.names[process], self.by_name["init"]
        driver, devmgr = self.is_driver(process), name == "devmgr"
        others = self.system.holders(kind, identity) - {process, init}
        if kind in (JOB, PROCESS):
            own = self.system.jobs[process] if kind == JOB else process
            of_drivers = {self.system.jobs[p] if kind == JOB else p
                          for p in self.system.names if self.is_driver(p)}
            return identity == own or (devmgr and identity in of_drivers)
        if kind == ENDPOINT:
            peers = self.system.holders(ENDPOINT, identity ^ 1)
            return all(p == init or self.are_partners(process, p) for p in peers | others)
        if kind in (WAITSET, TIMER):
            return not others
        if kind == EVENT:
            return all(self.are_partners(process, p) for p in others)
        if kind == INTERRUPT:
            return driver and not others
        if kind == MEMORY:
            return self.is_memory_due(process, rights, detail, identity, others)
        if kind == RESOURCE:
            wanted = {LOG: ["log", "log-reader"], INSPECT: ["inspect"], ROOT_RESOURCE: ["devices"]}
            if detail == LOG and not rights & (READ | MANAGE) and driver:
                return True
            if detail == LOG and rights & (READ | MANAGE):
                return self.has(process, "handles", "log-reader")
            if detail in (MMIO, IRQ, DMA_GRANT):
                return driver or devmgr
            return any(self.has(process, "handles", word) for word in wanted.get(detail, []))
        return False

    def is_memory_due(self, process, rights, detail, identity, others):
        with_init = self.by_name["init"] in self.system.holders(MEMORY, identity)
        if detail == BOOT:
            return self.has(process, "handles", "bootfs") and not rights & WRITE
        if detail == SLICE:
            return not rights & WRITE and (self.has(process, "offers", "fs") or
                                           self.has(process, "connects", "fs"))
        if detail in (DMA, DEVICE):
            return self.is_driver(process) or \
                (detail == DMA and self.system.names[process] == "devmgr")
        if with_init: # the device tree
            return self.has(process, "handles", "dtb") and not rights & WRITE
        return all(self.are_partners(process, p) for p in others)

    def violations(self):
        init = self.by_name["init"]
        return ["%s holds type %d, rights %#x, kind %d, object %d" % ((self.system.names[h[0]],) + h[1:])
                for h in self.system.holdings if h[0] != init and not self.is_due(*h)]


tap = Tap()
with open(MANIFEST, encoding="utf-8") as f:
    text = f.read() + WALKER
with tempfile.NamedTemporaryFile("w", suffix=".manifest") as manifest:
    manifest.write(text)
    manifest.flush()
    with Guest(net="user", tests=True, append="manifest=walk run=test-holdings",
               files={"etc/walk.manifest": manifest.name}) as guest:
        guest.wait_for("test-holdings: all of it")
        tag = "test-holdings: "
        lines = [line[len(tag):] for line in guest.console().splitlines() if line.startswith(tag)]
tap.equal(lines[-1], "all of it, 0", "the walker served a page and told what is held")
system, programs = System(lines), read_manifest(text)
running = {"init", "devmgr", "console", "fs", "net", "sysinfo", "http-server"}
tap.ok(running <= set(system.names.values()), "every service is among them", str(system.names))
judge = Judge(system, programs)
drivers = sorted(system.names[p] for p in system.names if judge.is_driver(p))
tap.ok(set(system.names.values()) - set(programs) - {"init"} == set(drivers) and drivers,
       "what is not in the manifest is a driver that devmgr started", str(system.names))
found = judge.violations()
tap.ok(not found, "no process holds anything but what the manifest lists", "\n".join(found))

# A judge that never finds anything would be of no use.
for program, key, word in (("fs", "handles", "bootfs"), ("console", "handles", "log-reader"),
                           ("net", "handles", "dtb"), ("sysinfo", "handles", "inspect"),
                           ("devmgr", "handles", "devices"), ("http-server", "connects", "fs"),
                           ("console", "connects", "uart0"), ("http-server", "connects", "net")):
    less = copy.deepcopy(programs)
    less[program][key].remove(word)
    tap.ok(Judge(system, less).violations(), "it finds what %s would hold without %s among its %s" % (program, word, key))
for kind, detail, rights in ((INTERRUPT, 0, 0), (MEMORY, DEVICE, 0), (MEMORY, DMA, 0),
                             (MEMORY, BOOT, READ), (RESOURCE, POWER, 0), (RESOURCE, LOG, READ),
                             (PROCESS, 0, 0), (THREAD, 0, 0)):
    more = copy.deepcopy(system)
    more.holdings.append((judge.by_name["http-server"], kind, rights, detail, 6))
    tap.ok(Judge(more, programs).violations(), "it finds an object of type %d, kind %d" % (kind, detail))
sys.exit(tap.done())
