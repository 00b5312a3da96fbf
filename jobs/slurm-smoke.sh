#!/usr/bin/env bash
# A few seconds of work: are the environment, the launcher and the file system in order?
# From the root of the repository: sbatch jobs/slurm-smoke.sh      (site settings: jobs/site.sh)
#SBATCH --job-name=hpcscan-smoke
#SBATCH --nodes=1                             # change: 2, to try the network between nodes
#SBATCH --ntasks=4                            # ranks
#SBATCH --cpus-per-task=1                     # one thread per rank
#SBATCH --time=00:05:00                       # most of it is start-up
#SBATCH --output=hpcscan-smoke-%j.log         # change: where the log goes; its directory must exist
##SBATCH --partition=debug                    # change: your site's queue; one # less makes it count
##SBATCH --account=project                    # change: your project; one # less makes it count
set -eu
. jobs/site.sh

# The job's number in the name: a second job never meets the result of the first.
launch "$SLURM_NTASKS" configs/smoke.yaml --output "results/smoke-$SLURM_JOB_ID.nc"
