#!/usr/bin/env bash
# cowd_hook.sh plan|act NR: a hook for tree_model (see tree_hook.c) that does
# to a mounted store what users do: snapshots, rollbacks, undo, remounts,
# kill -9. In the environment: COWD, STORE, M (where it is mounted),
# MOUNT_OPTIONS, SEED; HOOK_ACTIONS: the words of those that are wanted.
set -euo pipefail
verb=$1 nr=$2
memory=$STORE.hook # a line each: "snap NAME", "undo NAME"
touch "$memory"
RANDOM=$((${SEED:-1} * 1000 + nr))
: "$RANDOM" # the first ones are alike
read -r -a actions <<<"${HOOK_ACTIONS:-remount snapshot snapshot look \
rollback kill delete gc}"
action=${actions[RANDOM % ${#actions[@]}]}

snapshots() { awk '$1 == "snap" { print $2 }' "$memory"; }
forget() { sed -i "/^$1 $2\$/d" "$memory"; }
daemon() { tr -dc 0-9 <"$STORE/lock"; }
up() { "$COWD" mount -q -o "${MOUNT_OPTIONS:-rw}" "$STORE" "$M"; }

# Not in a subshell, which would draw otherwise each time.
mapfile -t all < <(snapshots)
chosen=
[ ${#all[@]} -eq 0 ] || chosen=${all[RANDOM % ${#all[@]}]}
undo=$(awk '$1 == "undo" { print $2 }' "$memory")
# After a rollback every other time it is undone.
[ -z "$undo" ] || [ $((RANDOM % 2)) -eq 0 ] || action=undo
case $action in
look | rollback | delete) [ -n "$chosen" ] || action=snapshot ;;
esac

if [ "$verb" = plan ]; then
	case $action in
	remount | undo) echo close ;;
	rollback)
		echo "save undo-$nr"
		echo close
		;;
	kill) echo close sync ;;
	esac
	exit 0
fi

# Any operation of the store's history is what undo would revert.
case $action in
snapshot | delete | rollback | gc)
	[ -z "$undo" ] || {
		forget undo "$undo"
		echo "drop $undo"
	}
	;;
esac
echo "say $action $chosen"
case $action in
remount)
	"$COWD" umount -q "$M"
	up
	;;
snapshot)
	"$COWD" snapshot create -q "$STORE@s$nr"
	echo "snap s$nr" >>"$memory"
	echo "save s$nr"
	;;
look) echo "compare $chosen $M/.snapshots/$chosen" ;;
rollback)
	"$COWD" rollback -q --live "$STORE@$chosen"
	echo "undo undo-$nr" >>"$memory"
	echo "restore $chosen"
	;;
undo)
	"$COWD" undo -q "$STORE"
	forget undo "$undo"
	echo "restore $undo"
	echo "drop $undo"
	;;
kill)
	pid=$(daemon)
	kill -9 "$pid"
	while [ -d "/proc/$pid" ]; do sleep 0.02; done
	umount "$M" 2>/dev/null || umount -l "$M"
	up
	;;
delete)
	"$COWD" snapshot delete -q -y "$STORE@$chosen"
	forget snap "$chosen"
	echo "drop $chosen"
	;;
gc) "$COWD" gc -q "$STORE" ;;
esac
