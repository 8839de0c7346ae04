"""What is in deploy/ as files, judged by the programs that read them."""

import json
import os
import subprocess

import yaml

from conftest import ROOT


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_containerfile_has_no_bad_habits(deploy):
    run("hadolint", str(deploy / "Containerfile"))


def test_the_unit_is_one_and_is_locked_down(deploy, tmp_path):
    # The manager looks for the program where the unit says that it is.
    unit = (deploy / "systemd/pillion.service").read_text()
    placed = tmp_path / "pillion.service"
    placed.write_text(unit.replace("/usr/bin/pillion", os.environ["PILLION_BIN"]))
    assert run("systemd-analyze", "verify", str(placed)).strip() == ""
    said = run("systemd-analyze", "security", "--offline=true", "--threshold=20", str(placed))
    assert "Overall exposure level" in said


def test_the_alerts_are_rules_and_ring_when_they_should(deploy, tmp_path):
    rules = deploy / "prometheus/alerts.yaml"
    run("promtool", "check", "rules", str(rules))
    tests = yaml.safe_load((ROOT / "tests/deploy/alerts.yaml").read_text())
    tests["rule_files"] = [str(rules)]
    placed = tmp_path / "alerts_test.yaml"
    placed.write_text(yaml.safe_dump(tests))
    run("promtool", "test", "rules", str(placed))
    tried = {row["alertname"] for test in tests["tests"] for row in test["alert_rule_test"]}
    known = {rule["alert"] for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"]}
    assert tried == known


def test_the_network_policies_are_valid_where_they_are_to_be_used(deploy):
    for version in ("1.29", "1.33", "1.37"):
        run("kubernetes-validate", "--strict", "-k", version, str(deploy / "kubernetes/networkpolicy.yaml"))


def test_the_sidecar_of_the_compose_file_has_a_configuration_that_holds(deploy):
    compose = yaml.safe_load((deploy / "compose/compose.yaml").read_text())
    sidecar = compose["services"]["pillion"]
    assert sidecar["network_mode"] == "service:app"
    assert sidecar["read_only"] and sidecar["cap_drop"] == ["ALL"]
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (deploy / "compose" / source).exists(), source
            else:
                assert source in compose["volumes"], source
    said = run(
        os.environ["PILLION_BIN"], "validate", str(deploy / "compose/pillion.yaml"), env={"HOSTNAME": "compose"}
    )
    assert "ok:" in said
    # Who looks at the page comes from outside of the sidecar's network: without a token nobody would be told anything.
    config = yaml.safe_load((deploy / "compose/pillion.yaml").read_text())
    source, variable = config["admin_token"].split(":")
    assert source == "env" and sidecar["environment"][variable] in (deploy / "compose/compose.yaml").read_text().split("services:")[0]
    # The application's token is the one that the sidecar knows.
    token = compose["services"]["app"]["environment"]["OPENAI_API_KEY"]
    said = run(os.environ["PILLION_BIN"], "schema")
    assert json.loads(said)
    import hashlib

    assert hashlib.sha256(token.encode()).hexdigest() in (deploy / "compose/pillion.yaml").read_text()
