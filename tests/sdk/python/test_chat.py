"""Answers, plain and streamed."""

import asyncio
import base64
import json
import os

import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from pillion import TOKEN

HELLO = [{"role": "user", "content": "Hello"}]
TEXT = "Hello! This is north speaking, in the part of plain."


def test_a_plain_answer(client, gateway):
    raw = client.chat.completions.with_raw_response.create(model="plain", messages=HELLO)
    answer = raw.parse()
    assert answer.choices[0].message.content.startswith(TEXT)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == "plain", "the model is the string that was sent"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 24
    assert raw.headers["x-pillion-target"] == "north/plain"
    assert raw.headers["x-pillion-attempts"] == "1"
    record = gateway.records.of(answer._request_id)
    assert (record["outcome"], record["status"], record["stream"]) == ("ok", 200, False)
    assert record["usage"]["completion"] == 24


def test_an_unmodified_application(gateway, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", gateway.url)
    monkeypatch.setenv("OPENAI_API_KEY", TOKEN)
    with OpenAI() as client:
        answer = client.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert answer.model == "gpt-4o"
    assert answer.choices[0].message.content.startswith(TEXT)


@pytest.mark.parametrize("asked", [False, True])
def test_a_stream_has_usage_only_when_asked(client, gateway, asked):
    options = {"stream_options": {"include_usage": True}} if asked else {}
    stream = client.chat.completions.create(model="plain", messages=HELLO, stream=True, **options)
    chunks = list(stream)
    *rest, last = chunks
    if asked:
        assert last.choices == [] and last.usage.completion_tokens == 24
        assert all("usage" in chunk.model_fields_set for chunk in rest)
    else:
        assert all(chunk.choices for chunk in chunks), "chunks without a choice break applications"
        assert all("usage" not in chunk.model_fields_set for chunk in chunks)
    spoken = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in spoken).startswith(TEXT)
    assert [c.finish_reason for c in spoken if c.finish_reason] == ["stop"]
    assert {chunk.model for chunk in chunks} == {"plain"}
    record = gateway.records.of(stream.response.headers["x-request-id"])
    assert (record["outcome"], record["stream"]) == ("ok", True)
    assert record["usage"]["completion"] == 24, "the record has it, asked or not"


def test_the_stream_helper(client):
    with client.chat.completions.stream(model="plain", messages=HELLO) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= set(kinds)
    assert answer.choices[0].message.content.startswith(TEXT)
    assert answer.choices[0].message.role == "assistant"


def test_what_fails_before_the_first_word_is_not_noticed(client, gateway):
    classes = set()
    for _ in range(6):
        stream = client.chat.completions.create(model="unwell", messages=HELLO, stream=True)
        chunks = list(stream)
        assert "".join(c.choices[0].delta.content or "" for c in chunks).startswith(TEXT)
        assert [c.choices[0].delta.role for c in chunks if c.choices[0].delta.role] == ["assistant"]
        assert stream.response.headers["x-pillion-target"] == "north/plain"
        record = gateway.records.of(stream.response.headers["x-request-id"])
        classes |= {attempt["class"] for attempt in record["attempts"]}
    assert {"ok", "broken"} <= classes


class City(BaseModel):
    name: str
    population: int
    twins: list[str]


class Verdict(BaseModel):
    good: bool
    score: float


def test_structured_answers_side_by_side(gateway):
    async def ask(client, form):
        answer = await client.chat.completions.parse(
            model="plain", messages=HELLO, response_format=form
        )
        return answer.choices[0].message.parsed

    async def run():
        async with AsyncOpenAI(base_url=gateway.url, api_key=TOKEN) as client:
            forms = [City, Verdict] * 5
            parsed = await asyncio.gather(*(ask(client, form) for form in forms))
        return zip(forms, parsed)

    for form, parsed in asyncio.run(run()):
        assert isinstance(parsed, form)


def test_a_structured_answer_in_a_stream(client):
    with client.chat.completions.stream(
        model="plain", messages=HELLO, response_format=City
    ) as stream:
        parsed = stream.get_final_completion().choices[0].message.parsed
    assert parsed == City(name="simulated", population=1, twins=["simulated"])


def test_a_schema_written_by_hand(client):
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["calm", "angry"]}},
        "required": ["mood"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="plain",
        messages=HELLO,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "mood", "schema": schema, "strict": True},
        },
    )
    assert json.loads(answer.choices[0].message.content) == {"mood": "calm"}


def test_images_reach_the_provider(client):
    picture = base64.b64encode(os.urandom(30_000)).decode()
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
    ]
    answer = client.chat.completions.create(
        model="plain", messages=[{"role": "user", "content": parts}]
    )
    # The simulated provider counts a token for every four bytes that it got.
    assert answer.usage.prompt_tokens > len(picture) // 4


def test_a_limit_on_tokens(client):
    answer = client.chat.completions.create(model="plain", messages=HELLO, max_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


def test_fifty_streams_at_once(gateway):
    async def read(client, number):
        stream = await client.chat.completions.create(
            model="plain", messages=[{"role": "user", "content": f"{number}"}], stream=True
        )
        chunks = [chunk async for chunk in stream]
        request_id = stream.response.headers["x-request-id"]
        return request_id, "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    async def run():
        async with AsyncOpenAI(base_url=gateway.url, api_key=TOKEN) as client:
            return await asyncio.gather(*(read(client, number) for number in range(50)))

    answers = asyncio.run(run())
    assert all(text.startswith(TEXT) for _, text in answers)
    assert len({request_id for request_id, _ in answers}) == 50
    for request_id, _ in answers:
        assert gateway.records.of(request_id)["outcome"] == "ok"


def test_a_client_that_closes_the_stream_is_recorded(client, gateway):
    stream = client.chat.completions.create(model="slow", messages=HELLO, stream=True)
    next(stream)
    stream.close()
    record = gateway.records.of(stream.response.headers["x-request-id"])
    assert record["outcome"] == "cancelled"
    assert [attempt["target"] for attempt in record["attempts"]] == ["north/slow"]


def test_an_async_task_that_is_cancelled_is_recorded(gateway):
    async def run():
        async with AsyncOpenAI(base_url=gateway.url, api_key=TOKEN) as client:
            stream = await client.chat.completions.create(
                model="slow", messages=HELLO, stream=True
            )
            begun = asyncio.Event()

            async def read():
                async for _ in stream:
                    begun.set()

            task = asyncio.create_task(read())
            await begun.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await stream.close()
            return stream.response.headers["x-request-id"]

    assert gateway.records.of(asyncio.run(run()))["outcome"] == "cancelled"
