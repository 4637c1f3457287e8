#!/usr/bin/env bash
# What divergefs was for: changing what is on read-only media, and building
# over a source tree that can't be written to. Row 002-16.
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_root
need make cc
cd "$WORK"

row() { say "row $*"; }
mkdir -p src/lib src/include media
cat >src/Makefile <<'MAKE'
OBJECTS = main.o lib/greet.o
prog: $(OBJECTS)
	$(CC) -o $@ $(OBJECTS)
%.o: %.c include/greet.h
	$(CC) -Iinclude -c -o $@ $<
clean:
	rm -f prog $(OBJECTS)
MAKE
echo 'const char *greet(void);' >src/include/greet.h
printf '%s\n' '#include "greet.h"' \
	'const char *greet(void) { return "hello"; }' >src/lib/greet.c
printf '%s\n' '#include <stdio.h>' '#include "greet.h"' \
	'int main(void) { return puts(greet()) < 0; }' >src/main.c
mount --bind src media
mount -o remount,bind,ro media
find src -type f -exec sha256sum {} + | sort >before

row "002-16: make over a read-only tree, objects local"
printf '%s\n' "objects ext<o>" "bin fregex<^prog$>" >rules
cowd diverge -q -f rules -h holes media
make -s -C media -j2 || fail "make"
[ "$(media/prog)" = hello ] || fail "prog"
[ -f objects/main.o ] && [ -f objects/lib/greet.o ] && [ -x bin/prog ] ||
	fail "$(find objects bin)"
[ "$(make -C media -q; echo $?)" = 0 ] || fail "made again for nothing"
(echo >>media/main.c) 2>/dev/null && fail "a source was written to"
make -s -C media clean
[ -z "$(find objects bin -type f)" ] || fail "$(find objects bin -type f)"
cowd umount media

row "002-16: what is on read-only media is changed"
cowd diverge -q -p P media
sed -i s/hello/changed/ media/lib/greet.c
make -s -C media && [ "$(media/prog)" = changed ] || fail "prog"
mv media/lib media/library
git -C media init -q 2>/dev/null && git -C media add . &&
	git -C media -c user.name=a -c user.email=b commit -qm 1 &&
	git -C media status --porcelain | grep . && fail "git sees changes"
cowd umount media
find src -type f -exec sha256sum {} + | sort | diff before - ||
	fail "the sources changed"
umount media
