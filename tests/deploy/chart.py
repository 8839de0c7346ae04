"""The chart as Helm renders it."""

import subprocess
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parents[2] / "deploy/helm/pillion"
# What is a resource of others has no schema here.
OTHERS = ("cert-manager.io/", "monitoring.coreos.com/")


def template(*args, version="1.33.0"):
    """The objects that a release has, or the error's text."""
    command = ["helm", "template", "llm", str(CHART), "--namespace", "platform", "--kube-version", version, *args]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def notes_of(values):
    """What is said to who has installed it."""
    command = ["helm", "install", "llm", str(CHART), "--namespace", "platform", "--dry-run=client", "--set", values]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split("NOTES:\n")[1]


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]
