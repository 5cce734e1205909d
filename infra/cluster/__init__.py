"""Other processes, here or on other machines, that run our own functions: Dask's scheduler and workers."""
