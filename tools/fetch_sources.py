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
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

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


def debian_codename(os_release='/etc/os-release'):
    try:
        text = Path(os_release).read_text(encoding='utf-8')
    except OSError:
        return None
    values = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return values.get('VERSION_CODENAME') if values.get('ID') == 'debian' else None


def source_entries_deb822(text, codename, suites):
    """A .sources file's stanzas for the release itself, turned into deb-src for SUITES."""
    stanzas = []
    for block in re.split(r'\n\s*\n', text):
        # Unfolded: a continuation line may hold a whole key, which is kept as it is.
        fields, key = {}, None
        for line in block.splitlines():
            if line.startswith('#') or not line.strip():
                continue
            if line[0] in ' \t' and key:
                fields[key] += '\n' + line
            elif ':' in line:
                key, _, value = line.partition(':')
                key = key.strip().lower()
                fields[key] = value.strip()
        if (codename not in fields.get('suites', '').split()
                or 'main' not in fields.get('components', '').split()
                or fields.get('enabled', 'yes').lower() in ('no', 'false', '0')):
            continue
        fields.update({'types': 'deb-src', 'suites': ' '.join(suites), 'components': 'main'})
        fields.pop('architectures', None)
        stanzas.append('\n'.join(f'{key.title()}: {value}'.replace('Uris:', 'URIs:', 1)
                                 for key, value in fields.items()))
    return stanzas


def source_entries_oneline(text, codename, suites):
    """The same for a sources.list."""
    lines = []
    for line in text.splitlines():
        match = re.match(r'\s*deb(?:-src)?\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)', line)
        if match and match[3] == codename and 'main' in match[4].split('#')[0].split():
            options = [option for option in (match[1] or '').strip('[] \t').split()
                       if not option.startswith('arch')]
            options = f'[{" ".join(options)}] ' if options else ''
            lines += [f'deb-src {options}{match[2]} {suite} main' for suite in suites]
    return list(dict.fromkeys(lines))


def write_apt_sources(etc_apt, codename, suites, target):
    """Derives source entries from the machine's own list; returns whether there are any."""
    stanzas, lines = [], []
    folder = etc_apt / 'sources.list.d'
    for path in sorted(folder.glob('*.sources')) if folder.is_dir() else []:
        stanzas += source_entries_deb822(path.read_text(encoding='utf-8'), codename, suites)
    for path in [etc_apt / 'sources.list', *sorted(folder.glob('*.list') if folder.is_dir() else [])]:
        if path.is_file():
            lines += source_entries_oneline(path.read_text(encoding='utf-8'), codename, suites)
    # A repository that asks for two different keys would be refused as a whole: one form is enough.
    if stanzas:
        (target / 'derived.sources').write_text('\n\n'.join(dict.fromkeys(stanzas)) + '\n',
                                                encoding='utf-8')
    elif lines:
        (target / 'derived.list').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return bool(stanzas or lines)


def fetch_debian(wraps, cache):
    """Into an apt state of our own, so that the system's lists and sources stay untouched."""
    wraps = [wrap for wrap in wraps if wrap.debian]
    codename = debian_codename()
    if not wraps or not codename or not shutil.which('apt-get'):
        return
    suites = sorted({wrap.debian['suite'] for wrap in wraps})
    say(f'{", ".join(wrap.name for wrap in wraps)}: from Debian source packages ({", ".join(suites)})')
    with tempfile.TemporaryDirectory(prefix='.apt-', dir=cache) as work:
        work = Path(work)
        for folder in ('sources', 'lists/partial', 'archives/partial', 'files'):
            (work / folder).mkdir(parents=True)
        if not write_apt_sources(Path('/etc/apt'), codename, suites, work / 'sources'):
            say(f'no archive of Debian {codename} in the apt sources of this machine')
            return
        options = ['-q', '-o', 'Dir::Etc::sourcelist=/dev/null', '-o', 'APT::Sandbox::User=',
                   '-o', f'Dir::Etc::sourceparts={work}/sources', '-o', f'Dir::State::lists={work}/lists',
                   '-o', f'Dir::Cache={work}', '-o', 'Acquire::Languages=none',
                   '-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=30',
                   '-o', 'Acquire::https::Timeout=30']
        log = work / 'log'
        # apt's exit status also tells of hooks and of files that are not ours: what counts is whether
        # our file has come.
        with open(log, 'wb') as out:
            subprocess.run(['apt-get', *options, 'update'], stdin=subprocess.DEVNULL,
                           stdout=out, stderr=out, check=False)
            for wrap in wraps:
                subprocess.run(['apt-get', *options, 'source', '--only-source', '--download-only',
                                '--tar-only', f'{wrap.debian["package"]}/{wrap.debian["suite"]}'],
                               stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=work / 'files',
                               check=False)
        for wrap in wraps:
            path = work / 'files' / wrap.debian['file']
            if not path.is_file():
                say(f'{wrap.name}: {path.name} did not come from Debian')
                for line in log.read_text(encoding='utf-8', errors='replace').splitlines():
                    if line.startswith(('E:', 'Err:')):
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
