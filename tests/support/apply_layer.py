#!/usr/bin/env python3
"""Puts an OCI layer (tar) upon a directory, as image tools do: LAYER DIR."""
import os
import shutil
import sys
import tarfile

layer, root = sys.argv[1:]


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)




def time_ns(member):
    """Exactly: a float has no room for nanoseconds."""
    text = member.pax_headers.get("mtime", str(int(member.mtime)))
    seconds, _, rest = text.partition(".")
    return int(seconds) * 10**9 + int(rest.ljust(9, "0")[:9])


def set_time(path, ns):
    os.utime(path, ns=(ns, ns), follow_symlinks=False)


directories = []
with tarfile.open(layer, errorlevel=1) as tar:
    for member in tar:
        place = os.path.normpath(os.path.join(root, member.name))
        above, name = os.path.split(place)
        if name == ".wh..wh..opq":
            for below in os.listdir(above):
                remove(os.path.join(above, below))
            continue
        if name.startswith(".wh."):
            if not os.path.lexists(os.path.join(above, name[4:])):
                sys.exit(f"{member.name}: there is nothing to remove")
            remove(os.path.join(above, name[4:]))
            continue
        if not (member.isdir() and os.path.isdir(place)
                and not os.path.islink(place)):
            remove(place)
        if member.islnk():
            os.link(os.path.join(root, member.linkname), place,
                    follow_symlinks=False)
            continue
        for key in [k for k in member.pax_headers if not k.isascii()]:
            del member.pax_headers[key]
        tar.extract(member, root, numeric_owner=True, set_attrs=True)
        for key, value in member.pax_headers.items():
            if key.startswith("SCHILY.xattr.user."):
                os.setxattr(place, key[len("SCHILY.xattr."):],
                            value.encode("utf-8", "surrogateescape"),
                            follow_symlinks=False)
        set_time(place, time_ns(member))
        if member.isdir():
            directories.append((place, time_ns(member)))
for place, mtime in reversed(directories):
    if os.path.isdir(place):
        set_time(place, mtime)
