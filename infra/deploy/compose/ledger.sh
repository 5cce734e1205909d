#!/bin/sh
# Creates the two databases, each with its own user, when PostgreSQL's volume is empty.
set -eu
psql --set ON_ERROR_STOP=1 --set ledger="$ENGANG_LEDGER_PASSWORD" --set prefect="$PREFECT_DATABASE_PASSWORD" \
    --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE engang LOGIN PASSWORD :'ledger';
CREATE DATABASE engang OWNER engang;
CREATE ROLE prefect LOGIN PASSWORD :'prefect';
CREATE DATABASE prefect OWNER prefect;
SQL
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname prefect --command "CREATE EXTENSION IF NOT EXISTS pg_trgm"
