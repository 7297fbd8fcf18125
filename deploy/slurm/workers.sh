#!/bin/sh
# Workers of a cluster as a job of Slurm: sbatch workers.sh PROGRAM. In one line, without this file:
#   srun --ntasks=8 --cpus-per-task=16 ravel worker ./prog --slots 16
#SBATCH --job-name=ravel-worker
#SBATCH --ntasks=8
#SBATCH --cpus-per-task=16
#SBATCH --time=08:00:00
# Two minutes before the end: finish what you hold.
#SBATCH --signal=TERM@120

: "${RAVEL_CLUSTER:?export RAVEL_CLUSTER, RAVEL_NKEY_FILE and RAVEL_CA_FILE before sbatch}"
# A worker that dies is no reason to end the others: what it held is given to them.
exec srun --kill-on-bad-exit=0 ravel worker "$1" --slots "${SLURM_CPUS_PER_TASK:-1}"
