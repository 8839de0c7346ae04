"""Anthropic's Messages: <https://platform.claude.com/docs/en/api/messages> (read 2026-11)."""

import json
import re

from scenario import Ids, Signer, need, only, pieces, step
from schemas import binds

TOP = {
    "model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "output_config",
    "stop_sequences", "stream", "metadata", "service_tier", "temperature", "top_p", "top_k", "cache_control",
}  # fmt: skip
ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
signer = Signer("anthropic")
tool_ids = Ids("toolu_{:04}")
message_ids = Ids("msg_{:04}")


def answer(body, cloud=False):
    """The answer to a request, as (content, stop_reason, thinks)."""
    thinks = check(body, cloud)
    entries = history(body["messages"])
    said = step(entries, body.get("tools"))
    content = []
    if said.thinking and thinks:
        signature = signer.sign(said.thinking)
        content.append({"type": "thinking", "thinking": said.thinking, "signature": signature})
    if said.text:
        content.append({"type": "text", "text": said.text})
    for name, arguments in said.calls:
        content.append({"type": "tool_use", "id": tool_ids(), "name": name, "input": arguments})
    return content, "tool_use" if said.calls else "end_turn"


def check(body, cloud):
    only(body, TOP - {"model"} | {"anthropic_version", "anthropic_beta"} if cloud else TOP, "body")
    model = body.get("model", "claude-sonnet-4-5")
    need(cloud or model, "model: Field required")
    need(isinstance(body.get("max_tokens"), int), "max_tokens: Field required")
    newer = any(name in model for name in ("opus-4-7", "opus-4-8", "-5-5", "opus-5", "sonnet-5"))
    for name in ("temperature", "top_p", "top_k"):
        need(not (newer and name in body), f"`{name}` is not supported for this model.")
    need(not ("temperature" in body and "top_p" in body), "`temperature` and `top_p` cannot both be specified")
    thinking = body.get("thinking", {"type": "adaptive" if newer else "disabled"})
    kind = thinking.get("type")
    if newer:
        need(kind in ("adaptive", "disabled", "between_tools"), f'"thinking.type.{kind}" is not supported for this model.')
    elif kind == "enabled":
        need(1024 <= thinking["budget_tokens"] < body["max_tokens"], "budget_tokens must be less than max_tokens")
        need(body.get("temperature", 1) == 1, "`temperature` may only be set to 1 when thinking is enabled")
        need((body.get("tool_choice") or {}).get("type") in (None, "auto", "none"), "Thinking may not be enabled when tool_choice forces tool use.")
    if "tool_choice" in body:
        need(body.get("tools"), "tool_choice: requires tools")
        choice = body["tool_choice"]
        only(choice, {"type", "name", "disable_parallel_tool_use"}, "tool_choice")
        if "-5-5" in model:
            need(choice["type"] in ("auto", "none"), 'tool_choice: type "tool" and "any" are not supported for this model.')
    for at, tool in enumerate(body.get("tools") or []):
        known = {"name", "description", "input_schema", "strict", "cache_control", "type"}
        only(tool, known if cloud else known | {"eager_input_streaming"}, f"tools.{at}")
        need(tool["input_schema"].get("type") == "object", f"tools.{at}.custom.input_schema.type: Field required")
        if tool.get("strict"):
            binds(tool["input_schema"], f"tools.{at}.custom")
    form = (body.get("output_config") or {}).get("format")
    if form:
        binds(form["schema"], "output_config.format.schema")
    if "system" in body:
        system = body["system"]
        blocks = [{"text": system}] if isinstance(system, str) else system
        need(all(block["text"].strip() for block in blocks), "system: text content blocks must be non-empty")
    check_messages(body["messages"], kind == "enabled")
    return kind in ("enabled", "adaptive")


def check_messages(messages, manual):
    need(messages, "messages: at least one message is required")
    need(messages[0]["role"] == "user", "messages: first message must use the \"user\" role")
    open_calls = []
    for at, message in enumerate(messages):
        only(message, {"role", "content"}, f"messages.{at}")
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        need(blocks, f"messages.{at}: all messages must have non-empty content")
        if at:
            need(messages[at - 1]["role"] != message["role"], f"messages.{at}: roles must alternate")
        if message["role"] == "assistant":
            check_assistant(blocks, at, manual and at >= len(messages) - 2)
            open_calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
            continue
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        need(len(set(results)) == len(results), f"messages.{at}: each tool_use must have a single result")
        need(sorted(results) == sorted(open_calls), f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {open_calls} {results}")
        kinds = [block["type"] for block in blocks]
        need("tool_result" not in kinds[len(results):], f"messages.{at}: tool_result blocks must come first")
        for block in blocks:
            allowed = {
                "text": {"type", "text", "cache_control"},
                "image": {"type", "source", "cache_control"},
                "document": {"type", "source", "title", "cache_control"},
                "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
            }
            need(block["type"] in allowed, f"messages.{at}: block {block['type']}")
            only(block, allowed[block["type"]], f"messages.{at}.content")
            if block["type"] == "text":
                need(block["text"].strip(), "messages: text content blocks must be non-empty")
        open_calls = []
    need(not open_calls, "`tool_use` ids were found without `tool_result` blocks immediately after")
    need(messages[-1]["role"] == "user", "This model does not support assistant message prefill.")


def check_assistant(blocks, at, manual):
    if manual and any(block["type"] == "tool_use" for block in blocks):
        need(blocks[0]["type"] in ("thinking", "redacted_thinking"), f"messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{blocks[0]['type']}`")
    for block in blocks:
        kind = block["type"]
        if kind == "thinking":
            only(block, {"type", "thinking", "signature"}, f"messages.{at}.content")
            need("signature" in block, f"messages.{at}.content.0.thinking.signature: Field required")
            signer.check(block["signature"], block["thinking"])
        elif kind == "text":
            only(block, {"type", "text", "cache_control", "citations"}, f"messages.{at}.content")
            need(block["text"].strip(), "messages: text content blocks must be non-empty")
        else:
            need(kind == "tool_use", f"messages.{at}: block {kind}")
            only(block, {"type", "id", "name", "input", "cache_control", "caller"}, f"messages.{at}.content")
            need(ID.match(block["id"]), f"messages.{at}.content.tool_use.id: String should match pattern")
            need(isinstance(block["input"], dict), f"messages.{at}.content.tool_use.input: Input should be an object")


def history(messages):
    entries = []
    for message in messages:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            if block["type"] == "text":
                entries.append((message["role"], block["text"]))
            elif block["type"] == "tool_use":
                entries.append(("call", block["id"], block["name"], block["input"]))
            elif block["type"] == "tool_result":
                said = block.get("content") or ""
                text = said if isinstance(said, str) else " ".join(part.get("text", "") for part in said)
                entries.append(("result", block["tool_use_id"], text))
    return entries


USAGE = {"input_tokens": 20, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 7, "output_tokens": 11}


def message(model, content, reason):
    return {
        "id": message_ids(), "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": reason, "stop_sequence": None, "usage": USAGE,
    }  # fmt: skip


def events(model, content, reason):
    """The stream, one JSON object an event."""
    start = message(model, [], None)
    start["usage"] = dict(USAGE, output_tokens=1)
    yield {"type": "message_start", "message": start}
    yield {"type": "ping"}
    for at, block in enumerate(content):
        delta = lambda **delta: {"type": "content_block_delta", "index": at, "delta": delta}
        if block["type"] == "thinking":
            yield {"type": "content_block_start", "index": at, "content_block": {"type": "thinking", "thinking": "", "signature": ""}}
            for piece in pieces(block["thinking"]):
                yield delta(type="thinking_delta", thinking=piece)
            yield delta(type="signature_delta", signature=block["signature"])
        elif block["type"] == "text":
            yield {"type": "content_block_start", "index": at, "content_block": {"type": "text", "text": ""}}
            for piece in pieces(block["text"]):
                yield delta(type="text_delta", text=piece)
        else:
            yield {"type": "content_block_start", "index": at, "content_block": dict(block, input={})}
            arguments = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
            for piece in ["", *pieces(arguments)]:
                yield delta(type="input_json_delta", partial_json=piece)
        yield {"type": "content_block_stop", "index": at}
    yield {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 11}}
    yield {"type": "message_stop"}


def error(status, message):
    kinds = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}
    return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}, "request_id": "req_1"}
