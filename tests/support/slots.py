#!/usr/bin/env python3
"""Changes names in a tree and checks them after a crash.

  slots.py write TREE LOG    until it fails
  slots.py check TREE LOG AFTER

A slot is a name, slots/NUMBER. Each change gives one slot its next version,
or takes it away, and is acknowledged by an fsync of the directory: LOG has
"begin SLOT VERSION KIND" before it and "done SLOT VERSION" after. What is
found later is the state of the last "done", or of a "begin" behind it, and is
whole: content, attribute and owner belong to one version. LOG was copied just
before the moment that TREE shows, and AFTER just after.
"""
import os
import random
import sys

SLOTS = 40
KINDS = ("replace", "write", "link", "move", "remove")


def text(slot, version):
    return f"slot {slot} version {version}".ljust(64).encode()


def make(path, slot, version):
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(fd, text(slot, version))
    os.setxattr(fd, "user.version", str(version).encode())
    os.fchown(fd, version % 1000, 0)
    os.fsync(fd)
    os.close(fd)


def change(slots, slot, version, kind):
    """One change; all kinds but "write" end in one step."""
    path, new = f"{slots}/{slot}", f"{slots}/new"
    if kind == "remove":
        if os.path.exists(path):
            os.unlink(path)
        return
    if kind == "write" and not os.path.exists(path):
        kind = "replace"
    if kind == "write":  # fsync of a file in its place
        make(path, slot, version)
        return
    make(new, slot, version)
    if kind == "link":
        if os.path.exists(path):
            os.unlink(path)
        os.link(new, path)
        os.unlink(new)
    elif kind == "move":  # by way of another directory
        side = f"{os.path.dirname(slots)}/side"
        os.makedirs(side, exist_ok=True)
        os.rename(new, f"{side}/{slot}")
        os.rename(f"{side}/{slot}", path)
        os.rmdir(side)
    else:
        os.rename(new, path)


def write(tree, log_path):
    slots = f"{tree}/slots"
    directory = os.open(slots, os.O_RDONLY)
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    rng = random.Random(1)
    version = 0
    while True:
        version += 1
        slot, kind = rng.randrange(SLOTS), rng.choice(KINDS)
        os.write(log, f"begin {slot} {version} {kind}\n".encode())
        try:
            change(slots, slot, version, kind)
            os.fsync(directory)
        except OSError as error:
            print(f"stopped after {version - 1}: {error.strerror}")
            return
        os.write(log, f"done {slot} {version}\n".encode())


def read_log(path):
    with open(path, encoding="ascii") as log:
        return [line.split() for line in log.read().split("\n")[:-1]]


def possible(log_path, after_path):
    """For each slot the states it may have: version and kind."""
    states = {slot: [(0, "replace" if slot % 2 == 0 else "remove")]
              for slot in range(SLOTS)}
    for word, slot, version, *kind in read_log(after_path):
        if word == "begin":
            states[int(slot)].append((int(version), kind[0]))
    for word, slot, version, *_ in read_log(log_path):
        if word == "done":
            states[int(slot)] = [state for state in states[int(slot)]
                                 if state[0] >= int(version)]
    return states


def look(path, slot):
    """The version that a slot has; None: it is not there."""
    try:
        with open(path, "rb") as file:
            data = file.read()
            word = data.split()[-1] if data else b"-1"
            version = int(word) if word.lstrip(b"-").isdigit() else 0
            if data and data != text(slot, version):
                return f"torn: {data!r}"
            if version > 0 and (
                    os.fstat(file.fileno()).st_uid != version % 1000 or
                    os.getxattr(path, "user.version") !=
                    str(version).encode()):
                return f"version {version} with the attributes of another"
            return version
    except FileNotFoundError:
        return None


def allowed(states, found, in_flight):
    for version, kind in states:
        if found == (None if kind == "remove" else version):
            return True
        # In flight, these are more than one step.
        if in_flight and kind == "link" and found is None:
            return True
        if in_flight and kind == "write":
            return True
    return False


def check(tree, log_path, after_path):
    states = possible(log_path, after_path)
    bad = 0
    for slot in range(SLOTS):
        found = look(f"{tree}/slots/{slot}", slot)
        if not allowed(states[slot], found, len(states[slot]) > 1):
            print(f"slot {slot} is {found}, may be {states[slot]}")
            bad += 1
    names = set(os.listdir(f"{tree}/slots")) - {str(s) for s in range(SLOTS)}
    if not names <= {"new"}:
        print(f"unknown names: {names}")
        bad += 1
    return bad


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(*sys.argv[2:])
    else:
        sys.exit(min(check(*sys.argv[2:]), 1))
