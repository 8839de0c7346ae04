"""An application in a pod: it has a stream under way, and when it is told to end it finishes that, asks once more, and
goes."""

import json
import signal
import sys
import threading
import urllib.request

told = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: told.set())


def stream(url):
    """The events of one answer; the last one tells whether it is whole."""
    request = urllib.request.Request(
        url + "/chat/completions",
        json.dumps({"model": "chat", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}).encode(),
        {"authorization": "Bearer any", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        for line in answer:
            if line.startswith(b"data: "):
                yield line[6:].strip().decode()


events = []
for event in stream(sys.argv[1]):
    if not events:
        print("streaming", flush=True)
    events.append(event)
assert told.is_set(), "nobody told it to end meanwhile"
print("whole" if events[-1] == "[DONE]" else "cut: " + events[-1], flush=True)
print("whole" if list(stream(sys.argv[1]))[-1] == "[DONE]" else "cut", flush=True)
