# SPDX-License-Identifier: BSD-2-Clause
"""apt for files that are not to be installed: sources, and packages of another release or architecture.

It works over the mirror and keys of this machine's own apt sources, so a proxy or a local mirror is used here
too, and apt checks every signature; but in a state of its own, so the machine's lists and packages stay as they
are, and nobody needs to be root.
Tests: tests/host/fetch_sources_test.py.
"""

import re
import shutil
import subprocess
from pathlib import Path


def debian_codename(os_release='/etc/os-release'):
    try:
        text = Path(os_release).read_text(encoding='utf-8')
    except OSError:
        return None
    values = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return values.get('VERSION_CODENAME') if values.get('ID') == 'debian' else None


def source_entries_deb822(text, codename, suites, kind):
    """A .sources file's stanzas for the release itself, turned into KIND (deb, deb-src) for SUITES."""
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
        fields.update({'types': kind, 'suites': ' '.join(suites), 'components': 'main'})
        fields.pop('architectures', None)
        stanzas.append('\n'.join(f'{key.title()}: {value}'.replace('Uris:', 'URIs:', 1)
                                 for key, value in fields.items()))
    return stanzas


def source_entries_oneline(text, codename, suites, kind):
    """The same for a sources.list."""
    lines = []
    for line in text.splitlines():
        match = re.match(r'\s*deb(?:-src)?\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)', line)
        if match and match[3] == codename and 'main' in match[4].split('#')[0].split():
            options = [option for option in (match[1] or '').strip('[] \t').split()
                       if not option.startswith('arch')]
            options = f'[{" ".join(options)}] ' if options else ''
            lines += [f'{kind} {options}{match[2]} {suite} main' for suite in suites]
    return list(dict.fromkeys(lines))


def write_apt_sources(etc_apt, codename, suites, kind, target):
    """Derives entries from the machine's own list; returns whether there are any."""
    stanzas, lines = [], []
    folder = etc_apt / 'sources.list.d'
    for path in sorted(folder.glob('*.sources')) if folder.is_dir() else []:
        stanzas += source_entries_deb822(path.read_text(encoding='utf-8'), codename, suites, kind)
    for path in [etc_apt / 'sources.list', *sorted(folder.glob('*.list') if folder.is_dir() else [])]:
        if path.is_file():
            lines += source_entries_oneline(path.read_text(encoding='utf-8'), codename, suites, kind)
    # A repository that asks for two different keys would be refused as a whole: one form is enough.
    if stanzas:
        (target / 'derived.sources').write_text('\n\n'.join(dict.fromkeys(stanzas)) + '\n',
                                                encoding='utf-8')
    elif lines:
        (target / 'derived.list').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return bool(stanzas or lines)




class Apt:
    """apt-get over SUITES of this machine's Debian mirror; its files lie in WORK, what it fetches in WORK/files.

    kind: 'deb-src' or 'deb', then of `architecture`. refusal: why there can be no such apt here, or None.
    """

    def __init__(self, work, suites, kind, architecture=None):
        self.files = work / 'files'
        self.log = work / 'log'
        codename = debian_codename()
        self.refusal = None
        if not codename or not shutil.which('apt-get'):
            self.refusal = 'this system is no Debian'
            return
        for folder in ('sources', 'lists/partial', 'archives/partial', 'files'):
            (work / folder).mkdir(parents=True)
        if not write_apt_sources(Path('/etc/apt'), codename, suites, kind, work / 'sources'):
            self.refusal = f'no archive of Debian {codename} in the apt sources of this machine'
        self.options = ['-q', '-o', 'Dir::Etc::sourcelist=/dev/null', '-o', 'APT::Sandbox::User=',
                        '-o', f'Dir::Etc::sourceparts={work}/sources', '-o', f'Dir::State::lists={work}/lists',
                        '-o', f'Dir::Cache={work}', '-o', 'Acquire::Languages=none',
                        '-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=30',
                        '-o', 'Acquire::https::Timeout=30']
        if architecture:
            self.options += ['-o', f'APT::Architecture={architecture}', '-o', f'APT::Architectures={architecture}']

    def run(self, *words):
        """apt's exit status also tells of hooks and of files that are not ours: what counts is what is in `files`."""
        with open(self.log, 'ab') as out:
            subprocess.run(['apt-get', *self.options, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                           cwd=self.files, check=False)

    def errors(self):
        text = self.log.read_text(encoding='utf-8', errors='replace') if self.log.exists() else ''
        return [line for line in text.splitlines() if line.startswith(('E:', 'Err:'))]
