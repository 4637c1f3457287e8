#!/usr/bin/env python3
"""Writers that log what was acknowledged, and the judge after a crash.

  acked.py write IMAGE direct|fsync FIRST COUNT LOG    until it fails
  acked.py check IMAGE EXPECTED LOG...                 and renews EXPECTED
  acked.py has IMAGE LOG...                            the logged, or newer

A block that was written holds its number and a sequence number, over and
over; sequence numbers only grow, from one run to the next too. A write is
1 to 16 blocks. LOG, outside of the image, gets the pair of each block once
the write was acknowledged (direct) or its fsync returned (fsync).

check: the image has every logged block, or a newer one of the same run that
was in flight; all other blocks are as in the file EXPECTED. No block is torn.
"""
import mmap
import os
import random
import struct
import sys
import time

BLOCK = 4096
RUN_MOST = 16
PAIR = struct.Struct("<QQ")


def filled(block, sequence):
    return PAIR.pack(block, sequence) * (BLOCK // PAIR.size)


def write(path, mode, first, count, log_path):
    direct = mode == "direct"
    try:
        fd = os.open(path, os.O_RDWR | (os.O_DIRECT if direct else 0))
    except OSError:
        return  # killed before
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    pages = mmap.mmap(-1, BLOCK * RUN_MOST)  # aligned, as O_DIRECT wants it
    sequence = time.time_ns()
    while True:
        run = random.choice((1, 1, 1, 2, 5, RUN_MOST))
        block = first + random.randrange(count - run + 1)
        entries = b""
        for i in range(run):
            sequence += 1
            pages[i * BLOCK:(i + 1) * BLOCK] = filled(block + i, sequence)
            entries += PAIR.pack(block + i, sequence)
        view = memoryview(pages)[:run * BLOCK]
        try:
            done = os.pwritev(fd, [view], block * BLOCK)
            if not direct:
                os.fsync(fd)
        except OSError:
            return
        # A short write acknowledged its first blocks only.
        os.write(log, entries[:done // BLOCK * PAIR.size])


def read_logs(paths):
    logged = {}
    total = 0
    for path in paths:
        if not os.path.exists(path):
            continue
        with open(path, "rb") as file:
            data = file.read()
        for block, sequence in PAIR.iter_unpack(
                data[:len(data) // PAIR.size * PAIR.size]):
            logged[block] = sequence
            total += 1
    return logged, total


def judge(block, data, least):
    """What is wrong with it, or None; least: of its sequence number."""
    number, sequence = PAIR.unpack_from(data)
    if data != filled(number, sequence):
        return "is torn"
    if number != block:
        return f"holds block {number}"
    if sequence < least:
        return f"is older than acknowledged by {least - sequence}"
    return None


def complain(wrong):
    for block, text in wrong[:10]:
        print(f"block {block}: {text}")
    if wrong:
        sys.exit(f"{len(wrong)} blocks are wrong")


def check(path, expected_path, logs):
    logged, total = read_logs(logs)
    begun = min(logged.values(), default=0)
    wrong = []
    with open(path, "rb") as image, open(expected_path, "r+b") as expected:
        if os.path.getsize(path) != os.path.getsize(expected_path):
            sys.exit("the size is wrong")
        for at in range(0, os.path.getsize(path), BLOCK * 256):
            have, want = image.read(BLOCK * 256), expected.read(BLOCK * 256)
            first = at // BLOCK
            same = have == want
            for i in range(len(want) // BLOCK):
                data = have[i * BLOCK:(i + 1) * BLOCK]
                block = first + i
                if block not in logged and (
                        same or data == want[i * BLOCK:(i + 1) * BLOCK]):
                    continue
                text = judge(block, data, logged.get(block, begun))
                if text:
                    wrong.append((block, text))
            if not same:
                expected.seek(at)
                expected.write(have)
    complain(wrong)
    print(total, len(logged))


def has(path, logs):
    logged, total = read_logs(logs)
    wrong = []
    with open(path, "rb") as image:
        for block, sequence in sorted(logged.items()):
            image.seek(block * BLOCK)
            text = judge(block, image.read(BLOCK), sequence)
            if text:
                wrong.append((block, text))
    complain(wrong)
    print(total, len(logged))


if sys.argv[1] == "write":
    write(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]),
          sys.argv[6])
elif sys.argv[1] == "check":
    check(sys.argv[2], sys.argv[3], sys.argv[4:])
else:
    has(sys.argv[2], sys.argv[3:])
