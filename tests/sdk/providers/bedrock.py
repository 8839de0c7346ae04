"""Amazon's Converse: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> (read 2026-11)."""

import json
import re
import struct
import zlib

from scenario import Ids, Signer, need, only, pieces, step
from schemas import binds

TOP = {"messages", "system", "inferenceConfig", "toolConfig", "additionalModelRequestFields", "outputConfig", "serviceTier"}
BLOCKS = {"text", "image", "document", "toolUse", "toolResult", "cachePoint", "reasoningContent"}
ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
signer = Signer("bedrock")
tool_ids = Ids("tooluse_{:04}")


def answer(body, model):
    """The blocks of the answer and why it ends."""
    check(body)
    if "anthropic." in model:
        check_claude(body, model)
    said = step(history(body["messages"]), body.get("toolConfig"))
    extra = body.get("additionalModelRequestFields", {})
    blocks = []
    if said.thinking and extra.get("thinking", {}).get("type") in ("enabled", "adaptive"):
        reasoning = {"text": said.thinking, "signature": signer.sign(said.thinking)}
        blocks.append({"reasoningContent": {"reasoningText": reasoning}})
    if said.text:
        blocks.append({"text": said.text})
    for name, arguments in said.calls:
        blocks.append({"toolUse": {"toolUseId": tool_ids(), "name": name, "input": arguments}})
    return blocks, "tool_use" if said.calls else "end_turn"


def check(body):
    only(body, TOP, "body")
    only(body.get("inferenceConfig", {}), {"maxTokens", "temperature", "topP", "stopSequences"}, "inferenceConfig")
    only(body.get("additionalModelRequestFields", {}), {"thinking", "output_config", "top_k", "anthropic_beta", "reasoningConfig"}, "extraneous key")
    config = body.get("toolConfig")
    if config is not None:
        only(config, {"tools", "toolChoice"}, "toolConfig")
        need(config["tools"], "toolConfig.tools: min length 1")
        for tool in config["tools"]:
            if "toolSpec" in tool:
                only(tool["toolSpec"], {"name", "description", "inputSchema", "strict"}, "toolSpec")
                need(tool["toolSpec"].get("description", "x"), "toolSpec.description: min length 1")
                need(tool["toolSpec"]["inputSchema"]["json"].get("type") == "object", "inputSchema must be an object")
    need(all(block.get("text", "x").strip() for block in body.get("system", [])), "system.text is blank")
    messages = body["messages"]
    need(messages and messages[0]["role"] == "user", "A conversation must start with a user message.")
    open_calls, tools_used = [], False
    for at, message in enumerate(messages):
        only(message, {"role", "content"}, f"messages.{at}")
        if at:
            need(messages[at - 1]["role"] != message["role"], "A conversation must alternate between user and assistant roles.")
        blocks = message["content"]
        need(blocks, f"messages.{at}.content is empty")
        kinds = []
        for block in blocks:
            need(len(block) == 1, "a content block has exactly one member")
            (kind,) = block
            need(kind in BLOCKS, f"content block {kind}")
            if kind != "cachePoint":
                kinds.append(kind)
            check_block(kind, block[kind], at)
        tools_used |= "toolUse" in kinds
        results = [block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block]
        need(len(set(results)) == len(results), f"messages.{at}.content contain duplicate Ids")
        need(sorted(results) == sorted(open_calls), f"Expected toolResult blocks at messages.{at}.content for the following Ids: {open_calls}")
        need("toolResult" not in kinds[len(results):], "toolResult blocks come first")
        if "toolUse" in kinds:
            need(set(kinds[kinds.index("toolUse"):]) == {"toolUse"}, "text comes before toolUse")
        open_calls = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]
    need(messages[-1]["role"] == "user", "The conversation must end with a user message.")
    need(not tools_used or config, "The toolConfig field must be defined when using toolUse and toolResult content blocks.")


def check_claude(body, model):
    config = body.get("toolConfig") or {}
    for tool in config.get("tools", []):
        if tool.get("toolSpec", {}).get("strict"):
            binds(tool["toolSpec"]["inputSchema"]["json"], "toolSpec")
    form = body.get("outputConfig", {}).get("textFormat")
    if form:
        binds(json.loads(form["structure"]["jsonSchema"]["schema"]), "output_config.format.schema")
    unasked = any(name in model for name in ("opus-5", "sonnet-5", "-5-5", "fable"))
    kind = body.get("additionalModelRequestFields", {}).get("thinking", {}).get("type", "adaptive" if unasked else "disabled")
    if kind == "disabled":
        shown = any("reasoningContent" in block for message in body["messages"] for block in message["content"])
        need(not shown, "messages: reasoning content is not permitted when thinking is disabled")
    elif kind != "between_tools":
        forces = set(config.get("toolChoice", {})) & {"any", "tool"}
        need(not forces, "Thinking may not be enabled when tool_choice forces tool use.")


def check_block(kind, block, at):
    if kind == "text":
        need(block.strip(), f"The text field in the ContentBlock object at messages.{at}.content is blank.")
    elif kind == "toolUse":
        only(block, {"toolUseId", "name", "input"}, "toolUse")
        need(ID.match(block["toolUseId"]), "toolUseId does not match")
        need(isinstance(block["input"], dict), "toolUse.input must be an object")
    elif kind == "toolResult":
        only(block, {"toolUseId", "content", "status"}, "toolResult")
        need(block["content"], "toolResult.content is empty")
    elif kind == "reasoningContent":
        need(len(block) == 1, "ReasoningContentBlock must have one member set")
        text = block["reasoningText"]
        need(text.get("text") is not None, "reasoningText.text: Member must not be null")
        signer.check(text.get("signature"), text["text"])


def history(messages):
    entries = []
    for message in messages:
        for block in message["content"]:
            if "text" in block:
                entries.append((message["role"], block["text"]))
            elif "toolUse" in block:
                entries.append(("call", block["toolUse"]["toolUseId"], block["toolUse"]["name"], block["toolUse"]["input"]))
            elif "toolResult" in block:
                said = block["toolResult"]["content"]
                text = " ".join(part.get("text") or json.dumps(part.get("json"), ensure_ascii=False) for part in said)
                entries.append(("result", block["toolResult"]["toolUseId"], text))
    return entries


USAGE = {"inputTokens": 20, "outputTokens": 11, "totalTokens": 41, "cacheReadInputTokens": 7, "cacheWriteInputTokens": 3}


def converse(blocks, reason):
    return {"output": {"message": {"role": "assistant", "content": blocks}}, "stopReason": reason, "usage": USAGE, "metrics": {"latencyMs": 5}}


def events(blocks, reason):
    """The stream as (event type, payload)."""
    yield "messageStart", {"role": "assistant"}
    for at, block in enumerate(blocks):
        delta = lambda delta: ("contentBlockDelta", {"contentBlockIndex": at, "delta": delta})
        if "toolUse" in block:
            use = block["toolUse"]
            yield "contentBlockStart", {"contentBlockIndex": at, "start": {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}}
            if use["input"]:
                for piece in pieces(json.dumps(use["input"], ensure_ascii=False)):
                    yield delta({"toolUse": {"input": piece}})
        elif "text" in block:
            for piece in pieces(block["text"]):
                yield delta({"text": piece})
        else:
            reasoning = block["reasoningContent"]["reasoningText"]
            for piece in pieces(reasoning["text"]):
                yield delta({"reasoningContent": {"text": piece}})
            yield delta({"reasoningContent": {"signature": reasoning["signature"]}})
        yield "contentBlockStop", {"contentBlockIndex": at}
    yield "messageStop", {"stopReason": reason}
    yield "metadata", {"usage": USAGE, "metrics": {"latencyMs": 5}}


def frame(event, payload):
    """One message of Amazon's event stream."""
    headers = b""
    for name, value in ((":event-type", event), (":content-type", "application/json"), (":message-type", "event")):
        headers += struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
    body = json.dumps(dict(payload, p="abcdefgh"), ensure_ascii=False).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    head = prelude + struct.pack("!I", zlib.crc32(prelude))
    return head + headers + body + struct.pack("!I", zlib.crc32(head + headers + body))


def error(status, message):
    return {"message": message}
