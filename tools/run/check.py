# SPDX-License-Identifier: BSD-2-Clause
"""./run check: formatting, static analysis, layering, documents. With --tap it is one of the host tests."""
import os
import re
import shutil
import subprocess
import sys

import tap
from common import FAILED, ROOT, say

CODE = ("abi", "arch", "kernel", "ipc", "drivers", "services", "userland", "tests", "tools")

HALF_MERGED = re.compile("^(<{7}|>{7}) ", re.MULTILINE)
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]+)")  # in Markdown, but for those to other sites


def files_like(patterns):
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"] + patterns,
                            cwd=ROOT, check=True, stdout=subprocess.PIPE)
    names = listed.stdout.decode().split("\0")
    return sorted({n for n in names if n and os.path.exists(os.path.join(ROOT, n))})


def our_files(*patterns):
    return files_like(["%s/%s" % (d, p) for d in CODE for p in patterns])


def run(command):
    """(clean, output) of one tool."""
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode == 0, done.stdout


def formatting():
    files = our_files("*.c", "*.h")
    if not files:
        return True, ""
    clean, output = run(["clang-format", "--dry-run", "-Werror"] + files)
    names = {line.split(":")[0] for line in output.splitlines() if "[-Wclang-format" in line}
    return clean, "".join("clang-format -i %s\n" % name for name in sorted(names)) or output


def static_analysis():
    """cppcheck over each file as it stands: no build directory is needed."""
    files = [f for f in our_files("*.c") if not f.startswith("tests/")]
    if not files:
        return True, ""
    return run(["cppcheck", "--quiet", "--error-exitcode=1", "--inline-suppr", "--std=c11",
                "--platform=unix64", "--enable=warning,portability", "-j2",
                # The compiler finds uninitialised variables with fewer false alarms; symbols of the
                # linker script are subtracted on purpose.
                "--suppress=uninitvar", "--suppress=comparePointers",
                "--suppress=missingInclude", "--suppress=unknownMacro",
                "--suppress=normalCheckLevelMaxBranches",
                "-Iabi/include", "-Iarch/include", "-Ikernel/include", "-Iipc/include",
                "-Iuserland/include"] + files)


def layering():
    return run([sys.executable, "-B", "tools/check_layers.py"])


def documents():
    """Links lead to files, and no merge has been left half done, in sources neither."""
    wrong = []
    for name in files_like([]):
        with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as f:
            text = f.read()
        if HALF_MERGED.search(text):
            wrong.append("%s: the marks of a merge\n" % name)
        for link in LINK.findall(text) if name.endswith(".md") else []:
            if not os.path.exists(os.path.join(ROOT, os.path.dirname(name), link)):
                wrong.append("%s: no file %s\n" % (name, link))
    return not wrong, "".join(wrong)


CHECKS = {
    "formatting": ("clang-format", formatting),
    "static analysis": ("cppcheck", static_analysis),
    "layering": ("git", layering),
    "documents": ("git", documents),
}


def main(options):
    import packages
    packages.need(packages.CHECK, options.offline)
    bad = 0
    for name, (_, check) in CHECKS.items():
        clean, output = check()
        if not clean:
            sys.stdout.write(output)
            sys.stdout.flush()
            bad += 1
        say("%s: %s" % (name, "clean" if clean else "not clean (see above)"))
    return FAILED if bad else 0


def as_test():
    out = tap.Tap()
    for name, (tool, check) in CHECKS.items():
        if not shutil.which(tool):
            out.skip(name, tool + " is missing")
            continue
        clean, output = check()
        out.ok(clean, "the sources pass: " + name, output)
    return out.done()


if __name__ == "__main__":
    sys.exit(as_test())
