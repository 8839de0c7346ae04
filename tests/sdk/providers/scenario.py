"""What every scripted provider answers: a conversation of three turns with tools, then small talk.

The first question is answered by thinking, a word and two calls at once; their results by thinking
and a third call, which has no arguments to speak of; its result by a text that quotes the results.
A provider turns its own wire format into a list of entries, asks `step`, and writes what it says.
"""

import base64
import hashlib
import itertools
import threading
from dataclasses import dataclass, field


class Violation(Exception):
    """The request breaks a rule that the real provider enforces."""


@dataclass
class Step:
    text: str = ""
    thinking: str = ""
    calls: list = field(default_factory=list)  # of (name, arguments)


# Entries of a history: ("user", text), ("assistant", text), ("call", id, name, arguments),
# ("result", id, text).
def step(history, tools):
    since, asked = [], ""
    for entry in history:
        if entry[0] == "user":
            since, asked = [], entry[1]
        elif entry[0] == "result":
            since.append(entry)
    if "thank" in asked.lower() or not tools:
        return Step(text="You are welcome. Алматы is lovely.")
    if not since:
        return Step(
            thinking="The weather and the time, then a note.",
            text="Let me look.",
            calls=[("get_weather", {"city": "Алматы", "unit": "celsius"}), ("get_time", {})],
        )
    said = " ".join(entry[2] for entry in since)
    if "21" not in said or "12:30" not in said:
        raise Violation(f"the results did not arrive as they were sent: {said!r}")
    if len(since) == 2:
        return Step(thinking="Now the note.", calls=[("save_note", {"note": {"text": "21°", "tags": []}})])
    if "saved" not in said:
        raise Violation(f"the third result did not arrive: {said!r}")
    return Step(text="In Almaty it is 21 degrees at 12:30, and the note is saved.")


class Signer:
    """Signs what was thought, and knows its own signatures again."""

    def __init__(self, name):
        self._name = name
        self._issued = {}
        self._lock = threading.Lock()
        self._count = itertools.count(1)

    def sign(self, text):
        with self._lock:
            seed = f"{self._name} {next(self._count)} {text}".encode()
            signature = base64.b64encode(hashlib.sha512(seed).digest() * 3).decode()
            self._issued[signature] = text
            return signature

    def check(self, signature, text=None):
        with self._lock:
            known = signature in self._issued
            same = known and (text is None or self._issued[signature] == text)
        if not known:
            raise Violation("Invalid signature in thinking block: not one of ours")
        if not same:
            raise Violation("thinking blocks cannot be modified")


class Ids:
    """Unique over the life of the process."""

    def __init__(self, form):
        self._form = form
        self._count = itertools.count(1)

    def __call__(self):
        return self._form.format(next(self._count))


def need(condition, message):
    if not condition:
        raise Violation(message)


def only(mapping, allowed, where):
    """Providers refuse what they do not know."""
    need(isinstance(mapping, dict), f"{where}: Input should be an object")
    for key in mapping:
        need(key in allowed, f"{where}.{key}: Extra inputs are not permitted")


def pieces(text, size=7):
    return [text[at : at + size] for at in range(0, len(text), size)]
