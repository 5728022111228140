#!/bin/sh
# Makes a cluster of Citus nodes: needs psql, and PGUSER, PGPASSWORD and PGDATABASE in the environment.
#   citus-nodes.sh register COORDINATOR WORKER...   registers the workers; again does no harm
#   citus-nodes.sh wait COORDINATOR COUNT           waits until that many workers are registered
# A node is HOST or HOST:PORT. Tables must not be distributed before the workers are there, or all shards would lie
# on the coordinator: hence `wait` before the server starts.
set -eu

tries_max=300

say() { printf '%s\n' "$*" >&2; }

ask() { # node, SQL
    case $1 in *:*) port=${1##*:} ;; *) port=5432 ;; esac
    PGCONNECT_TIMEOUT=5 psql -X -q -A -t -v ON_ERROR_STOP=1 -h "${1%%:*}" -p "$port" -c "$2"
}

until_answer() { # node, SQL, expected answer, what is waited for
    tries=0
    said=
    until said=$(ask "$1" "$2" 2>&1) && [ "$said" = "$3" ]; do
        tries=$((tries + 1))
        if [ "$tries" -ge "$tries_max" ]; then
            say "Gave up waiting for $4: $said"
            exit 1
        fi
        sleep 1
    done
}

register() {
    coordinator=$1
    for node in "$@"; do
        until_answer "$node" "SELECT count(*) FROM pg_extension WHERE extname = 'citus'" 1 "$node with the extension citus"
    done
    port=5432
    case $coordinator in *:*) port=${coordinator##*:} ;; esac
    ask "$coordinator" "SELECT citus_set_coordinator_host('${coordinator%%:*}', $port)" >/dev/null
    shift
    for node in "$@"; do
        port=5432
        case $node in *:*) port=${node##*:} ;; esac
        ask "$coordinator" "SELECT citus_add_node('${node%%:*}', $port)" >/dev/null
    done
    wait_for "$coordinator" "$#"
    say "Registered with $coordinator: $*"
}

wait_for() { # coordinator, count
    until_answer "$1" \
        "SELECT count(*) >= $2 FROM pg_dist_node WHERE groupid > 0 AND isactive AND hasmetadata AND metadatasynced" \
        t "$2 registered workers"
}

case "${1:-}:$#" in
    register:[3-9]) shift && register "$@" ;;
    wait:3) wait_for "$2" "$3" ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
