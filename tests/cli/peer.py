"""The other ends of the program under test: pipes, sockets and terminals with a reader or writer.

run       runs COMMAND with its standard input fed from a file, its standard output collected in a
          file, or both; the exit status is COMMAND's (128 + N if signal N killed it)
receive   waits on 127.0.0.1 for one connection and stores what comes
send      waits on 127.0.0.1 for one connection and sends a file into it
"""

import argparse
import fcntl
import os
import pty
import socket
import subprocess
import sys
import threading
import time
import tty

CHUNK = 64 * 1024


class Descriptor:
    """A file descriptor with the part of socket.socket that is needed here."""

    def __init__(self, fd):
        self.fd = fd

    def fileno(self):
        return self.fd

    def recv(self, size):
        try:
            return os.read(self.fd, size)
        except OSError:  # a terminal whose other end is closed: EIO
            return b""

    def sendall(self, data):
        while data:
            data = data[os.write(self.fd, data):]

    def close(self):
        os.close(self.fd)


def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    return near, far


def connect(kind, to_command):
    """(our end, the command's end)"""
    if kind == "tcp":
        return tcp_pair()
    if kind == "unix":
        return socket.socketpair()
    if kind == "terminal":
        master, slave = pty.openpty()
        if not to_command:
            tty.setraw(slave)
        return Descriptor(master), Descriptor(slave)
    read_end, write_end = os.pipe()
    ours, theirs = (write_end, read_end) if to_command else (read_end, write_end)
    return Descriptor(ours), Descriptor(theirs)


def feed(end, path, pause, chunk, terminal=False):
    try:
        with open(path, "rb") as file:
            while data := file.read(chunk):
                end.sendall(data)
                time.sleep(pause)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the command did not want all of it
    if terminal:
        end.sendall(b"\x04")  # closing it would be a hang-up, not an end
    else:
        end.close()


def collect(end, path, pause, chunk):
    with open(path, "wb") as file:
        while data := end.recv(chunk):
            file.write(data)
            time.sleep(pause)
    end.close()


def run(arguments):
    workers = []
    ends = {}
    if arguments.source:
        ours, ends["stdin"] = connect(arguments.source, to_command=True)
        workers.append(threading.Thread(
            target=feed, args=(ours, arguments.feed, arguments.pause, arguments.chunk,
                               arguments.source == "terminal"), daemon=True))
    if arguments.target:
        ours, ends["stdout"] = connect(arguments.target, to_command=False)
        workers.append(threading.Thread(
            target=collect, args=(ours, arguments.collect, arguments.pause, arguments.chunk)))
    if arguments.nonblocking:
        for end in ends.values():
            flags = fcntl.fcntl(end.fileno(), fcntl.F_GETFL)
            fcntl.fcntl(end.fileno(), fcntl.F_SETFL, flags | os.O_NONBLOCK)

    command = subprocess.Popen(
        arguments.command, **{name: end.fileno() for name, end in ends.items()})
    for end in ends.values():
        end.close()
    for worker in workers:
        worker.start()
    _, status, usage = os.wait4(command.pid, 0)
    if arguments.target:
        workers[-1].join()

    if arguments.cpu:
        with open(arguments.cpu, "w", encoding="ascii") as file:
            print(int((usage.ru_utime + usage.ru_stime) * 1000), file=file)
    code = os.waitstatus_to_exitcode(status)
    sys.stdout.flush()
    os._exit(128 - code if code < 0 else code)


def listen(arguments):
    """Writes the port to the file that is waited for, then the one connection."""
    server = socket.socket()
    if arguments.receive_buffer:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, arguments.receive_buffer)
    server.bind(("127.0.0.1", 0))
    server.listen(1)
    with open(arguments.port_file + ".new", "w", encoding="ascii") as file:
        print(server.getsockname()[1], file=file)
    os.rename(arguments.port_file + ".new", arguments.port_file)
    server.settimeout(60)
    connection, _ = server.accept()
    connection.settimeout(60)
    return connection


def receive(arguments):
    collect(listen(arguments), arguments.file, arguments.pause, arguments.chunk)


def send(arguments):
    feed(listen(arguments), arguments.file, arguments.pause, arguments.chunk)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    subparsers = parser.add_subparsers(required=True)
    kinds = ["pipe", "unix", "tcp", "terminal"]

    command = subparsers.add_parser("run")
    command.set_defaults(work=run)
    command.add_argument("--source", choices=kinds)
    command.add_argument("--feed", metavar="FILE", help="what standard input gets")
    command.add_argument("--target", choices=kinds)
    command.add_argument("--collect", metavar="FILE", help="where standard output goes")
    command.add_argument("--nonblocking", action="store_true", help="the command's ends, not ours")
    command.add_argument("--cpu", metavar="FILE", help="gets the command's CPU time in ms")
    command.add_argument("command", nargs="+")

    for name, work in (("receive", receive), ("send", send)):
        server = subparsers.add_parser(name)
        server.set_defaults(work=work)
        server.add_argument("--receive-buffer", type=int, default=0)
        server.add_argument("port_file")
        server.add_argument("file")

    for subparser in subparsers.choices.values():
        subparser.add_argument("--pause", type=float, default=0, help="seconds between two chunks")
        subparser.add_argument("--chunk", type=int, default=CHUNK)

    arguments = parser.parse_args()
    arguments.work(arguments)


main()
