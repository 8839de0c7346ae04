"""OpenAI's Responses: <https://platform.openai.com/docs/api-reference/responses> (read 2026-11)."""

import json

from openai_chat import call_ids
from scenario import Ids, Signer, need, only, pieces, step

signer = Signer("responses")
item_ids = Ids("item_{:04}")
response_ids = Ids("resp_{:04}")


def answer(body):
    """The items of the answer's output."""
    items = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
    check(items)
    said = step(history(items), body.get("tools"))
    output = []
    if said.thinking:
        output.append({
            "id": item_ids(), "type": "reasoning", "summary": [{"type": "summary_text", "text": said.thinking}],
            "encrypted_content": signer.sign(said.thinking),
        })  # fmt: skip
    if said.text:
        part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        output.append({"id": item_ids(), "type": "message", "role": "assistant", "status": "completed", "content": [part]})
    for name, arguments in said.calls:
        output.append({
            "id": item_ids(), "type": "function_call", "call_id": call_ids(), "name": name,
            "arguments": json.dumps(arguments, ensure_ascii=False), "status": "completed",
        })  # fmt: skip
    return output


def check(items):
    open_calls = []
    for at, item in enumerate(items):
        kind = item.get("type", "message")
        need(kind in ("message", "function_call", "function_call_output", "reasoning"), f"input[{at}]: Invalid value: '{kind}'")
        if kind == "reasoning":
            only(item, {"id", "type", "summary", "encrypted_content", "content", "status"}, f"input[{at}]")
            signer.check(item.get("encrypted_content"))
            need(at + 1 < len(items), f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item.")
        elif kind == "function_call":
            open_calls.append(item["call_id"])
        elif kind == "function_call_output":
            need(item["call_id"] in open_calls, f"No tool call found for function call output with call_id {item['call_id']}.")
            open_calls.remove(item["call_id"])
    need(not open_calls, f"No tool output found for function call {open_calls}.")


def history(items):
    entries = []
    for item in items:
        kind = item.get("type", "message")
        if kind == "message":
            content = item["content"]
            text = content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
            if item["role"] in ("user", "assistant"):
                entries.append((item["role"], text))
        elif kind == "function_call":
            entries.append(("call", item["call_id"], item["name"], json.loads(item["arguments"])))
        elif kind == "function_call_output":
            said = item["output"]
            text = said if isinstance(said, str) else " ".join(part.get("text", "") for part in said)
            entries.append(("result", item["call_id"], text))
    return entries


def response(body, output, status="completed", answer_id=None):
    usage = {
        "input_tokens": 30, "input_tokens_details": {"cached_tokens": 7, "cache_write_tokens": 0}, "output_tokens": 11,
        "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 41,
    }  # fmt: skip
    return {
        "id": answer_id or response_ids(), "object": "response", "created_at": 1, "status": status, "error": None,
        "incomplete_details": None, "instructions": body.get("instructions"), "model": body["model"], "output": output,
        "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": body.get("tools", []), "top_p": 1.0,
        "metadata": {}, "store": body.get("store", True), "usage": usage if status == "completed" else None,
        "reasoning": {"effort": None, "summary": None}, "text": {"format": {"type": "text"}}, "truncation": "disabled",
    }  # fmt: skip


def events(body, output):
    start = response(body, [], "in_progress")
    count = iter(range(1_000_000))
    event = lambda kind, **more: {"type": f"response.{kind}", "sequence_number": next(count), **more}
    yield event("created", response=start)
    yield event("in_progress", response=start)
    for at, item in enumerate(output):
        at_item = {"item_id": item["id"], "output_index": at}
        if item["type"] == "reasoning":
            yield event("output_item.added", output_index=at, item=dict(item, summary=[]))
            at_part = dict(at_item, summary_index=0)
            yield event("reasoning_summary_part.added", **at_part, part={"type": "summary_text", "text": ""})
            text = item["summary"][0]["text"]
            for piece in pieces(text):
                yield event("reasoning_summary_text.delta", **at_part, delta=piece)
            yield event("reasoning_summary_text.done", **at_part, text=text)
            yield event("reasoning_summary_part.done", **at_part, part=item["summary"][0])
        elif item["type"] == "message":
            yield event("output_item.added", output_index=at, item=dict(item, status="in_progress", content=[]))
            at_part, part = dict(at_item, content_index=0), item["content"][0]
            yield event("content_part.added", **at_part, part=dict(part, text=""))
            for piece in pieces(part["text"]):
                yield event("output_text.delta", **at_part, delta=piece, logprobs=[])
            yield event("output_text.done", **at_part, text=part["text"], logprobs=[])
            yield event("content_part.done", **at_part, part=part)
        else:
            yield event("output_item.added", output_index=at, item=dict(item, status="in_progress", arguments=""))
            for piece in pieces(item["arguments"]):
                yield event("function_call_arguments.delta", **at_item, delta=piece)
            yield event("function_call_arguments.done", **at_item, arguments=item["arguments"], name=item["name"])
        yield event("output_item.done", output_index=at, item=item)
    yield event("completed", response=response(body, output, answer_id=start["id"]))
