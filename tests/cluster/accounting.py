# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright the slurm-checkpoint authors
"""Slurm's accounting, `up --accounting`: slurmdbd and MariaDB on ctl, the cluster, an account and its users known to them."""

# Usage is gathered in the way that asks nothing of the host's cgroups.
SLURM_CONF = ("AccountingStorageType=accounting_storage/slurmdbd", "AccountingStorageHost=ctl", "JobAcctGatherType=jobacct_gather/linux")

DBD_CONF = "/etc/slurm/slurmdbd.conf"  # its existence is what makes the two services start
DBD_PORT = 6819
DATABASE_SOCKET = "/run/mysqld/mysqld.sock"
_SETUP = "/etc/mysql/slurm.sql"
_ACCOUNTS = "/etc/slurm/accounts"

_DBD_CONF_TEXT = f"""\
DbdHost=ctl
DbdPort={DBD_PORT}
SlurmUser=slurm
AuthType=auth/munge
LogFile=/var/log/slurm/slurmdbd.log
PidFile=/run/slurmdbd/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
"""
_SETUP_TEXT = """\
CREATE DATABASE IF NOT EXISTS slurm_acct_db;
CREATE USER IF NOT EXISTS slurm@localhost IDENTIFIED VIA unix_socket;
GRANT ALL ON slurm_acct_db.* TO slurm@localhost;
"""

# Small and quick: the disk is gone with the cluster. A commit is with the kernel, which a node's power loss leaves alone.
_SETTINGS = (f"--socket={DATABASE_SOCKET}", f"--init-file={_SETUP}", "--skip-networking", "--skip-log-bin", "--performance-schema=0",
             "--innodb-doublewrite=0", "--innodb-flush-log-at-trx-commit=2", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=64M",
             "--innodb-use-native-aio=0", "--innodb-lock-wait-timeout=900")
# Debian's directory, which has another name since its release after 13.
DATABASE_COMMAND = ("install -d -o mysql -g mysql /run/mysqld && { data=/var/lib/mariadb; [ -d $data ] || data=/var/lib/mysql; } && "
                    "exec setpriv --reuid=mysql --regid=mysql --init-groups "
                    f"mariadbd --no-defaults --datadir=$data {' '.join(_SETTINGS)}")
DBD_COMMAND = (f"chown slurm {DBD_CONF} && chmod 600 {DBD_CONF} && install -d -o slurm -g slurm /run/slurmdbd && "
               "exec setpriv --reuid=slurm --regid=slurm --init-groups slurmdbd -D")
LOAD_COMMAND = f"sacctmgr --quiet --immediate load file={_ACCOUNTS}"


def files(cluster_name, users):
    """{path on ctl: text}."""
    members = "".join(f"User - {user}:DefaultAccount=users\n" for user in users)
    accounts = f"Cluster - {cluster_name}\nParent - root\nAccount - users\nParent - users\n{members}"
    return {DBD_CONF: _DBD_CONF_TEXT, _SETUP: _SETUP_TEXT, _ACCOUNTS: accounts}
