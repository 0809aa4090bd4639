# SPDX-License-Identifier: BSD-2-Clause
"""./run fuzz TARGET: libFuzzer over one of tests/fuzz, guided by coverage. As a script, fuzz.py TARGET SECONDS: a test.

What it learns is kept in build-fuzz/corpus/TARGET, so that the next run goes on from there; an input that
breaks something is left in build-fuzz/found. A small corpus worth keeping goes into tests/fuzz/seeds.
"""
import os
import re
import subprocess
import sys

import build
import packages
from common import FAILED, ROOT, Stop, USAGE, say

TARGETS = os.path.join("tests", "fuzz")
ONE_INPUT_SECONDS = 10
MEMORY_MIB = 2048


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


def make(target):
    """Builds the target with clang, in build-fuzz."""
    os.environ.setdefault("CC", "clang")
    with build.locked(exclusive=True):
        if not os.path.exists(build.path(build.FUZZ, "build.ninja")):
            build.setup(build.FUZZ)
        program = os.path.join("tests", "fuzz", "fuzz-" + target)
        ok, output = build.run_quietly(["ninja", "-C", build.FUZZ, program], "building %s/" % build.FUZZ)
        if not ok:
            build.show_errors(output, "FAILED:")
            raise Stop("the build failed (its messages are above)")
    return build.path(build.FUZZ, program)


def fuzz(target, seconds, output=None):
    """Runs it; true if nothing broke."""
    program = make(target)
    corpus, found = build.path(build.FUZZ, "corpus", target), build.path(build.FUZZ, "found")
    for folder in (corpus, found):
        os.makedirs(folder, exist_ok=True)
    for seed in seeds_of(target):
        copy = os.path.join(corpus, os.path.basename(seed))
        if not os.path.exists(copy):
            with open(seed, "rb") as f, open(copy, "wb") as g:
                g.write(f.read())
    command = [program, "-max_total_time=%d" % seconds, "-timeout=%d" % ONE_INPUT_SECONDS,
               "-rss_limit_mb=%d" % MEMORY_MIB, "-print_final_stats=1", "-verbosity=1",
               "-artifact_prefix=%s/%s-" % (found, target), corpus]
    return subprocess.run(command, cwd=ROOT, stdout=output, stderr=output).returncode == 0


def main(options):
    packages.need(packages.FUZZ, options.offline)
    names = targets()
    if options.target not in names:
        raise Stop("no target '%s' (there are %s)" % (options.target, ", ".join(names)), USAGE)
    build.fetch_sources(options.offline)
    if not fuzz(options.target, options.seconds):
        say("broken by an input in %s/found/" % build.FUZZ)
        return FAILED
    return 0


def as_test(target, seconds):
    import tempfile
    from tap import Tap
    tap = Tap()
    if packages.missing(packages.FUZZ):
        tap.skip("libFuzzer over " + target, "no clang with libFuzzer")
        return tap.done()
    with tempfile.TemporaryFile("w+") as output:
        good = fuzz(target, seconds, output)
        output.seek(0)
        text = output.read()
    runs = re.search(r"stat::number_of_executed_units: (\d+)", text)
    tap.ok(good, "libFuzzer over %s for %d s: %s inputs" % (target, seconds, runs[1] if runs else "?"), text[-3000:])
    return tap.done()


if __name__ == "__main__":
    sys.exit(as_test(sys.argv[1], int(sys.argv[2])))
