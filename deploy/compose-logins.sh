#!/bin/sh
# Makes the two logins of compose.yaml when the database's volume is new; prepare_database then gives them their roles.
set -eu
folder=${SECRETS:-/run/secrets}
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres \
    --set=web="$(cat "$folder/web_password")" --set=migrate="$(cat "$folder/migrate_password")" <<'SQL'
CREATE ROLE tronc_web LOGIN PASSWORD :'web';
CREATE ROLE tronc_migrate LOGIN PASSWORD :'migrate';
SQL
