"""Evaluates a MutatingAdmissionPolicy as an API server does: conditions, then one change after the other, each on what the
one before has made of the object. Once by an emulation, which is not as strict about types and costs; once by an API
server's own code, where there is a program of it."""

import json
import os
import re
import subprocess

import celpy
import jsonpatch
from celpy import celtypes
from celpy.adapter import json_to_cel


def split(text, separator):
    return celtypes.ListType([celtypes.StringType(part) for part in text.split(separator)])


QUANTITY = re.compile(r"([0-9.]+)([A-Za-z]*)")


def quantity(text):
    units = {"": 1, "m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1e3, "M": 1e6, "G": 1e9}
    number, unit = QUANTITY.fullmatch(text).groups()
    return celtypes.DoubleType(float(number) * units[unit])


def find(text, pattern):
    found = re.search(pattern, text)
    return celtypes.StringType(found.group() if found else "")


def last_index(values, value):
    return celtypes.IntType(max((nth for nth, it in enumerate(values) if it == value), default=-1))


FUNCTIONS = {
    "split": split,
    "indexOf": lambda values, value: celtypes.IntType(values.index(value) if value in values else -1),
    "lastIndexOf": last_index,
    "join": lambda values, separator: celtypes.StringType(separator.join(values)),
    "find": find,
    "trim": lambda text: celtypes.StringType(text.strip()),
    "replace": lambda text, old, new: celtypes.StringType(text.replace(old, new)),
    "quantity": quantity,
    "isQuantity": lambda text: celtypes.BoolType(bool(QUANTITY.fullmatch(text))),
    "isGreaterThan": lambda one, other: celtypes.BoolType(one > other),
    "escapeKey": lambda _, key: celtypes.StringType(key.replace("~", "~0").replace("/", "~1")),
}


class Refused(Exception):
    """The pod is not made, and why."""


class Emulated:
    def __init__(self, documents):
        self.spec = next(it for it in documents if it["kind"] == "MutatingAdmissionPolicy")["spec"]
        self.environment = celpy.Environment()
        self.programs = {}

    def mutate(self, pod):
        """What becomes of the pod; `None` when it is left: a condition does not hold, or fails and is ignored."""
        wrong = []
        for condition in self.spec["matchConditions"]:
            assert "variables" not in condition["expression"], "a server does not take such a policy"
            try:
                if not self._value(condition["expression"], pod, {}):
                    return None
            except celpy.CELEvalError as error:
                wrong.append(str(error))
        if wrong and self.spec["failurePolicy"] == "Fail":
            raise Refused("; ".join(wrong))
        if wrong:
            return None
        for mutation in self.spec["mutations"]:
            assert mutation["patchType"] == "JSONPatch"
            patch = self._value(mutation["jsonPatch"]["expression"], pod, self._variables(pod))
            pod = without_empty(jsonpatch.apply_patch(pod, plain(patch)))
        return pod

    def _variables(self, pod):
        """Anew for each change: they see the object as it is by then."""
        variables = celtypes.MapType()
        for variable in self.spec["variables"]:
            name = celtypes.StringType(variable["name"])
            variables[name] = self._value(variable["expression"], pod, variables)
        return variables

    def _value(self, expression, pod, variables):
        if expression not in self.programs:
            # A constructor that only an API server knows is a map to everybody else.
            text = re.sub(r"JSONPatch\{op: ('\w+'), path: ", r"{'op': \1, 'path': ", expression)
            text = text.replace(", value: ", ", 'value': ").replace("  value: ", " 'value': ")
            program = self.environment.program(self.environment.compile(text), functions=FUNCTIONS)
            self.programs[expression] = program
        names = {"object": json_to_cel(pod), "variables": variables, "jsonpatch": celtypes.StringType("")}
        return self.programs[expression].evaluate(names)


class Real:
    """The program that PILLION_TEST_POLICY names."""

    PROGRAM = os.environ.get("PILLION_TEST_POLICY")

    def __init__(self, documents):
        namespace = {"name": "shop", "labels": {"pillion.dev/injection": "enabled"}}
        objects = [it for it in documents if it["kind"].startswith("MutatingAdmissionPolicy")]
        self._process = subprocess.Popen(
            [self.PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._ask([*objects, {"apiVersion": "v1", "kind": "Namespace", "metadata": namespace}])

    def mutate(self, pod):
        """What becomes of the pod; `None` when it is left."""
        self._ask(pod)
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"])
        mutated = answer["pod"]
        # What the server's own type has in any case.
        mutated.pop("status", None)
        mutated["metadata"].pop("creationTimestamp", None)
        for container in mutated["spec"]["containers"] + mutated["spec"].get("initContainers", []):
            if not container["resources"]:
                del container["resources"]
        mutated = {"apiVersion": "v1", "kind": "Pod", **mutated}
        return mutated if without_empty(mutated) != without_empty(pod) else None

    def _ask(self, value):
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def end(self):
        # It ends with its input.
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def plain(value):
    """Of CEL's own types what JSON has."""
    if isinstance(value, dict):
        return {str(key): plain(it) for key, it in value.items()}
    if isinstance(value, list):
        return [plain(it) for it in value]
    if isinstance(value, celtypes.BoolType):
        return bool(value)
    if isinstance(value, celtypes.IntType):
        return int(value)
    assert isinstance(value, str), value
    return str(value)


# An API server's own types leave out what is empty: an empty list is none by the next change. Not so what is a pointer.
KEPT = {"emptyDir", "metadata"}


def without_empty(value):
    if isinstance(value, dict):
        cleaned = {key: without_empty(it) for key, it in value.items()}
        return {key: it for key, it in cleaned.items() if key in KEPT or it not in ({}, [])}
    if isinstance(value, list):
        return [without_empty(it) for it in value]
    return value
