#!/usr/bin/env bash
# The main scan. Submitted again, it goes on where an earlier job was stopped.
# From the root of the repository: sbatch jobs/slurm-full.sh [CONFIG]      (site settings: jobs/site.sh)
#SBATCH --job-name=hpcscan-full
#SBATCH --nodes=1                             # change: nodes
#SBATCH --ntasks=16                           # change: ranks, in all
#SBATCH --cpus-per-task=1                     # one thread per rank
#SBATCH --time=00:30:00                       # change: the limit; for what it takes: hpcscan plan CONFIG -n RANKS
#SBATCH --output=hpcscan-full-%j.log          # change: where the log goes; its directory must exist
##SBATCH --partition=compute                  # change: your site's queue; one # less makes it count
##SBATCH --account=project                    # change: your project; one # less makes it count
set -eu
. jobs/site.sh

config=${1:-configs/full.yaml}                # change: what is scanned

launch "$SLURM_NTASKS" "$config" --resume
