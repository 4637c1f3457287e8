#!/usr/bin/env python3
"""Directory trees beside other union file systems, in one run, as root.

  bench/tree.py [--rounds N] [--files N] [--names N] [--dir DIR]
                [--systems cowd,ext4,overlay,fuse-overlayfs,unionfs-fuse]
                [--json FILE] [--cowd PATH]

Each round does everything on each system in turn, so that what else goes on
in the machine hits them alike; the table has medians in milliseconds. "cold"
is after dropping the caches of the kernel, with a fresh mount. ext4 is a plain
copy of the base. What a system cannot do is told by the error it gives. What
took longer than 5 s is not done again in later rounds.
"""
import argparse
import errno
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = ("cowd", "ext4", "overlay", "fuse-overlayfs", "unionfs-fuse")
STEPS = ("mount", "find -ls cold", "find -ls hot", "tar cold", "tar hot",
         "unpack", "find -ls of it", "git add .", "rm -rf",
         "rename big directory", "first write to 10 GiB", "chmod 10 GiB",
         "stored KiB by that")


def run(*command, **how):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, **how)


def make_base(base, files, names):
    """files of 1..8 KiB in directories of 100; a directory with names empty
    ones; a sparse file of 10 GiB."""
    tree = base / "tree"
    block = os.urandom(8192)
    for nr in range(files):
        folder = tree / f"d{nr // 1000}" / f"d{nr // 100}"
        if nr % 100 == 0:
            folder.mkdir(parents=True)
        with open(folder / f"file{nr}.txt", "wb") as file:
            file.write(block[:1024 + nr * 37 % 7168])
    for nr in range(names):
        if nr % 1000 == 0:
            folder = base / "big" / f"d{nr // 1000}"
            folder.mkdir(parents=True)
        (folder / f"file{nr}").touch()
    with open(base / "disk", "wb") as file:
        file.truncate(10 << 30)
        file.seek(5 << 30)
        file.write(block)


def make_archive(work, files):
    source = work / "archive"
    block = os.urandom(16384)
    for nr in range(files):
        folder = source / f"src{nr // 50}"
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"unit{nr}.c", "wb") as file:
            file.write(block[nr % 1000:nr % 1000 + nr * 13 % 9000])
    run("tar", "-C", source, "-cf", work / "archive.tar", ".")
    shutil.rmtree(source)


class System:
    """One of them, mounted at self.mount over self.base."""

    def __init__(self, name, work, base, cowd):
        self.name, self.base, self.cowd = name, base, cowd
        self.own = work / name
        self.mount = self.own / "m"
        self.own.mkdir()

    def up(self):
        if self.name == "ext4":
            if not self.mount.exists():
                run("cp", "-a", "--sparse=always", self.base, self.mount)
            return
        for name in ("m", "upper", "work"):
            (self.own / name).mkdir()
        upper, work = self.own / "upper", self.own / "work"
        if self.name == "cowd":
            run(self.cowd, "create", self.own / "s.cowd", "--base", self.base)
            run(self.cowd, "mount", self.own / "s.cowd", self.mount)
        elif self.name == "overlay":
            run("mount", "-t", "overlay", "overlay", "-o",
                f"lowerdir={self.base},upperdir={upper},workdir={work},"
                "redirect_dir=on,metacopy=on", self.mount)
        elif self.name == "fuse-overlayfs":
            run("fuse-overlayfs", "-o", f"lowerdir={self.base},"
                f"upperdir={upper},workdir={work}", self.mount)
        else:
            run("unionfs", "-o", "cow", f"{upper}=RW:{self.base}=RO",
                self.mount)

    def down(self):
        if self.name == "ext4":
            return
        if self.name == "cowd":
            run(self.cowd, "umount", self.mount)
        elif os.path.ismount(self.mount):
            run("umount", self.mount)
        while subprocess.run(["rm", "-rf", self.own], check=False,
                             stderr=subprocess.DEVNULL).returncode:
            time.sleep(0.2)  # its daemon is still ending
        self.own.mkdir()

    def stored_kib(self):
        if self.name == "ext4":
            return 0
        out = subprocess.run(["du", "-ks", "--exclude=m", self.own],
                             capture_output=True, text=True, check=False)
        return int(out.stdout.split()[0])


def drop_caches():
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def timed(call):
    """Milliseconds, or the name of the error."""
    begin = time.monotonic()
    try:
        call()
    except OSError as error:
        return errno.errorcode.get(error.errno, "error")
    except subprocess.CalledProcessError as error:
        return f"exit {error.returncode}"
    return (time.monotonic() - begin) * 1000


def find(where):
    run("find", where, "-ls")


def tar(where):
    # Not to /dev/null itself: tar knows it, and reads nothing.
    run("sh", "-c", 'tar -C "$1" -cf - . | cat >/dev/null', "tar", where)


def write_byte(path):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(fd, b"x", (3 << 30) + 12345)
    finally:
        os.close(fd)


def git_add(where):
    run("git", "init", "-q", cwd=where)
    run("git", "-c", "core.fsync=none", "add", ".", cwd=where)


def one_round(system, archive, earlier):
    took = {}

    def unless_slow(step, call):
        known = earlier[-1][step] if earlier else 0.0
        took[step] = known if not isinstance(known, str) and known > 5000 \
            else timed(call)

    drop_caches()
    took["mount"] = timed(system.up)
    mount, tree = system.mount, system.mount / "tree"
    took["find -ls cold"] = timed(lambda: find(tree))
    took["find -ls hot"] = timed(lambda: find(tree))
    drop_caches()
    took["tar cold"] = timed(lambda: tar(tree))
    took["tar hot"] = timed(lambda: tar(tree))
    new = mount / "new"
    new.mkdir()
    took["unpack"] = timed(lambda: run("tar", "-C", new, "-xf", archive))
    took["find -ls of it"] = timed(lambda: find(new))
    took["git add ."] = timed(lambda: git_add(new))
    took["rm -rf"] = timed(lambda: run("rm", "-rf", new))
    unless_slow("rename big directory",
                lambda: os.rename(mount / "big", mount / "renamed"))
    if system.name == "ext4":
        os.rename(mount / "renamed", mount / "big")
    before = system.stored_kib()
    unless_slow("first write to 10 GiB", lambda: write_byte(mount / "disk"))
    took["chmod 10 GiB"] = timed(lambda: os.chmod(mount / "disk", 0o600))
    os.sync()
    stored = float(system.stored_kib() - before)
    took["stored KiB by that"] = max(
        [stored] + [r["stored KiB by that"] for r in earlier])
    system.down()
    return took


def middle(values):
    numbers = [v for v in values if not isinstance(v, str)]
    return statistics.median(numbers) if numbers else values[0]


def table(results):
    print(f"{'median, ms':24}" + "".join(f"{s:>16}" for s in results))
    for step in STEPS:
        cells = ""
        for system in results:
            value = middle([r[step] for r in results[system]])
            cells += f"{value:>16}" if isinstance(value, str) \
                else f"{value:>16.1f}"
        print(f"{step:24}{cells}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=20000)
    parser.add_argument("--unpack", type=int, default=5000)
    parser.add_argument("--names", type=int, default=100000)
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/tmp"))
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--json")
    parser.add_argument("--cowd", default=str(ROOT / "build-release/cowd/cowd"))
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="cowd-bench-", dir=options.dir))
    base = work / "base"
    base.mkdir()
    tools = {"cowd": options.cowd, "unionfs-fuse": "unionfs",
             "fuse-overlayfs": "fuse-overlayfs"}
    names = []
    for name in options.systems.split(","):
        if shutil.which(tools.get(name, "true")):
            names.append(name)
        else:
            print(f"{name}: not there, left out", file=sys.stderr)
    systems = [System(name, work, base, options.cowd) for name in names]
    results = {name: [] for name in names}
    try:
        make_base(base, options.files, options.names)
        make_archive(work, options.unpack)
        for nr in range(options.rounds):
            for system in systems[nr % len(systems):] + \
                    systems[:nr % len(systems)]:
                results[system.name].append(
                    one_round(system, work / "archive.tar",
                              results[system.name]))
        table(results)
        if options.json:
            Path(options.json).write_text(json.dumps(results, indent=1))
    finally:
        for system in systems:
            if os.path.ismount(system.mount):
                subprocess.run(["umount", "-l", system.mount], check=False)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
