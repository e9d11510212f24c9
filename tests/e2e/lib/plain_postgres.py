"""A server that speaks just enough of Postgres' protocol to refuse TLS and ask for the password in the clear. Usage:
plain_postgres.py FILE: prints its port; what it is told in passwords is appended to FILE. Every login is refused."""
import socket
import struct
import sys
import threading

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104


def exactly(connection, n):
    data = b""
    while len(data) < n:
        more = connection.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def start_up(connection):
    while True:
        length, code = struct.unpack("!II", exactly(connection, 8))
        if code in (SSL_REQUEST, GSS_REQUEST):
            connection.sendall(b"N")
        else:
            return exactly(connection, length - 8)


def serve(connection, path):
    try:
        start_up(connection)
        connection.sendall(b"R" + struct.pack("!II", 8, 3))  # AuthenticationCleartextPassword
        length = struct.unpack("!xI", exactly(connection, 5))[0]
        with open(path, "ab") as file:
            file.write(exactly(connection, length - 4) + b"\n")
        said = b"SFATAL\0VFATAL\0C28P01\0Mno entry\0\0"
        connection.sendall(b"E" + struct.pack("!I", len(said) + 4) + said)
    except EOFError:
        pass
    finally:
        connection.close()


def main():
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, sys.argv[1]), daemon=True).start()


main()
