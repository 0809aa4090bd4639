#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tools/fetch_sources.py and debian_archive.py against scratch trees: no network, no apt."""
import contextlib
import hashlib
import io
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from tap import Tap

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
import debian_archive as da  # noqa: E402
import fetch_sources as fs  # noqa: E402

tap = Tap()


def make_archive(path, files):
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("lib-1/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_tree(folder, url, sha256, debian=""):
    (folder / "subprojects/packagefiles/lib").mkdir(parents=True)
    (folder / "subprojects/packagefiles/lib/meson.build").write_text("overlay 1")
    (folder / "subprojects/lib.wrap").write_text(
        "[wrap-file]\ndirectory = lib-1\nsource_url = %s\nsource_filename = lib-1.tar.gz\n"
        "source_hash = %s\npatch_directory = lib\n%s" % (url, sha256, debian))


def run(root, *arguments):
    result = subprocess.run([sys.executable, "-B", TOOLS / "fetch_sources.py", "--root", root, *arguments],
                            capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


with tempfile.TemporaryDirectory() as work:
    work = Path(work)
    archive = work / "upstream.tar.gz"
    sha256 = make_archive(archive, {"lib-1/src/a.c": "int a;", "other/b.c": "no", "lib-1/x": "1"})

    root = work / "upstream"
    make_tree(root, archive.as_uri(), sha256)
    status, output = run(root)
    tree = root / "subprojects/lib-1"
    tap.ok(status == 0 and (tree / "src/a.c").read_text() == "int a;", "fetched and unpacked", output)
    tap.equal(sorted(p.name for p in tree.iterdir()), ["meson.build", "src", "x"],
              "the overlay is there, links and foreign folders are not")
    tap.ok((root / "subprojects/packagecache/lib-1.tar.gz").is_file(), "the archive stays in the cache")

    (tree / "src/a.c").write_text("edited")
    before = (tree / "meson.build").stat().st_mtime_ns
    status, output = run(root, "--offline")
    tap.ok(status == 0 and output == "" and (tree / "src/a.c").read_text() == "edited"
           and (tree / "meson.build").stat().st_mtime_ns == before, "an unpacked folder is left alone", output)
    (root / "subprojects/packagefiles/lib/meson.build").write_text("overlay 2")
    run(root, "--offline")
    tap.equal((tree / "meson.build").read_text(), "overlay 2", "a changed overlay reaches it")

    root = work / "cache"
    make_tree(root, "file:///nowhere", sha256)
    (root / "subprojects/packagecache").mkdir()
    cached = root / "subprojects/packagecache/lib-1.tar.gz"
    cached.write_bytes(archive.read_bytes())
    stale = root / "subprojects/packagecache/.unpack-killed"
    stale.mkdir()
    both = [subprocess.Popen([sys.executable, "-B", TOOLS / "fetch_sources.py", "--root", root, "--offline"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    outputs = sorted(process.communicate()[0] for process in both)
    tap.ok(all(p.returncode == 0 for p in both) and outputs[0] == b"" and b"unpacked" in outputs[1],
           "of two runs at once one unpacks, both succeed", outputs)
    tap.ok(not stale.exists(), "leftovers of a killed run are removed")

    root = work / "corrupt"
    make_tree(root, "file:///nowhere", sha256)
    (root / "subprojects/packagecache").mkdir()
    (root / "subprojects/packagecache/lib-1.tar.gz").write_bytes(b"garbage")
    status, output = run(root, "--offline")
    got = hashlib.sha256(b"garbage").hexdigest()
    tap.ok(status == 1 and "lib-1.tar.gz" in output and "expected " + sha256 in output
           and "got " + got in output, "a mismatch in the cache names file, expected and got", output)
    tap.ok(not (root / "subprojects/lib-1").exists(), "and nothing is unpacked")

    root = work / "wrong"
    make_tree(root, archive.as_uri(), "0" * 64)
    status, output = run(root)
    tap.ok(status == 1 and archive.as_uri() in output and "expected " + "0" * 64 in output
           and "got " + sha256 in output, "a mismatch upstream names address, expected and got", output)
    tap.equal([p.name for p in (root / "subprojects/packagecache").iterdir()], [".lock"],
              "and leaves nothing in the cache")

    root = work / "absent"
    make_tree(root, archive.as_uri(), sha256)
    status, output = run(root, "--offline")
    tap.ok(status == 1 and archive.as_uri() in output and "packagecache/lib-1.tar.gz" in output
           and sha256 in output, "--offline tells what to put where, and fetches nothing", output)

    root = work / "debian"
    member = "[debian]\npackage = big\nsuite = trixie\nfile = big_1.orig.tar.gz\nsha256 = %s\nmember = %s\n"
    make_tree(root, "file:///nowhere", "0" * 64, member % (sha256, "lib-1/src"))
    (root / "subprojects/packagecache").mkdir()
    (root / "subprojects/packagecache/big_1.orig.tar.gz").write_bytes(archive.read_bytes())
    status, output = run(root, "--offline")
    tap.ok(status == 0 and (root / "subprojects/lib-1/a.c").read_text() == "int a;",
           "a folder inside a Debian source archive becomes ours", output)

    evil = work / "evil.tar.gz"
    make_archive(evil, {"lib-1/../../escape": "x"})
    try:
        fs.unpack(evil, "lib-1", work / "evil")
        tap.ok(False, "a path that leaves the folder is refused")
    except fs.FetchError:
        tap.ok(not (work / "escape").exists(), "a path that leaves the folder is refused")

with tempfile.TemporaryDirectory() as work, socket.create_server(("127.0.0.1", 0)) as silent:
    fs.UPSTREAM_LIMIT_S = 1
    make_tree(Path(work), "http://127.0.0.1:%d/lib-1.tar.gz" % silent.getsockname()[1], "0" * 64)
    began = time.monotonic()
    wrap = fs.Wrap(Path(work) / "subprojects/lib.wrap")
    with contextlib.redirect_stdout(io.StringIO()):
        fs.fetch_upstream([wrap, wrap, wrap], Path(work))
    tap.ok(1 <= time.monotonic() - began < 5, "servers that do not answer cost the limit once")

DEB822 = """# comment
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
stanzas = da.source_entries_deb822(DEB822, "bookworm", ["bookworm", "trixie"], "deb-src")
tap.equal(len(stanzas), 1, "deb822: only the enabled stanza of the release itself is derived")
tap.equal(sorted(stanzas[0].splitlines()),
          sorted(["Types: deb-src", "URIs: http://mirror.example/debian", "Suites: bookworm trixie",
                  "Components: main", "Signed-By: ", " -----BEGIN PGP PUBLIC KEY BLOCK-----", " .", " abc"]),
          "deb822: address and key are kept, type, suites and components replaced")
ONELINE = """# deb http://no.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib # text
deb-src [ signed-by=/k.gpg ] http://mirror.example/debian bookworm main
deb http://mirror.example/debian bookworm-updates main
deb http://other.example/apt cloud-bookworm main
"""
tap.equal(da.source_entries_oneline(ONELINE, "bookworm", ["trixie"], "deb-src"),
          ["deb-src [signed-by=/k.gpg] http://mirror.example/debian trixie main"],
          "one-line: the same, without doubles")
tap.equal(da.source_entries_oneline(ONELINE, "bookworm", ["trixie"], "deb"),
          ["deb [signed-by=/k.gpg] http://mirror.example/debian trixie main"],
          "and for packages: of any architecture")
with tempfile.TemporaryDirectory() as work:
    (Path(work) / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    tap.equal(da.debian_codename(Path(work) / "os-release"), "bookworm", "the release is known")
    (Path(work) / "os-release").write_text("ID=other\nVERSION_CODENAME=bookworm\n")
    tap.equal(da.debian_codename(Path(work) / "os-release"), None, "another system than Debian has none")

sys.exit(tap.done())
