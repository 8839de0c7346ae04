"""`pillion dev -- python script.py`: a script as its author wrote it, with no line for Pillion in it."""

import os
import signal
import subprocess
import sys

import pytest

from pillion import BINARY, PATIENCE

SCRIPT = '''
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
'''


def dev(directory, *command, env=None):
    """Both, as a process whose environment knows of no provider."""
    ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]
    return subprocess.Popen(
        [BINARY, "dev", *ports, "--", *command],
        cwd=directory,
        env={"PATH": os.environ["PATH"], **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("code", [0, 3])
def test_an_unchanged_script_is_answered_and_its_code_is_ours(tmp_path, code):
    (tmp_path / "script.py").write_text(SCRIPT)
    running = dev(tmp_path, sys.executable, "script.py", str(code))
    out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out) == (code, "answered\n"), err
    lines = [line for line in err.splitlines() if "sim-" in line]
    assert len(lines) == 4, err
    assert all(" ok  " in line for line in lines), err
    assert "first token" in lines[1], err


def test_a_script_that_is_interrupted_ends_as_it_wants(tmp_path):
    script = "import signal, sys\nended = {signal.SIGTERM}\nsignal.pthread_sigmask(signal.SIG_BLOCK, ended)\nprint('up', flush=True)\nsignal.sigwait(ended)\nsys.exit(5)\n"
    (tmp_path / "script.py").write_text(script)
    running = dev(tmp_path, sys.executable, "script.py")
    assert running.stdout.readline() == "up\n"
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=PATIENCE)
    assert running.returncode == 5
