# What differs from one cluster to the next, in one place; the other scripts of this directory read it.
# Each variable can also be set for one job: LAUNCHER="srun --mpi=pmi2" sbatch jobs/slurm-full.sh
# shellcheck shell=bash

MODULES=${MODULES-}                           # change: modules to load, such as "python/3.11 openmpi/5.0"; empty for none
ACTIVATE=${ACTIVATE-.venv/bin/activate}       # change: the script that activates your environment; empty for none
LAUNCHER=${LAUNCHER-mpirun}                   # change: your site's launcher, such as "srun --mpi=pmix"
RESULTS=${RESULTS-results}                    # change: the directory of the results, such as one on a parallel file system
ATTEMPTS=${ATTEMPTS-20}                       # change: how often a job may start that is stopped before it is done

# One thread per rank: on matrices this small, more threads only wait for each other.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
# srun takes the number of cores per rank from here, not from sbatch.
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}

for module in $MODULES; do
    module load "$module"
done
if [ -n "$ACTIVATE" ]; then
    if [ ! -f "$ACTIVATE" ]; then
        echo "jobs/site.sh: there is no $ACTIVATE; install hpcscan there (README), or set ACTIVATE to your own" >&2
        exit 2
    fi
    # shellcheck disable=SC1090
    . "$ACTIVATE"
fi

# launch RANKS CONFIG [OPTION]...: become a scan on so many ranks; the shell itself is gone, so that a signal to it
# reaches the launcher.
launch() {
    local ranks=$1
    shift
    # LAUNCHER may be several words.
    # shellcheck disable=SC2086
    exec $LAUNCHER -n "$ranks" python -m hpcscan "$@"
}
