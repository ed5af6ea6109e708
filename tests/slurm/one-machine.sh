#!/usr/bin/env bash
# A SLURM of two nodes on one machine, each with seven made-up GPUs, for the tests: Debian, root, no systemd, no cgroups.
#   one-machine.sh install | start | stop
# `stop` ends what `start` began and leaves nothing but the Debian packages.
set -euo pipefail

PLACE=/var/lib/debatch-slurm # the slurm and mysql users must read it, so not below /root
SOCKET=$PLACE/db/socket
CONFIGURATION=/etc/slurm # where srun in a job looks: the executor plugin drops the environment's SLURM_* variables
HOST=$(hostname -s)
# the second one's partition is `spare`: a node can go down beside whatever runs on the first
NODES=(first second)
PACKAGES=(slurm-wlm slurmdbd munge mariadb-server)
unset SLURM_CONF

refuse() {
    echo "one-machine.sh: $1" >&2
    exit 1
}

require_debian_and_root() {
    [ "$(id -u)" = 0 ] || refuse "needs root: it starts SLURM's daemons"
    command -v apt-get > /dev/null || refuse "needs Debian: it installs ${PACKAGES[*]}"
}

install_packages() {
    dpkg --status "${PACKAGES[@]}" > /dev/null 2>&1 && return
    # Debian starts a service as its package is installed; here a daemon runs only between start and stop
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d.debatch
    chmod +x /usr/sbin/policy-rc.d.debatch
    [ -e /usr/sbin/policy-rc.d ] || ln -s policy-rc.d.debatch /usr/sbin/policy-rc.d
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends "${PACKAGES[@]}" > /dev/null
    [ "$(readlink /usr/sbin/policy-rc.d)" != policy-rc.d.debatch ] || rm /usr/sbin/policy-rc.d
    rm /usr/sbin/policy-rc.d.debatch
}

within() { # seconds, command: until it succeeds
    local tries=$(($1 * 5))
    shift
    for _ in $(seq "$tries"); do
        "$@" > /dev/null 2>&1 && return
        sleep 0.2
    done
    tail -n 20 "$PLACE"/log/*.log >&2 || true
    refuse "timed out: $*"
}

configure() {
    [ ! -e $CONFIGURATION/slurm.conf ] || [ "$(readlink $CONFIGURATION/slurm.conf)" = $PLACE/slurm.conf ] ||
        refuse "$CONFIGURATION/slurm.conf is there already: this machine has a SLURM of its own, which is left alone"
    mkdir -p $PLACE/{state,spool,log,run,db} $CONFIGURATION
    chmod 755 $PLACE
    chown slurm:slurm $PLACE/{state,log,run}
    chown mysql:mysql $PLACE/db
    local memory
    memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
    # DefMemPerCPU, so that a job that names no memory does not get all of it; KillWait is short for short tests;
    # a GPU has to be a device file that is there: with a bare count slurmd 22.05 finds none and drains the node;
    # a job whose node failed starts again after the credential's life;
    # more CPUs than there are: what tests hold needs none, and a new job must start beside an old one that it meets
    cat > $PLACE/slurm.conf << END
ClusterName=debatch
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=16817
SlurmUser=slurm
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=15
CryptoType=crypto/munge
MpiDefault=none
SwitchType=switch/none
TaskPlugin=task/none
ProctrackType=proctrack/linuxproc
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=5
ReturnToService=2
KillWait=5
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
DefMemPerCPU=500
GresTypes=gpu
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=16819
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
SlurmctldPidFile=$PLACE/run/slurmctld.pid
SlurmdPidFile=$PLACE/run/slurmd-%n.pid
SlurmctldLogFile=$PLACE/log/slurmctld.log
SlurmdLogFile=$PLACE/log/slurmd-%n.log
SlurmdSpoolDir=$PLACE/spool/%n
StateSaveLocation=$PLACE/state
NodeName=DEFAULT CPUs=16 RealMemory=$memory Gres=gpu:7 State=UNKNOWN
NodeName=first NodeHostname=$HOST NodeAddr=127.0.0.1 Port=16818
NodeName=second NodeHostname=$HOST NodeAddr=127.0.0.1 Port=16820
PartitionName=cpu Nodes=first Default=YES MaxTime=1-0 State=UP
PartitionName=gpu Nodes=first Default=NO MaxTime=1-0 State=UP
PartitionName=spare Nodes=second Default=NO MaxTime=1-0 State=UP
END
    local device
    for device in null zero full random urandom tty ptmx; do
        echo "NodeName=first,second Name=gpu File=/dev/$device"
    done > $PLACE/gres.conf
    cat > $PLACE/slurmdbd.conf << END
AuthType=auth/munge
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=16819
SlurmUser=slurm
LogFile=$PLACE/log/slurmdbd.log
PidFile=$PLACE/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
END
    chown slurm:slurm $PLACE/slurmdbd.conf
    chmod 600 $PLACE/slurmdbd.conf
    ln -sf $PLACE/{slurm,gres,slurmdbd}.conf $CONFIGURATION/
}

start_munge() {
    munge -n > /dev/null 2>&1 && return # one runs already: it is not ours to stop
    [ -s /etc/munge/munge.key ] || (umask 077 && head -c 1024 /dev/urandom > /etc/munge/munge.key)
    chown munge:munge /etc/munge/munge.key
    install -d -o munge -g munge -m 755 /run/munge
    runuser -u munge -- /usr/sbin/munged --pid-file=/run/munge/munged.pid
    echo "$(< /run/munge/munged.pid)" > $PLACE/run/munged.pid
}

start_database() {
    [ -d $PLACE/db/data ] || mariadb-install-db --user=mysql --datadir=$PLACE/db/data --skip-test-db \
        --auth-root-authentication-method=socket > $PLACE/log/mariadb.log 2>&1
    setsid mariadbd --no-defaults --user=mysql --datadir=$PLACE/db/data --socket=$SOCKET --skip-networking \
        --innodb-buffer-pool-size=64M --pid-file=$PLACE/db/mariadbd.pid >> $PLACE/log/mariadb.log 2>&1 < /dev/null &
    within 60 mariadb-admin --socket=$SOCKET ping
    mariadb --socket=$SOCKET --execute "
        create database if not exists slurm_acct_db;
        create user if not exists slurm@localhost identified by 'slurm';
        grant all on slurm_acct_db.* to slurm@localhost"
    # slurmdbd knows no other way to name a socket
    install -d -o mysql -g mysql /run/mysqld
    [ -e /run/mysqld/mysqld.sock ] || ln -s $SOCKET /run/mysqld/mysqld.sock
    slurmdbd
    within 60 sacctmgr --noheader show cluster
    sacctmgr --immediate add cluster debatch > /dev/null || true
    sacctmgr --immediate add account lab cluster=debatch > /dev/null || true
    sacctmgr --immediate add user root account=lab > /dev/null || true
}

start() {
    configure
    start_munge
    start_database
    slurmctld
    within 60 scontrol ping
    local node
    for node in "${NODES[@]}"; do slurmd -N "$node"; done
    within 60 bash -c "[ \$(sinfo --noheader --Node --states=idle --format %N | sort -u | wc -l) = ${#NODES[@]} ]"
    sinfo
}

stop() {
    [ -d $PLACE ] || return 0
    if [ -s $PLACE/run/slurmctld.pid ]; then scancel --user=root --full 2> /dev/null || true; fi
    local file
    for file in $PLACE/run/{slurmd-first,slurmd-second,slurmctld,slurmdbd,munged}.pid $PLACE/db/mariadbd.pid; do
        [ ! -s "$file" ] || end "$(< "$file")"
    done
    [ "$(readlink /run/mysqld/mysqld.sock)" != $SOCKET ] || rm /run/mysqld/mysqld.sock
    for file in slurm gres slurmdbd; do
        [ "$(readlink $CONFIGURATION/$file.conf)" != $PLACE/$file.conf ] || rm $CONFIGURATION/$file.conf
    done
    rm -rf $PLACE
}

end() { # a process, and wait until it is gone
    kill "$1" 2> /dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$1" 2> /dev/null || return 0
        sleep 0.1
    done
    kill -9 "$1" 2> /dev/null || true
}

require_debian_and_root
case ${1:-} in
    install) install_packages ;;
    start) start ;;
    stop) stop ;;
    *) refuse "say install, start or stop" ;;
esac
