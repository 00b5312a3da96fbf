#!/usr/bin/env bash
# Three scans, each begun only if the one before is complete and the numerical criteria of its gate hold.
# From the root of the repository: jobs/slurm-chain.sh [OPTION OF SBATCH]...      (site settings: jobs/site.sh)
set -eu

after=()
for step in sanity modest full; do            # change: names in configs
    job=$(sbatch --parsable --job-name="hpcscan-$step" "${after[@]}" "$@" jobs/slurm-full.sh "configs/$step.yaml")
    job=${job%%;*}                            # without the cluster's name, which some sites add
    echo "$step: job $job"
    # Without the second option, a job that waits for one that has failed would wait for ever.
    after=(--dependency="afterok:$job" --kill-on-invalid-dep=yes)
done
