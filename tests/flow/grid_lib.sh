# shellcheck shell=bash
# A grid on this machine: Postgres, BuildGrid (PyPI) and buildbox-worker (Debian's unstable suite, unpacked into a directory
# of its own and run with its own loader: nothing is installed).

grid_dir=${NACRE_TEST_CACHE:-$source_root/build}/grid
grid_python=$grid_dir/venv/bin/python
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for_port() {
  local _
  for _ in $(seq "${2:-300}"); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0
    sleep 0.1
  done
  return 1
}

# fetch_grid: programs into $grid_dir, once; the last line of $scratch/grid.log says what lacks.
fetch_grid() {
  [ ! -e "$grid_dir/whole" ] || return 0
  rm -rf "$grid_dir" && mkdir -p "$grid_dir"
  { fetch_buildgrid && fetch_buildbox && touch "$grid_dir/whole"; } >"$scratch/grid.log" 2>&1
}
fetch_buildgrid() {
  # A newer SQLAlchemy takes another driver for the same address, and BuildGrid's streams never end.
  python3 -m venv "$grid_dir/venv" &&
    "$grid_dir/venv/bin/pip" install --quiet 'BuildGrid[database,redis]==0.4.4' 'SQLAlchemy>=2.0.44,<2.1' ||
    { echo "no BuildGrid from PyPI"; return 1; }
}
fetch_buildbox() {
  local apt=$grid_dir/apt uri file
  uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep 'debian/$' | head -n 1)
  [ -n "$uri" ] || { echo "apt knows no archive of Debian"; return 1; }
  mkdir -p "$apt"/{state/lists/partial,cache/archives/partial,empty}
  : >"$apt/state/status"
  # Signed, but perhaps old: mirrors keep the unstable suite longer than it says it holds.
  echo "deb [check-valid-until=no signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri sid main" >"$apt/sources.list"
  cat >"$apt/apt.conf" <<CONF
Dir::State "$apt/state"; Dir::State::status "$apt/state/status"; Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list"; Dir::Etc::sourceparts "$apt/empty"; Dir::Etc::preferencesparts "$apt/empty";
APT::Install-Recommends "0"; APT::Sandbox::User "root"; Acquire::Languages "none";
CONF
  APT_CONFIG=$apt/apt.conf apt-get update --quiet && APT_CONFIG=$apt/apt.conf apt-get install --quiet --yes --download-only buildbox ||
    { echo "no buildbox in Debian's archive"; return 1; }
  mkdir -p "$grid_dir/root" "$grid_dir/bin"
  for file in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$file" "$grid_dir/root"; done
  rm -rf "$apt"
  local libraries=$grid_dir/root/usr/lib/$(uname -m)-linux-gnu
  for file in buildbox-casd buildbox-worker buildbox-run-hosttools; do
    printf '#!/bin/sh\nexec %q/ld-linux-*.so.* --library-path %q %q "$@"\n' "$libraries" "$libraries" "$grid_dir/root/usr/bin/$file" \
      >"$grid_dir/bin/$file"
    chmod 755 "$grid_dir/bin/$file"
    "$grid_dir/bin/$file" --version || { echo "$file does not run here"; return 1; }
  done
}

# start_postgres: $postgres_url is a database for the farm; the grid gets its own.
start_postgres() {
  local bin
  bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
  [ -n "$bin" ] || skip "no Postgres on this machine"
  postgres=$(mktemp -d)  # where its user can reach it
  postgres_port=$(free_port)
  chown postgres "$postgres"
  as_postgres "$bin/initdb" -D "$postgres/data" --auth=trust --no-sync >"$scratch/postgres.log" 2>&1 &&
    as_postgres "$bin/pg_ctl" -D "$postgres/data" -w -l "$postgres/log" \
      -o "-k '$postgres' -p $postgres_port -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200" start >>"$scratch/postgres.log" 2>&1 ||
    { fail "Postgres does not start"; tail -n 20 "$scratch/postgres.log"; finish; }
  cleaners+=("as_postgres '$bin/pg_ctl' -D '$postgres/data' -m immediate stop >'$scratch/stop' 2>&1; rm -rf '$postgres'")
  as_postgres "$bin/createdb" -h "$postgres" -p "$postgres_port" grid
  as_postgres "$bin/createdb" -h "$postgres" -p "$postgres_port" farm
  psql=$bin/psql
  postgres_url="postgres://postgres@127.0.0.1:$postgres_port/farm"
}
as_postgres() { (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@"); }
# ask_postgres DATABASE SQL
ask_postgres() { "$psql" -h "$postgres" -p "$postgres_port" -U postgres -At -d "$1" -c "$2"; }

# start_grid: BuildGrid on $grid_port, a server of logs on $logs_port.
start_grid() {
  local database=postgresql://postgres@127.0.0.1:$postgres_port/grid
  grid_port=$(free_port)
  PYTHONDONTWRITEBYTECODE=1 "$grid_python" "$source_root/tests/flow/log_streams.py" >"$scratch/logs.port" 2>"$scratch/logs.log" </dev/null &
  children+=("$!")
  for _ in $(seq 200); do [ -s "$scratch/logs.port" ] && break; sleep 0.1; done
  logs_port=$(cat "$scratch/logs.port")
  mkdir -p "$scratch/grid-cas"
  # A worker that is silent for ten seconds is dead.
  cat >"$scratch/grid.yml" <<CONF
server:
  - !channel
    address: "127.0.0.1:$grid_port"
    insecure-mode: true
connections:
  - !sql-connection &sql
    connection-string: $database
    pool-size: 20
    max-overflow: 40
storages:
  - !disk-storage &cas
    path: $scratch/grid-cas
caches:
  - !lru-action-cache &results
    storage: *cas
    max-cached-refs: 256
    allow-updates: true
    cache-failed-actions: false
schedulers:
  - !sql-scheduler &scheduler
    sql: *sql
    storage: *cas
    action-cache: *results
    property-set: !dynamic-property-set
      match-property-keys: [OSFamily, ISA]
    bot-session-keepalive-timeout: 10
    max-execution-timeout: 86400
    poll-interval: 0.2
    session-expiry-timer-interval: 1
    bot-poll-interval: 0.2
    logstream: {url: "http://127.0.0.1:$logs_port"}
    assigners:
      - !priority-age-assigner {count: 1, interval: 0.2, priority-assignment-percentage: 100}
instances:
  - name: ''
    services:
      - !action-cache {cache: *results}
      - !execution {scheduler: *scheduler}
      - !cas {storage: *cas}
      - !bytestream {storage: *cas}
thread-pool-size: 60
CONF
  "$grid_dir/venv/bin/bgd" migrate apply "$database" >"$scratch/migrate.log" 2>&1 ||
    { fail "BuildGrid makes no tables"; tail -n 20 "$scratch/migrate.log"; finish; }
  "$grid_dir/venv/bin/bgd" server start "$scratch/grid.yml" >"$scratch/bgd.log" 2>&1 </dev/null &
  children+=("$!")
  wait_for_port "$grid_port" 600 || { fail "BuildGrid does not start"; tail -n 30 "$scratch/bgd.log"; finish; }
}

# start_worker NAME: a worker with a cache of its own, each the leader of a session; it works in $scratch/NAME/work.
declare -A workers=()
start_worker() {
  local port folder=$scratch/$1
  port=$(free_port)
  mkdir -p "$folder/work" "$folder/cas"
  echo "NACRE_WORKER_DIR=$folder/work" >"$folder/environment"
  "$grid_dir/bin/buildbox-casd" "--cas-remote=http://127.0.0.1:$grid_port" "--bind=127.0.0.1:$port" --quota-high=5G "$folder/cas" \
    >>"$scratch/casd-$1.log" 2>&1 </dev/null &
  children+=("$!")
  wait_for_port "$port" || { fail "no casd for worker $1"; tail -n 20 "$scratch/casd-$1.log"; finish; }
  setsid "$grid_dir/bin/buildbox-worker" "--cas-remote=http://127.0.0.1:$port" "--bots-remote=http://127.0.0.1:$grid_port" \
    "--logstream-remote=http://127.0.0.1:$logs_port" "--buildbox-run=$grid_dir/bin/buildbox-run-hosttools" \
    "--runner-arg=--env-file=$folder/environment" --runner-arg=--staging-mode=copy-or-link \
    --platform OSFamily=linux --platform "ISA=$(uname -m | tr _ -)" --max-wait-time=5 \
    "worker-$1" >>"$scratch/worker-$1.log" 2>&1 </dev/null &
  workers[$1]=$!
  [ "${#workers[@]}" -gt 1 ] || cleaners+=('for pid in "${workers[@]}"; do kill -9 -- "-$pid" 2>/dev/null; wait "$pid" 2>/dev/null; done')
}
# kill_worker NAME: as if its machine had lost power.
kill_worker() {
  { kill -9 -- "-${workers[$1]}" && wait "${workers[$1]}"; } 2>/dev/null
}
