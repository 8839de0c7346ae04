"""The built binary as a child process: started with a configuration, ready, and surely ended."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

TOKEN = "sdk-app"
PATIENCE = 20.0  # seconds, for what takes a fraction of one on an idle machine
PORT_TAKEN = 1  # the exit code

SDK = Path(__file__).resolve().parent.parent
BINARY = os.environ.get("PILLION_BIN") or str(SDK.parent.parent / "target/debug/pillion")


class Pillion:
    """One process. When another took one of its ports meanwhile, it starts anew with others."""

    def __init__(self, template, directory, ports=None, env=None, args=()):
        for attempt in range(3):
            self.ports = dict(ports or {})
            config = Path(directory) / f"{Path(template).stem}-{attempt}.yaml"
            config.write_text(self._filled((SDK / template).read_text()))
            self.process = subprocess.Popen(
                [BINARY, "run", "--config", str(config), *args],
                env={"PATH": os.environ["PATH"], **(env or {})},
                stdout=subprocess.PIPE,
            )
            self.records = Records(self.process.stdout)
            try:
                if self._ready():
                    return
            except BaseException:
                self.kill()
                raise
            if self.process.returncode != PORT_TAKEN:
                break
        raise RuntimeError(f"{template}: it did not start: exit code {self.process.returncode}")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.ports['listen']}/v1"

    def kill(self):
        """Kills it the hard way, as a machine does that runs out of memory."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def end(self):
        """Ends it in the ordinary way, unless it has ended. Returns its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def _filled(self, text):
        def port(found):
            name = found.group(1)
            if name not in self.ports:
                self.ports[name] = free_port()
            return str(self.ports[name])

        return re.sub(r"@(\w+)@", port, text)

    def _ready(self):
        """Whether it came up; false when it ended instead."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.process.poll() is not None:
                return False
            try:
                address = f"http://127.0.0.1:{self.ports['admin']}/readyz"
                with urllib.request.urlopen(address, timeout=1) as answer:
                    return answer.status == 200
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.02)
        raise RuntimeError(f"not ready after {PATIENCE} s")


class Providers:
    """The scripted providers, as a process of their own."""

    def __enter__(self):
        command = [sys.executable, str(SDK / "providers/serve.py")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        # It ends with its input.
        self.process.stdin.close()
        self.process.wait(PATIENCE)

    def seen(self):
        """The requests so far, newest last."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/seen", timeout=PATIENCE) as answer:
            return json.load(answer)


class Records:
    """The audit records, as they arrive on the process's stdout."""

    def __init__(self, lines):
        self._all = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def of(self, request_id):
        """The record of one request: waits until it is written."""
        return self.find(lambda record: record["id"] == request_id)

    def find(self, wanted):
        with self._changed:
            found = lambda: next(filter(wanted, self._all), None)
            record = self._changed.wait_for(found, PATIENCE)
        assert record, "there is no such record"
        return record

    def of_route(self, route, least=0):
        """Those of a route that are there by now: waits until there are at `least` so many."""
        found = lambda: [record for record in self._all if record["route"] == route]
        with self._changed:
            self._changed.wait_for(lambda: len(found()) >= least, PATIENCE)
            return found()

    def _read(self, lines):
        for line in lines:
            record = json.loads(line)
            if record["kind"] == "pillion.audit":
                with self._changed:
                    self._all.append(record)
                    self._changed.notify_all()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def shape(value):
    """The schema of a JSON value: its keys in order, and the type of each leaf."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list):
        return [shape(member) for member in value]
    return type(value).__name__
