#!/usr/bin/env python3
"""readdir_storm.py DIR BASE DELTA SECONDS: lists DIR with getdents64 in 4 KiB
pieces, going back to earlier places at random, while other processes create,
rename and remove names in it. base-1..BASE and delta-1..DELTA stay, gone-*
are not there: each listing must have all of the first exactly once, and none
of the others; a listing that goes on from a place has what came after it."""
import ctypes
import os
import random
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.getdents64.restype = ctypes.c_ssize_t


def piece(fd, buffer):
    got = libc.getdents64(fd, buffer, len(buffer))
    if got < 0:
        raise OSError(ctypes.get_errno(), "getdents64")
    at = 0
    while at < got:
        inode, place, length, kind = struct.unpack_from("<QqHB", buffer, at)
        name = buffer.raw[at + 19:at + length].split(b"\0")[0].decode()
        assert inode, f"{name} has inode 0"
        yield name, place
        at += length


def listing(fd, buffer):
    names = []
    while True:
        got = list(piece(fd, buffer))
        if not got:
            return names
        names += got


def churn(directory, nr, end):
    random.seed(nr)
    os.chdir(directory)
    while time.time() < end:
        name = f"churn-{nr}-{random.randrange(200)}"
        try:
            what = random.randrange(4)
            if what == 0:
                os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
            elif what == 1:
                os.unlink(name)
            elif what == 2:
                os.rename(name, f"churn-{nr}-{random.randrange(200)}")
            else:
                os.link(name, f"churn-{nr}-{random.randrange(200)}")
        except (FileNotFoundError, FileExistsError):
            pass
    os._exit(0)


def main():
    directory, base, delta = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    end = time.time() + float(sys.argv[4])
    stays = {f"base-{i}" for i in range(1, base + 1)}
    stays |= {f"delta-{i}" for i in range(1, delta + 1)} | {".", ".."}
    children = []
    for nr in range(2):
        pid = os.fork()
        if pid == 0:
            churn(directory, nr, end)
        children.append(pid)
    buffer = ctypes.create_string_buffer(4096)
    rounds = seeks = 0
    while time.time() < end or rounds < 2:
        rounds += 1
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        all_of = listing(fd, buffer)
        names = [name for name, place in all_of]
        have = [name for name in names if name in stays]
        assert len(have) == len(set(have)), "listed twice: " + str(
            sorted(n for n in set(have) if have.count(n) > 1)[:5])
        assert set(have) == stays, \
            "not listed: " + str(sorted(stays - set(have))[:5])
        assert not [n for n in names if n.startswith("gone-")], "is gone"
        for _ in range(3):
            at = random.randrange(len(all_of))
            os.lseek(fd, all_of[at][1], os.SEEK_SET)
            rest = [n for n, p in listing(fd, buffer) if n in stays]
            want = [n for n in names[at + 1:] if n in stays]
            assert sorted(rest) == sorted(want), (
                f"after going back behind {names[at]}: missing "
                f"{sorted(set(want) - set(rest))[:5]}, more "
                f"{sorted(set(rest) - set(want))[:5]}")
            seeks += 1
        os.close(fd)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    print(f"{rounds} listings of {len(stays)} names and more, {seeks} seeks")


if __name__ == "__main__":
    main()
