"""hpcscan: profile-likelihood scans under MPI, with a convergence record for every grid point."""

__version__ = "0.1.0"
