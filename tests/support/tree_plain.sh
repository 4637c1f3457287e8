# shellcheck shell=bash
# With TREE_PLAIN=1 the tests of directory trees run on a plain directory, to
# see that they ask for what ext4 does: this stands in for cowd.
PLAIN_STATES=$WORK/plain-states
mkdir "$PLAIN_STATES"

need_trees() { need_root; }
tree_up() {
	[ $# -gt 0 ] || set -- "$B"
	cp -a "$1/." "$M"
}
tree_mount() { :; }
tree_down() { :; }
tree_kill() { :; }
snapshot_at() { echo "$PLAIN_STATES/$1"; }
cowd() {
	local name=${*: -1}
	name=${name##*@}
	case "$1 $2" in
	"snapshot create") cp -a "$M" "$PLAIN_STATES/$name" 2>/dev/null || : ;;
	"rollback "*)
		find "$M" -mindepth 1 -delete
		cp -a "$PLAIN_STATES/$name/." "$M"
		;;
	esac
}
