#!/usr/bin/python3
# swrk.py dump|restore PID IMGDIR HOW UNPRIVILEGED PREFIX...: one request to "criu swrk" started as PREFIX criu swrk FD.
# HOW = fd (images_dir_fd = a descriptor of ours, the requester's) | path (images_dir = /proc/self/fd/N, N inherited by criu)
import os, socket, subprocess, sys
from pycriu import rpc_pb2 as rpc
what, pid, imgdir, how, unpriv = sys.argv[1:6]
prefix = sys.argv[6:]
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
img = os.open(imgdir, os.O_RDONLY | os.O_DIRECTORY)
child = subprocess.Popen(prefix + ["criu", "swrk", str(b.fileno())], pass_fds=[b.fileno()] + ([img] if how == "path" else []), umask=0o77)
r = rpc.criu_req(type=rpc.DUMP if what == "dump" else rpc.RESTORE)
o = r.opts
if how == "path":
    o.images_dir_fd = -1
    o.images_dir = f"/proc/self/fd/{img}"
else:
    o.images_dir_fd = img
if what == "dump": o.pid = int(pid); o.leave_running = False
else: o.rst_sibling = True
o.log_file = what + ".log"; o.log_level = 4; o.manage_cgroups = True; o.manage_cgroups_mode = rpc.IGNORE
if unpriv == "1": o.unprivileged = True
o.notify_scripts = True
a.send(r.SerializeToString())
while True:
    m = a.recv(65536)
    if not m: print("connection closed"); break
    p = rpc.criu_resp(); p.ParseFromString(m)
    if p.type == rpc.NOTIFY:
        print("notify", p.notify.script, end="; ")
        n = rpc.criu_req(type=rpc.NOTIFY, notify_success=True); a.send(n.SerializeToString()); continue
    print(what, "success" if p.success else "FAILED", "errno", p.cr_errno, p.cr_errmsg.strip(), ("pid %d" % p.restore.pid) if what == "restore" else ""); break
a.close()
print("criu exit", child.wait())
sys.exit(not p.success)
