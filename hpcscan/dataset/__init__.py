"""A scan as one netCDF dataset: the table of variables, the writer, the reader, and where a result came from."""
