#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Checks what the architecture promises of the sources.

Includes point one way: abi <- arch/include <- kernel <- ipc; drivers, services and userland see only
abi and the os library; all but abi see shared. Assembly, `volatile`, board addresses and `#if` stay in the folders made for
them. Prints one line for each offence; exit status 1 if there is one.
"""
import os
import re
import subprocess
import sys

# Project headers are included as <PREFIX/...>. folder: prefixes that it may see. Longest match wins.
USER = {"skerry", "shared", "sk"}
MAY_SEE = {
    "abi": {"skerry"},
    "shared": {"shared"},
    "arch/include": {"skerry", "arch"},
    "arch/riscv64": {"skerry", "arch", "kernel", "ipc"},
    "arch/host": {"skerry", "arch", "kernel", "ipc"},
    "kernel": {"skerry", "shared", "arch", "kernel"},
    "ipc": {"skerry", "shared", "arch", "kernel", "ipc"},
    "drivers": USER,
    "services": USER,
    "userland": USER,
}
# Single headers seen against the arrows, each with its reason.
EXCEPTIONS = {
    ("arch/include", "kernel/types.h"),  # scalars only: paddr_t, vaddr_t, PAGE_SIZE
}
# Files that put the parts together, so they see all of them.
ASSEMBLING = ("kernel/boot_init.c",)
GUARDED_PREFIXES = {"skerry", "shared", "sk", "arch", "kernel", "ipc"}

# Machine-dependent things live here; everything else is portable.
MACHINE = ("arch/riscv64/", "arch/host/", "boards/", "userland/crt/riscv64/")
# lwIP's configuration is made of macros.
IF_ALLOWED = ("services/net/port/",)

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
ASSEMBLY = re.compile(r"\b(?:__asm__|__asm|asm)\b")
VOLATILE = re.compile(r"\bvolatile\b")
ADDRESS = re.compile(r"\b0x(?:8020|4020|1000|0?c00|0?200)[0-9a-fA-F]{4}(?:[uUlL]*)\b")
CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:if|ifdef|ifndef|elif)\b[ \t]*(.*)$", re.MULTILINE)
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def blank(match):
    """Comments and strings go, lines stay."""
    return '""' if match.group(0)[0] == '"' else "\n" * match.group(0).count("\n")


def layer_of(path):
    found = [f for f in MAY_SEE if path.startswith(f + "/")]
    return max(found, key=len) if found else None


def check_includes(path, text):
    layer = layer_of(path)
    for match in INCLUDE.finditer(text):
        kind, name = match.groups()
        line = text.count("\n", 0, match.start(2)) + 1
        if kind == "<":
            prefix = name.split("/")[0]
            if "/" in name and prefix in GUARDED_PREFIXES and prefix not in MAY_SEE[layer] \
                    and (layer, name) not in EXCEPTIONS and path not in ASSEMBLING:
                yield line, "%s must not include <%s>" % (layer, name)
        else:
            target = os.path.normpath(os.path.join(os.path.dirname(path), name))
            other = layer_of(target)
            if target.startswith("..") or (other and other != layer):
                yield line, "%s must not reach into %s (\"%s\")" % (layer, other or "..", name)


def is_include_guard(text, match):
    """#ifndef X followed by #define X."""
    name = match.group(1).strip()
    rest = text[match.end():].lstrip()
    return match.group(0).strip().startswith("#ifndef") and rest.startswith("#define " + name)


def check_machine(path, text):
    bare = COMMENT_OR_STRING.sub(blank, text)

    def at(match):
        return bare.count("\n", 0, match.start()) + 1

    for match in ASSEMBLY.finditer(bare):
        yield at(match), "assembly belongs to arch/ and userland/crt/riscv64"
    for match in ADDRESS.finditer(bare):
        yield at(match), "%s looks like a board's address: it comes from the device tree" \
            % match.group(0)
    if "mmio" not in os.path.basename(path):
        for match in VOLATILE.finditer(bare):
            yield at(match), "volatile belongs to the MMIO accessors; shared words are atomics"
    if path.startswith(IF_ALLOWED):
        return
    for match in CONDITION.finditer(bare):
        if not is_include_guard(bare, match):
            yield at(match), "#%s: portable code has no conditions of the preprocessor" \
                % match.group(0).strip().lstrip("# ")


def check_file(path, text):
    """All offences of one source file: (line, text)."""
    if layer_of(path) is None:
        return
    yield from check_includes(path, text)
    if not path.startswith(MACHINE):
        yield from check_machine(path, text)


def sources(top):
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
                             "*.c", "*.h", "*.S"], cwd=top, check=True, stdout=subprocess.PIPE)
    names = listed.stdout.decode().split("\0")
    return [n for n in names if n and os.path.exists(os.path.join(top, n))]


def main():
    top = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    offences = 0
    for path in sources(top):
        with open(os.path.join(top, path), encoding="utf-8", errors="replace") as f:
            for line, what in check_file(path, f.read()):
                print("%s:%d: %s" % (path, line, what))
                offences += 1
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
