"""How a pod ends, as the kubelet ends it: by signals, in its order."""

import subprocess
import sys
import time

import pytest

from conftest import ROOT
from pillion import PATIENCE, Pillion

HERE = ROOT / "tests/deploy"


@pytest.fixture
def pod(tmp_path):
    """A sidecar, and an application that has a stream under way."""
    running = []

    def start(*args):
        sidecar = Pillion(HERE / "ending.yaml", tmp_path, args=args)
        running.append(sidecar.process)
        application = subprocess.Popen(
            [sys.executable, str(HERE / "application.py"), sidecar.url], stdout=subprocess.PIPE, text=True
        )
        running.append(application)
        assert application.stdout.readline() == "streaming\n"
        return sidecar, application

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)


def test_a_native_sidecar_outlives_the_application_and_then_goes_at_once(pod):
    sidecar, application = pod("--native")
    # First the application alone.
    application.terminate()
    assert application.stdout.read() == "whole\nwhole\n"
    assert application.wait(PATIENCE) == 0
    assert sidecar.process.poll() is None
    # Then, once it has ended, the sidecar.
    began = time.monotonic()
    sidecar.process.terminate()
    assert sidecar.process.wait(PATIENCE) == 0
    assert time.monotonic() - began < 5


def test_a_classic_sidecar_finishes_what_runs_and_takes_what_comes_meanwhile(pod):
    sidecar, application = pod()
    # Both at the same time.
    application.terminate()
    sidecar.process.terminate()
    assert application.stdout.read() == "whole\nwhole\n"
    assert application.wait(PATIENCE) == 0
    assert sidecar.process.wait(PATIENCE) == 0
    outcomes = [record["outcome"] for record in sidecar.records.of_route("chat", least=2)]
    assert outcomes == ["ok", "ok"]
