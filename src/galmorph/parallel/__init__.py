"""Jobs over processes, on this machine or on a Dask scheduler."""
