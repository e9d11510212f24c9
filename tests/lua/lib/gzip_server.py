"""Answers as Google's front ends do: gzip only for clients that say so in Accept-Encoding and in User-Agent. Prints its
port; GET /quit ends it. The body is what the request's path names: /good/... the text of argv[1], /error/... a refusal,
/page/N a result page of N MB that is one token walk of a single page."""

import gzip
import http.server
import json
import sys
import threading

REFUSAL = json.dumps({"error": {"code": 403, "message": "Access Denied", "errors": [
    {"reason": "accessDenied", "message": "Access Denied: zipped", "domain": "global"}], "status": "PERMISSION_DENIED"}})
seen = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, text):
        body = text.encode()
        agent, accept = self.headers.get("user-agent", ""), self.headers.get("accept-encoding", "")
        zipped = "gzip" in agent and "gzip" in accept
        seen.append(zipped)
        if zipped:
            body = gzip.compress(body, 1)
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=UTF-8")
        if zipped:
            self.send_header("content-encoding", "gzip")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/quit":
            threading.Thread(target=self.server.shutdown).start()
        self.answer(200, json.dumps(seen))

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.startswith("/error/"):
            self.answer(403, REFUSAL)
        elif self.path.startswith("/page/"):
            megabytes = int(self.path.split("/")[2])
            rows = [{"f": [{"v": "c%04d" % i + "x" * 999995}, {"v": None}]} for i in range(megabytes)]
            self.answer(200, sys.argv[1].replace('"ROWS"', json.dumps(rows)).replace("TOTAL", str(megabytes)))
        else:
            self.answer(200, sys.argv[1].replace('"ROWS"', "[]").replace("TOTAL", "0"))


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
