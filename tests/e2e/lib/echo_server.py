"""A server that tells whoever asks what they sent: a token server, or a service, that echoes secrets.

usage: echo_server.py >URL-FILE
POST /token  a token: {"access_token": "ya29.canary-access-token-000000000", …}
anything else  400 for /refused, else 500: all headers and the body, as the description of the error
"""
import http.server, json

TOKEN = {"access_token": "ya29.canary-access-token-000000000", "expires_in": 3600, "token_type": "Bearer"}


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.path == "/token":
            return self.send(200, TOKEN)
        said = f"{self.path} {self.headers} {body}"
        self.send(400 if self.path.startswith("/refused") else 500,
                  {"error": "invalid_grant", "error_description": said, "message": said, "messages": [said],
                   "errors": [{"message": said}]})

    do_GET = do_POST = do_PATCH = do_DELETE = answer

    def send(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
