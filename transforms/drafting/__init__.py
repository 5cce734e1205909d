"""A record kind drafted from data: what each column holds, how it is compared, what brings records together."""
