#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes NOTICES: name, version and full licence notice of everything that the guest's programs link.

What is linked is read from the build's own link commands (build.ninja), never from a list, so that a
library without a notice, or under a licence that is not permissive, ends the build here:
  - a library of subprojects/ is described by the [notice] section of its wrap; copyright lines and
    further licence texts are gathered from the files that are compiled;
  - picolibc's notices are those of the source files in its archives (by their debug information), out
    of the copyright file that comes with it;
  - libgcc is linked under the GCC Runtime Library Exception, whose text must be at hand.
Tests: tests/host/notices_test.py.
"""

import argparse
import configparser
import fnmatch
import gzip
import os
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

PERMISSIVE = {'0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Unlicense', 'Zlib'}
COPYLEFT = re.compile(r'GNU\s+(?:Affero\s+|Lesser\s+|Library\s+)?(?:General\s+)?Public\s+Licen[sc]e'
                      r'|\b[AL]?GPL(?:v?[0-9]|\b)')
PICOLIBC = {'c', 'm', 'g', 'semihost', 'dummyhost'}


class NoticeError(Exception):
    """One line for the user."""


# --- What is linked ---

class BuildStatement:
    def __init__(self, outputs, rule, inputs):
        self.outputs, self.rule, self.inputs, self.variables = outputs, rule, inputs, {}


def ninja_paths(text):
    words = re.findall(r'(?:[^\s$|]|\$.)+', text)
    return [re.sub(r'\$(.)', r'\1', word) for word in words]


def read_ninja(path):
    """(build statements, {rule: command}) of a build.ninja as Meson writes it."""
    statements, commands, rule, statement = [], {}, None, None
    for line in path.read_text(encoding='utf-8').replace('$\n', '').splitlines():
        if line.startswith('rule '):
            rule, statement = line[5:].strip(), None
        elif line.startswith('build '):
            match = re.match(r'build ((?:[^:$]|\$.)*): (\S+)(.*)', line)
            statement = BuildStatement(ninja_paths(match[1]), match[2], ninja_paths(match[3]))
            statements.append(statement)
            rule = None
        elif line.startswith(' ') and '=' in line:
            key, _, value = line.strip().partition('=')
            if rule and key.strip() == 'command':
                commands[rule] = value.strip()
            elif statement:
                statement.variables[key.strip()] = value.strip()
    return statements, commands


class Linked:
    """The archives and -l names of all links for the guest, and what was compiled for them."""

    def __init__(self, build_dir):
        self.read = {build_dir / 'build.ninja'}  # every file that the result depends on
        statements, commands = read_ninja(build_dir / 'build.ninja')
        guest = [s for s in statements if '_FOR_BUILD' not in s.rule]
        links = [s for s in guest if s.rule.startswith('c_LINKER')]
        if not links:
            raise NoticeError(f'{build_dir}: nothing is linked here')
        self.own = {out for s in guest if s.rule.startswith('STATIC_LINKER') for out in s.outputs
                    if not out.startswith('subprojects/')}
        self.sources = [(build_dir / s.inputs[0]).resolve() for s in guest
                        if s.rule.startswith(('c_COMPILER', 'ASM_COMPILER')) and s.inputs]
        self.archives, self.names = set(), {'c', 'gcc'}  # the compiler driver adds these two
        for statement in [s for s in guest if not s.rule.startswith('STATIC_LINKER')]:
            self.archives.update(p for p in statement.inputs if p.endswith('.a'))
        for statement in links:
            for word in shlex.split(statement.variables.get('LINK_ARGS', '').replace('$', '')):
                if word.endswith('.a') and not word.startswith('-'):
                    self.archives.add(word)
                elif word.startswith('-l') and len(word) > 2:
                    self.names.add(word[2:])
        driver = commands.get('c_LINKER') or commands.get('c_LINKER_RSP') or ''
        self.compiler = shlex.split(driver.split('$ARGS')[0])
        self.link_flags = [word for word in shlex.split(links[0].variables.get('LINK_ARGS', ''))
                           if word.startswith(('--specs', '--picolibc', '-march', '-mabi', '-L'))]
        # Where the library's headers are, for a compiler without specs files: the folders named apart.
        compiled = next((shlex.split(s.variables.get('ARGS', '')) for s in guest
                         if s.rule.startswith('c_COMPILER')), [])
        self.include_flags = [word for flag, path in zip(compiled, compiled[1:]) if flag == '-isystem'
                              for word in (flag, path)]


def sort_out(linked, wraps):
    """The wraps that are linked, and whether picolibc and libgcc are. Whatever else is an error."""
    used, picolibc, libgcc = {}, False, False
    by_directory = {wrap['directory']: wrap for wrap in wraps}
    names = set(linked.names)
    for archive in linked.archives - linked.own:
        parts = Path(archive).parts
        if parts[0] == 'subprojects' and parts[1] in by_directory:
            wrap = by_directory[parts[1]]
            used[wrap['library']] = wrap
        elif archive.startswith('/') and Path(archive).name.startswith('lib'):
            names.add(Path(archive).stem[3:])
        else:
            raise NoticeError(f'linked library {archive} has no notice')
    for name in names:
        if name in PICOLIBC:
            picolibc = True
        elif name == 'gcc':
            libgcc = True
        else:
            raise NoticeError(f'linked library {name} (-l{name}) has no notice')
    return [used[name] for name in sorted(used, key=str.lower)], picolibc, libgcc


def read_wraps(subprojects):
    wraps = []
    for path in sorted(subprojects.glob('*.wrap')):
        config = configparser.ConfigParser(interpolation=None)
        config.read(path, encoding='utf-8')
        wrap = {'library': path.stem, 'directory': config['wrap-file']['directory']}
        wrap['notice'] = dict(config['notice']) if 'notice' in config else None
        wraps.append(wrap)
    return wraps


# --- Libraries of subprojects/ ---

def flat(text):
    return re.sub(r'[^a-z0-9]+', ' ', text.lower()).strip()


def comments_of(text):
    """The C comments of the first lines of a file, without their frame."""
    head = text[:8000]
    blocks = re.findall(r'/\*.*?\*/|(?:^//.*\n)+', head, re.DOTALL | re.MULTILINE)
    return ['\n'.join(re.sub(r'^\s*(?://+|/?\*+/?)? ?', '', line).rstrip(' */')
                      for line in block.splitlines()) for block in blocks]


def check_source(path, text):
    """Refuses a file that offers nothing but a copyleft licence."""
    found = re.search(r'SPDX-License-Identifier:\s*([^\n*]+)', text[:4000])
    if found:
        alternatives = re.split(r'\s+OR\s+', found[1].strip().strip('()').strip())
        if not any(item.strip(' ()') in PERMISSIVE for item in alternatives):
            raise NoticeError(f'{path}: licence {found[1].strip()} is not permissive')
    elif any(COPYLEFT.search(comment) for comment in comments_of(text)):
        raise NoticeError(f'{path}: carries a GNU licence')


def library_notice(wrap, root, linked):
    notice, tree = wrap['notice'], (root / 'subprojects' / wrap['directory']).resolve()
    if not notice:
        raise NoticeError(f'linked library {wrap["library"]} has no notice '
                          f'(section [notice] of subprojects/{wrap["library"]}.wrap)')
    if notice['licence'] not in PERMISSIVE:
        raise NoticeError(f'{notice["name"]}: licence {notice["licence"]} is not permissive')
    try:
        main_text = (tree / notice['text']).read_text(encoding='utf-8', errors='replace')
    except OSError as error:
        raise NoticeError(f'{notice["name"]} has no notice: {error}') from error
    files = [path for path in linked.sources if tree in path.parents]
    for pattern in notice.get('headers', '').split():
        files += sorted(tree.glob(pattern))
    linked.read.update([*files, tree / notice['text']])
    copyrights, texts = {}, {}
    for path in files:
        text = path.read_text(encoding='utf-8', errors='replace')
        check_source(path, text)
        for comment in comments_of(text):
            for line in re.findall(r'^.*\bcopyright\b.*\d{4}.*$', comment, re.IGNORECASE | re.MULTILINE):
                copyrights.setdefault(flat(line), line.strip())
            for body in re.findall(r'Redistribution and use.*?SUCH\s+DAMAGE\.'
                                   r'|Permission is hereby granted.*?SOFTWARE\.', comment, re.DOTALL):
                if flat(body) not in flat(main_text):
                    texts.setdefault(flat(body), body)
    lines = sorted(line for key, line in copyrights.items() if key not in flat(main_text))
    parts = ['\n'.join(lines)] * bool(lines) + [main_text.strip()]
    if texts:
        parts += ['Some files carry the licence in another wording:', *texts.values()]
    return f'{notice["name"]} {notice["version"]}', notice['licence'], '\n\n'.join(parts)


# --- The toolchain's libraries ---

def run(command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            errors='replace', check=False)
    return result.stdout


def read_text(path):
    if path.suffix == '.gz':
        with gzip.open(path, 'rt', encoding='utf-8', errors='replace') as file:
            return file.read()
    return path.read_text(encoding='utf-8', errors='replace')


def find_text(linked, what, variable, patterns, must_hold):
    """The first file among PATTERNS, or the one that the environment names, that holds MUST_HOLD."""
    named = os.environ.get(variable)
    candidates = [Path(named)] if named else []
    for pattern in [] if named else patterns:
        candidates += sorted(Path('/').glob(str(pattern).lstrip('/')))
    for path in candidates:
        if path.is_file():
            text = read_text(path)
            if must_hold in text:
                linked.read.add(path)
                return text
    raise NoticeError(f'linked library {what} has no notice: no file with its licence was found; '
                      f'name one with {variable}=FILE')


def toolchain_archives(linked):
    """Where the linker finds libc and libm: its map names every archive that it opens."""
    with tempfile.TemporaryDirectory() as work:
        run([*linked.compiler, *linked.link_flags, '-nostdlib', '-x', 'c', '/dev/null', '-lc', '-lm',
             '-o', f'{work}/out', f'-Wl,-Map,{work}/map'])
        try:
            linker_map = Path(work, 'map').read_text(encoding='utf-8', errors='replace')
        except OSError:
            return []
    return sorted(set(re.findall(r'^LOAD (.*/lib[cm]\.a)$', linker_map, re.MULTILINE)))


def archive_sources(readelf, archives):
    names = set()
    for archive in archives:
        text = run([readelf, '--debug-dump=info', '--dwarf-depth=1', archive])
        names.update(re.findall(r'DW_AT_name\s*:.*?((?:newlib|picocrt|semihost|dummyhost)/\S+)\s*$', text,
                                re.MULTILINE))
    return sorted(names)


def read_dep5(text):
    """([(patterns, copyright, licence name)], {licence name: text}) of a machine-readable copyright file."""
    files, licences = [], {}
    for paragraph in re.split(r'\n\s*\n', text):
        fields, key = {}, None
        for line in paragraph.splitlines():
            match = re.match(r'([A-Za-z-]+):\s*(.*)', line)
            if match:
                key = match[1]
                fields[key] = match[2]
            elif key:
                fields[key] += '\n' + line
        if 'License' not in fields:
            continue
        name, _, body = fields['License'].partition('\n')
        if body:
            licences[name.strip()] = re.sub(r'^\.$', '', textwrap.dedent(body), flags=re.MULTILINE)
        if 'Files' in fields:
            files.append((fields['Files'].split(), fields.get('Copyright', '').strip(), name.strip()))
    return files, licences


def stanza_finder(stanzas):
    """A function from a path to its stanza: as the format wants it, the last of those that match."""
    exact, globs = {}, []
    for index, (patterns, _, _) in enumerate(stanzas):
        for pattern in patterns:
            if re.search(r'[*?\[]', pattern):
                globs.append((index, re.compile(fnmatch.translate(pattern))))
            exact[pattern] = index

    def find(path):
        found = [exact[path]] if path in exact else []
        found += [index for index, expression in globs if expression.match(path)]
        if not found:
            raise NoticeError(f'picolibc: {path} has no notice')
        return stanzas[max(found)]

    return find


def picolibc_notice(linked, prefix):
    text = find_text(linked, 'picolibc', 'NOTICE_PICOLIBC',
                     [f'/usr/share/doc/picolibc-{prefix.rstrip("-")}/copyright',
                      '/usr/share/doc/picolibc*/copyright', '/usr/share/licenses/picolibc*/COPYING*'],
                     'License:')
    stanzas, licences = read_dep5(text)
    readelf = run([*linked.compiler, '-print-prog-name=readelf']).strip() or 'readelf'
    archives = toolchain_archives(linked)
    linked.read.update(Path(archive) for archive in archives)
    sources = archive_sources(readelf, archives)
    if not sources:
        # No debug information to go by: everything but what is only for building and testing.
        sources = [pattern for patterns, _, _ in stanzas for pattern in patterns
                   if not re.match(r'(?:scripts|test|debian)/', pattern)]
    stanza_of = stanza_finder(stanzas)
    holders = {}
    for source in sources:
        _, copyright_lines, licence = stanza_of(source)
        if COPYLEFT.search(licence) or COPYLEFT.search(licences.get(licence, '')):
            raise NoticeError(f'picolibc: {source} is under {licence}')
        for line in copyright_lines.splitlines():
            holders.setdefault(licence, {})[line.strip()] = True
    parts = ['\n'.join('Copyright ' + line for line in sorted(lines)) + '\n\n' + licences[name].strip()
             for name, lines in sorted(holders.items())]
    macros = run([*linked.compiler, *linked.link_flags, *linked.include_flags, '-dM', '-E', '-x', 'c', '-include', 'picolibc.h',
                  '/dev/null'])
    version = re.search(r'#define _?_?PICOLIBC_VERSION_* "([^"]*)"', macros)
    return f'picolibc {version[1] if version else ""}'.strip(), 'BSD-style', '\n\n- - -\n\n'.join(parts)


def libgcc_notice(linked, prefix):
    marker = 'GCC RUNTIME LIBRARY EXCEPTION'
    # The folder that it lies in, if the compiler is not of that family.
    version = run([*linked.compiler, '-dumpfullversion']).strip() or \
        next((part for part in Path(run([*linked.compiler, '-print-file-name=libgcc.a']).strip()).parts
              if re.fullmatch(r'\d+(\.\d+)+', part)), '')
    major = version.split('.')[0]
    text = find_text(linked, 'libgcc', 'NOTICE_LIBGCC',
                     [f'/usr/share/doc/gcc-{prefix.rstrip("-")}/copyright*',
                      f'/usr/share/doc/gcc-{major}-base/copyright', '/usr/share/doc/gcc-*-base/copyright',
                      '/usr/share/licenses/gcc*/*RUNTIME*'], marker)
    start = text.index(marker)
    end = re.compile(r'consistent with the licensing of the Independent\s+Modules\.').search(text, start)
    if not end:
        raise NoticeError('libgcc: the text of the GCC Runtime Library Exception is not complete')
    statement = ('Copyright (C) Free Software Foundation, Inc.\n\nlibgcc is part of GCC and is free software '
                 'under the GNU General Public License,\nversion 3 or later, with the permission below, '
                 'under which it is linked here.\n\n')
    return f'libgcc {version}', 'GPL-3.0-or-later WITH GCC-exception-3.1', statement + text[start:end.end()]


# --- The whole ---

def notices(root, build_dir):
    linked = Linked(build_dir)
    libraries, picolibc, libgcc = sort_out(linked, read_wraps(root / 'subprojects'))
    prefix = re.sub(r'(gcc|cc|clang)$', '', Path(linked.compiler[-1]).name)
    sections = [('Skerry', 'BSD-2-Clause', (root / 'LICENSE').read_text(encoding='utf-8').strip())]
    sections += [library_notice(wrap, root, linked) for wrap in libraries]
    if picolibc:
        sections.append(picolibc_notice(linked, prefix))
    if libgcc:
        sections.append(libgcc_notice(linked, prefix))
    text = 'The kernel and the programs of this system hold the following software.\n\n'
    text += ''.join(f'    {name} ({licence})\n' for name, licence, _ in sections)
    for name, licence, body in sections:
        text += f'\n\n{"=" * 72}\n{name}\n{licence}\n{"=" * 72}\n\n{body}\n'
    linked.read.update([root / 'LICENSE', *(root / 'subprojects').glob('*.wrap')])
    return text, linked.read


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n', maxsplit=1)[0])
    parser.add_argument('--root', type=Path, default=Path(__file__).resolve().parent.parent,
                        help='top of the source tree')
    parser.add_argument('--build-dir', type=Path, required=True, help='the cross build directory')
    parser.add_argument('-o', '--output', type=Path, required=True)
    parser.add_argument('--depfile', type=Path, help='for Ninja: what the output depends on')
    arguments = parser.parse_args()
    try:
        text, depends = notices(arguments.root.resolve(), arguments.build_dir.resolve())
    except (NoticeError, OSError) as error:
        print(f'notices: {error}', file=sys.stderr)
        return 1
    arguments.output.write_text(text, encoding='utf-8')
    if arguments.depfile:
        paths = ' '.join(str(path).replace(' ', '\\ ') for path in sorted(depends))
        arguments.depfile.write_text(f'{arguments.output}: {paths}\n', encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main())
