"""A TCP proxy before a server, that stops forwarding in the middle without a word, its connections left open.

usage: stall_proxy.py HOST:PORT BYTES|TEXT >PORT-FILE
The first connection over which the server has sent more than so many BYTES, or this TEXT, gets nothing more, either way. Prints
its own port, then runs until it is killed.
"""

import socket
import sys
import threading

host, port = sys.argv[1].rsplit(":", 1)
limit = sys.argv[2]
left, lock = 1, threading.Lock()


class Pair:
    def __init__(self, client, server):
        self.client, self.server, self.sent, self.stalled = client, server, 0, False

    def stalls(self, data):
        """Whether these further bytes of the server are the ones."""
        global left
        self.sent += len(data)
        if (self.sent > int(limit)) if limit.isdigit() else (limit.encode() in data):
            with lock:
                self.stalled = left > 0
                left -= self.stalled
        return self.stalled

    def pump(self, source, sink):
        try:
            while data := source.recv(65536):
                if self.stalled or (source is self.server and self.stalls(data)):
                    return threading.Event().wait()
                sink.sendall(data)
        except OSError:
            pass
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def serve(client):
    pair = Pair(client, socket.create_connection((host, int(port))))
    for ends in ((pair.client, pair.server), (pair.server, pair.client)):
        threading.Thread(target=pair.pump, args=ends, daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    serve(listener.accept()[0])
