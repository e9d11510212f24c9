"""An HTTP proxy that makes faults: it stands before a Twenty and spoils every so-and-so-many-th record request.

usage: fault_proxy.py TARGET_URL FAULT [EVERY] >URL-FILE
Prints its own URL, then runs until it is killed; SIGUSR1 ends the faults. Faults:
  429           refused as REST does it (the request is not forwarded); 429-all: requests for metadata too
  limit         refused as GraphQL does it: 200 with LIMIT_REACHED (not forwarded)
  413           requests of more than 20 kB are refused with a page (not forwarded)
  403-page      a firewall's page, for metadata too: 403-page-all
  shout         changes of people are refused with a message of 4 MB that would steer a terminal (not forwarded)
  500           an answer of status 500 (not forwarded)
  echo          an answer of status 500 that tells all headers and the body of the request (not forwarded)
  502           a gateway's HTML page (not forwarded)
  502-after     the same, but the server has acted
  reset-before  the connection is reset, the server never saw the request
  reset-after   the connection is reset after the server acted
  silent        the server acts, its answer never comes
  slow          the answer drips
  half          the answer breaks off in the middle, the server has acted
  OLD=>NEW      the answer is changed, OLD by NEW: a server that keeps texts otherwise than we rely on
  circle        the server does not heed the cursor, and always has more, at ever new places
  twice         the request is sent twice, as a library does that replaces a dead connection; the second answer counts
"""
import http.client, json, signal, socket, socketserver, struct, sys, threading, time, urllib.parse

target = urllib.parse.urlsplit(sys.argv[1])
fault = sys.argv[2]
every = int(sys.argv[3]) if len(sys.argv) > 3 else 3
lock, state = threading.Lock(), {"seen": 0, "on": True}
LIMIT = "Limit reached (50 tokens per 1000 ms)"
LARGE = (413, "text/html", b"<html><body><h1>413 Request Entity Too Large</h1></body></html>")
STEERING = "\x1b]0;owned\x07\x1b[2J\u009b31m\r\nsyncrun: all is well\u202e\u200b\0 "
SHOUT = (200, "application/json", json.dumps({"data": None, "errors": [{"message": STEERING + "no " * 1400000,
         "extensions": {"code": "BAD_USER_INPUT", "userFriendlyMessage": STEERING}}]}).encode())
BEFORE = {
    "429": (429, "application/json", b'{"statusCode":429,"error":"HttpException","messages":["%s"]}' % LIMIT.encode()),
    "limit": (200, "application/json", b'{"data":{"people":null},"errors":[{"message":"%s","extensions":{"subCode":'
              b'"LIMIT_REACHED","code":"BAD_USER_INPUT"}}]}' % LIMIT.encode()),
    "403-page": (403, "text/html", b"<html><head><title>Just a moment...</title></head></html>"),
    "500": (500, "application/json", b'{"statusCode":500,"error":"InternalServerErrorException","messages":["oops"]}'),
    "502": (502, "text/html", b"<html><body><h1>502 Bad Gateway</h1></body></html>"),
}


def spoiled(path):
    """Whether this request meets the fault: never two in a row, only those for records."""
    if not path.startswith("/graphql") and not fault.endswith("-all"):
        return False
    with lock:
        state["seen"] += 1
        return state["on"] and state["seen"] % every == 0


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def answer_of(method, path, headers, body):
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=120)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response.status, response.getheader("Content-Type") or "text/plain", data


def circle(request):
    method, path, headers, body = request
    asked = json.loads(body)
    asked["variables"].pop("after", None)
    status, kind, data = answer_of(method, path, headers, json.dumps(asked).encode())
    answer = json.loads(data)
    people = (answer.get("data") or {}).get("people") or {}
    if "pageInfo" in people:
        people["pageInfo"] = {"hasNextPage": True, "endCursor": str(time.monotonic_ns())}
    return status, kind, json.dumps(answer).encode()


def changes_people(body):
    """Not so the question what the key may do: two people with one id, who are never made."""
    people = json.loads(body).get("variables", {}).get("data", [])
    return b"createPeople" in body and not (len(people) == 2 and people[0].get("id") == people[1].get("id") is not None)


class Handler(socketserver.StreamRequestHandler):
    def send(self, status, kind, data, until=None, drip=0):
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        text = head + (data if until is None else data[:until])
        step = max(1, len(text) // drip) if drip else len(text)
        for at in range(0, len(text), step):
            self.wfile.write(text[at : at + step])
            self.wfile.flush()
            if drip:
                time.sleep(0.02)

    def read_request(self):
        line = self.rfile.readline().decode()
        if not line.strip():
            return None
        method, path, _ = line.split(" ", 2)
        headers, length = {}, 0
        while True:
            line = self.rfile.readline().decode().rstrip("\r\n")
            if not line:
                break
            name, value = line.split(":", 1)
            if name.lower() == "content-length":
                length = int(value)
            elif name.lower() not in ("host", "connection", "expect"):
                headers[name] = value.strip()
            elif name.lower() == "expect":
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return method, path, headers, self.rfile.read(length)

    def spoil(self, request):
        """True when the connection can go on."""
        if fault.removesuffix("-all") in BEFORE:
            self.send(*BEFORE[fault.removesuffix("-all")])
            return True
        if fault == "413":
            self.send(*(LARGE if len(request[3]) > 20000 else answer_of(*request)))
            return True
        if fault == "echo":
            said = f"{request[1]} {request[2]} {request[3].decode()}"
            self.send(500, "application/json", json.dumps({"statusCode": 500, "error": said, "messages": [said]}).encode())
            return True
        if fault == "shout":
            self.send(*(SHOUT if changes_people(request[3]) else answer_of(*request)))
            return True
        if fault == "reset-before":
            reset(self.connection)
            return False
        if fault == "circle":
            self.send(*circle(request))
            return True
        answer = answer_of(*request)
        if fault == "twice":
            answer = answer_of(*request)
        if "=>" in fault:
            old, new = fault.encode().split(b"=>")
            answer = (*answer[:2], answer[2].replace(old, new))
        if fault in ("twice", "slow") or "=>" in fault:
            self.send(*answer, drip=20 if fault == "slow" else 0)
            return True
        if fault == "502-after":
            self.send(*BEFORE["502"])
            return True
        if fault == "half":
            self.send(*answer, until=len(answer[2]) // 2)
        elif fault == "silent":
            time.sleep(60)
        reset(self.connection)
        return False

    def handle(self):
        try:
            while request := self.read_request():
                if spoiled(request[1]):
                    if not self.spoil(request):
                        return
                else:
                    self.send(*answer_of(*request))
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_):
        pass


signal.signal(signal.SIGUSR1, lambda *_: state.update(on=False))
server = Server(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
