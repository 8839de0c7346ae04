"""Tools: the call, its result, the answer."""

import json

import pytest
from openai import pydantic_function_tool
from pydantic import BaseModel


class get_weather(BaseModel):
    city: str
    unit: str


TOOLS = [pydantic_function_tool(get_weather)]
ASKED = [{"role": "user", "content": "How warm is it in Almaty?"}]
ARGUMENTS = {"city": "Алматы", "unit": "celsius"}


def finish(client, message, **options):
    """Sends the tool's result and returns the answer."""
    (call,) = message.tool_calls
    result = {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'}
    return client.chat.completions.create(
        model="weather",
        messages=[*ASKED, message, result],
        tools=TOOLS,
        **options,
    )


def test_a_round_trip(client):
    answer = client.chat.completions.create(model="weather", messages=ASKED, tools=TOOLS)
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert (call.type, call.function.name) == ("function", "get_weather")
    assert json.loads(call.function.arguments) == ARGUMENTS
    final = finish(client, choice.message)
    assert final.choices[0].finish_reason == "stop"
    assert final.choices[0].message.content.startswith("Hello!")


def test_a_streamed_round_trip(client):
    stream = client.chat.completions.create(
        model="weather", messages=ASKED, tools=TOOLS, stream=True
    )
    call_id, name, arguments, finished = None, None, "", None
    for chunk in stream:
        choice = chunk.choices[0]
        finished = choice.finish_reason or finished
        for delta in choice.delta.tool_calls or []:
            assert delta.index == 0
            if delta.id:
                assert call_id is None, "a call begins once"
                call_id, name = delta.id, delta.function.name
            arguments += delta.function.arguments or ""
    assert (name, finished) == ("get_weather", "tool_calls")
    assert json.loads(arguments) == ARGUMENTS
    message = {
        "role": "assistant",
        "tool_calls": [
            {
                "id": call_id,
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
        ],
    }
    result = {"role": "tool", "tool_call_id": call_id, "content": "21"}
    final = client.chat.completions.create(
        model="weather", messages=[*ASKED, message, result], tools=TOOLS, stream=True
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in final)
    assert text.startswith("Hello!")


def test_the_stream_helper_assembles_the_call(client):
    with client.chat.completions.stream(model="weather", messages=ASKED, tools=TOOLS) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        answer = stream.get_final_completion()
    assert len(done) == 1
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.parsed_arguments == get_weather(**ARGUMENTS)
    final = finish(client, answer.choices[0].message)
    assert final.choices[0].finish_reason == "stop"


def test_parsed_arguments(client):
    answer = client.chat.completions.parse(model="weather", messages=ASKED, tools=TOOLS)
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.parsed_arguments == get_weather(**ARGUMENTS)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_that_is_torn_apart_is_never_seen(client, gateway, streamed):
    """The first provider ends in the middle of the arguments; the second makes the call."""
    request = {"model": "torn", "messages": ASKED, "tools": TOOLS}
    if streamed:
        with client.chat.completions.stream(**request) as stream:
            answer = stream.get_final_completion()
        request_id = stream._response.headers["x-request-id"]
    else:
        answer = client.chat.completions.create(**request)
        request_id = answer._request_id
    (call,) = answer.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == ARGUMENTS
    attempts = gateway.records.of(request_id)["attempts"]
    assert (attempts[0]["target"], attempts[-1]["target"]) == ("north/torn", "north/weather")
    assert all(attempt["class"] in ("broken", "reset") for attempt in attempts[:-1])
