"""Results on disk: the table of variables, the netCDF file, and where a result came from."""
