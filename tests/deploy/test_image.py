"""The image, built as anybody builds it, and run as a careful platform runs it: an empty root that cannot be written,
a user without a name, no capability."""

import contextlib
import http.server
import json
import os
import shlex
import shutil
import subprocess
import threading
import time

import pytest
import yaml

from conftest import ROOT
from pillion import PATIENCE, free_port

TAG = "localhost/pillion:test"
MIB = 1 << 20
# Without a daemon, and in a container that may not make containers.
BUILDAH = {**os.environ, "BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the root of a process")


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def build():
    """Builds it, and tells which one it is."""
    run(str(ROOT / "deploy/image"), TAG, env=BUILDAH)
    return run("buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}", TAG, env=BUILDAH)


@pytest.fixture(scope="module")
def image():
    return build()


@pytest.fixture
def rootfs(image):
    container = run("buildah", "from", "--pull-never", TAG, env=BUILDAH)
    try:
        yield run("buildah", "mount", container, env=BUILDAH)
    finally:
        run("buildah", "rm", container, env=BUILDAH)


def said_by_the_image():
    """What a platform starts, and with which variables, unless it is told otherwise."""
    return json.loads(run("buildah", "inspect", "--type", "image", TAG, env=BUILDAH))["OCIv1"]["config"]


@contextlib.contextmanager
def running(rootfs, *args, files={}, env={}):
    """The image's program in its root, which it cannot write to, as its user and without capabilities. `args` are in the place
    of the image's own."""
    # A platform mounts files; here they are put in before the root is closed.
    for path, text in files.items():
        os.makedirs(os.path.dirname(f"{rootfs}{path}"), exist_ok=True)
        with open(f"{rootfs}{path}", "w") as file:
            file.write(text)
    config = said_by_the_image()
    command = [*config["Entrypoint"], *(args or config["Cmd"])]
    variables = [*config.get("Env", []), *(f"{name}={value}" for name, value in env.items())]
    # Their places are found here: the program gets no environment but its own.
    setpriv, chroot = (shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin") for name in ("setpriv", "chroot"))
    inside = f"{setpriv} --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid {chroot} --userspec=65532:65532"
    script = f'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec env -i {shlex.join(variables)} {inside} "$0" "$@"'
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, rootfs, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_image_is_one_small_static_binary(image, rootfs):
    binary = f"{rootfs}/usr/bin/pillion"
    said = run("file", "-b", binary) if shutil.which("file") else run("readelf", "-d", binary)
    assert "static" in said or "NEEDED" not in said, said
    files = [os.path.join(folder, name) for folder, _, names in os.walk(rootfs) for name in names]
    inside = sorted(os.path.relpath(path, rootfs) for path in files)
    assert inside == ["usr/bin/pillion", "usr/share/doc/pillion/LICENSE"]
    size = sum(os.path.getsize(path) for path in files)
    print(f"image: {size / MIB:.1f} MiB")
    assert size <= 12 * MIB
    about = said_by_the_image()
    assert about["User"] == "65532:65532"
    labels = about["Labels"]
    for name in ("title", "description", "licenses", "version", "revision", "created"):
        assert labels[f"org.opencontainers.image.{name}"], name


def test_a_volume_for_what_it_keeps_is_its_user_s(rootfs):
    # Engines give a new volume the owner of the folder that it is mounted at.
    owners = {path: os.stat(f"{rootfs}/{path}").st_uid for path in ("var", "var/lib", "var/lib/pillion")}
    assert owners == {"var": 0, "var/lib": 0, "var/lib/pillion": 65532}
    compose = yaml.safe_load((ROOT / "deploy/compose/compose.yaml").read_text())
    assert "state:/var/lib/pillion" in compose["services"]["pillion"]["volumes"]


def test_what_it_is_made_of_is_listed(rootfs):
    target = os.environ.get("CARGO_TARGET_DIR") or str(ROOT / "target")
    with open(f"{target}/image/sbom.cdx.json") as file:
        sbom = json.load(file)
    assert {"rustls", "hyper", "tokio"} <= {part["name"] for part in sbom["components"]}
    # For scanners of images: in the binary itself.
    assert ".dep-v0" in run("readelf", "-S", "--wide", f"{rootfs}/usr/bin/pillion")


def test_the_same_commit_gives_the_same_image(image):
    assert build() == image


def healthy(rootfs, process, admin):
    """Waits until the image's own health check says so."""
    began = time.monotonic()
    while True:
        assert process.poll() is None, process.stderr.read()
        with running(rootfs, "healthcheck", "--admin", f"127.0.0.1:{admin}") as check:
            if check.wait(PATIENCE) == 0:
                return
        assert time.monotonic() - began < PATIENCE


def test_an_injected_sidecar_that_follows_a_central_document_needs_no_file(rootfs):
    document = json.dumps(
        {
            "allow_anonymous": True,
            "providers": {"p": {"kind": "openai-compatible", "base_url": "http://127.0.0.1:1/v1"}},
            "routes": {"chat": {"targets": ["p/m"]}},
        }
    ).encode()

    class Centre(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Centre) as centre:
        threading.Thread(target=centre.serve_forever, daemon=True).start()
        source = f"http://127.0.0.1:{centre.server_port}/central.json"
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        injected = run(
            os.environ["PILLION_BIN"], "inject", "-f", "-", "-o", "json", "--source", source, "--token-secret", "llm",
            input=json.dumps(pod),
        )
        sidecar = json.loads(injected)["spec"]["initContainers"][0]
        listen, admin = free_port(), free_port()
        env = {variable["name"]: variable.get("value", "of-the-pod") for variable in sidecar["env"]}
        env |= {"PILLION_LISTEN": f"127.0.0.1:{listen}", "PILLION_ADMIN": f"127.0.0.1:{admin}"}
        files = {f"{mount['mountPath']}/token": "the pod's" for mount in sidecar["volumeMounts"]}
        with running(rootfs, *sidecar["args"], files=files, env=env) as process:
            healthy(rootfs, process, admin)
            process.terminate()
            assert process.wait(PATIENCE) == 0
        centre.shutdown()


def test_it_runs_in_an_empty_root_that_it_cannot_write(rootfs):
    listen, admin, provider = free_port(), free_port(), free_port()
    config = json.dumps(
        {
            "listen": f"127.0.0.1:{listen}",
            "admin": f"127.0.0.1:{admin}",
            "allow_anonymous": True,
            "simulate": {"sim": {"listen": f"127.0.0.1:{provider}", "models": {"*": {"first_token": "1ms"}}}},
            "providers": {"sim": {"kind": "openai-compatible", "base_url": f"http://127.0.0.1:{provider}/v1"}},
            "routes": {"chat": {"targets": ["sim/m"]}},
        }
    )
    with running(rootfs, files={"/etc/pillion/pillion.yaml": config}) as process:
        healthy(rootfs, process, admin)
        status = open(f"/proc/{process.pid}/status").read()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["Uid"].split()[0] == "65532" and fields["NoNewPrivs"] == "1"
        assert int(fields["CapEff"], 16) == 0 and int(fields["CapPrm"], 16) == 0
        answer = run(
            "curl", "-sS", f"http://127.0.0.1:{listen}/v1/chat/completions", "-H", "content-type: application/json",
            "-d", json.dumps({"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}),
        )
        assert json.loads(answer)["choices"][0]["message"]["content"]
        process.terminate()
        assert process.wait(PATIENCE) == 0
