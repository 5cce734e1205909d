"""The mart: a release as a star schema in a PostgreSQL database, for programs that draw and tabulate."""
