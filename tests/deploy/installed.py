"""The chart's ways into pods, installed on a real API server one after the other."""

import itertools

import cluster as real
from injector import Injector, reachable, rendered
from test_inject import VALUES, pod


class Way:
    """One of them, with some values over the usual ones of these tests."""

    def __init__(self, cluster, mode, more, folder):
        version = real.version()
        values = ",".join([VALUES.removeprefix("mode=webhook,"), more])
        documents = rendered(version, "webhook", values)
        # The settings are the same by both; only the webhook has a process.
        self.injector = Injector(documents, folder)
        if mode == "webhook":
            documents = reachable(documents, self.injector.port)
            self.injector.start()
        else:
            documents = rendered(version, mode, values)
        self._cluster = cluster
        try:
            self._install(documents)
        except BaseException:
            self.injector.end()
            raise

    def _install(self, documents):
        documents = [it for it in documents if self._cluster.has(it["apiVersion"])]
        # Helm installs those when it is told to test.
        self.documents = [it for it in documents if "helm.sh/hook" not in it["metadata"].get("annotations", {})]
        self.tests = [it for it in documents if it not in self.documents]
        self._cluster.apply(self.documents)

    def until_it_acts(self):
        """A server hears of its own objects a little later."""
        self._cluster.soon(self._tried)

    def end(self):
        self.injector.end()
        self._cluster.delete([it for it in self.documents if it["apiVersion"].startswith("admissionregistration.k8s.io/")])
        self._cluster.soon(lambda: self._tried() is False)

    def _tried(self):
        """Whether a pod would have a sidecar; nothing when it would not be made."""
        try:
            return sidecar(self._cluster.create(named(pod(), "tried", "shop"), dry=True)) is not None
        except real.Refused:
            return None


class Installed:
    """The one that there is for now."""

    def __init__(self, cluster, folders):
        self._cluster = cluster
        self._folders = folders
        self._what = None
        self._way = None

    def be(self, *what):
        if what != self._what:
            self.end()
            self._way = Way(self._cluster, *what, self._folders.mktemp("way"))
            self._what = what
            self._way.until_it_acts()
        return self._way

    def end(self):
        if self._way:
            way, self._way, self._what = self._way, None, None
            way.end()


_numbers = itertools.count()


def named(manifest, name, namespace):
    """The pod under a name that no other has."""
    name = f"{name.replace(' ', '-').replace(chr(39), '').lower()}-{next(_numbers)}"
    return {**manifest, "metadata": {**manifest["metadata"], "name": name, "namespace": namespace}}


def sidecar(stored):
    """The container, wherever it is."""
    containers = stored["spec"]["containers"] + stored["spec"].get("initContainers", [])
    ours = [it for it in containers if it["name"] == "pillion"]
    assert len(ours) <= 1
    return ours[0] if ours else None
