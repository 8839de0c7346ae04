"""Lays out what the fuzz targets start from: our seeds, and recorded exchanges where there are some.

    python3 tests/fuzz/corpus.py FOLDER
"""

import base64
import json
import os
import sys
from pathlib import Path

SEEDS = Path(__file__).resolve().parent / "seeds"
# The first byte of a stream is the size of the chunks in which it comes.
CHUNK = bytes([61])


def main(folder):
    folder = Path(folder)
    count = 0

    def put(target, name, content):
        nonlocal count
        (folder / target).mkdir(parents=True, exist_ok=True)
        (folder / target / name).write_bytes(content)
        count += 1

    for seed in sorted(SEEDS.glob("*/*")):
        content = seed.read_bytes()
        if seed.suffix == ".hex":
            content = bytes.fromhex(content.decode())
        for target in TARGETS[seed.parent.name]:
            put(target, seed.name, content if target in WHOLE else CHUNK + content)
    recordings = os.environ.get("PILLION_RECORDINGS")
    for sample in sorted(Path(recordings).glob("*/samples/*.json")) if recordings else []:
        exchange(sample, put)
    print(f"{count} files to start from")


# Which targets read what a folder of seeds holds.
TARGETS = {
    "chat": ["sse", "chat_stream"],
    "anthropic": ["sse", "anthropic_stream", "messages_stream"],
    "gemini": ["sse", "gemini_stream"],
    "responses": ["sse", "responses_stream"],
    "converse": ["eventstream", "converse_stream"],
    "requests": ["requests"],
    "answers": ["answers"],
}
WHOLE = ("requests", "answers")


def exchange(sample, put):
    recorded = json.loads(sample.read_text())
    request, answer = recorded.get("request") or {}, recorded.get("response") or {}
    name, path = sample.stem, (request.get("path") or request.get("url") or "")
    if isinstance(request.get("body"), dict):
        put("requests", name, json.dumps(request["body"], ensure_ascii=False).encode())
    if isinstance(answer.get("body"), dict):
        put("answers", name, json.dumps(answer["body"], ensure_ascii=False).encode())
    if answer.get("eventstream_base64"):
        frames = CHUNK + base64.b64decode(answer["eventstream_base64"])
        for target in TARGETS["converse"]:
            put(target, name, frames)
    if answer.get("sse_text"):
        text = answer["sse_text"]
        if "message_start" in text:
            kind = "anthropic"
        elif "response.created" in text or "/responses" in path:
            kind = "responses"
        elif "candidates" in text or "promptFeedback" in text:
            kind = "gemini"
        else:
            kind = "chat"
        for target in TARGETS[kind]:
            put(target, name, CHUNK + text.encode())


if __name__ == "__main__":
    main(sys.argv[1])
