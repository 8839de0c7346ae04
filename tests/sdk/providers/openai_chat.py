"""OpenAI's chat completions, and strict about the fields of others (`parsed` and `index` are the SDK's own):
<https://platform.openai.com/docs/api-reference/chat> (read 2026-11)."""

import json
import re

from scenario import Ids, need, only, pieces, step

MESSAGE = {
    "system": {"role", "content", "name"},
    "developer": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "refusal", "tool_calls", "audio", "annotations", "function_call", "parsed"},
    "tool": {"role", "content", "tool_call_id"},
}
call_ids = Ids("call_{:04}")
answer_ids = Ids("chatcmpl-{:04}")


def answer(body):
    check_parameters(body)
    check(body["messages"])
    return step(history(body["messages"]), body.get("tools"))


def check_parameters(body):
    """What a model does not take: those that reason take no sampling and no stop, the others no effort."""
    model = body["model"]
    unsupported = "Unsupported parameter: '{}' is not supported with this model."
    if re.match(r"o\d|gpt-5(?!-chat)", model):
        for name in ("stop", "max_tokens"):
            need(name not in body, unsupported.format(name))
        for name in ("temperature", "top_p"):
            need(body.get(name, 1) == 1, f"Unsupported value: '{name}' does not support {body.get(name)} with this model.")
    elif re.match(r"gpt-[34]", model):
        need("reasoning_effort" not in body, "Unrecognized request argument supplied: reasoning_effort")


def check(messages):
    need(messages, "messages: array too short")
    open_calls = []
    for at, message in enumerate(messages):
        only(message, MESSAGE[message["role"]], f"messages[{at}]")
        if message["role"] == "tool":
            need(message["tool_call_id"] in open_calls, f"messages[{at}]: 'tool' must be a response to a preceding message with 'tool_calls'")
            open_calls.remove(message["tool_call_id"])
            continue
        need(not open_calls, f"messages[{at}]: tool_call_ids did not have response messages: {open_calls}")
        for call in message.get("tool_calls") or []:
            only(call, {"id", "type", "function", "index"}, f"messages[{at}].tool_calls")
            only(call["function"], {"name", "arguments", "parsed_arguments"}, f"messages[{at}].tool_calls.function")
            need(len(call["id"]) <= 64 and isinstance(call["function"]["arguments"], str), f"messages[{at}].tool_calls")
            open_calls.append(call["id"])
    need(not open_calls, f"tool_call_ids did not have response messages: {open_calls}")


def history(messages):
    entries = []
    for message in messages:
        content = message.get("content") or ""
        text = content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
        if message["role"] == "tool":
            entries.append(("result", message["tool_call_id"], text))
        elif message["role"] in ("user", "assistant") and text:
            entries.append((message["role"], text))
        for call in message.get("tool_calls") or []:
            entries.append(("call", call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])))
    return entries


USAGE = {
    "prompt_tokens": 30, "completion_tokens": 11, "total_tokens": 41,
    "prompt_tokens_details": {"cached_tokens": 7}, "completion_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip


def calls_of(said):
    dump = lambda arguments: json.dumps(arguments, ensure_ascii=False)
    return [{"id": call_ids(), "type": "function", "function": {"name": name, "arguments": dump(arguments)}} for name, arguments in said.calls]


def completion(model, said):
    message = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.calls:
        message["tool_calls"] = calls_of(said)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if said.calls else "stop"}
    return {"id": answer_ids(), "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": USAGE}


def chunks(model, said, usage):
    answer_id = answer_ids()

    def chunk(choices, **more):
        return {"id": answer_id, "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices, **more}

    def delta(finish=None, **delta):
        return chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}])

    yield delta(role="assistant", content="" if said.text else None, refusal=None)
    for piece in pieces(said.text):
        yield delta(content=piece)
    for at, call in enumerate(calls_of(said)):
        arguments = call["function"].pop("arguments")
        yield delta(tool_calls=[{"index": at, **call, "function": dict(call["function"], arguments="")}])
        for piece in pieces(arguments):
            yield delta(tool_calls=[{"index": at, "function": {"arguments": piece}}])
    yield delta(finish="tool_calls" if said.calls else "stop")
    if usage:
        yield chunk([], usage=USAGE)


def error(status, message):
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
