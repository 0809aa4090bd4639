# SPDX-License-Identifier: BSD-2-Clause
"""./run fuzz TARGET: libFuzzer over one of tests/fuzz, guided by coverage.

As a script, a test: fuzz.py TARGET SECONDS, or fuzz.py all SECONDS.

What it learns is kept in build-fuzz/corpus/TARGET, so that the next run goes on from there; an input that
breaks something is left in build-fuzz/found. With --keep the inputs that are needed to reach all that was reached go
into tests/fuzz/seeds/TARGET.corpus: each behind its length in two bytes, as tests/fuzz/driver.c reads them.
"""
import concurrent.futures
import hashlib
import os
import re
import subprocess
import sys
import tempfile

import build
import packages
from common import FAILED, ROOT, Stop, USAGE, say

TARGETS = os.path.join("tests", "fuzz")
ONE_INPUT_SECONDS = 10
CORPUS_BYTES = 32 * 1024  # of what is kept: driver.c feeds all of it in each run of the tests
MEMORY_MIB = 2048
PER_CORE = 3  # of all targets at once: the run takes a third as long, and a core has always something to do


def targets():
    names = [re.fullmatch(r"fuzz_(\w+)\.c", n) for n in os.listdir(build.path(TARGETS))]
    return sorted(m[1] for m in names if m)


def seeds_of(target):
    """The files that the target's test gets as arguments (tests/fuzz/meson.build)."""
    with open(build.path(TARGETS, "meson.build"), encoding="utf-8") as f:
        text = f.read()
    entry = re.search(r"\{'name': '%s',.*?'args': \[(.*?)\]" % target, text, re.DOTALL)
    found = re.findall(r"(?:(seeds|trees|meson\.project_source_root\(\)) / )'([^']+)'", entry[1] if entry else "")
    folders = {"seeds": os.path.join(TARGETS, "seeds"), "trees": os.path.join("tests", "data", "dtb")}
    return [build.path(folders.get(folder, ""), name) for folder, name in found]


def corpus_of(target):
    return build.path(TARGETS, "seeds", target + ".corpus")


def unpack(packed, folder):
    with open(packed, "rb") as f:
        data = f.read()
    at = 0
    while at + 2 <= len(data):
        length = int.from_bytes(data[at:at + 2], "little")
        one = data[at + 2:at + 2 + length]
        with open(os.path.join(folder, hashlib.sha1(one).hexdigest()), "wb") as f:
            f.write(one)
        at += 2 + length


def keep(target, program, corpus):
    """Packs the smallest of the corpus' inputs that together reach every edge that it reaches."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "-merge=1", "-use_counters=0", folder, corpus], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        inputs = []
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as f:
                inputs.append(f.read())
    packed, left_out = b"", 0
    for one in sorted(inputs, key=lambda i: (len(i), i)):
        if len(packed) + 2 + len(one) > CORPUS_BYTES:
            left_out += 1
            continue
        packed += len(one).to_bytes(2, "little") + one
    with open(corpus_of(target), "wb") as f:
        f.write(packed)
    say("kept %d inputs, %d bytes; %d more had no room" % (len(inputs) - left_out, len(packed), left_out))


def program_of(target):
    return build.path(build.FUZZ, "tests", "fuzz", "fuzz-" + target)


def make(names):
    """Builds the targets with clang, in build-fuzz."""
    os.environ.setdefault("CC", "clang")
    with build.locked(exclusive=True):
        if not os.path.exists(build.path(build.FUZZ, "build.ninja")):
            build.setup(build.FUZZ)
        programs = [os.path.relpath(program_of(name), build.path(build.FUZZ)) for name in names]
        ok, output = build.run_quietly(["ninja", "-C", build.FUZZ] + programs, "building %s/" % build.FUZZ)
        if not ok:
            build.show_errors(output, "FAILED:")
            raise Stop("the build failed (its messages are above)")


def fuzz(target, seconds, output=None, wants_kept=False):
    """Runs it, which has been built; true if nothing broke."""
    program = program_of(target)
    corpus, found = build.path(build.FUZZ, "corpus", target), build.path(build.FUZZ, "found")
    for folder in (corpus, found):
        os.makedirs(folder, exist_ok=True)
    for seed in seeds_of(target):
        copy = os.path.join(corpus, os.path.basename(seed))
        if not os.path.exists(copy):
            with open(seed, "rb") as f, open(copy, "wb") as g:
                g.write(f.read())
    if os.path.exists(corpus_of(target)):
        unpack(corpus_of(target), corpus)
    command = [program, "-max_total_time=%d" % seconds, "-timeout=%d" % ONE_INPUT_SECONDS,
               "-rss_limit_mb=%d" % MEMORY_MIB, "-print_final_stats=1", "-verbosity=1",
               "-artifact_prefix=%s/%s-" % (found, target), corpus]
    good = subprocess.run(command, cwd=ROOT, stdout=output, stderr=output).returncode == 0
    if good and wants_kept:
        keep(target, program, corpus)
    return good


def main(options):
    packages.need(packages.FUZZ, options.offline)
    names = targets()
    if options.target not in names:
        raise Stop("no target '%s' (there are %s)" % (options.target, ", ".join(names)), USAGE)
    build.fetch_sources(options.offline)
    make([options.target])
    if not fuzz(options.target, options.seconds, wants_kept=options.keep):
        say("broken by an input in %s/found/" % build.FUZZ)
        return FAILED
    return 0


def fuzz_quietly(target, seconds):
    """(nothing broke, how many inputs there were, the last of what it said)."""
    with tempfile.TemporaryFile("w+") as output:
        good = fuzz(target, seconds, output)
        output.seek(0)
        text = output.read()
    runs = re.search(r"stat::number_of_executed_units: (\d+)", text)
    at = max(text.find("ERROR: "), 0)  # what the target itself says comes just before
    return good, runs[1] if runs else "?", text[max(at - 500, 0):at + 2500]


def as_test(what, seconds):
    from tap import Tap
    tap = Tap()
    if packages.missing(packages.FUZZ):
        tap.skip("libFuzzer: " + what, "no clang or no libFuzzer")
        return tap.done()
    names = targets() if what == "all" else [what]
    make(names)
    with concurrent.futures.ThreadPoolExecutor(PER_CORE * os.cpu_count()) as pool:
        for name, (good, runs, text) in zip(names, pool.map(fuzz_quietly, names, [seconds] * len(names))):
            tap.ok(good, "libFuzzer over %s for %d s: %s inputs" % (name, seconds, runs), text)
    return tap.done()


if __name__ == "__main__":
    sys.exit(as_test(sys.argv[1], int(sys.argv[2])))
