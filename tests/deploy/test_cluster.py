"""What a real API server stores of pods that come by the chart's webhook, and, where the server is of 1.36 or later, by its
policy."""

import hashlib
import json
import re
import subprocess

import pytest

import cluster as real
from chart import of_kind
from cluster import Refused
from injector import NAMESPACE, Later
from installed import Installed, named, sidecar
from test_inject import LEFT, PODS, inject, pod, sorted_env

if not real.APISERVER or not real.ETCD:
    pytest.skip(
        "nothing of this was tried: PILLION_TEST_APISERVER names a kube-apiserver (tests/deploy/apiserver builds one), and "
        "PILLION_TEST_ETCD an etcd",
        allow_module_level=True,
    )

VERSION = real.version()
WAYS = ["webhook", *(["policy"] if VERSION >= 36 else [])]
# A pod that is left by everybody.
OUT = {"pillion.dev/inject": "false"}
NATIVE = VERSION >= 29
SYSTEM = "kube-system"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = real.Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        enabled = {"pillion.dev/injection": "enabled"}
        cluster.namespace(NAMESPACE, {})
        cluster.namespace("shop", enabled)
        cluster.namespace("plain", {})
        # Since 1.21 each namespace has its name for a label.
        cluster.namespace(SYSTEM, {"kubernetes.io/metadata.name": SYSTEM, **enabled})
        yield cluster
    finally:
        cluster.end()


@pytest.fixture(scope="module")
def installed(cluster, tmp_path_factory):
    installed = Installed(cluster, tmp_path_factory)
    try:
        yield installed
    finally:
        installed.end()


@pytest.fixture(scope="module", params=WAYS)
def mode(request):
    return request.param


@pytest.fixture
def way(mode, installed):
    """Whatever goes wrong is an error, and not a pod without a sidecar."""
    return installed.be(mode, "injector.failurePolicy=Fail")


def essence(stored):
    """Without what each pod has of its own."""
    labels, annotations = (stored["metadata"].get(kind, {}) for kind in ("labels", "annotations"))
    # The account's token has a volume under a name that is drawn.
    spec = json.loads(re.sub(r"kube-api-access-\w+", "kube-api-access", json.dumps(stored["spec"])))
    for items in [spec["volumes"], *(it["volumeMounts"] for it in spec["containers"] + spec.get("initContainers", []))]:
        items.sort(key=lambda item: item["name"])
    return sorted_env({"labels": labels, "annotations": annotations, "spec": spec})


def keeps(before, after):
    """All that was there is there: members by name, items by their names and in their order."""
    if isinstance(before, dict):
        for name, value in before.items():
            if not (name == "value" and "::1" in str(after.get(name))):
                keeps(value, after[name])
    elif isinstance(before, list):
        rest = iter(after)
        for item in before:
            if isinstance(item, dict) and "name" in item:
                keeps(item, next(it for it in rest if it["name"] == item["name"]))
            else:
                assert item in after
    else:
        assert before == after


@pytest.mark.parametrize("name", PODS)
def test_what_is_stored_is_the_pod_and_the_sidecar(name, way, cluster):
    # What the server makes of the pod alone, and of a manifest that has been injected before.
    alone = cluster.create(named(PODS[name], name, "plain"))
    manifest = json.loads(inject(PODS[name], "--config", str(way.injector.settings), "-o", "json"))
    beforehand = cluster.create(named(manifest, name, "plain"))
    stored = cluster.create(named(PODS[name], name, "shop"))
    assert sidecar(alone) is None
    assert essence(stored) == essence(beforehand)
    keeps(essence(alone), essence(stored))
    if NATIVE:
        assert stored["spec"]["initContainers"][0] == sidecar(stored)
        assert sidecar(stored)["restartPolicy"] == "Always"
    else:
        assert stored["spec"]["containers"][-1] == sidecar(stored)
        assert "--native" not in sidecar(stored)["args"]
    own = [it["name"] for it in stored["spec"].get("initContainers", []) if it["name"] != "pillion"]
    assert own == [it["name"] for it in PODS[name]["spec"].get("initContainers", [])]
    for container in PODS[name]["spec"]["containers"]:
        now = next(it for it in stored["spec"]["containers"] if it["name"] == container["name"])
        told = {it["name"] for it in now.get("env", [])}
        asked = PODS[name]["metadata"].get("annotations", {}).get("pillion.dev/containers", container["name"])
        assert ("OPENAI_BASE_URL" in told) == (container["name"] in asked)


@pytest.mark.parametrize("name", [name for name in LEFT if name != "windows" or VERSION >= 23])
def test_what_is_not_ours_is_stored_as_it_came(name, way, cluster):
    stored = cluster.create(named(LEFT[name], name, "shop"))
    alone = cluster.create(named(LEFT[name], name, "plain"))
    assert essence(stored) == essence(alone)


@pytest.mark.parametrize(
    ("namespace", "labels", "expected"),
    [
        ("shop", {}, True),
        ("shop", {"pillion.dev/inject": "true"}, True),
        ("shop", OUT, False),
        ("plain", {}, False),
        ("plain", {"pillion.dev/inject": "true"}, True),
        ("plain", OUT, False),
        (SYSTEM, {}, False),
        (SYSTEM, {"pillion.dev/inject": "true"}, False),
    ],
)
def test_labels_say_who_gets_one(namespace, labels, expected, way, cluster):
    stored = cluster.create(named(pod(labels=labels), "labels", namespace))
    assert (sidecar(stored) is not None) == expected


def test_a_pod_that_has_its_sidecar_is_not_changed_again(way, cluster):
    first = cluster.create(named(PODS["init containers"], "first", "shop"))
    # As somebody makes the pod anew from what the server has told.
    exported = {kind: first[kind] for kind in ("apiVersion", "kind", "spec")}
    exported["metadata"] = {kind: first["metadata"][kind] for kind in ("labels", "annotations")}
    again = cluster.create(named(exported, "again", "shop"))
    assert essence(again) == essence(first)
    # A change of the pod is not a new one.
    changed = cluster.patch(first, {"metadata": {"labels": {"changed": "yes"}}})
    assert changed["spec"] == first["spec"]
    # What is applied once more has been applied.
    applied = named(PODS["its own settings"], "applied", "shop")
    manifest = json.dumps(applied)
    path = f"/api/v1/namespaces/shop/pods/{applied['metadata']['name']}"
    assert "created" in cluster.kubectl("apply", "--validate=false", "-f", "-", text=manifest)
    before = cluster.get(path)
    cluster.kubectl("apply", "--validate=false", "-f", "-", text=manifest)
    assert cluster.get(path) == before
    assert sidecar(before)


def test_the_chart_s_own_test_has_a_sidecar(way, cluster):
    # A classic one would keep it from ending.
    pods = of_kind(way.tests, "Pod")
    assert len(pods) == NATIVE
    for manifest in pods:
        assert sidecar(cluster.create(manifest))


def test_a_try_shows_what_would_be(way, cluster):
    tried = cluster.create(named(pod(), "tried", "shop"), dry=True)
    assert sidecar(tried)
    with pytest.raises(Refused, match="404"):
        cluster.get(f"/api/v1/namespaces/shop/pods/{tried['metadata']['name']}")


@pytest.fixture
def webhook(installed):
    """With a token for each pod, and as it is installed when nothing is said."""
    return installed.be("webhook", "sidecar.tokenSecret=")


def test_each_pod_has_a_token_of_its_own(webhook, cluster):
    tokens = []
    for name in ("one", "other"):
        stored = cluster.create(named(pod(), name, "shop"))
        app = {it["name"]: it.get("value") for it in stored["spec"]["containers"][0]["env"]}
        ours = {it["name"]: it.get("value") for it in sidecar(stored)["env"]}
        assert hashlib.sha256(app["OPENAI_API_KEY"].encode()).hexdigest() in ours["PILLION_POD_KEY"]
        tokens.append(app["OPENAI_API_KEY"])
    assert tokens[0] != tokens[1]


def test_a_pod_that_asks_for_nonsense_is_told_so(webhook, cluster):
    wrong = named(pod(annotations={"pillion.dev/imgae": "i"}), "wrong", "shop")
    with pytest.raises(Refused, match="did you mean `pillion.dev/image`") as refused:
        cluster.create(wrong)
    assert refused.value.status == 422


def test_a_pod_that_is_left_by_surprise_is_warned_of(webhook, cluster):
    cluster.create(named(LEFT["its node's network"], "host", "shop"))
    assert "hostNetwork" in " ".join(cluster.warnings)
    cluster.create(named(pod(labels=OUT), "out", "shop"))
    assert not cluster.warnings


def test_what_a_later_webhook_adds_is_not_a_new_pod(webhook, cluster):
    ours = of_kind(webhook.documents, "MutatingWebhookConfiguration")[0]
    later = Later(webhook.injector.folder)
    try:
        configuration = later.configuration(ours)
        cluster.apply([configuration])
        manifest = pod(labels={"later": "true"})
        has_mesh = lambda stored: [it["name"] for it in stored["spec"]["containers"]].count("mesh")
        cluster.soon(lambda: has_mesh(cluster.create(named(manifest, "tried", "shop"), dry=True)))
        stored = cluster.create(named(manifest, "meshed", "shop"))
        assert has_mesh(stored) == 1 and sidecar(stored)
        first, again = webhook.injector.said(stored["metadata"]["name"])
        assert first == "injected" and "it has been seen to" in again
        cluster.delete([configuration])
    finally:
        later.end()


@pytest.mark.parametrize("policy", ["Ignore", "Fail"])
def test_without_an_injector_pods_come_alone_or_not_at_all(policy, installed, cluster):
    way = installed.be("webhook", f"sidecar.tokenSecret=,injector.failurePolicy={policy}")
    way.injector.end()
    try:
        if policy == "Fail":
            with pytest.raises(Refused, match='failed calling webhook "namespace.pillion.dev"'):
                cluster.create(named(pod(), "alone", "shop"))
        else:
            assert sidecar(cluster.create(named(pod(), "alone", "shop"))) is None
        # Those that it does not ask about come in any case.
        assert sidecar(cluster.create(named(pod(labels=OUT), "out", "shop"))) is None
        for namespace in ("plain", SYSTEM):
            assert sidecar(cluster.create(named(pod(), "alone", namespace))) is None
    finally:
        installed.end()


def test_the_injector_s_certificate_is_for_the_service(webhook):
    """By what the server went to it at all: under the service's name."""
    folder = webhook.injector.folder
    service = of_kind(webhook.documents, "Service")[0]["metadata"]
    host = f"{service['name']}.{service['namespace']}.svc"
    command = ["openssl", "verify", "-CAfile", "ca.crt", "-verify_hostname", host, "tls.crt"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
