#!/usr/bin/env python3
"""names_storm.py DIR SEED COUNT [LOG]: COUNT changes of names in DIR, the same
for a seed if DIR is the same. The number of each is appended to LOG when it is
done. Ends quietly when the file system goes away."""
import errno
import os
import random
import sys

GONE = (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO, errno.ESTALE)


def name():
    return "/".join(f"n{random.randrange(6)}"
                    for _ in range(random.randrange(1, 4)))


def change():
    what = random.randrange(9)
    one, two = name(), name()
    if what == 0:
        os.mkdir(one)
    elif what == 1:
        os.close(os.open(one, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    elif what == 2:
        os.symlink(two, one)
    elif what == 3:
        os.link(one, two, follow_symlinks=False)
    elif what == 4:
        os.unlink(one)
    elif what == 5:
        os.rmdir(one)
    elif what == 6:
        os.chmod(one, random.choice((0o600, 0o644, 0o755)))
    elif two.count("/") <= one.count("/") or os.path.islink(one) \
            or not os.path.isdir(one):  # else it gets deeper and deeper
        os.rename(one, two)


def main():
    os.chdir(sys.argv[1])
    random.seed(int(sys.argv[2]))
    log = open(sys.argv[4], "w", buffering=1) if len(sys.argv) > 4 else None
    for nr in range(1, int(sys.argv[3]) + 1):
        try:
            change()
        except OSError as error:
            if error.errno in GONE:
                return
        if log:
            print(nr, file=log)


main()
