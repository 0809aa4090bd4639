# SPDX-License-Identifier: BSD-2-Clause
"""The two-thread ring test under the thread sanitizer, and the sleep protocol model-checked.

The model explores every interleaving of producer and consumer on a machine whose stores wait in a
buffer until a fence (or later). With both fences no wake-up is lost; without either one is.
"""
import os
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.abspath(os.path.join(here, '../../../..'))
count = 0
failed = 0


def check(good, name):
    global count, failed
    count += 1
    failed += not good
    print('%s %d - %s' % ('ok' if good else 'not ok', count, name))


def loses_wake_up(producer_fence, consumer_fence):
    """True: some interleaving ends with an entry in the ring and the consumer asleep."""
    producer = [('store', 'head', 1)] + [('fence',)] * producer_fence + [('wake_if', 'flag')]
    consumer = [('store', 'flag', 1)] + [('fence',)] * consumer_fence + [('sleep_unless', 'head')]
    # State: program counters, store buffers (tuples), memory, event, consumer asleep.
    start = ((0, 0), ((), ()), (('flag', 0), ('head', 0)), False, False)
    seen = set()
    todo = [start]
    while todo:
        state = todo.pop()
        if state in seen:
            continue
        seen.add(state)
        pcs, buffers, memory_items, event, asleep = state
        following = []
        for who, program in enumerate((producer, consumer)):
            memory = dict(memory_items)
            mine = list(buffers)
            if buffers[who]:  # the oldest store reaches memory
                name, value = buffers[who][0]
                mine[who] = buffers[who][1:]
                memory[name] = value
                following.append((pcs, tuple(mine), tuple(sorted(memory.items())), event, asleep))
            if pcs[who] == len(program):
                continue
            step = program[pcs[who]]
            next_pcs = tuple(pc + (i == who) for i, pc in enumerate(pcs))
            memory = dict(memory_items)
            mine = list(buffers)
            new_event, new_asleep = event, asleep
            if step[0] == 'store':
                mine[who] = buffers[who] + (step[1:],)
            elif step[0] == 'fence':
                if buffers[who]:
                    continue  # waits until its stores are out
            else:
                value = dict(buffers[who]).get(step[1], memory[step[1]])
                if step[0] == 'wake_if' and value:
                    new_event = True
                if step[0] == 'sleep_unless' and not value:
                    new_asleep = True
            following.append((next_pcs, tuple(mine), tuple(sorted(memory.items())), new_event,
                              new_asleep))
        if not following and asleep and not event:
            return True
        todo += following
    return False


check(not loses_wake_up(True, True), 'model: with both fences no wake-up is lost')
check(loses_wake_up(False, True), 'model: without the producer\'s fence one is')
check(loses_wake_up(True, False), 'model: without the consumer\'s fence one is')

with tempfile.TemporaryDirectory() as folder:
    program = os.path.join(folder, 'ring')
    built = subprocess.run(
        ['cc', '-std=gnu11', '-g', '-O1', '-fsanitize=thread', '-Wno-tsan', '-pthread',
         '-I' + os.path.join(root, 'userland/include'), '-I' + os.path.join(root, 'abi/include'),
         os.path.join(here, 'test_ring.c'), '-o', program])
    check(built.returncode == 0, 'it builds under the thread sanitizer')
    if built.returncode == 0:
        ran = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in ran.stdout.splitlines():
            print('# ' + line)
        check(ran.returncode == 0 and 'not ok' not in ran.stdout, 'two threads, no race')

print('1..%d' % count)
sys.exit(failed != 0)
