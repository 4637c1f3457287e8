#!/usr/bin/env python3
"""Writes numbered blocks and checks them after a crash.

  writer.py write IMAGE direct|fsync FIRST COUNT LOG   until it fails
  writer.py check IMAGE FIRST COUNT LOG...

A block holds its number and the sequence number of its write. LOG gets both
after the write was acknowledged (direct) or the fsync returned (fsync). What
is in the image may be newer than the log by the writes in flight, never
older, and never a mixture.
"""
import mmap
import os
import random
import struct
import sys

BLOCK = 4096
PAIR = struct.Struct("<QQ")


def write(path, mode, first, count, log_path):
    direct = mode == "direct"
    fd = os.open(path, os.O_RDWR | (os.O_DIRECT if direct else 0))
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    page = mmap.mmap(-1, BLOCK)  # aligned, as O_DIRECT wants it
    rng = random.Random(first)
    sequence = 0
    while True:
        sequence += 1
        block = first + rng.randrange(count)
        page[:] = PAIR.pack(block, sequence) * (BLOCK // PAIR.size)
        try:
            os.pwritev(fd, [page], block * BLOCK)
            if not direct:
                os.fsync(fd)
        except OSError as error:
            print(f"{mode}: stopped after {sequence - 1}: {error.strerror}")
            return
        os.write(log, PAIR.pack(block, sequence))


def check(path, first, count, logs):
    acknowledged = {}
    total = 0
    for log in logs:
        with open(log, "rb") as file:
            data = file.read()
        data = data[:len(data) // PAIR.size * PAIR.size]
        for block, sequence in PAIR.iter_unpack(data):
            acknowledged[block] = sequence
            total += 1
    with open(path, "rb") as image:
        for block in range(first, first + count):
            want = acknowledged.get(block)
            if want is None:
                continue
            image.seek(block * BLOCK)
            data = image.read(BLOCK)
            got = PAIR.unpack_from(data)
            if data != PAIR.pack(*got) * (BLOCK // PAIR.size):
                sys.exit(f"block {block} is torn")
            if got[0] != block or got[1] < want:
                sys.exit(f"block {block}: have {got}, acknowledged {want}")
    print(f"{total} acknowledged writes of {len(acknowledged)} blocks: there")
    if not total:
        sys.exit("nothing was written")


if sys.argv[1] == "write":
    write(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]),
          sys.argv[6])
else:
    check(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
