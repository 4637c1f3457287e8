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
        for key in [k for k in member.pax_headers if not k.isascii()]:
            del member.pax_headers[key]
        tar.extract(member, root, numeric_owner=True, set_attrs=True)
        for key, value in member.pax_headers.items():
            if key.startswith("SCHILY.xattr.user."):
                os.setxattr(place, key[len("SCHILY.xattr."):],
                            value.encode("utf-8", "surrogateescape"),
                            follow_symlinks=False)
        if member.issym():
            os.utime(place, (member.mtime, member.mtime),
                     follow_symlinks=False)
        if member.isdir():
            directories.append((place, member.mtime))
for place, mtime in reversed(directories):
    if os.path.isdir(place):
        os.utime(place, (mtime, mtime))
