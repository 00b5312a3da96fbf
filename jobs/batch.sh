# What a job does around its scan, on every cluster; the other scripts of this directory read it.
# shellcheck shell=bash

# The signal before the limit; `scan` has its own answer to it.
trap 'echo "stopped before the scan began: submit it again with a longer --time" >&2; exit 75' USR1

# scan RANKS CONFIG RESULT: begin a scan, or go on with it. Returns its exit code; does not return where the scan was
# stopped, on the signal before the limit or by its own time budget: then the job is requeued, or fails.
scan() {
    local ranks=$1 config=$2 result=$3 before launcher code
    before=$(python -m hpcscan status "$result" --count) || return
    launch "$ranks" "$config" --output "$result" --resume &
    launcher=$!
    # Slurm tells this shell alone; the launcher tells the ranks.
    trap 'kill -USR1 "$launcher"' USR1
    # A signal ends `wait` early, but not the launcher.
    while kill -0 "$launcher" 2>/dev/null; do
        wait "$launcher" || true
    done
    wait "$launcher" && code=0 || code=$?
    # What comes after a scan takes a moment.
    trap '' USR1
    [ "$code" -ne 75 ] || requeue "$result" "$before"
    return "$code"
}

# requeue RESULT BEFORE: start this job again, unless that is in vain; ends it with 75, which Slurm calls failed.
requeue() {
    local result=$1 before=$2 after attempt=$((${SLURM_RESTART_COUNT:-0} + 1))
    after=$(python -m hpcscan status "$result" --count) || exit
    echo "attempt $attempt of at most $ATTEMPTS: $after fits of $result are finished, $before were before it" >&2
    if [ "$after" -le "$before" ]; then
        echo "not requeued, because no fit was finished: submit it again with a longer --time or more ranks" >&2
    elif [ "$attempt" -ge "$ATTEMPTS" ]; then
        echo "not requeued, because it was the last attempt: submit it again to go on, or raise ATTEMPTS" >&2
    else
        # Said before it is done: it ends this shell.
        echo "requeued, to go on in attempt $((attempt + 1))" >&2
        scontrol requeue "$SLURM_JOB_ID" || echo "no, scontrol failed: submit it again to go on" >&2
    fi
    exit 75
}
