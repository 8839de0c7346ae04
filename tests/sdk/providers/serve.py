"""Scripted providers on one loopback port: `python3 serve.py` prints the port and serves until it ends.

Each provider has a path of its own, in front of what its real address would be followed by. A request
that breaks one of the real provider's rules gets that provider's own 400. `GET /seen` lists the
requests so far, newest last.
"""

import base64
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import anthropic
import bedrock
import gemini
import openai_chat
import openai_responses
from scenario import Violation, need

KEY = "provider-key"
seen = []
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        with lock:
            self.reply(200, seen)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        path, _, query = self.path.partition("?")
        error = anthropic.error
        try:
            body = json.loads(body)
            provider, rest = path[1:].split("/", 1)
            with lock:
                seen.append({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body})
            serve, error = PROVIDERS[provider]
            serve(self, rest, query, body)
        except Violation as violation:
            self.reply(400, error(400, str(violation)), {"x-amzn-errortype": "ValidationException:"} if error is bedrock.error else {})
        except BrokenPipeError:
            pass

    def reply(self, status, body, headers={}):
        body = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def stream(self, pieces, kind="text/event-stream"):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def bears(self, header, value):
        need(self.headers.get(header) == value, f"authentication: {header}")

    def log_message(self, *_):
        pass


def dump(value):
    return json.dumps(value, ensure_ascii=False).encode()


def data(values):
    return (b"data: " + dump(value) + b"\n\n" for value in values)


def named(values):
    return (f"event: {value['type']}\n".encode() + b"data: " + dump(value) + b"\n\n" for value in values)


def serve_anthropic(handler, path, query, body):
    handler.bears("x-api-key", KEY)
    need(handler.headers.get("anthropic-version") in ("2023-06-01", "2026-10-21"), "anthropic-version: header is required")
    if path == "v1/messages/count_tokens":
        return handler.reply(200, {"input_tokens": 42})
    need(path == "v1/messages", path)
    answer_messages(handler, body, body.get("model"), body.get("stream"))


def answer_messages(handler, body, model, streamed, cloud=False):
    content, reason = anthropic.answer(body, cloud)
    if streamed:
        handler.stream(named(anthropic.events(model, content, reason)))
    else:
        handler.reply(200, anthropic.message(model, content, reason))


def serve_gemini(handler, path, query, body):
    handler.bears("x-goog-api-key", KEY)
    answer_gemini(handler, path, query, body, "ai-studio")


def answer_gemini(handler, path, query, body, place):
    model, action = re.search(r"models/([^/:]+):(\w+)$", path).groups()
    if action == "countTokens":
        return handler.reply(200, {"totalTokens": 42})
    if action == "batchEmbedContents":
        return handler.reply(200, {"embeddings": [{"values": [0.5, -0.25, at]} for at, _ in enumerate(body["requests"])]})
    need((action, query) == ("streamGenerateContent", "alt=sse"), path)
    handler.stream(data(gemini.chunks(model, gemini.answer(body, model, place))))


def serve_vertex(handler, path, query, body):
    handler.bears("authorization", f"Bearer {KEY}")
    need(path.startswith("v1/projects/p/locations/eu/publishers/"), path)
    if "publishers/anthropic/" not in path:
        return answer_gemini(handler, path, query, body, "vertex")
    need(body.get("anthropic_version") in ("vertex-2023-10-16", "2026-10-21"), "anthropic_version: Field required")
    model, action = re.search(r"models/([^/]+):(\w+)$", unquote(path)).groups()
    if model == "count-tokens":
        return handler.reply(200, {"input_tokens": 42})
    need(action == ("streamRawPredict" if body.get("stream") else "rawPredict"), path)
    answer_messages(handler, body, model, action == "streamRawPredict", cloud=True)


def serve_bedrock(handler, path, query, body):
    signed = handler.headers.get("authorization", "")
    need(signed == f"Bearer {KEY}" or signed.startswith("AWS4-HMAC-SHA256 "), "authorization")
    model, action = re.match(r"model/([^/]+)/([\w-]+)$", path).groups()
    model = unquote(model)
    if action == "count-tokens":
        return handler.reply(200, {"inputTokens": 42})
    if action.startswith("converse"):
        blocks, reason = bedrock.answer(body, model)
        if action == "converse":
            return handler.reply(200, bedrock.converse(blocks, reason))
        frames = (bedrock.frame(*event) for event in bedrock.events(blocks, reason))
        return handler.stream(frames, "application/vnd.amazon.eventstream")
    need(body.get("anthropic_version") in ("bedrock-2023-05-31", "2026-10-21"), "anthropic_version: Field required")
    need("stream" not in body, "stream: Extra inputs are not permitted")
    if action == "invoke":
        return answer_messages(handler, body, model, False, cloud=True)
    content, reason = anthropic.answer(body, True)
    wrapped = ({"bytes": base64.b64encode(dump(event)).decode()} for event in anthropic.events(model, content, reason))
    handler.stream((bedrock.frame("chunk", chunk) for chunk in wrapped), "application/vnd.amazon.eventstream")


def serve_openai(handler, path, query, body):
    handler.bears("authorization", f"Bearer {KEY}")
    if path == "v1/responses":
        output = openai_responses.answer(body)
        if body.get("stream"):
            return handler.stream(named(openai_responses.events(body, output)))
        return handler.reply(200, openai_responses.response(body, output))
    need(path == "v1/chat/completions", path)
    said = openai_chat.answer(body)
    if not body.get("stream"):
        return handler.reply(200, openai_chat.completion(body["model"], said))
    usage = (body.get("stream_options") or {}).get("include_usage")
    handler.stream([*data(openai_chat.chunks(body["model"], said, usage)), b"data: [DONE]\n\n"])


PROVIDERS = {
    "anthropic": (serve_anthropic, anthropic.error),
    "gemini": (serve_gemini, gemini.error),
    "vertex": (serve_vertex, gemini.error),
    "bedrock": (serve_bedrock, bedrock.error),
    "openai": (serve_openai, openai_chat.error),
}


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    # Ends with whoever started it.
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever()
