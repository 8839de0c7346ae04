import base64
import ipaddress
import itertools
import shutil
import subprocess

import pytest
import yaml

from chart import CHART, OTHERS, of_kind, template
from conftest import ROOT

VERSIONS = ("1.29.0", "1.33.0", "1.37.0")
VALUES = sorted((CHART / "ci").glob("*-values.yaml"))


def matrix():
    for values, version in itertools.product([None, *VALUES], VERSIONS):
        # A policy is there from 1.36 on.
        if values and values.name.startswith("policy") and version != "1.37.0":
            continue
        name = values.stem if values else "usual"
        yield pytest.param(values, version, id=f"{name} {version}")


@pytest.mark.parametrize(("values", "version"), list(matrix()))
def test_what_is_rendered_is_valid_where_it_is_to_be_used(values, version, tmp_path):
    args = ["--values", str(values)] if values else []
    lint = ["helm", "lint", "--strict", "--quiet", str(CHART), "--kube-version", version, *args]
    done = subprocess.run(lint, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    documents = template(*args, version=version)
    assert isinstance(documents, list), documents
    core = [it for it in documents if not it["apiVersion"].startswith(OTHERS)]
    assert core
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(yaml.safe_dump_all(core))
    short = version.removesuffix(".0")
    done = subprocess.run(
        ["kubernetes-validate", "--strict", "-k", short, str(rendered)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--set", "injector.replica=1"], "replica"),
        (["--set", "mode=sidecar"], "mode"),
        (["--set", "certificates.source=secret"], "certificates.secret.caBundle is needed"),
        (["--set", "mode=policy,sidecar.tokenSecret=a/b"], "needs Kubernetes 1.36 or later"),
        (["--kube-version", "1.37.0", "--set", "mode=policy"], "sidecar.tokenSecret (NAME/KEY) is needed"),
        (["--set", "sidecar.tokenSecret=UPPER/x"], "tokenSecret"),
        # What the injector would not start with.
        *(
            (["--set-string", value], "/" + value.split("=")[0].replace(".", "/"))
            for value in [
                "sidecar.resources.cpuRequest=",
                "sidecar.resources.cpuRequest=0m",
                "sidecar.resources.memoryRequest=24mb",
                "sidecar.resources.memoryLimit=128m",
                "sidecar.team=a b",
                "sidecar.environment=a b",
                "sidecar.audience=a b",
                "sidecar.source=foo:bar",
                "sidecar.source=https://u:p@h/x",
                "sidecar.source=redis://:p@h/0/x",
                "sidecar.configMap=a/..",
                "sidecar.configMap=a/pillion.conf",
                "sidecar.env.PILLION_LISTEN=0.0.0.0:1",
                "sidecar.env.KEY.secret=",
                "sidecar.env.KEY=",
                "profiles.batch.memory_limit=lots",
                "profiles.batch.env.PILLION_ADMIN=x",
                "image.repository=a b",
            ]
        ),
        (["--set", "sidecar.env.1A=x"], "1A"),
        (["--set-json", 'profiles={"a ": {}}'], "'a '"),
        (["--set", "profiles.batch.memory_limt=1Gi"], "memory_limt"),
    ],
)
def test_values_that_are_wrong_are_refused_with_a_reason(args, said):
    error = template(*args)
    assert isinstance(error, str) and said in error


@pytest.mark.parametrize("whether", [True, False])
def test_a_chart_that_has_it_below_says_whether(whether, tmp_path):
    shutil.copytree(CHART, tmp_path / "charts/pillion")
    below = {"name": "pillion", "version": "0.1.0", "condition": "pillion.enabled"}
    above = {"apiVersion": "v2", "name": "above", "version": "0.1.0", "dependencies": [below]}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(above))
    value = f"pillion.enabled={str(whether).lower()}"
    command = ["helm", "template", "llm", str(tmp_path), "--kube-version", "1.33.0", "--set", value]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ("MutatingWebhookConfiguration" in done.stdout) == whether


@pytest.mark.parametrize("amount", ["1", "1.5", ".5", "1e3", "500m", "+2", "100u"])
def test_amounts_are_kubernetes_own(amount):
    assert isinstance(template("--set-string", f"sidecar.resources.cpuLimit={amount}"), list)


@pytest.mark.parametrize("amount", ["1Ti", "128Mi", "134217728", "1e9", "0.5G"])
def test_amounts_of_memory_are_kubernetes_own(amount):
    assert isinstance(template("--set-string", f"sidecar.resources.memoryLimit={amount}"), list)


def test_a_certificate_is_for_the_service_and_trusted_by_the_webhook(tmp_path):
    documents = template()
    secret = of_kind(documents, "Secret")[0]["data"]
    hooks = of_kind(documents, "MutatingWebhookConfiguration")[0]["webhooks"]
    assert {hook["clientConfig"]["caBundle"] for hook in hooks} == {secret["ca.crt"]}
    for name in ("ca.crt", "tls.crt"):
        (tmp_path / name).write_bytes(base64.b64decode(secret[name]))
    service = hooks[0]["clientConfig"]["service"]
    host = f"{service['name']}.{service['namespace']}.svc"
    command = ["openssl", "verify", "-CAfile", "ca.crt", "-verify_hostname", host, "tls.crt"]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_what_is_trusted_stays_while_a_certificate_is_renewed():
    documents = template("--set", "certificates.source=cert-manager")
    issuers, certificates = (
        {it["metadata"]["name"]: it["spec"] for it in of_kind(documents, kind)} for kind in ("Issuer", "Certificate")
    )
    hook = of_kind(documents, "MutatingWebhookConfiguration")[0]
    namespace, name = hook["metadata"]["annotations"]["cert-manager.io/inject-ca-from"].split("/")
    shown = certificates[name]
    volumes = of_kind(documents, "Deployment")[0]["spec"]["template"]["spec"]["volumes"]
    assert namespace == "platform" and {"secretName": shown["secretName"]} in [it.get("secret") for it in volumes]
    issuer = issuers[shown["issuerRef"]["name"]]
    authority = next(it for it in certificates.values() if {"secretName": it["secretName"]} == issuer.get("ca"))
    assert authority["isCA"] and "isCA" not in shown
    assert issuers[authority["issuerRef"]["name"]] == {"selfSigned": {}}
    hours = lambda it: int(it["duration"].removesuffix("h"))
    assert hours(authority) > 10 * hours(shown)


@pytest.mark.parametrize("mode", ["webhook", "policy"])
def test_no_variables_are_an_empty_map_or_none(mode):
    # One that signs itself is another each time.
    args = ["--set", f"mode={mode},sidecar.tokenSecret=llm/token,certificates.source=cert-manager"]
    assert template(*args, "--set-json", "sidecar.env=null", version="1.36.0") == template(*args, version="1.36.0")


@pytest.mark.parametrize("mode", ["webhook", "policy"])
def test_a_pod_comes_by_one_way_at_most(mode):
    args = ["--set", f"mode={mode},sidecar.tokenSecret=llm/token"]
    documents = template(*args, version="1.37.0")
    if mode == "webhook":
        ways = of_kind(documents, "MutatingWebhookConfiguration")[0]["webhooks"]
    else:
        ways = [it["spec"]["matchResources"] for it in of_kind(documents, "MutatingAdmissionPolicyBinding")]
    for namespace, pod, expected in [
        ({}, {}, 0),
        ({"pillion.dev/injection": "enabled"}, {}, 1),
        ({"pillion.dev/injection": "enabled"}, {"pillion.dev/inject": "false"}, 0),
        ({"pillion.dev/injection": "enabled"}, {"pillion.dev/inject": "true"}, 1),
        ({"pillion.dev/injection": "disabled"}, {"pillion.dev/inject": "true"}, 1),
        ({}, {"pillion.dev/inject": "true"}, 1),
        ({}, {"pillion.dev/inject": "false"}, 0),
        ({"kubernetes.io/metadata.name": "kube-system"}, {"pillion.dev/inject": "true"}, 0),
    ]:
        taken = [way for way in ways if selects(way["namespaceSelector"], namespace) and selects(way["objectSelector"], pod)]
        assert len(taken) == expected, (namespace, pod)
    injector = of_kind(documents, "Deployment")
    for deployment in injector:
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert not [way for way in ways if selects(way["objectSelector"], labels)], "it would wait for itself"


@pytest.fixture(params=["chart", "file"])
def policies(request):
    """For the pods of a namespace."""
    if request.param == "file":
        documents = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/networkpolicy.yaml").read_text()))
    else:
        documents = template("--set", "providerNetworkPolicy.enabled=true,injector.networkPolicy=false")
    return [it["spec"] for it in of_kind(documents, "NetworkPolicy")]


def test_only_pods_that_have_a_sidecar_reach_the_providers(policies):
    for labels, reached in [
        # By its namespace's label it did not have to ask.
        ({"app": "chat", "pillion.dev/injected": "true"}, True),
        ({"pillion.dev/inject": "true", "pillion.dev/injected": "true"}, True),
        ({"pillion.dev/inject": "true"}, False),
        ({"app": "chat"}, False),
    ]:
        for provider in ("8.8.8.8", "2606:4700::1"):
            assert reaches(policies, labels, provider, 443) == reached, labels
            assert not reaches(policies, labels, provider, 53)


def test_all_pods_reach_names_and_what_is_inside_but_not_their_machines_metadata(policies):
    for labels in ({}, {"pillion.dev/injected": "true"}):
        for inside in ("10.1.2.3", "192.168.0.1", "100.64.1.1", "fd00::10"):
            assert reaches(policies, labels, inside, 8080), inside
        assert reaches(policies, labels, "169.254.20.10", 53)
        assert not reaches(policies, labels, "169.254.20.10", 8080)
        for metadata in ("169.254.169.254", "fd00:ec2::254"):
            assert not reaches(policies, labels, metadata, 443), metadata


def reaches(policies, labels, address, port):
    """Whether one of the policies lets such a pod out there."""
    rules = [rule for it in policies if selects(it["podSelector"], labels) for rule in it["egress"]]
    open_to = [rule for rule in rules if port in [it["port"] for it in rule.get("ports", [{"port": port}])]]
    blocks = [peer["ipBlock"] for rule in open_to for peer in rule["to"] if "ipBlock" in peer]
    within = lambda block: ipaddress.ip_address(address) in ipaddress.ip_network(block)
    return any(within(it["cidr"]) and not any(map(within, it.get("except", []))) for it in blocks)


def selects(selector, labels):
    if not selector.get("matchLabels", {}).items() <= labels.items():
        return False
    operators = {"In": lambda value, values: value in values, "NotIn": lambda value, values: value not in values}
    rules = selector.get("matchExpressions", [])
    return all(operators[rule["operator"]](labels.get(rule["key"]), rule["values"]) for rule in rules)
