"""A conversation of three turns with tools over every dialect, by every SDK, plain and streamed; and
the same conversation going on at another provider, after calls and after thinking. The scripted
providers refuse what the real ones refuse, so an answer means that the request was one of theirs."""

import functools
import json

import anthropic
import pytest
from openai import OpenAI

from pillion import TOKEN, Pillion, Providers

ROUTES = [
    "claude-budget", "claude-adaptive", "claude-newest", "gemini-2", "gemini-3", "vertex-gemini",
    "vertex-claude", "bedrock-claude", "bedrock-nova", "openai", "compatible",
]  # fmt: skip
ASKED = "How warm is it in Almaty, and what is the time? Make a note of it."
RESULTS = {"get_weather": '{"celsius": 21}', "get_time": "12:30", "save_note": "saved"}
SCHEMAS = {
    "get_weather": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
    "get_time": {"type": "object", "properties": {}},
    "save_note": {
        "type": "object",
        "properties": {
            "note": {
                "type": "object",
                "properties": {"text": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
            }
        },
    },
}
ARGUMENTS = {
    "get_weather": {"city": "Алматы", "unit": "celsius"},
    "get_time": {},
    "save_note": {"note": {"text": "21°", "tags": []}},
}
FINAL = "In Almaty it is 21 degrees at 12:30, and the note is saved."


@pytest.fixture(scope="module")
def providers():
    with Providers() as providers:
        yield providers


@pytest.fixture(scope="module")
def dialects(tmp_path_factory, providers):
    gateway = Pillion(
        "dialects.yaml",
        tmp_path_factory.mktemp("dialects"),
        {"providers": providers.port},
        env={"PROVIDER_KEY": "provider-key"},
    )
    yield gateway
    assert gateway.end() == 0


def run(calls):
    """What came of calls, by their ids."""
    for _, name, arguments in calls:
        assert json.loads(arguments) == ARGUMENTS[name]
    return {call_id: RESULTS[name] for call_id, name, _ in calls}


@functools.cache
def openai_client(gateway):
    return OpenAI(base_url=gateway.url, api_key=TOKEN, max_retries=0)


@functools.cache
def anthropic_client(gateway):
    return anthropic.Anthropic(base_url=gateway.url.removesuffix("/v1"), api_key=TOKEN, max_retries=0)


class Chat:
    """The official OpenAI SDK, chat completions."""

    def __init__(self, gateway, streamed):
        self.client = openai_client(gateway)
        self.streamed = streamed
        self.messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASKED}]

    def turn(self, route, **asked):
        tools = [
            {"type": "function", "function": {"name": name, "description": name, "parameters": schema}}
            for name, schema in SCHEMAS.items()
        ]
        asked = asked or {"reasoning_effort": "low"}
        request = {"model": route, "messages": self.messages, "tools": tools, "max_completion_tokens": 8000, **asked}
        if self.streamed:
            with self.client.chat.completions.stream(**request, stream_options={"include_usage": True}) as stream:
                answer = stream.get_final_completion()
        else:
            answer = self.client.chat.completions.create(**request)
        message = answer.choices[0].message
        assert answer.model == route
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens == 41
        assert answer.usage.prompt_tokens_details.cached_tokens == 7
        calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []]
        assert answer.choices[0].finish_reason == ("tool_calls" if calls else "stop")
        self.messages.append(message)
        return message.content, calls

    def give(self, results):
        for call_id, result in results.items():
            self.messages.append({"role": "tool", "tool_call_id": call_id, "content": result})

    def say(self, text):
        self.messages.append({"role": "user", "content": text})


class Responses:
    """The official OpenAI SDK, responses that nobody stores."""

    def __init__(self, gateway, streamed):
        self.client = openai_client(gateway)
        self.streamed = streamed
        self.items = [{"role": "user", "content": ASKED}]

    def turn(self, route):
        tools = [
            {"type": "function", "name": name, "description": name, "parameters": schema, "strict": False}
            for name, schema in SCHEMAS.items()
        ]
        request = {
            "model": route, "input": self.items, "instructions": "Be brief.", "tools": tools, "store": False,
            "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"], "max_output_tokens": 8000,
        }  # fmt: skip
        if self.streamed:
            with self.client.responses.stream(**request) as stream:
                events = list(stream)
                answer = stream.get_final_response()
            numbers = [event.sequence_number for event in events if hasattr(event, "sequence_number")]
            assert numbers == sorted(set(numbers)), "events are counted"
        else:
            answer = self.client.responses.create(**request)
        assert (answer.status, answer.model) == ("completed", route)
        assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens == 41
        calls = [(item.call_id, item.name, item.arguments) for item in answer.output if item.type == "function_call"]
        self.items += [item.model_dump(exclude_none=True) for item in answer.output]
        return answer.output_text, calls

    def give(self, results):
        for call_id, result in results.items():
            self.items.append({"type": "function_call_output", "call_id": call_id, "output": result})

    def say(self, text):
        self.items.append({"role": "user", "content": text})


class Messages:
    """The official Anthropic SDK."""

    def __init__(self, gateway, streamed):
        self.client = anthropic_client(gateway)
        self.streamed = streamed
        self.messages = [{"role": "user", "content": ASKED}]

    def turn(self, route):
        tools = [{"name": name, "description": name, "input_schema": schema} for name, schema in SCHEMAS.items()]
        thinking = {"type": "adaptive"} if route in ("claude-adaptive", "claude-newest") else {"type": "enabled", "budget_tokens": 2048}
        request = {
            "model": route, "messages": self.messages, "system": "Be brief.", "tools": tools, "max_tokens": 8000, "thinking": thinking,
        }  # fmt: skip
        if self.streamed:
            with self.client.messages.stream(**request) as stream:
                answer = stream.get_final_message()
        else:
            answer = self.client.messages.create(**request)
        calls = [(block.id, block.name, json.dumps(block.input)) for block in answer.content if block.type == "tool_use"]
        assert answer.stop_reason == ("tool_use" if calls else "end_turn")
        assert answer.model == route
        usage = answer.usage
        assert usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0) == 30
        assert usage.output_tokens == 11
        self.messages.append({"role": "assistant", "content": answer.content})
        return "".join(block.text for block in answer.content if block.type == "text"), calls

    def give(self, results):
        blocks = [{"type": "tool_result", "tool_use_id": call_id, "content": result} for call_id, result in results.items()]
        self.messages.append({"role": "user", "content": blocks})

    def say(self, text):
        last = self.messages[-1]
        if last["role"] == "user":
            last["content"] = [*last["content"], {"type": "text", "text": text}]
        else:
            self.messages.append({"role": "user", "content": text})


SDKS = [Chat, Responses, Messages]


def converse(application, routes):
    """Three turns and a word of thanks, each at the next of the routes."""
    first, second, third, fourth = routes
    text, calls = application.turn(first)
    assert [name for _, name, _ in calls] == ["get_weather", "get_time"]
    assert text == "Let me look."
    application.give(run(calls))
    _, calls = application.turn(second)
    assert [name for _, name, _ in calls] == ["save_note"]
    application.give(run(calls))
    text, calls = application.turn(third)
    assert (text, calls) == (FINAL, [])
    application.say("Thanks!")
    text, calls = application.turn(fourth)
    assert (text, calls) == ("You are welcome. Алматы is lovely.", [])


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.__name__.lower())
@pytest.mark.parametrize("route", ROUTES)
def test_three_turns_with_tools(dialects, route, sdk, streamed):
    converse(sdk(dialects, streamed), [route] * 4)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("sdk", SDKS, ids=lambda sdk: sdk.__name__.lower())
@pytest.mark.parametrize("one", ROUTES)
def test_the_conversation_goes_on_elsewhere(dialects, one, sdk, streamed):
    """To every other provider after the first calls, and back after more of them and more thinking."""
    for other in ROUTES:
        if other != one:
            converse(sdk(dialects, streamed), [one, other, one, other])


@pytest.mark.parametrize("route", ROUTES)
def test_tokens_are_counted(dialects, route):
    client = anthropic_client(dialects)
    counted = client.messages.count_tokens(model=route, messages=[{"role": "user", "content": ASKED}])
    assert counted.input_tokens == 42 if "openai" not in route and route != "compatible" else counted.input_tokens > 0


@pytest.mark.parametrize("base64", [False, True])
def test_vectors(dialects, base64):
    client = openai_client(dialects)
    form = {} if base64 else {"encoding_format": "float"}
    answer = client.embeddings.create(model="gemini-2", input=["a", "b"], **form)
    assert [item.embedding for item in answer.data] == [[0.5, -0.25, 0.0], [0.5, -0.25, 1.0]]


@pytest.mark.parametrize("streamed", [False, True])
def test_langchain(dialects, streamed):
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    @tool
    def get_weather(city: str, unit: str) -> str:
        """The weather."""
        return RESULTS["get_weather"]

    @tool
    def get_time() -> str:
        """The time."""
        return RESULTS["get_time"]

    @tool
    def save_note(note: dict) -> str:
        """Saves a note."""
        return RESULTS["save_note"]

    tools = {known.name: known for known in (get_weather, get_time, save_note)}
    for route in ROUTES:
        model = ChatOpenAI(model=route, base_url=dialects.url, api_key=TOKEN, max_retries=0, reasoning_effort="low").bind_tools(list(tools.values()))
        messages = [HumanMessage(ASKED)]
        for _ in range(3):
            if streamed:
                answer = None
                for chunk in model.stream(messages):
                    answer = chunk if answer is None else answer + chunk
            else:
                answer = model.invoke(messages)
            messages.append(answer)
            for call in answer.tool_calls:
                assert call["args"] == ARGUMENTS[call["name"]]
                messages.append(ToolMessage(tools[call["name"]].invoke(call["args"]), tool_call_id=call["id"]))
        assert answer.text == FINAL


@pytest.mark.parametrize("asked", [{"reasoning_effort": "none"}, {"tool_choice": "auto"}, {"tool_choice": "required"}], ids=str)
@pytest.mark.parametrize("route", ["claude-budget", "claude-adaptive", "vertex-claude", "bedrock-claude", "bedrock-adaptive"])
def test_what_was_thought_is_no_hindrance_to_an_answer_without(dialects, route, asked):
    application = Chat(dialects, False)
    _, calls = application.turn(route)
    application.give(run(calls))
    _, calls = application.turn(route, **asked)
    assert [name for _, name, _ in calls] == ["save_note"]


@pytest.mark.parametrize("route", ["claude-budget", "claude-adaptive", "claude-newest", "vertex-claude", "bedrock-claude"])
def test_a_schema_binds_an_answer_as_far_as_it_can(dialects, route):
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}, "names": {"type": "array", "items": {"type": "string"}, "maxItems": 3}}}
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
    tool = {"type": "function", "function": {"name": "get_time", "parameters": schema, "strict": True}}
    messages = [{"role": "user", "content": "Thanks!"}]
    client = openai_client(dialects)
    answer = client.chat.completions.create(model=route, messages=messages, response_format=form, tools=[tool])
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("route", ["openai", "openai-older"])
def test_a_model_of_openais_is_sent_what_it_takes(dialects, route):
    client = anthropic_client(dialects)
    answer = client.messages.create(
        model=route,
        max_tokens=8000,
        messages=[{"role": "user", "content": "Thanks!"}],
        stop_sequences=["X"],
        extra_body={"temperature": 0.3, "thinking": {"type": "enabled", "budget_tokens": 2000}},
    )
    assert answer.stop_reason == "end_turn"


@pytest.mark.parametrize("route", ROUTES)
def test_blank_instructions_are_none(dialects, route):
    client = openai_client(dialects)
    messages = [{"role": "system", "content": " \n"}, {"role": "user", "content": "Thanks!"}]
    assert client.chat.completions.create(model=route, messages=messages).choices[0].finish_reason == "stop"
    assert client.responses.create(model=route, instructions=" ", input="Thanks!", store=False).output_text
