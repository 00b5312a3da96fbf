"""The fit: start points, the batched minimiser, multistart and the records of results. It does not know about MPI."""
