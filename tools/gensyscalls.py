#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reads abi/syscalls.tbl and writes one of:

  numbers    <skerry/syscall_numbers.h>  enum sk_syscall
  stubs      <sk/syscalls.h>             the user functions sk_NAME()
  prototypes <kernel/syscalls.h>         what kernel/sys_*.c must define
  dispatch   syscall_table.c             handle lookup, type and rights checks, the table
  docs       docs/syscalls.md            the reference page
  shapes     syscall_shapes.h            every call's handle arguments, for tests/host/kernel/test_errors.c
"""
import argparse
import re
import sys

TYPES = ['job', 'process', 'thread', 'endpoint', 'memory', 'waitset', 'event', 'timer', 'interrupt', 'resource']
WARNING = '/* Generated from abi/syscalls.tbl by tools/gensyscalls.py. */\n'


class Argument:
    def __init__(self, kind, name, rights=()):
        self.kind, self.name, self.rights = kind, name, list(rights)
        self.is_handle = kind.startswith('handle')
        self.types = kind.split(':', 1)[1].split('|') if ':' in kind else []

    def user_type(self):
        if self.is_handle:
            return 'handle_t '
        return {'u32': 'uint32_t ', 'u64': 'uint64_t ', 'address': 'const void *'}[self.kind]


class Call:
    def __init__(self, number, name, marks):
        self.number, self.name = number, name
        self.ipc, self.waits, self.locked = ('ipc' in marks, 'waits' in marks, 'locked' in marks)
        self.inputs, self.outputs, self.errors, self.text = [], [], [], []

    def all_errors(self):
        handles = [a for a in self.inputs if a.is_handle]
        common = ['BAD_HANDLE', 'ACCESS_DENIED'] if handles else []
        common += ['WRONG_TYPE'] if any(a.types != ['any'] for a in handles) else []
        return common + [e for e in self.errors if e not in common]


def fail(path, line, why):
    sys.exit(f'{path}:{line}: {why}')


def parse(path):
    calls = []
    for number, raw in enumerate(open(path, encoding='utf-8'), 1):
        line = raw.strip()
        words = line.split()
        if not words or line.startswith('#'):
            continue
        if words[0] == 'syscall' and not raw[0].isspace():
            if len(words) < 3 or not words[1].isdigit() or not set(words[3:]) <= {'ipc', 'waits', 'locked'}:
                fail(path, number, 'expected: syscall NUMBER NAME [ipc] [waits] [locked]')
            calls.append(Call(int(words[1]), words[2], words[3:]))
            continue
        if not calls:
            fail(path, number, 'text before the first syscall')
        call = calls[-1]
        if words[0] in ('in', 'out') and not call.text:
            rights = words[3].split(',') if len(words) > 3 else []
            argument = Argument(words[1], words[2], rights)
            for name in argument.types:
                if name not in TYPES + ['any']:
                    fail(path, number, f'unknown type {name}')
            (call.inputs if words[0] == 'in' else call.outputs).append(argument)
        elif words[0] == 'errors' and not call.text:
            call.errors += words[1:]
        else:
            call.text.append(line)
    for seen in ('number', 'name'):
        values = [getattr(c, seen) for c in calls]
        for value in values:
            if values.count(value) > 1:
                sys.exit(f'{path}: {seen} {value} is used twice')
    return sorted(calls, key=lambda c: c.number)


def numbers(calls):
    lines = [WARNING, '#ifndef SKERRY_SYSCALL_NUMBERS_H', '#define SKERRY_SYSCALL_NUMBERS_H', '', 'enum sk_syscall {']
    lines += [f'    SK_SYS_{c.name} = {c.number},' for c in calls]
    lines += [f'    SK_SYS_COUNT = {calls[-1].number + 1},', '};', '', '#endif']
    return lines


def stubs(calls):
    lines = [WARNING, '#ifndef SK_SYSCALLS_H', '#define SK_SYSCALLS_H', '',
             '#include <skerry/status.h>', '#include <skerry/syscall_numbers.h>', '#include <skerry/types.h>',
             '#include <sk/arch_syscall.h>', '']
    for c in calls:
        if c.ipc:
            continue
        parameters = [a.user_type() + a.name for a in c.inputs]
        parameters += [('handle_t *' if a.kind == 'handle' else 'uint64_t *') + a.name for a in c.outputs]
        lines.append('/* ' + '\n * '.join(c.text) + ' */')
        lines.append(f'static inline status_t sk_{c.name}({", ".join(parameters) or "void"})')
        lines.append('{')
        values = ''.join(f', (uint64_t){"(uintptr_t)" if a.kind == "address" else ""}{a.name}' for a in c.inputs)
        lines.append(f'    struct sk_result result = sk_syscall{len(c.inputs)}(SK_SYS_{c.name}{values});')
        if c.outputs:
            lines.append('    if (result.status == SK_OK) {')
            for i, a in enumerate(c.outputs):
                cast = '(handle_t)' if a.kind == 'handle' else ''
                lines.append(f'        *{a.name} = {cast}result.value[{i}];')
            lines.append('    }')
        lines += ['    return result.status;', '}', '']
    return lines + ['#endif']


def handler_parameters(call):
    parameters = ['struct object *' + call.inputs[0].name] if call.locked else []
    for a in call.inputs[len(parameters):]:
        if a.is_handle:
            parameters.append(f'struct capability {a.name}')
        else:
            parameters.append({'u32': 'uint32_t ', 'u64': 'uint64_t ', 'address': 'vaddr_t '}[a.kind] + a.name)
    parameters += [('handle_t *' if a.kind == 'handle' else 'uint64_t *') + a.name for a in call.outputs]
    return parameters


def registers(first=0):
    return ', '.join(f'uint64_t in{i}' for i in range(first, 7))


def prototypes(calls):
    lines = [WARNING, '#ifndef KERNEL_SYSCALLS_H', '#define KERNEL_SYSCALLS_H', '',
             '#include <kernel/syscall.h>', '']
    for c in calls:
        if c.ipc:
            lines.append(f'struct syscall_return sys_{c.name}({registers()});')
        else:
            parameters = ', '.join(['struct thread *self'] + handler_parameters(c))
            lines.append(f'status_t sys_{c.name}({parameters});')
    return lines + ['', '#endif']


def dispatch_one(c):
    if c.ipc:
        return []
    lines = [f'static UNGUARDED struct syscall_return dispatch_{c.name}({registers()})', '{',
             '    struct thread *self = cpu_hart()->current;']
    handles = [(i, a) for i, a in enumerate(c.inputs) if a.is_handle]
    for _, a in handles:
        lines.append(f'    struct {"object *" if c.locked else "capability "}{a.name};')
    for a in c.outputs:
        lines.append(f'    {"handle_t" if a.kind == "handle" else "uint64_t"} {a.name} = 0;')
    lines.append('    status_t status;')
    done = []
    for i, a in handles:
        kind = 'SK_TYPE_NONE' if a.types == ['any'] else 'SK_TYPE_' + a.types[0].upper()
        rights = ' | '.join('SK_RIGHT_' + r for r in a.rights) or '0'
        look = f'handle_lock(self->process, in{i}' if c.locked else f'handle_get(self->process, (handle_t)in{i}'
        lines.append(f'    status = {look}, {kind}, {rights}, &{a.name});')
        lines.append('    if (status != SK_OK) {')
        lines.append(f'        goto {"fail_" + done[-1] if done else "out"};')
        lines.append('    }')
        done.append(a.name)
    values = ['self']
    for i, a in enumerate(c.inputs):
        values.append(a.name if a.is_handle else f'({"uint32_t" if a.kind == "u32" else "uint64_t"})in{i}')
    values += ['&' + a.name for a in c.outputs]
    lines.append(f'    status = sys_{c.name}({", ".join(values)});')
    for name in reversed(done):
        if name != done[-1]:
            lines.append(f'fail_{name}:')
        if not c.locked:
            lines.append(f'    object_put({name}.object);')
    if done:
        lines.append('out:')
    if len(c.outputs) == 2:
        lines.append(f'    return syscall_return2(self, status, {c.outputs[0].name}, {c.outputs[1].name});')
    else:
        value = f'status == SK_OK ? {c.outputs[0].name} : 0' if c.outputs else '0'
        lines.append(f'    return (struct syscall_return){{status, {value}}};')
    lines += ['}', '']
    return lines


def dispatch(calls):
    by_number = {c.number: c for c in calls}
    last = calls[-1].number + 1  # what every number beyond the table stands for
    lines = [WARNING, '#include <kernel/glance.h>', '#include <kernel/hart.h>',
             '#include <kernel/syscall.h>', '#include <kernel/syscalls.h>', '',
             f'static struct syscall_return dispatch_none({registers()})', '{',
             '    return (struct syscall_return){SK_BAD_SYSCALL, 0};', '}', '']
    for c in calls:
        lines += dispatch_one(c)
    lines.append('const struct syscall_entry syscall_table[SK_SYS_COUNT + 1] = {')
    for number in range(last + 1):
        c = by_number.get(number)
        function = 'dispatch_none' if not c else f'sys_{c.name}' if c.ipc else f'dispatch_{c.name}'
        lines.append(f'    [{number}] = {{{function}, {"true" if c and c.waits else "false"}}},')
    return lines + ['};']


def docs(calls):
    lines = ['# System calls', '', 'Generated from `abi/syscalls.tbl` by `tools/gensyscalls.py docs`; `docs/ipc.md` has the contract of',
             'channels. Every call returns a status: 0 or one of `abi/include/skerry/status.h`. Handle arguments also',
             'give BAD_HANDLE, WRONG_TYPE and ACCESS_DENIED (a right is missing).', '']
    for c in calls:
        arguments = ', '.join(a.name for a in c.inputs)
        results = ', '.join(a.name for a in c.outputs)
        lines += [f'## {c.number} {c.name}({arguments})' + (f' -> {results}' if results else ''), '']
        for a in c.inputs:
            if a.is_handle:
                kinds = ' or '.join(a.types).replace('any', 'any object')
                rights = f' with {", ".join(a.rights)}' if a.rights else ''
                lines.append(f'- `{a.name}`: handle to {kinds}{rights}')
            else:
                lines.append(f'- `{a.name}`: {a.kind}')
        if c.inputs:
            lines.append('')
        lines += c.text + ['']
        if c.errors:
            lines += ['Errors: ' + ', '.join(c.errors) + '.', '']
    return lines[:-1]


def shapes(calls):
    """The rows of an array of struct shape (tests/host/kernel/test_errors.c)."""
    lines = [WARNING]
    for c in calls:
        handles = []
        for i, a in enumerate(c.inputs):
            if a.is_handle:
                types = ' | '.join('1u << SK_TYPE_' + t.upper() for t in a.types if t != 'any') or '0'
                rights = ' | '.join('SK_RIGHT_' + r for r in a.rights) or '0'
                handles.append(f'{{{i}, {types}, {rights}}}')
        if handles:
            ipc = 'true' if c.ipc else 'false'
            lines.append(f'{{{c.number}, "{c.name}", {ipc}, {len(handles)}, {{{", ".join(handles)}}}}},')
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    outputs = {'numbers': numbers, 'stubs': stubs, 'prototypes': prototypes, 'dispatch': dispatch, 'docs': docs,
               'shapes': shapes}
    parser.add_argument('what', choices=outputs)
    parser.add_argument('table')
    parser.add_argument('output')
    arguments = parser.parse_args()
    text = '\n'.join(outputs[arguments.what](parse(arguments.table))) + '\n'
    text = re.sub(r'[ \t]+\n', '\n', text)
    with open(arguments.output, 'w', encoding='utf-8') as out:
        out.write(text)


if __name__ == '__main__':
    main()
