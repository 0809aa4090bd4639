# SPDX-License-Identifier: BSD-2-Clause
""".github/workflows/ci.yml against what it calls: its rows are those of ./run matrix, its commands are accepted, its
artefacts are where they are made. It cannot be run here as GitHub runs it."""
import importlib.util
import os
import re
import shlex
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tools", "run")]

import matrix
import packages
import suites
import tap

WORKFLOW = os.path.join(TOP, ".github", "workflows", "ci.yml")
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
PRESENT = ("apt-get", "git")  # of the container, or what its first step installs
T = tap.Tap()


def front_door():
    spec = importlib.util.spec_from_file_location("front_door", os.path.join(TOP, "tools", "run", "__main__.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def accepted(words):
    """Whether ./run would take these arguments."""
    door = front_door()
    if words[0] not in door.COMMANDS:
        return False
    try:
        door.make_parser(words[0]).parse_args(words[1:])
    except SystemExit:
        return False
    return True


def why_refused(line):
    """What is wrong with a shell line, or None."""
    if subprocess.run(["sh", "-n", "-c", line], stderr=subprocess.DEVNULL).returncode != 0:
        return "no shell reads it"
    for command in line.split("&&"):
        words = shlex.split(command)
        if words[0] == "./run" and not accepted(words[1:]):
            return "./run does not accept it"
        if words[0].startswith(".") and not os.access(os.path.join(TOP, words[0]), os.X_OK):
            return "%s is not there" % words[0]
        if not words[0].startswith(".") and words[0] not in PRESENT:
            return "%s is not in the container" % words[0]
    return None


def check_job(name, job, rows):
    container = job["container"]
    image = container["image"] if isinstance(container, dict) else container
    T.equal((image, packages.TESTED[:9]), ("debian:12", "Debian 12"), "job %s: on the system that is tested" % name)
    known = {"matrix.row"} if rows else set()
    T.equal(set(EXPRESSION.findall(str(job))) - known, set(), "job %s: refers to nothing that it does not have" % name)
    lines = {EXPRESSION.sub(row, step["run"]) for step in job["steps"] if "run" in step for row in rows or [""]}
    for line in sorted(lines):
        T.equal(why_refused(line), None, "job %s: %s" % (name, line))
    return lines


def uploaded(job):
    return [step["with"]["path"] for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact")]


def main(jobs):
    rows = jobs["matrix"]["strategy"]["matrix"]["row"]
    T.equal(rows, matrix.rows(), "the rows are those of ./run matrix")
    lines = check_job("matrix", jobs["matrix"], rows)
    T.ok({"./run matrix " + row for row in rows} <= lines, "each row is run")
    T.ok(".ci/run" in check_job("tests", jobs["tests"], []), "the tests are those of .ci/run")
    minutes = sum(budget for _, budget in suites.SUITES.values())
    T.ok(minutes <= 22 and jobs["tests"]["timeout-minutes"] >= 50,
         "the suites have 22 minutes at most, and CI twice what a clean clone has", "%.1f minutes" % minutes)
    T.equal(uploaded(jobs["matrix"]), [matrix.ARTEFACTS + "/${{ matrix.row }}/"], "a row's artefacts are uploaded")
    T.equal(uploaded(jobs["tests"]), ["build*/meson-logs/testlog-*.txt"], "and the logs of tests that failed")


try:
    import yaml
except ImportError:
    yaml = None
if yaml is None:
    T.skip("the workflow", "python3-yaml is not installed")
else:
    with open(WORKFLOW, encoding="utf-8") as file:
        main(yaml.safe_load(file)["jobs"])
sys.exit(T.done())
