#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/notices.py on scratch trees with a build.ninja such as Meson writes, and a toolchain of echo."""
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from tap import Tap

TOOLS = Path(__file__).resolve().parents[2] / "tools"
tap = Tap()

BSD = ("Redistribution and use in source and binary forms are permitted.\n"
       "IN NO EVENT ... POSSIBILITY OF\nSUCH DAMAGE.\n")
NINJA = """rule c_LINKER
 command = %(cc)s $ARGS -o $out $in $LINK_ARGS

build lib/libown.a: STATIC_LINKER lib/own.c.o
build subprojects/lib-1/liblib.a: STATIC_LINKER a.c.o
build a.c.o: c_COMPILER ../subprojects/lib-1/a.c
build native: c_LINKER_FOR_BUILD tool.c.o
 LINK_ARGS = -lz
build net: c_LINKER net.c.o | lib/libown.a subprojects/lib-1/liblib.a
 LINK_ARGS = -Wl,--as-needed --specs=picolibc.specs lib/libown.a subprojects/lib-1/liblib.a %(extra)s
"""
WRAP = """[wrap-file]
directory = lib-1
[notice]
name = Lib
version = 1.5
licence = %s
text = COPYING
headers = *.h
"""
DEP5 = """Format: x

Files: *
Copyright: 2020 Everyone
License: Default

Files: newlib/a.c
Copyright: 1999 Alice
License: BSD-A

Files: scripts/x newlib/gpl.c
Copyright: 2000 Mallory
License: GPL2

License: Default
 Do as you like.
 .
 But keep this.

License: BSD-A
 %s

License: GPL2
 GNU General Public License.
"""
EXCEPTION = "GCC RUNTIME LIBRARY EXCEPTION\nVersion 3.1\n%s\nconsistent with the licensing of the Independent\nModules.\n"


def make(root, licence="BSD-2-Clause", source="/* Copyright (c) 2007 Carol */", notice=True, extra="",
         alice="Alice's terms.", exception=EXCEPTION % "text", sources=("newlib/a.c", "newlib/b.c")):
    """Returns (status, output, text of NOTICES)."""
    tree, build = root / "subprojects/lib-1", root / "build"
    tree.mkdir(parents=True)
    build.mkdir()
    (root / "LICENSE").write_text("Our licence.")
    (root / "subprojects/lib.wrap").write_text(WRAP % licence if notice
                                               else "[wrap-file]\ndirectory = lib-1\n")
    (tree / "COPYING").write_text("Copyright (c) 2001 Bob\n\n" + BSD)
    (tree / "a.c").write_text(source)
    (tree / "a.h").write_text("/* Copyright (c) 2001 Bob\n * " + BSD.replace("\n", "\n * ") + "*/")
    cc, readelf = root / "test-gcc", root / "readelf"
    cc.write_text("#!/bin/sh\ncase \"$*\" in\n*-print-prog-name*) echo %s;;\n*-dumpfullversion*) echo 12.9.9;;\n"
                  "*picolibc.h*) echo '#define _PICOLIBC_VERSION \"1.8\"';;\n"
                  "*) for a; do case $a in -Wl,-Map,*) echo 'LOAD /x/libc.a' > ${a#-Wl,-Map,};; esac; done\nesac\n"
                  % readelf)
    readelf.write_text("#!/bin/sh\n" + "".join("echo '    <c> DW_AT_name : (indirect string): ../../%s'\n" % s
                                               for s in sources))
    for path in (cc, readelf):
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    (build / "build.ninja").write_text(NINJA % {"cc": cc, "extra": extra})
    (root / "dep5").write_text(DEP5 % alice)
    (root / "gcc").write_text("before\n" + exception + "after\n")
    result = subprocess.run([sys.executable, "-B", TOOLS / "notices.py", "--root", root, "--build-dir", build,
                             "-o", build / "NOTICES", "--depfile", build / "NOTICES.d"],
                            capture_output=True, text=True, check=False,
                            env=dict(os.environ, NOTICE_PICOLIBC=str(root / "dep5"), NOTICE_LIBGCC=str(root / "gcc")))
    text = (build / "NOTICES").read_text() if (build / "NOTICES").exists() else ""
    return result.returncode, result.stdout + result.stderr, text


def refuses(name, words, **change):
    with tempfile.TemporaryDirectory() as work:
        status, output, text = make(Path(work), **change)
        tap.ok(status == 1 and words in output and not text, name, output)


with tempfile.TemporaryDirectory() as work:
    status, output, text = make(Path(work))
    tap.ok(status == 0, "a build of known libraries passes", output)
    tap.ok("Our licence." in text and "Lib 1.5 (BSD-2-Clause)" in text and "Copyright (c) 2001 Bob" in text,
           "our licence, the library's name, version and text are there", text)
    tap.ok("Copyright (c) 2007 Carol" in text, "copyright lines of the compiled files are gathered", text)
    tap.equal(text.count("Redistribution and use"), 1, "a text that occurs again is not repeated")
    tap.ok("picolibc 1.8" in text and "1999 Alice" in text and "Alice's terms." in text
           and "2020 Everyone" in text and "But keep this." in text and "Mallory" not in text,
           "picolibc: the notices of what is in its archives, and no others", text)
    tap.ok("libgcc 12.9.9" in text and "Independent\nModules." in text and "after" not in text,
           "libgcc: its exception, whole", text)
    depends = (Path(work) / "build/NOTICES.d").read_text()
    tap.ok("build.ninja" in depends and "COPYING" in depends and "lib.wrap" in depends,
           "the dependency file names what it was made of", depends)

refuses("a linked library without a notice is refused", "linked library lib has no notice", notice=False)
refuses("an unknown -l is refused", "linked library z ", extra="-lz")
refuses("an unknown archive is refused", "other/libq.a", extra="other/libq.a")
refuses("an unknown system archive is refused", "linked library q ", extra="/usr/lib/libq.a")
refuses("a GPL library is refused", "GPL-2.0-or-later is not permissive", licence="GPL-2.0-or-later")
refuses("an LGPL library is refused", "LGPL-2.1-only is not permissive", licence="LGPL-2.1-only")
refuses("a compiled file that is GPL only is refused", "GPL-2.0-only is not permissive",
        source="/* SPDX-License-Identifier: GPL-2.0-only */")
refuses("so is one with the GNU text", "carries a GNU licence",
        source="/* under the terms of the GNU Lesser General\n * Public License */")
refuses("a GPL file in picolibc is refused", "is under BSD-A", alice="GNU General Public License")
refuses("whichever it is", "newlib/gpl.c is under GPL2", sources=("newlib/a.c", "newlib/gpl.c"))
refuses("libgcc without its exception is refused", "libgcc has no notice", exception="nothing")

refuses("without debug information every source of picolibc counts", "newlib/gpl.c is under GPL2", sources=())

with tempfile.TemporaryDirectory() as work:
    status, output, text = make(Path(work), source="/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */")
    tap.ok(status == 0, "a file with a choice of licences passes", output)

sys.exit(tap.done())
