#!/usr/bin/env bash
# A scan of any length, and the numerical criteria of its gate. It is stopped before the limit and requeued until it is
# done; submitted again, it goes on. The job succeeds if the scan is complete and the criteria hold.
# From the root of the repository: sbatch jobs/slurm-full.sh [CONFIG]      (site settings: jobs/site.sh)
#SBATCH --job-name=hpcscan-full
#SBATCH --nodes=1                             # change: nodes
#SBATCH --ntasks=16                           # change: ranks, in all
#SBATCH --cpus-per-task=1                     # one thread per rank
#SBATCH --time=00:30:00                       # change: the limit; for what it takes: hpcscan plan CONFIG -n RANKS
#SBATCH --signal=B:USR1@120                   # seconds before the limit: running tasks have 60, then the file is written
#SBATCH --requeue
#SBATCH --open-mode=append                    # one log for all attempts
#SBATCH --output=%x-%j.log                    # change: where the log goes; its directory must exist
##SBATCH --partition=compute                  # change: your site's queue; one # less makes it count
##SBATCH --account=project                    # change: your project; one # less makes it count
set -eu
. jobs/batch.sh
. jobs/site.sh

config=${1:-configs/full.yaml}                # change: what is scanned
result=$RESULTS/$(basename "$config" .yaml).nc

# 1: complete, but not every point converged. How many have to is the gate's business.
code=0
scan "$SLURM_NTASKS" "$config" "$result" || code=$?
[ "$code" -le 1 ] || exit "$code"
python -m hpcscan check "$result" --only numerical
