#!/bin/sh
# The postgres image runs this once, in an empty data folder. The product's role owns its database and is no superuser:
# a superuser walks through the walls between agencies (docs/security/walls.md).
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
CREATE ROLE missions LOGIN PASSWORD :'password';
CREATE DATABASE missions OWNER missions;
-- Nobody signs in as the superuser but from inside its container: who knows the product's password would pass every wall.
ALTER ROLE CURRENT_USER PASSWORD NULL;
SQL
