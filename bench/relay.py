#!/usr/bin/env python3
"""Counts what goes to a server and comes back: relay.py PORT COUNTS  listens on a free port of 127.0.0.1 (printed), hands everything
to PORT, and keeps "BYTES-UP BYTES-DOWN REQUESTS" in the file COUNTS. A request is a line that ends in HTTP/1.1."""
import os, re, socket, sys, threading

target, counts = int(sys.argv[1]), sys.argv[2]
lock, totals = threading.Lock(), [0, 0, 0]
request = re.compile(rb'(?:GET|HEAD|POST|PUT|PATCH|DELETE) /\S* HTTP/1\.1\r\n')


def add(which, data):
    with lock:
        totals[which] += len(data)
        if which == 0:
            totals[2] += len(request.findall(data))


def pump(source, sink, which):
    try:
        while data := source.recv(1 << 18):
            add(which, data)
            sink.sendall(data)
    except OSError:
        pass
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def write():
    with lock, open(counts + '.new', 'w') as file:
        file.write(' '.join(map(str, totals)) + '\n')
    os.replace(counts + '.new', counts)   # whoever reads it sees all of it


def serve(client):
    with client, socket.create_connection(('127.0.0.1', target)) as server:
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        down = threading.Thread(target=pump, args=(server, client, 1))
        down.start()
        pump(client, server, 0)
        down.join()


def report():
    while True:
        write()
        threading.Event().wait(0.05)


listener = socket.create_server(('127.0.0.1', 0), backlog=128)
print(listener.getsockname()[1], flush=True)
threading.Thread(target=report, daemon=True).start()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
