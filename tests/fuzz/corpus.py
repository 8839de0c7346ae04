"""Lays out what the fuzz targets start from: our seeds, and recorded exchanges where there are some.

    python3 tests/fuzz/corpus.py FOLDER
"""

import base64
import json
import os
import re
import struct
import sys
import zlib
from pathlib import Path

SEEDS = Path(__file__).resolve().parent / "seeds"
# The first byte of a stream is the size of the chunks in which it comes.
CHUNK = bytes([61])

# Which targets read what a folder of seeds holds. A stream of Converse is written in lines, as
# `src/amazon.rs` reads them.
TARGETS = {
    "anthropic": ["sse", "anthropic_stream", "messages_stream"],
    "answers": ["answers", "json"],
    "chat": ["sse", "chat_stream"],
    "converse": ["converse_stream"],
    "embeddings": ["embeddings"],
    "frames": ["eventstream"],
    "gemini": ["sse", "gemini_stream"],
    "json": ["json"],
    "requests": ["requests", "json"],
    "responses": ["sse", "responses_stream"],
    "sse": ["sse"],
}
WHOLE = ("answers", "embeddings", "json", "requests")


def main(folder):
    folder = Path(folder)
    words, count = set(), 0

    def put(kind, name, content):
        nonlocal count
        words.update(re.findall(rb'"([A-Za-z_.$]{2,40})\\?"', content))
        for target in TARGETS[kind]:
            (folder / target).mkdir(parents=True, exist_ok=True)
            chunked = content if target in WHOLE else CHUNK + content
            (folder / target / name).write_bytes(chunked)
            count += 1
        if kind == "converse":
            put("frames", name, frames(content))

    for seed in sorted(SEEDS.glob("*/*")):
        put(seed.parent.name, seed.name, seed.read_bytes())
    recordings = os.environ.get("PILLION_RECORDINGS")
    for sample in sorted(Path(recordings).glob("*/samples/*.json")) if recordings else []:
        exchange(sample, put)
    quoted = (f'"\\"{word.decode()}\\""\n' for word in sorted(words))
    (folder / "words").write_text("".join(quoted))
    print(f"{count} files and {len(words)} words to start from")


def exchange(sample, put):
    recorded = json.loads(sample.read_text())
    request, answer = recorded.get("request") or {}, recorded.get("response") or {}
    name, path = sample.stem, (request.get("path") or request.get("url") or "")
    asked, answered = request.get("body"), answer.get("body")
    if isinstance(asked, dict):
        put("requests", name, json.dumps(asked, ensure_ascii=False).encode())
    if isinstance(answered, dict):
        answered = json.dumps(answered, ensure_ascii=False).encode()
        put("answers", name, answered)
        if isinstance(asked, dict) and "mbed" in path:
            first = json.dumps({"model": "m", "input": ["a", "b"]}).encode()
            put("embeddings", name, first + b"\n" + answered)
    if answer.get("eventstream_base64"):
        binary = base64.b64decode(answer["eventstream_base64"])
        put("frames", name, binary)
        put("converse", name, lines(binary))
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
        put(kind, name, text.encode())


def frames(content):
    """Amazon's event stream of what stands in lines."""
    stream = b""
    for line in content.splitlines():
        kind, _, payload = line.lstrip(b"!").partition(b" ")
        message = b"exception" if line.startswith(b"!") else b"event"
        headers = b""
        for name, value in ((b":message-type", message), (b":%s-type" % message, kind)):
            headers += struct.pack(">B", len(name)) + name + struct.pack(">BH", 7, len(value)) + value
        prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
        whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
        stream += whole + struct.pack(">I", zlib.crc32(whole))
    return stream


def lines(stream):
    """The lines of an event stream whose headers are all text."""
    found = b""
    while len(stream) >= 16:
        total, headers = struct.unpack(">II", stream[:8])
        rest, payload = stream[12 : 12 + headers], stream[12 + headers : total - 4]
        values = {}
        while rest:
            name, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
            (length,) = struct.unpack(">H", rest[1:3])
            values[name], rest = rest[3 : 3 + length], rest[3 + length :]
        kind = values.get(b":event-type") or b"!" + values.get(b":exception-type", b"")
        found += kind + b" " + payload.replace(b"\n", b" ") + b"\n"
        stream = stream[total:]
    return found


if __name__ == "__main__":
    main(sys.argv[1])
