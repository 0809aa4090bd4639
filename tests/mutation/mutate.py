# SPDX-License-Identifier: BSD-2-Clause
"""Breaks the kernel in the ways of mutations.txt, one at a time; tests must fail for each of them.

usage: mutate.py rotate COUNT     COUNT of those that host tests find, others with each commit
       mutate.py part N OF M      the Nth of M parts of all: host tests first, guest suites for what is still alive
       mutate.py NAME...          these

On the host a mutant is one object file, linked in front of the kernel's library into the test programs of build-host:
those that boot the kernel, and last the one that explores interleavings, whose kernel is compiled in another way.
In the guest it is a kernel of its own, built in a copy of the sources.
"""
import concurrent.futures
import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading

from common import ROOT
from tap import Tap

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("SKERRY_BUILD", os.path.join(ROOT, "build-host"))
# The test programs that boot the kernel, the likeliest to fail first.
PROGRAMS = ["handle", "call", "waitset", "collect", "failures", "errors", "fuzz-syscalls", "job", "space", "page", "deadline", "ways", "wait", "turn", "lock",
            "interleave"]
ARGUMENTS = {"interleave": ["400"]}
FOLDERS = {"interleave": "tests/host/interleave"}
LIBRARIES = {"interleave": "tests/host/kernel/libkernel-tsan.a"}
LIBRARY = "libkernel-host.a"
TEST_SECONDS = 60
GUEST_TREE = os.path.join(ROOT, "build-run", "mutants")
GUEST_SUITES = ["kernel", "ipc"]
HEAD = re.compile(r"^mutation (\S+) (host|guest) (\S+)$")
in_turn = threading.Lock()


class Mutation:
    def __init__(self, name, tier, path):
        self.name, self.tier, self.path = name, tier, path
        self.what = self.search = self.replace = ""

    def apply(self):
        """The file's text with the mutation in it; ValueError if it is not found exactly once."""
        with open(os.path.join(ROOT, self.path), encoding="utf-8") as f:
            text = f.read()
        pattern = r"\s+".join(re.escape(word) for word in self.search.split())
        found = list(re.finditer(pattern, text))
        if len(found) != 1:
            raise ValueError("%s: found %d times in %s: %s" % (self.name, len(found), self.path, self.search))
        return text[:found[0].start()] + self.replace + text[found[0].end():]


def read_mutations():
    mutations = []
    with open(os.path.join(HERE, "mutations.txt"), encoding="utf-8") as f:
        for line in f:
            head = HEAD.match(line)
            if head:
                mutations.append(Mutation(*head.groups()))
            elif line.startswith("<<<"):
                mutations[-1].search = line[3:].strip()
            elif line.startswith(">>>"):
                mutations[-1].replace = line[3:].strip()
            elif line.strip() and mutations:
                mutations[-1].what = line.strip()
    return mutations


class Host:
    """Mutants in the test programs of build-host."""

    def __init__(self):
        with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as f:
            commands = json.load(f)
        self.compile = {}
        for c in commands:
            library, _, _ = c["output"].partition(".p/")
            source = os.path.relpath(os.path.join(BUILD, c["file"]), ROOT)
            self.compile[library, source] = (shlex.split(c["command"]), c["output"])
        self.programs = [p for p in PROGRAMS if os.path.exists(os.path.join(BUILD, self.program(p)))]
        self.link = {}

    @staticmethod
    def program(name):
        return "%s/test-%s" % (FOLDERS.get(name, "tests/runs"), name)

    def link_command(self, name):
        with in_turn:
            if name not in self.link:
                shown = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", self.program(name)],
                                       capture_output=True, text=True, check=True).stdout
                self.link[name] = shlex.split(shown.strip().splitlines()[-1])
            return list(self.link[name])

    def build_object(self, library, path, text, folder):
        """Compiles `text` as the file at `path`, as the library has it; None or the compiler's messages."""
        command, output = self.compile[library, path]
        source = os.path.join(folder, os.path.basename(path))
        with open(source, "w", encoding="utf-8") as f:
            f.write(text)
        command = [source if a.endswith(path) else os.path.join(folder, "mutant.o") if a == output else
                   os.path.join(folder, "mutant.d") if a == output + ".d" else a for a in command]
        done = subprocess.run(command + ["-w"], cwd=BUILD, capture_output=True, text=True)
        return None if done.returncode == 0 else done.stderr

    def run_program(self, name, folder):
        """(verdict, output): 'passed', 'failed' or 'broken', which is not the mutant's doing."""
        command = self.link_command(name)
        program = os.path.join(folder, "test-" + name)
        command[command.index("-o") + 1] = program
        command.insert(command.index("-o") + 2, os.path.join(folder, "mutant.o"))
        done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True)
        if done.returncode != 0:
            return "broken", done.stderr
        try:
            done = subprocess.run([program] + ARGUMENTS.get(name, []), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=TEST_SECONDS, env=dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP"))
        except subprocess.TimeoutExpired:
            return "failed", "hangs"
        finally:
            os.unlink(program)
        return ("passed" if done.returncode == 0 else "failed"), done.stdout.decode("utf-8", "replace")

    def first_red(self, path, text, programs):
        """(name of the test that fails or None, why it could not be tried or None)."""
        with tempfile.TemporaryDirectory() as folder:
            built = None
            for name in programs:
                library = LIBRARIES.get(name, LIBRARY)
                if library != built:
                    messages = self.build_object(library, path, text, folder)
                    if messages is not None:
                        return None, "it does not compile:\n" + messages
                    built = library
                verdict, output = self.run_program(name, folder)
                if verdict == "broken":
                    return None, "test-%s does not link:\n%s" % (name, output)
                if verdict == "failed":
                    return name, None
        return None, None

    def sound(self):
        """None, or why the machinery cannot be trusted: unbroken files must pass everything."""
        paths = sorted({m.path for m in read_mutations()})
        with open(os.path.join(ROOT, paths[0]), encoding="utf-8") as f:
            red, why = self.first_red(paths[0], f.read(), self.programs)
        return why or (red and "test-%s fails without any mutation" % red)


class Guest:
    """A copy of the sources with a build directory of its own."""

    def __init__(self):
        os.makedirs(GUEST_TREE, exist_ok=True)
        self.lock = os.open(GUEST_TREE, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.source = os.path.join(GUEST_TREE, "skerry")
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in names.decode().split("\0"):
            if name and os.path.isfile(os.path.join(ROOT, name)):
                self.put(name, open(os.path.join(ROOT, name), "rb").read())
        shutil.copytree(os.path.join(ROOT, "subprojects"), os.path.join(self.source, "subprojects"),
                        dirs_exist_ok=True)
        if not os.path.exists(os.path.join(self.source, ".git")):
            subprocess.run(["git", "init", "-q"], cwd=self.source, check=True)

    def put(self, name, data):
        """Written only if it differs, so that only what depends on it is built again."""
        path = os.path.join(self.source, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.exists(path) or open(path, "rb").read() != data:
            with open(path, "wb") as f:
                f.write(data)
            shutil.copymode(os.path.join(ROOT, name), path)

    def first_red(self, mutation):
        self.put(mutation.path, mutation.apply().encode())
        try:
            built = subprocess.run(["./run", "build", "--offline"], cwd=self.source, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
            if built.returncode != 0:
                return None, "the guest does not build:\n" + built.stdout
            command = ["meson", "test", "-C", "build", "--no-rebuild", "--maxfail", "1"]
            for suite in GUEST_SUITES:
                command += ["--suite", suite]
            done = subprocess.run(command, cwd=self.source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, errors="replace")
            failed = re.search(r"/ (\S+)\s+(FAIL|TIMEOUT|ERROR)", done.stdout)
            return (failed[1] if failed else "a guest suite" if done.returncode else None), None
        finally:
            self.put(mutation.path, open(os.path.join(ROOT, mutation.path), "rb").read())


def in_rotation(mutations, count):
    """So many of them, others with each commit."""
    shown = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    start = int(shown.strip() or 0) * count
    return [mutations[(start + i) % len(mutations)] for i in range(min(count, len(mutations)))]


def choose(mutations, words):
    if words[:1] == ["rotate"]:
        return in_rotation([m for m in mutations if m.tier == "host"], int(words[1]))
    if words[:1] == ["part"]:
        return mutations[int(words[1]) - 1::int(words[3])]
    return [m for m in mutations if m.name in words]


def main(words):
    tap = Tap()
    mutations = read_mutations()
    lost = []
    for mutation in mutations:
        try:
            mutation.apply()
        except ValueError as error:
            lost.append(str(error))
    tap.ok(not lost, "each of the %d mutations still finds its place" % len(mutations), "\n".join(lost))
    chosen = [m for m in choose(mutations, words) if not any(l.startswith(m.name + ":") for l in lost)]
    host, guest = Host(), None
    why = host.sound()
    if not tap.ok(not why, "%d test programs pass with a kernel that is not broken" % len(host.programs), why):
        return tap.done()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        tried = [pool.submit(host.first_red, m.path, m.apply(), host.programs) for m in chosen]
        results = [job.result() for job in tried]
    for mutation, (red, why) in zip(chosen, results):
        if not red and not why and words[0] != "rotate":
            guest = guest or Guest()
            red, why = guest.first_red(mutation)
        tap.ok(red, "%s: %s%s" % (mutation.name, mutation.what, " Found by " + red if red else ""), why or "all tests pass")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
