#!/usr/bin/env bash
# full_by_others.sh on XFS, where a name and a hole want room of their own.
exec bash "$(dirname "$0")/full_by_others.sh" xfs
