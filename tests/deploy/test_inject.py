"""Three ways to the same pod: the injector, the API server's policy, the Kustomize component. None of them may take
away what a pod had."""

import copy
import json
import os
import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from chart import CHART, notes_of, of_kind, template
from conftest import ROOT
from policy import Emulated, Real, Refused, without_empty

VERSIONS = ("1.29", "1.33", "1.37")
PLAIN = {"containers": [{"name": "app", "image": "i"}]}


def pod(spec=None, labels=None, annotations=None):
    metadata = {"name": "chat", "namespace": "shop"}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": copy.deepcopy(spec or PLAIN)}


def container(name="app", **more):
    return {"name": name, "image": "i", **more}


def env(**variables):
    return [{"name": name, "value": value} for name, value in variables.items()]


MANY = {f"V{nth}": "x" for nth in range(70)}
PODS = {
    "nothing else": pod(),
    "labels and annotations": pod(labels={"app": "chat"}, annotations={"note": "a"}),
    "init containers": pod({**PLAIN, "initContainers": [container("init"), container("second")]}),
    "volumes": pod({**PLAIN, "volumes": [{"name": "data", "emptyDir": {}}]}),
    "several containers": pod({"containers": [container("a"), container("b", env=env(LOG="x"))]}),
    "its own settings": pod({"containers": [container(env=env(OPENAI_BASE_URL="http://x", ANTHROPIC_AUTH_TOKEN="t"))]}),
    "a proxy": pod({"containers": [container(env=env(HTTPS_PROXY="http://p:1"))]}),
    "a proxy with exemptions": pod({"containers": [container(env=env(http_proxy="http://p:1", NO_PROXY=".svc"))]}),
    "a proxy with small exemptions": pod({"containers": [container(env=env(http_proxy="http://p:1", no_proxy=".svc"))]}),
    **{
        f"exemptions {name}": pod({"containers": [container(env=env(HTTPS_PROXY="http://p:1", NO_PROXY=hosts))]})
        for name, hosts in {
            "like loopback": "127.0.0.11",
            "with a pattern": "*.corp.internal,10.0.0.0/8",
            "with a comma": ".a,",
            "of commas": " , ",
            "of all at last": ".a, *",
            "of some of it": "::1,.svc ,",
            "of all of it": "localhost, 127.0.0.1,::1",
            "as we would add": "127.0.0.1,localhost,::1",
        }.items()
    },
    "exemptions twice": pod(
        {"containers": [container(env=[*env(ALL_PROXY="http://p:1", NO_PROXY=".a"), *env(no_proxy=".c", NO_PROXY=".b")])]}
    ),
    "exemptions from a secret": pod(
        {
            "containers": [
                container(
                    env=[
                        *env(HTTPS_PROXY="http://p:1", no_proxy=".a"),
                        {"name": "NO_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "no"}}},
                    ]
                )
            ]
        }
    ),
    "all exempt": pod({"containers": [container(env=env(HTTP_PROXY="http://p:1", NO_PROXY="*"))]}),
    "some containers": pod({"containers": [container("a"), container("b")]}, annotations={"pillion.dev/containers": "b"}),
    "an identity": pod(
        labels={"app.kubernetes.io/name": "shop", "pillion.dev/environment": "stage"},
        annotations={"pillion.dev/team": "a$b"},
    ),
    "another image": pod(annotations={"pillion.dev/image": "there/pillion:2", "pillion.dev/memory-limit": "16Mi"}),
    "another token": pod(annotations={"pillion.dev/token-secret": "mine/key"}),
    "a config map": pod(annotations={"pillion.dev/config": "routes/own.yaml"}),
    "another source": pod(annotations={"pillion.dev/config": "consul://c:8500/p"}),
    "many variables": pod({"containers": [container(env=env(**MANY, HTTPS_PROXY="http://p:1", NO_PROXY=".svc"))]}),
    "many containers": pod({"containers": [container(f"c{nth}", env=env(LOG="x")) for nth in range(34)]}),
}
# What not every API server lets in like this: an old one has no native sidecars, and none keeps an empty value.
HERE = PODS | {
    "an init container": pod(
        {"containers": [container("a"), container("b")], "initContainers": [container("init", env=env(LOG="x")), container("other")]},
        annotations={"pillion.dev/containers": " init,b,, "},
    ),
    "exemptions of nobody": pod({"containers": [container(env=env(HTTPS_PROXY="http://p:1", NO_PROXY=""))]}),
}
# What both refuse, and how the policy says it.
WRONG = [
    *(
        (pod(annotations={f"pillion.dev/{name}": value}), f"pillion.dev/{name}{said}")
        for name, value, said in [
            ("containers", "app, aa", ": the pod has no container `aa`"),
            ("containers", " ,", " is empty"),
            ("memory-limit", "lots", ": `lots` is no amount of 16Mi"),
            ("memory-limit", "0", ": `0` is no amount of 16Mi"),
            ("cpu-request", "-1", ": `-1` is no amount above zero"),
            ("config", "a/b/c", " is neither NAME/KEY"),
            ("config", "ftp://a/b", " is neither NAME/KEY"),
            ("config", "redis://:canary@redis/0/prod", " is neither NAME/KEY"),
            ("token-secret", "llm/..", ": `llm/..` is not NAME/KEY"),
            ("image", "a b", ": `a b` is empty or has white space"),
            ("team", "a\tb", ": `a\tb` is empty or has white space"),
            ("service", "", ": `` is empty or has white space"),
            ("imgae", "i", " is no annotation that a policy knows"),
            ("inject", "true", " is no annotation that a policy knows"),
        ]
    ),
    (pod(labels={"pillion.dev/inject": "yes"}), "pillion.dev/inject: `yes` is no label"),
    (pod(labels={"pillion.dev/tema": "a"}), "pillion.dev/tema: `a` is no label"),
    (pod({**PLAIN, "volumes": [{"name": "pillion-ca", "emptyDir": {}}]}), "volume `pillion-ca`"),
    (pod({"containers": [container("a"), container("b", ports=[{"containerPort": 4101}])]}), "container `b` has a port"),
    (pod({"containers": [container(ports=[{"containerPort": 1, "name": "pillion-admin"}])]}), "container `app` has a port"),
]
LEFT = {
    "seen to": pod(annotations={"pillion.dev/status": "injected"}),
    "has one": pod({"containers": [container("pillion")]}),
    "its node's network": pod({**PLAIN, "hostNetwork": True}),
    "windows": pod({**PLAIN, "os": {"name": "windows"}}),
}

VALUES = (
    "mode=webhook,image.pullPolicy=Always,sidecar.source=https://config.internal/prod.yaml,sidecar.ca=authorities/ca.pem,"
    "sidecar.tokenSecret=llm/token,sidecar.environment=prod,sidecar.env.PILLION_LOG=debug,"
    "sidecar.env.PILLION_SHARED_STATE.secret=redis/url"
)


OTHER_VALUES = (
    "mode=webhook,sidecar.configMap=pillion,sidecar.tokenSecret=llm,sidecar.sdks={openai},sidecar.team=it's,"
    "sidecar.audience=a\\\\b,sidecar.resources.cpuLimit=500m"
)


def injector_settings(values, folder, *more):
    """The injector's, as the chart has them."""
    documents = template("--set", values, *more, version="1.37.0")
    maps = [it for it in of_kind(documents, "ConfigMap") if "injector.yaml" in it["data"]]
    file = folder / "injector.yaml"
    file.write_text(maps[0]["data"]["injector.yaml"])
    return file


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return injector_settings(VALUES, tmp_path_factory.mktemp("injector"))


WAYS = {
    "emulated": Emulated,
    # Those that have a program of an API server's code are asked what it says as well.
    **({"real": Real} if Real.PROGRAM else {}),
}


@pytest.fixture(scope="module", params=WAYS)
def policies(request):
    """A policy as the chart has it with some values."""
    made = {}

    def of(values):
        if values not in made:
            # What is wrong is told, where nothing else is said.
            policy = "injector.failurePolicy=Fail," + values.replace("mode=webhook", "mode=policy")
            documents = template("--set", policy, version="1.37.0")
            made[values] = WAYS[request.param](documents)
        return made[values]

    yield of
    for policy in made.values():
        if isinstance(policy, Real):
            policy.end()


@pytest.fixture
def policy(policies):
    return policies(VALUES)


def asked(manifest, *args):
    """`pillion inject -f -`, when it has ended."""
    return subprocess.run(
        [os.environ["PILLION_BIN"], "inject", "-f", "-", *args],
        input=manifest if isinstance(manifest, str) else json.dumps(manifest),
        capture_output=True,
        text=True,
    )


def inject(manifest, *args):
    """What it makes of the manifest."""
    done = asked(manifest, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", HERE)
def test_the_policy_does_what_the_injector_does(name, settings, policy):
    injected = yaml.safe_load(inject(HERE[name], "--config", str(settings)))
    mutated = policy.mutate(HERE[name])
    assert sorted_env(without_empty(injected)) == sorted_env(mutated)
    assert policy.mutate(mutated) is None, "it is done once"
    assert yaml.safe_load(inject(injected, "--config", str(settings))) == injected


# Who the sidecar is to its source is said by a certificate; what has a value of ours has another.
CERTIFICATE_VALUES = (
    "mode=webhook,sidecar.source=https://config.internal/prod.yaml,sidecar.tokenSecret=llm,"
    "sidecar.env.PILLION_SOURCE__AUTH__CERT=/c.pem,sidecar.env.PILLION_SOURCE__AUTH__KEY=/k.pem,"
    "sidecar.env.PILLION_CACHE_DIR=/cache,sidecar.resources.cpuRequest=2000m,sidecar.resources.cpuLimit=1500m"
)


@pytest.mark.parametrize("values", [OTHER_VALUES, CERTIFICATE_VALUES])
def test_they_agree_whatever_the_values_are(values, policies, tmp_path):
    settings = injector_settings(values, tmp_path)
    for manifest in (PODS["nothing else"], PODS["an identity"]):
        injected = yaml.safe_load(inject(manifest, "--config", str(settings)))
        assert sorted_env(without_empty(injected)) == sorted_env(policies(values).mutate(manifest))
    if values == CERTIFICATE_VALUES:
        assert "PILLION_SOURCE__AUTH__TOKEN_FILE" not in json.dumps(injected)


@pytest.mark.parametrize(("wrong", "said"), WRONG)
def test_both_refuse_what_is_wrong(wrong, said, settings, policy):
    done = asked(wrong, "--config", str(settings))
    assert done.returncode == 1, done.stdout
    with pytest.raises(Refused) as refused:
        policy.mutate(wrong)
    if isinstance(policy, Real):
        assert said in str(refused.value)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        pod(annotations={"pillion.dev/status": "done"}),
        pod(annotations={"pillion.dev/memory-limit": "128m"}),
        pod(annotations={"pillion.dev/config": "routes/own.conf"}),
        pod({**PLAIN, "initContainers": [container("proxy", restartPolicy="Always", ports=[{"containerPort": 4101}])]}),
    ],
)
def test_the_policy_refuses_what_no_sidecar_could_live_with(wrong, policy):
    with pytest.raises(Refused):
        policy.mutate(wrong)


@pytest.mark.parametrize("label", ["kubernetes.io/os", "beta.kubernetes.io/os"])
def test_the_policy_leaves_a_pod_for_nodes_of_windows(label, policy):
    assert policy.mutate(pod({**PLAIN, "nodeSelector": {label: "windows"}})) is None
    assert policy.mutate(pod({**PLAIN, "nodeSelector": {label: "linux"}}))


@pytest.mark.parametrize("wrong", [wrong for wrong, _ in WRONG])
def test_by_a_policy_that_ignores_errors_what_is_wrong_is_left_as_it_is(wrong, policies):
    assert policies(f"{VALUES},injector.failurePolicy=Ignore").mutate(wrong) is None


def test_a_pod_without_a_configuration_is_refused_by_both(policies, tmp_path):
    values = "mode=webhook,sidecar.tokenSecret=llm"
    settings = injector_settings(values, tmp_path)
    assert asked(PODS["nothing else"], "--config", str(settings)).returncode == 1
    with pytest.raises(Refused):
        policies(values).mutate(PODS["nothing else"])
    # Of its own it may have one, and the sidecar's variables may say where it is.
    assert policies(values).mutate(PODS["a config map"])
    assert policies(f"{values},sidecar.env.PILLION_CONFIG=/c.yaml").mutate(PODS["nothing else"])


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ("mode=webhook", set()),
        (OTHER_VALUES, set()),
        (VALUES, {"authorities", "redis"}),
        ("mode=webhook,sidecar.source=https://config.internal/prod.yaml,sidecar.configMap=own", {"own"}),
    ],
)
def test_the_chart_s_own_test_needs_nothing_that_its_notes_do_not_name(values, needed, policies, tmp_path):
    settings = injector_settings(values, tmp_path)
    tests = [it for it in template("--set", values) if "helm.sh/hook" in it["metadata"].get("annotations", {})]
    own = {it["metadata"]["name"] for it in of_kind(tests, "ConfigMap")}
    manifest = of_kind(tests, "Pod")[0]
    pods = [yaml.safe_load(inject(manifest, "--config", str(settings)))]
    if "tokenSecret" in values:
        # In the namespace that the policies of these tests are for.
        manifest["metadata"]["namespace"] = "shop"
        pods.append(policies(values).mutate(manifest))
    notes = " ".join(notes_of(values).split("helm test")[1].split())
    for made in pods:
        maps = {volume["configMap"]["name"] for volume in made["spec"]["volumes"] if "configMap" in volume}
        variables = [it for kind in ("containers", "initContainers") for one in made["spec"][kind] for it in one["env"]]
        secrets = {it["valueFrom"]["secretKeyRef"]["name"] for it in variables if "secretKeyRef" in it.get("valueFrom", {})}
        assert (maps | secrets) - own == needed
    assert all(f" {name}" in notes for name in needed)
    for config in of_kind(tests, "ConfigMap"):
        file = tmp_path / "pillion.yaml"
        file.write_text(config["data"]["pillion.yaml"])
        said = subprocess.run([os.environ["PILLION_BIN"], "validate", str(file)], capture_output=True, text=True)
        assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("values", [it for it in sorted((CHART / "ci").glob("*.yaml")) if "policy" not in it.name], ids=lambda it: it.stem)
def test_the_injector_takes_what_the_chart_makes_of_its_values(values, tmp_path):
    settings = injector_settings("mode=webhook", tmp_path, "--values", str(values))
    assert yaml.safe_load(inject(PODS["a config map"], "--config", str(settings)))


@pytest.mark.parametrize("name", LEFT)
def test_both_leave_alone_what_is_not_theirs(name, settings, policy):
    assert policy.mutate(LEFT[name]) is None
    assert yaml.safe_load(inject(LEFT[name], "--config", str(settings))) == LEFT[name]


@pytest.fixture(scope="module")
def injected(settings):
    return {name: yaml.safe_load(inject(pod, "--config", str(settings))) for name, pod in HERE.items()}


@pytest.mark.parametrize("version", VERSIONS)
def test_injected_pods_are_valid(version, injected, tmp_path):
    file = tmp_path / "pods.yaml"
    # By their names it tells what is wrong.
    named = [{**pod, "metadata": {**pod["metadata"], "name": name.replace(" ", "-")}} for name, pod in injected.items()]
    file.write_text(yaml.safe_dump_all(named))
    done = subprocess.run(["kubernetes-validate", "--strict", "-k", version, str(file)], capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count("passed") == len(HERE), said


@pytest.mark.parametrize("name", HERE)
def test_an_injected_pod_has_what_it_had(name, injected):
    before, after = HERE[name], injected[name]
    for kind in ("labels", "annotations"):
        assert before["metadata"].get(kind, {}).items() <= after["metadata"][kind].items()
    for kind in ("containers", "initContainers", "volumes"):
        names = [it["name"] for it in after["spec"].get(kind, []) if not it["name"].startswith("pillion")]
        assert names == [it["name"] for it in before["spec"].get(kind, [])]
    for old, new in zip(before["spec"]["containers"], after["spec"]["containers"]):
        for nth, variable in enumerate(old.get("env", [])):
            if variable["name"].lower() != "no_proxy":
                assert new["env"][nth] == variable


def test_the_component_is_the_injector_s_sidecar(settings, tmp_path):
    done = subprocess.run(
        ["kubectl", "kustomize", str(ROOT / "deploy/kustomize/example")], capture_output=True, text=True, check=True
    )
    documents = list(yaml.safe_load_all(done.stdout))
    deployment = of_kind(documents, "Deployment")[0]
    file = tmp_path / "rendered.yaml"
    file.write_text(done.stdout)
    for version in VERSIONS:
        subprocess.run(["kubernetes-validate", "--strict", "-k", version, str(file)], check=True, capture_output=True)
    ours = deployment["spec"]["template"]["spec"]["initContainers"][0]
    before = yaml.safe_load((ROOT / "deploy/kustomize/example/deployment.yaml").read_text())
    said = asked(before, "--config-map", "pillion/pillion.yaml", "--token-secret", "llm/token").stderr
    assert "WARN" not in said, said
    after = yaml.safe_load(
        inject(before, "--image", ours["image"], "--config-map", "pillion/pillion.yaml", "--token-secret", "llm/token")
    )
    theirs = after["spec"]["template"]["spec"]["initContainers"][0]
    # The component cannot know the application's labels.
    theirs["env"] = [it for it in theirs["env"] if not it["name"].startswith("PILLION_IDENTITY__SERVICE")]
    assert sorted_env({"c": ours}) == sorted_env({"c": theirs})
    # And what it has in the document itself holds.
    said = subprocess.run(
        [os.environ["PILLION_BIN"], "validate", str(ROOT / "deploy/kustomize/example/pillion.yaml")],
        env={"POD_NAME": "chat-0"},
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr


def test_what_the_documentation_says_first_does_it():
    command = re.search("`pillion (inject -f deployment.yaml[^`]*)`", (ROOT / "deploy/README.md").read_text()).group(1)
    done = subprocess.run(
        [os.environ["PILLION_BIN"], *shlex.split(command)],
        cwd=ROOT / "deploy/kustomize/example",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    injected = yaml.safe_load(done.stdout)["spec"]["template"]["spec"]
    assert injected["initContainers"][0]["name"] == "pillion"


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job"])
def test_the_component_is_for_each_kind_that_it_names(kind, tmp_path):
    shutil.copytree(ROOT / "deploy/kustomize/components/sidecar", tmp_path / "sidecar")
    workload = yaml.safe_load((ROOT / "deploy/kustomize/example/deployment.yaml").read_text())
    workload |= {"kind": kind, "apiVersion": "batch/v1" if kind == "Job" else "apps/v1"}
    (tmp_path / "workload.yaml").write_text(yaml.safe_dump(workload))
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump({"resources": ["workload.yaml"], "components": ["sidecar"]}))
    done = subprocess.run(["kubectl", "kustomize", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    patched = yaml.safe_load(done.stdout)["spec"]["template"]["spec"]
    assert [it["name"] for it in patched["initContainers"]] == ["pillion", "migrate"]
    assert patched["containers"] == workload["spec"]["template"]["spec"]["containers"]


def sorted_env(value):
    """Variables by name: their order says nothing, but for those that refer to others, which come first in both."""
    if isinstance(value, dict):
        value = {key: sorted_env(it) for key, it in value.items()}
        if isinstance(value.get("env"), list):
            value["env"] = sorted(value["env"], key=lambda variable: variable["name"])
        return value
    if isinstance(value, list):
        return [sorted_env(it) for it in value]
    return value
