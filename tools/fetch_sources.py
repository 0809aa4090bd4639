#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Puts the third-party sources that subprojects/*.wrap name into subprojects/, ready for
`meson setup --wrap-mode=nodownload`.

Each archive is looked for in subprojects/packagecache, at its upstream address, and in the Debian
source package that the wrap's [debian] section names; its sha256 is pinned in the wrap either way.
What is unpacked already is left alone, but for overlay files (subprojects/packagefiles) that changed.

Invariants: a folder appears in subprojects/ by one rename, complete with its overlay; a file appears in
packagecache by one rename, after its hash was checked; one run at a time works, others wait for it.
Tests: tests/host/fetch_sources_test.py.
"""

import argparse
import configparser
import fcntl
import hashlib
import http.client
import os
import shutil
import socket
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import debian_archive

UPSTREAM_LIMIT_S = 10  # until the answer begins, and without any progress after that


class FetchError(Exception):
    """One line for the user."""


class Wrap:
    """One subprojects/NAME.wrap."""

    def __init__(self, path):
        config = configparser.ConfigParser(interpolation=None)
        config.read(path, encoding='utf-8')
        wrap = config['wrap-file']
        self.name = path.stem
        self.directory = wrap['directory']
        self.url = wrap['source_url']
        self.filename = wrap['source_filename']
        self.sha256 = wrap['source_hash']
        self.overlay = path.parent / 'packagefiles' / wrap['patch_directory']
        self.debian = config['debian'] if 'debian' in config else None

    def archives(self):
        """(file name, sha256, the folder in it that becomes ours) in order of preference."""
        found = [(self.filename, self.sha256, self.directory)]
        if self.debian:
            found.append((self.debian['file'], self.debian['sha256'], self.debian['member']))
        return found


def say(text):
    print('sources: ' + text, flush=True)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(1 << 20), b''):
            digest.update(block)
    return digest.hexdigest()


def hash_mismatch(name, expected, got):
    return f'{name}: sha256 mismatch: expected {expected}, got {got}'


# --- Unpacking ---

def unpack(archive, member, target):
    """Files and folders below MEMBER of a tar archive, as TARGET. Links and odd names are left out."""
    prefix = member.strip('/') + '/'
    count = 0
    with tarfile.open(archive) as tar:
        for entry in tar:
            if not entry.isfile() or not entry.name.startswith(prefix):
                continue
            relative = Path(entry.name[len(prefix):])
            if relative.is_absolute() or '..' in relative.parts:
                raise FetchError(f'{archive.name}: unsafe path {entry.name}')
            path = target / relative
            path.parent.mkdir(parents=True, exist_ok=True)
            with tar.extractfile(entry) as source, open(path, 'wb') as out:
                shutil.copyfileobj(source, out)
            path.chmod(0o755 if entry.mode & 0o100 else 0o644)
            count += 1
    if count == 0:
        raise FetchError(f'{archive.name}: holds no folder {member}')


def apply_overlay(overlay, target):
    """Copies what differs, so that nothing is rebuilt without need. True when anything did."""
    changed = False
    for source in sorted(overlay.rglob('*')):
        if not source.is_file():
            continue
        out = target / source.relative_to(overlay)
        content = source.read_bytes()
        if out.is_file() and out.read_bytes() == content:
            continue
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = out.with_name(f'.{out.name}.{os.getpid()}')
        temporary.write_bytes(content)
        os.replace(temporary, out)
        changed = True
    return changed


def install(wrap, archive, member, subprojects):
    target = subprojects / wrap.directory
    with tempfile.TemporaryDirectory(prefix='.unpack-', dir=subprojects / 'packagecache') as work:
        tree = Path(work) / 'tree'
        unpack(archive, member, tree)
        apply_overlay(wrap.overlay, tree)
        os.rename(tree, target)
    say(f'{wrap.name}: unpacked {archive.name}')


# --- Where archives come from: each function leaves a checked file in the cache, or does not ---

def find_cached(wrap, cache):
    """(path, member) of a good archive in the cache, or None. A bad one is the user's to remove."""
    for name, expected, member in wrap.archives():
        path = cache / name
        if path.is_file():
            got = sha256_of(path)
            if got != expected:
                raise FetchError(hash_mismatch(path, expected, got) + '; remove it to fetch it anew')
            return path, member
    return None


def download(wrap, cache, started):
    """Runs in a thread of its own; sets STARTED when the answer begins. Returns a reason or None."""
    try:
        with urllib.request.urlopen(wrap.url, timeout=UPSTREAM_LIMIT_S) as answer:
            started.set()
            with tempfile.NamedTemporaryFile(dir=cache, prefix='.download-', delete=False) as out:
                temporary = Path(out.name)
                try:
                    shutil.copyfileobj(answer, out)
                    out.close()
                    got = sha256_of(temporary)
                    if got != wrap.sha256:
                        return hash_mismatch(wrap.url, wrap.sha256, got)
                    temporary.chmod(0o644)
                    os.replace(temporary, cache / wrap.filename)
                    return None
                finally:
                    temporary.unlink(missing_ok=True)
    except urllib.error.URLError as error:
        return f'{wrap.url}: {error.reason}'
    except (OSError, http.client.HTTPException, socket.timeout) as error:
        return f'{wrap.url}: {error}'


def fetch_upstream(wraps, cache):
    """All at once, so that a machine without a network waits for the limit only once."""
    jobs = []
    for wrap in wraps:
        started, reason = threading.Event(), ['no answer']

        def work(wrap=wrap, started=started, reason=reason):
            reason[0] = download(wrap, cache, started)

        # A name look-up cannot be interrupted, hence a daemon thread that may be left behind.
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        jobs.append((wrap, thread, started, reason))
    deadline = time.monotonic() + UPSTREAM_LIMIT_S
    for wrap, thread, started, reason in jobs:
        while thread.is_alive() and (started.is_set() or time.monotonic() < deadline):
            thread.join(0.05)
        if thread.is_alive():
            say(f'{wrap.url}: no answer within {UPSTREAM_LIMIT_S} s')
        elif reason[0]:
            say(reason[0])
        else:
            say(f'{wrap.name}: downloaded {wrap.url}')


def fetch_debian(wraps, cache):
    wraps = [wrap for wrap in wraps if wrap.debian]
    if not wraps:
        return
    suites = sorted({wrap.debian['suite'] for wrap in wraps})
    say(f'{", ".join(wrap.name for wrap in wraps)}: from Debian source packages ({", ".join(suites)})')
    with tempfile.TemporaryDirectory(prefix='.apt-', dir=cache) as work:
        apt = debian_archive.Apt(Path(work), suites, 'deb-src')
        if apt.refusal:
            say(apt.refusal)
            return
        apt.run('update')
        for wrap in wraps:
            apt.run('source', '--only-source', '--download-only', '--tar-only',
                    f'{wrap.debian["package"]}/{wrap.debian["suite"]}')
        for wrap in wraps:
            path = apt.files / wrap.debian['file']
            if not path.is_file():
                say(f'{wrap.name}: {path.name} did not come from Debian')
                for line in apt.errors():
                    print('    ' + line)
                continue
            got = sha256_of(path)
            if got != wrap.debian['sha256']:
                say(hash_mismatch(path.name, wrap.debian['sha256'], got))
                continue
            os.replace(path, cache / path.name)


# --- The whole ---

def missing_message(wraps, cache, offline):
    lines = ['these sources are missing' + (' (--offline: only the cache was looked at):'
                                            if offline else ':')]
    for wrap in wraps:
        lines.append(f'    {wrap.url}')
        lines.append(f'        to be saved as {cache / wrap.filename}')
        lines.append(f'        sha256 {wrap.sha256}')
    return '\n'.join(lines)


def remove_leftovers(cache):
    """What a killed run left behind; only with the lock held."""
    for pattern in ('.download-*', '.unpack-*', '.apt-*'):
        for path in cache.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def fetch_all(root, offline):
    subprojects = root / 'subprojects'
    cache = subprojects / 'packagecache'
    wraps = [Wrap(path) for path in sorted(subprojects.glob('*.wrap'))]
    cache.mkdir(exist_ok=True)
    with open(cache / '.lock', 'w', encoding='utf-8') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_leftovers(cache)
        wanted = []
        for wrap in wraps:
            if not (subprojects / wrap.directory).is_dir():
                wanted.append(wrap)
            elif apply_overlay(wrap.overlay, subprojects / wrap.directory):
                say(f'{wrap.name}: overlay updated')
        for fetch in ([] if offline else [fetch_upstream, fetch_debian]):
            absent = [wrap for wrap in wanted if not find_cached(wrap, cache)]
            if absent:
                fetch(absent, cache)
        absent = []
        for wrap in wanted:
            found = find_cached(wrap, cache)
            if found:
                install(wrap, *found, subprojects)
            else:
                absent.append(wrap)
        if absent:
            raise FetchError(missing_message(absent, cache, offline))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n', maxsplit=1)[0])
    parser.add_argument('--offline', action='store_true', help='use only subprojects/packagecache')
    parser.add_argument('--root', type=Path, default=Path(__file__).resolve().parent.parent,
                        help='top of the source tree')
    arguments = parser.parse_args()
    try:
        fetch_all(arguments.root, arguments.offline)
    except (FetchError, OSError, tarfile.TarError, EOFError) as error:
        print(f'sources: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    # A download that hangs in a name look-up must not hold up the end of the program.
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
