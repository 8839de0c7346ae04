"""Personal data: taken out on the way there, and back in the answer."""

import json

import openai
import pytest

from test_tools import TOOLS

MAIL = "anna.k@mail.kz"
ASKED = [{"role": "user", "content": f"I am {MAIL}."}]
SAID = f"Dear {MAIL}, no card [CARD_9]."


def test_values_come_back_in_an_answer_and_in_a_stream(client):
    answer = client.chat.completions.create(model="masked", messages=ASKED)
    assert answer.choices[0].message.content == SAID
    stream = client.chat.completions.create(model="masked", messages=ASKED, stream=True)
    pieces = [choice.delta.content or "" for chunk in stream for choice in chunk.choices]
    assert "".join(pieces) == SAID


def test_values_come_back_in_the_arguments_of_a_streamed_call(client):
    with client.chat.completions.stream(model="masked", messages=ASKED, tools=TOOLS) as stream:
        (call,) = stream.get_final_completion().choices[0].message.tool_calls
    assert json.loads(call.function.arguments)["city"] == MAIL


def test_what_is_blocked_is_a_bad_request(client):
    with pytest.raises(openai.BadRequestError) as refused:
        asked = [{"role": "user", "content": "4111 1111 1111 1111"}]
        client.chat.completions.create(model="masked", messages=asked)
    assert refused.value.code == "personal_data_blocked"
