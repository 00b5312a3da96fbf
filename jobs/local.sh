#!/usr/bin/env bash
# A scan on this machine. From the root of the repository: jobs/local.sh [CONFIG [OPTION]...]
set -eu
. jobs/site.sh

ranks=${RANKS:-$(getconf _NPROCESSORS_ONLN)} # change: ranks, one for each core unless RANKS is set
config=${1:-configs/full.yaml}                # change: what is scanned

launch "$ranks" "$config" "${@:2}"
