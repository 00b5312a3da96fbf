#!/usr/bin/env bash
# The main scan. A job that is killed leaves no result: ask for enough time (hpcscan plan CONFIG -n RANKS).
# From the root of the repository: sbatch jobs/slurm-full.sh [CONFIG]      (site settings: jobs/site.sh)
#SBATCH --job-name=hpcscan-full
#SBATCH --nodes=1                             # change: nodes
#SBATCH --ntasks=16                           # change: ranks, in all; more than one for every ten points only wait
#SBATCH --cpus-per-task=1                     # one thread per rank
#SBATCH --time=00:30:00                       # change: the limit
#SBATCH --output=hpcscan-full-%j.log          # change: where the log goes; its directory must exist
##SBATCH --partition=compute                  # change: your site's queue; one # less makes it count
##SBATCH --account=project                    # change: your project; one # less makes it count
set -eu
. jobs/site.sh

config=${1:-configs/full.yaml}                # change: what is scanned
name=$(basename "$config" .yaml)

# The job's number in the name: a second job never meets the result of the first.
launch "$SLURM_NTASKS" "$config" --output "results/$name-$SLURM_JOB_ID.nc"
