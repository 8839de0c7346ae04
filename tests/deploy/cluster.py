"""A real API server on loopback: etcd and kube-apiserver, with nobody who would run what it stores."""

import json
import os
import re
import ssl
import subprocess
import time
import urllib.error
import urllib.request

from conftest import ROOT
from pillion import PATIENCE, free_port

APISERVER = os.environ.get("PILLION_TEST_APISERVER")
ETCD = os.environ.get("PILLION_TEST_ETCD")
TOKEN = "cluster-test"
# From a cold start; twice the time of a busy machine.
LONG = 6 * PATIENCE


def version():
    """The minor version of the server that the tests are given."""
    said = subprocess.run([APISERVER, "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"v1\.(\d+)", said).group(1))


class Refused(Exception):
    def __init__(self, status, said):
        super().__init__(f"{status}: {said['message']}")
        self.status = status
        self.message = said["message"]


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self._running = []
        self.warnings = []
        try:
            self._start()
        except BaseException:
            self.end()
            raise

    def _start(self):
        peers, clients, self.port = free_port(), free_port(), free_port()
        store = f"http://127.0.0.1:{clients}"
        self._run(
            "etcd",
            [
                ETCD,
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={store}",
                f"--advertise-client-urls={store}",
                f"--listen-peer-urls=http://127.0.0.1:{peers}",
                "--unsafe-no-fsync",
            ],
        )
        key = self.folder / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f'{TOKEN},tester,tester,"system:masters"\n')
        self._run(
            "apiserver",
            [
                APISERVER,
                f"--etcd-servers={store}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                f"--secure-port={self.port}",
                f"--cert-dir={self.folder / 'serving'}",
                f"--token-auth-file={tokens}",
                f"--service-account-key-file={key}",
                f"--service-account-signing-key-file={key}",
                "--service-account-issuer=https://127.0.0.1",
                "--service-cluster-ip-range=10.0.0.0/24",
                # Nobody is to be told of this server.
                "--endpoint-reconciler-type=none",
                # The usual since 1.21: pods have the tokens of their accounts by a volume.
                *(["--feature-gates=BoundServiceAccountTokenVolume=true"] if version() < 21 else []),
            ],
        )
        self.authority = self.folder / "serving/apiserver.crt"
        self.url = f"https://127.0.0.1:{self.port}"
        self.soon(self._is_ready)

    def _run(self, name, command):
        log = open(self.folder / f"{name}.log", "wb")
        self._running.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))

    def _is_ready(self):
        for process in self._running:
            assert process.poll() is None, f"{process.args[0]} ended: {self._last_words()}"
        try:
            # Namespaces that the server makes for itself come a little later.
            return self.authority.exists() and self.get("/api/v1/namespaces/kube-system")
        except (urllib.error.URLError, ConnectionError, ssl.SSLError, Refused):
            return None

    def _last_words(self):
        return "".join(path.read_text()[-2000:] for path in self.folder.glob("*.log"))

    def end(self):
        # The store last, which the server would wait for.
        for process in reversed(self._running):
            process.kill()
            process.wait(PATIENCE)

    def soon(self, found):
        """Asks until there is something; its value."""
        until = time.monotonic() + LONG
        while time.monotonic() < until:
            value = found()
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"not within {LONG} s: {self._last_words()}")

    def ask(self, method, path, body=None, kind="application/json"):
        """What the server answers; its warnings are kept. `Refused` when it does not do it."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {TOKEN}", "content-type": kind},
        )
        context = ssl.create_default_context(cafile=str(self.authority))
        # What it makes for itself has no better name.
        context.check_hostname = False
        try:
            with urllib.request.urlopen(request, timeout=LONG, context=context) as answer:
                self.warnings = answer.headers.get_all("warning") or []
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            try:
                said = json.loads(said)
            except ValueError:
                said = {"message": said}
            raise Refused(error.code, said) from None

    def namespace(self, name, labels):
        """A namespace with labels, and with the account that a controller would make there."""
        path = f"/api/v1/namespaces/{name}"
        metadata = {"name": name, "labels": labels}
        try:
            self.ask("POST", "/api/v1/namespaces", {"metadata": metadata})
        except Refused as refused:
            assert refused.status == 409, refused
            self.ask("PATCH", path, {"metadata": metadata}, "application/merge-patch+json")
        self.ask("POST", f"{path}/serviceaccounts", {"metadata": {"name": "default"}})

    def get(self, path):
        return self.ask("GET", path)

    def create(self, pod, dry=False):
        """The pod as it is stored."""
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
        return self.ask("POST", path + ("?dryRun=All" if dry else ""), pod)

    def patch(self, pod, change):
        """A merge patch; the pod as it is stored then."""
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        return self.ask("PATCH", path, change, "application/merge-patch+json")

    def has(self, api_version):
        try:
            return bool(self.get(f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"))
        except Refused:
            return False

    def kubectl(self, *args, text=None):
        """What it prints."""
        command = [
            "kubectl",
            f"--server={self.url}",
            f"--certificate-authority={self.authority}",
            f"--token={TOKEN}",
            f"--cache-dir={self.folder / 'kubectl'}",
            *args,
        ]
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, env={**os.environ, "KUBECONFIG": os.devnull}
        )
        assert done.returncode == 0, f"{' '.join(args)}: {done.stderr}"
        return done.stdout

    def apply(self, objects):
        # The server checks by itself; the check of kubectl's own wants schemas that an old server has not.
        return self.kubectl("apply", "--validate=false", "-f", "-", text=listed(objects))

    def delete(self, objects):
        return self.kubectl("delete", "-f", "-", text=listed(objects))


def listed(objects):
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
