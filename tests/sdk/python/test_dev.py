"""`pillion dev -- python script.py`: a script as its author wrote it, with no line for Pillion in it."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from pillion import BINARY, PATIENCE

# Two SDKs are imported for the first time.
LONG_PATIENCE = 6 * PATIENCE

SCRIPT = """
import sys
from anthropic import Anthropic
from openai import OpenAI

openai = OpenAI()
asked = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hello"}]}
answer = openai.chat.completions.create(**asked)
assert answer.choices[0].message.content and answer.model == "gpt-5-mini"
with openai.chat.completions.create(**asked, stream=True) as stream:
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
assert openai.embeddings.create(model="text-embedding-3-small", input="Hello").data[0].embedding
message = Anthropic().messages.create(model="claude-sonnet-5", max_tokens=64, messages=asked["messages"])
assert message.content[0].text
print("answered")
sys.exit(int(sys.argv[1]))
"""

WAITS = """
import signal, sys
ended = {signal.SIGTERM}
signal.pthread_sigmask(signal.SIG_BLOCK, ended)
print("up", flush=True)
signal.sigwait(ended)
sys.exit(5)
"""


@contextmanager
def dev(directory, script, *arguments):
    """Both, as processes whose environment knows of no provider."""
    (directory / "script.py").write_text(script)
    ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    running = subprocess.Popen(
        [BINARY, "dev", *ports, "--", sys.executable, "script.py", *arguments],
        cwd=directory,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield running
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait(PATIENCE)


@pytest.mark.parametrize("code", [0, 3])
def test_an_unchanged_script_is_answered_and_its_code_is_ours(tmp_path, code):
    with dev(tmp_path, SCRIPT, str(code)) as running:
        out, err = running.communicate(timeout=LONG_PATIENCE)
    assert (running.returncode, out) == (code, "answered\n"), err
    lines = [line for line in err.splitlines() if "sim-" in line]
    assert len(lines) == 4, err
    assert all(" ok  " in line for line in lines), err
    assert "first token" in lines[1], err


def test_a_script_that_is_told_to_end_ends_as_it_wants(tmp_path):
    with dev(tmp_path, WAITS) as running:
        assert running.stdout.readline() == "up\n"
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=PATIENCE)
    assert running.returncode == 5
