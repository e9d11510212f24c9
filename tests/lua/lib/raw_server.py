"""Sends what no well-behaved server would: prints its port, answers each connection's first bytes with the text of argv[1]
(\\n as written in Python) and closes it; GET /quit ends it."""

import socket
import sys

answer = sys.argv[1].encode().decode("unicode_escape").encode("latin-1")
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    peer, _ = listener.accept()
    with peer:
        if peer.recv(65536).startswith(b"GET /quit "):
            break
        peer.sendall(answer)
        peer.shutdown(socket.SHUT_WR)
        while peer.recv(65536):
            pass
