"""The outage drill: an application that knows of nothing, while its provider dies.

Thirty identical requests; the primary, a process of its own, is killed after the tenth.
"""

import json
import time

import pytest
from openai import OpenAI

from pillion import TOKEN, Pillion, shape

REQUESTS = 30
KILLED_AFTER = 10
DEADLINE = 5.0  # the route's `timeout`
MODEL = "gpt-4o"
ASKED = [{"role": "user", "content": "How warm is it in Almaty?"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


class Stage:
    """The gateway, its primary, and an application that was told two settings."""

    def __init__(self, directory):
        self.started = []
        self.directory = directory

    def __enter__(self):
        try:
            self.gateway = self.start("drill.yaml")
            ports = {"primary": self.gateway.ports["primary"]}
            self.primary = self.start("primary.yaml", ports)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self, template, ports=None):
        self.started.append(Pillion(template, self.directory, ports))
        return self.started[-1]

    def __exit__(self, *_):
        for process in self.started:
            process.end()


@pytest.fixture
def stage(tmp_path, monkeypatch):
    with Stage(tmp_path) as stage:
        monkeypatch.setenv("OPENAI_BASE_URL", stage.gateway.url)
        monkeypatch.setenv("OPENAI_API_KEY", TOKEN)
        yield stage


def drill(stage, ask):
    """The answers to all requests, each with its record."""
    answers = []
    with OpenAI() as client:
        for number in range(REQUESTS):
            if number == KILLED_AFTER:
                stage.primary.kill()
            began = time.monotonic()
            request_id, answer = ask(client)
            assert time.monotonic() - began < DEADLINE
            answers.append((answer, stage.gateway.records.of(request_id)))
    check_records([record for _, record in answers])
    return [answer for answer, _ in answers]


def check_records(records):
    """One record for each request, which tells who was asked and why another was."""
    assert len({record["id"] for record in records}) == REQUESTS
    for record in records[:KILLED_AFTER]:
        (only,) = record["attempts"]
        assert (only["target"], only["class"]) == ("primary/large", "ok")
    for record in records[KILLED_AFTER:]:
        *failed, last = record["attempts"]
        assert (last["target"], last["class"]) == ("backup/small", "ok")
        for attempt in failed:
            assert attempt["target"] == "primary/large"
            assert attempt["class"] in ("connect", "reset")
            assert attempt["reason"]
    assert records[KILLED_AFTER]["attempts"][0]["target"] == "primary/large"
    for record in records:
        assert (record["outcome"], record["status"]) == ("ok", 200)
        assert record["plan"] == ["primary/large", "backup/small"]
        assert record["key"] == TOKEN and record["route"] == "support-chat"


def test_plain_answers(stage):
    def ask(client):
        raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ASKED)
        assert raw.parse().choices[0].message.content.startswith("Hello!")
        return raw.headers["x-request-id"], json.loads(raw.text)

    answers = drill(stage, ask)
    assert len(answers) == REQUESTS
    assert all(shape(answer) == shape(answers[0]) for answer in answers), "one schema"
    assert {answer["model"] for answer in answers} == {MODEL}


def test_streamed_answers(stage):
    def ask(client):
        stream = client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)
        chunks = [chunk.model_dump(exclude_unset=True) for chunk in stream]
        return stream.response.headers["x-request-id"], chunks

    answers = drill(stage, ask)
    assert len(answers) == REQUESTS
    for chunks in answers:
        choices = [chunk["choices"][0] for chunk in chunks]
        text = "".join(choice["delta"].get("content") or "" for choice in choices)
        assert text.startswith("Hello!")
        assert [c["finish_reason"] for c in choices if c["finish_reason"]] == ["stop"]
        assert len({chunk["id"] for chunk in chunks}) == 1, "one answer, from one provider"
        assert {chunk["model"] for chunk in chunks} == {MODEL}
        assert [shape(chunk) for chunk in chunks] == [shape(chunk) for chunk in answers[0]]


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_run_once_each(stage, streamed):
    ran = []

    def ask(client):
        """One turn: the call, the tool, the answer. The drill looks at the call's request."""
        request = {"model": MODEL, "messages": ASKED, "tools": TOOLS}
        if streamed:
            with client.chat.completions.stream(**request) as stream:
                for _ in stream:
                    pass
                answer = stream.get_final_completion()
            request_id = stream._response.headers["x-request-id"]
        else:
            answer = client.chat.completions.create(**request)
            request_id = answer._request_id
        message = answer.choices[0].message
        turn = []
        for call in message.tool_calls:
            turn.append((call.function.name, call.function.arguments))
            result = {"role": "tool", "tool_call_id": call.id, "content": "21"}
        ran.append(turn)
        final = client.chat.completions.create(
            model=MODEL, messages=[*ASKED, message, result], tools=TOOLS
        )
        assert final.choices[0].message.content.startswith("Hello!")
        assert not final.choices[0].message.tool_calls
        return request_id, answer.model_dump(exclude_unset=True)

    answers = drill(stage, ask)
    assert ran == [[("get_weather", '{"city":"Almaty"}')]] * REQUESTS
    assert all(shape(answer) == shape(answers[0]) for answer in answers), "one schema"


def test_a_conversation_goes_on_when_the_provider_dies_between_call_and_result(stage):
    with OpenAI() as client:
        answer = client.chat.completions.create(model=MODEL, messages=ASKED, tools=TOOLS)
        message = answer.choices[0].message
        (call,) = message.tool_calls
        stage.primary.kill()
        result = {"role": "tool", "tool_call_id": call.id, "content": "21"}
        final = client.chat.completions.create(
            model=MODEL, messages=[*ASKED, message, result], tools=TOOLS
        )
    assert final.choices[0].finish_reason == "stop"
    record = stage.gateway.records.of(final._request_id)
    assert record["target"] == "backup/small"


def test_a_primary_that_comes_back_is_used_again(stage):
    def target(client):
        raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ASKED)
        return raw.headers["x-pillion-target"]

    with OpenAI() as client:
        stage.primary.kill()
        assert target(client) == "backup/small"
        stage.start("primary.yaml", {"primary": stage.gateway.ports["primary"]})
        until = time.monotonic() + 20
        while target(client) != "primary/large":
            assert time.monotonic() < until, "it was never asked again"
