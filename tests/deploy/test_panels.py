"""Prometheus scrapes a running sidecar, and each panel of each dashboard shows something."""

import hashlib
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from conftest import ROOT
from pillion import PATIENCE, Pillion, free_port

TOKENS = {"hash": "panels-app", "slow": "panels-slow"}
BOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))


def panels():
    for board in BOARDS:
        for panel in json.loads(board.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield pytest.param(target["expr"], id=f"{board.stem}: {panel['title']} {target['refId']}")


class Prometheus:
    def __init__(self, folder, admin):
        config = folder / "prometheus.yaml"
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                    "scrape_configs": [{"job_name": "pillion", "static_configs": [{"targets": [f"127.0.0.1:{admin}"]}]}],
                }
            )
        )
        self.port = free_port()
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=warn",
            ]
        )

    def query(self, expr):
        query = urllib.parse.urlencode({"query": expr})
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{query}", timeout=PATIENCE) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expr}: {error.read().decode()}") from error

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


def ask(sidecar, token, stream):
    request = urllib.request.Request(
        sidecar.url + "/chat/completions",
        json.dumps({"model": "chat", "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}).encode(),
        {"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        error.read()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("panels")
    ports = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in TOKENS.items()}
    sidecar = Pillion(ROOT / "tests/deploy/gateway.yaml", folder, ports, {"NORTH_KEY": "n"})
    prometheus = Prometheus(folder, sidecar.ports["admin"])
    try:
        wait(lambda: scraped(prometheus))
        # The second half of what a rate is made of comes while requests do.
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not seen(prometheus):
            for token in (*TOKENS.values(), "nobody"):
                for stream in (True, False):
                    ask(sidecar, token, stream)
        yield prometheus
    finally:
        prometheus.end()
        sidecar.end()


def scraped(prometheus):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{prometheus.port}/-/ready", timeout=PATIENCE):
            return prometheus.query("up == 1")
    except (urllib.error.URLError, ConnectionError):
        # Not yet, or it still reads what it has kept.
        return False


def seen(prometheus):
    """Whether requests, a fallback and a refusal have been scraped more than once."""
    names = ("pillion_requests_total", "pillion_fallbacks_total", "pillion_limit_rejections_total", "pillion_cost_total")
    return all(prometheus.query(f"sum(rate({name}[30s])) > 0") for name in names)


def wait(until):
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        if until():
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {PATIENCE} s")


@pytest.mark.parametrize("expr", list(panels()))
def test_a_panel_shows_something(prometheus, expr):
    expr = expr.replace("$__rate_interval", "1m")
    for name in ("instance", "route", "provider"):
        expr = expr.replace(f"${name}", ".*")
    assert "$" not in expr.replace('"$1"', "")
    assert prometheus.query(expr), expr


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_a_dashboard_asks_for_metrics_that_there_are(prometheus, board):
    for variable in json.loads(board.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            name, label = variable["definition"].removeprefix("label_values(").removesuffix(")").split(", ")
            assert prometheus.query(f"count by ({label}) ({name})"), variable["definition"]
