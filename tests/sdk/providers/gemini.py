"""Google's generateContent: <https://ai.google.dev/api/generate-content> (read 2026-11)."""

import json

from scenario import Ids, Signer, need, only, pieces, step

TOP = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "serviceTier", "labels"}
GENERATION = {
    "temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed", "presencePenalty",
    "frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema", "responseModalities",
    "thinkingConfig", "responseLogprobs", "logprobs", "mediaResolution",
}  # fmt: skip
PART = {"text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall", "functionResponse"}
# `skip_thought_signature_validator` and `context_engineering_is_the_way_to_go`: bytes are base64 in JSON.
SKIP = ("c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=", "Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv")
call_ids = Ids("fc{:06}")
signers = {"ai-studio": Signer("ai-studio"), "vertex": Signer("vertex")}


def answer(body, model, place):
    """The parts of the answer."""
    third = "gemini-3" in model or "gemini-4" in model
    signer = signers[place]
    check(body, third, signer)
    said = step(history(body["contents"]), body.get("tools"))
    shown = body.get("generationConfig", {}).get("thinkingConfig", {}).get("includeThoughts")
    parts = []
    if said.thinking and shown:
        parts.append({"text": said.thinking, "thought": True})
    if said.text:
        parts.append({"text": said.text})
    for at, (name, arguments) in enumerate(said.calls):
        call = {"name": name}
        if arguments:
            call["args"] = arguments
        if third:
            call["id"] = call_ids()
        part = {"functionCall": call}
        if at == 0:
            # Of parallel calls only the first is signed.
            part["thoughtSignature"] = signer.sign(said.thinking)
        parts.append(part)
    return parts


def check(body, third, signer):
    only(body, TOP, "body")
    only(body.get("generationConfig", {}), GENERATION, "generation_config")
    thinking = body.get("generationConfig", {}).get("thinkingConfig", {})
    only(thinking, {"includeThoughts", "thinkingBudget", "thinkingLevel"}, "thinking_config")
    need(len(thinking.keys() & {"thinkingBudget", "thinkingLevel"}) < 2, "thinkingBudget and thinkingLevel are exclusive")
    if "systemInstruction" in body:
        need(body["systemInstruction"]["parts"], "system_instruction.parts must not be empty")
    tools = body.get("tools") or []
    need(len(tools) <= 1, "Multiple tools are supported only when they are all search tools.")
    for tool in tools:
        only(tool, {"functionDeclarations"}, "tools")
        for declaration in tool["functionDeclarations"]:
            only(declaration, {"name", "description", "parameters", "parametersJsonSchema"}, "function_declarations")
            need("$schema" not in json.dumps(declaration), 'Unknown name "$schema"')
    contents = body["contents"]
    need(contents, "contents are required")
    need(contents[0]["role"] == "user", "Please ensure that function call turn comes immediately after a user turn or after a function response turn.")
    need(contents[-1]["role"] == "user", "Requests ending with a model turn are not supported.")
    expected = 0
    last_said = max((at for at, turn in enumerate(contents) if turn["role"] == "user" and any("text" in part for part in turn["parts"])), default=0)
    for at, turn in enumerate(contents):
        only(turn, {"role", "parts"}, f"contents[{at}]")
        need(turn["role"] in ("user", "model"), "Please use a valid role: user, model.")
        need(turn["parts"], f"contents[{at}].parts must not be empty")
        calls = [part for part in turn["parts"] if "functionCall" in part]
        responses = [part for part in turn["parts"] if "functionResponse" in part]
        for part in turn["parts"]:
            only(part, PART, f"contents[{at}].parts")
        for part in calls:
            only(part["functionCall"], {"id", "name", "args"}, "function_call")
            need(isinstance(part["functionCall"].get("args", {}), dict), "function_call.args: Invalid value")
        for part in responses:
            only(part["functionResponse"], {"id", "name", "response", "parts"}, "function_response")
            need(part["functionResponse"]["name"] in ("get_weather", "get_time", "save_note"), "function_response.name")
            need(isinstance(part["functionResponse"]["response"], dict), "function_response.response: Invalid value")
        if responses:
            need(turn["role"] == "user" and len(responses) == len(turn["parts"]), "a function response turn holds nothing else")
        need(len(responses) == expected, "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.")
        expected = len(calls)
        if turn["role"] == "model":
            check_signatures(turn["parts"], calls, third and at > last_said, signer)


def check_signatures(parts, calls, enforced, signer):
    if enforced and calls:
        need("thoughtSignature" in calls[0], f"Function call is missing a thought_signature in functionCall parts. function call `default_api:{calls[0]['functionCall']['name']}`")
    for part in parts:
        signature = part.get("thoughtSignature")
        if signature is not None and signature not in SKIP:
            signer.check(signature)


def history(contents):
    entries, at = [], 0
    for turn in contents:
        for part in turn["parts"]:
            if "functionCall" in part:
                entries.append(("call", at, part["functionCall"]["name"], part["functionCall"].get("args", {})))
            elif "functionResponse" in part:
                entries.append(("result", at, json.dumps(part["functionResponse"]["response"], ensure_ascii=False)))
            elif part.get("text"):
                entries.append(("user" if turn["role"] == "user" else "assistant", part["text"]))
    return entries


def chunks(model, parts):
    """The stream: each chunk a whole response with what is new in it."""
    usage = {"promptTokenCount": 30, "cachedContentTokenCount": 7, "candidatesTokenCount": 9, "thoughtsTokenCount": 2, "totalTokenCount": 41}
    chunk = lambda parts, **more: {
        "candidates": [{"content": {"role": "model", "parts": parts}, "index": 0, **more}],
        "usageMetadata": usage, "modelVersion": model, "responseId": "resp1",
    }  # fmt: skip
    for part in parts:
        if "text" in part:
            for piece in pieces(part["text"]):
                yield chunk([dict(part, text=piece)])
        else:
            yield chunk([part])
    yield chunk([{"text": ""}], finishReason="STOP")


def error(status, message):
    return {"error": {"code": status, "message": message, "status": "INVALID_ARGUMENT"}}
