"""The chart's way into pods, put where an API server on loopback reaches it."""

import base64
import json
import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from chart import of_kind, template
from pillion import PATIENCE, free_port

NAMESPACE = "platform"
# A chart's own rule: before that it is not installed. What older servers need to be told it tells them all the same.
OLDEST = 25


def rendered(version, mode, values):
    return template("--set", f"mode={mode},{values}", version=f"1.{max(version, OLDEST)}.0")


class Injector:
    """`pillion inject` as the chart's Deployment runs it: its settings, its certificate."""

    def __init__(self, documents, folder):
        self.documents = documents
        self.folder = folder
        self.port = free_port()
        secret = of_kind(documents, "Secret")[0]["data"]
        for name, value in secret.items():
            (folder / name).write_bytes(base64.b64decode(value))
        maps = [it for it in of_kind(documents, "ConfigMap") if "injector.yaml" in it["data"]]
        self.settings = folder / "injector.yaml"
        self.settings.write_text(maps[0]["data"]["injector.yaml"])
        self.log = folder / "injector.log"
        self.process = None

    def start(self):
        container = of_kind(self.documents, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
        places = {
            "/etc/pillion/tls/": f"{self.folder}/",
            "/etc/pillion/settings/": f"{self.folder}/",
            "[::]:8443": f"127.0.0.1:{self.port}",
        }
        args = container["args"]
        for there, here in places.items():
            args = [arg.replace(there, here) for arg in args]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([os.environ["PILLION_BIN"], *args], stdout=log, stderr=subprocess.STDOUT)

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)

    def said(self, about):
        """What its log says of one pod, by its name."""
        lines = [json.loads(line)["fields"] for line in self.log.read_text().splitlines()]
        return [fields["message"] for fields in lines if fields.get("pod") == about]


def reachable(documents, port):
    """The chart's objects, with the service as a name for this machine: an API server asks there, and expects the
    certificate of the service all the same."""
    documents = json.loads(json.dumps(documents))
    for service in of_kind(documents, "Service"):
        service["spec"] = {"type": "ExternalName", "externalName": "localhost"}
    for configuration in of_kind(documents, "MutatingWebhookConfiguration"):
        for hook in configuration["webhooks"]:
            hook["clientConfig"]["service"]["port"] = port
    return documents


class Later:
    """A webhook that comes after ours and adds a container, as those of service meshes do. With our certificate."""

    def __init__(self, folder):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Later)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def configuration(self, ours):
        """Like one of ours, but for its name, which is sorted behind, its place, and whom it is for."""
        hook = json.loads(json.dumps(ours["webhooks"][0]))
        hook["name"] = "later.example.com"
        hook["clientConfig"]["service"] |= {"port": self.port, "path": "/"}
        hook["objectSelector"] = {"matchLabels": {"later": "true"}}
        hook["reinvocationPolicy"] = "Never"
        return {**ours, "metadata": {"name": f"zz-{ours['metadata']['name']}"}, "webhooks": [hook]}

    def end(self):
        self._server.shutdown()


class _Later(BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["content-length"])))
        patch = [{"op": "add", "path": "/spec/containers/-", "value": {"name": "mesh", "image": "m"}}]
        review["response"] = {
            "uid": review.pop("request")["uid"],
            "allowed": True,
            "patchType": "JSONPatch",
            "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
        }
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
