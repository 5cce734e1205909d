"""When it happens: the plain steps, the Prefect flows over them, and the command `engang`."""
