// Tools: the call, its result, the answer.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Pillion, all, require, said } from './pillion.mjs';

const { zodFunction } = require('openai/helpers/zod');
const { z } = require('zod');

const ARGUMENTS = { city: 'Алматы', unit: 'celsius' };
const ASKED = [{ role: 'user', content: 'How warm is it in Almaty?' }];
const parameters = z.object({ city: z.string(), unit: z.string() });
const TOOLS = [zodFunction({ name: 'get_weather', parameters })];

let gateway, client;
before(async () => {
  gateway = await Pillion.start('gateway.yaml');
  client = gateway.client();
});
after(async () => assert.equal(await gateway?.end(), 0));

const withResult = (message) => [
  ...ASKED,
  message,
  { role: 'tool', tool_call_id: message.tool_calls[0].id, content: '{"celsius":21}' },
];

test('a round trip', async () => {
  const request = { model: 'weather', tools: TOOLS };
  const answer = await client.chat.completions.parse({ ...request, messages: ASKED });
  const [{ message, finish_reason }] = answer.choices;
  assert.equal(finish_reason, 'tool_calls');
  assert.equal(message.tool_calls.length, 1);
  assert.deepEqual(message.tool_calls[0].function.parsed_arguments, ARGUMENTS);
  const final = await client.chat.completions.create({ ...request, messages: withResult(message) });
  assert.equal(final.choices[0].finish_reason, 'stop');
  assert.match(final.choices[0].message.content, /^Hello!/);
});

test('a streamed round trip', async () => {
  const request = { model: 'weather', tools: TOOLS, stream: true };
  const chunks = await all(await client.chat.completions.create({ ...request, messages: ASKED }));
  const deltas = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
  const [begun, ...again] = deltas.filter((delta) => delta.id);
  assert.deepEqual(again, [], 'a call begins once');
  const text = deltas.map((delta) => delta.function.arguments ?? '').join('');
  assert.deepEqual(JSON.parse(text), ARGUMENTS);
  const call = { id: begun.id, type: 'function', function: { name: begun.function.name, arguments: text } };
  const messages = withResult({ role: 'assistant', tool_calls: [call] });
  const final = await all(await client.chat.completions.create({ ...request, messages }));
  assert.match(said(final), /^Hello!/);
});

test('the stream helper assembles the call', async () => {
  const stream = client.chat.completions.stream({ model: 'weather', tools: TOOLS, messages: ASKED });
  const answer = await stream.finalChatCompletion();
  const [call] = answer.choices[0].message.tool_calls;
  assert.deepEqual(call.function.parsed_arguments, ARGUMENTS);
  assert.match(call.id, /^call_/);
});

test('the SDK runs the tool and goes on', async () => {
  const ran = [];
  const run = (args) => {
    ran.push(args);
    return { celsius: 21 };
  };
  for (const stream of [false, true]) {
    const runner = client.chat.completions.runTools({
      model: 'weather',
      messages: ASKED,
      stream,
      tools: [
        {
          type: 'function',
          function: { name: 'get_weather', function: run, parse: JSON.parse, parameters: {} },
        },
      ],
    });
    assert.match(await runner.finalContent(), /^Hello!/);
  }
  assert.deepEqual(ran, [ARGUMENTS, ARGUMENTS], 'once a conversation');
});

// The first provider ends in the middle of the arguments; the second makes the call.
test('a call that is torn apart is never seen', async () => {
  const request = { model: 'torn', messages: ASKED, tools: TOOLS };
  const streamed = client.chat.completions.stream(request).finalChatCompletion();
  for (const answer of [await client.chat.completions.create(request), await streamed]) {
    const [call, ...more] = answer.choices[0].message.tool_calls;
    assert.deepEqual(more, []);
    assert.deepEqual(JSON.parse(call.function.arguments), ARGUMENTS);
  }
  for (const { attempts } of gateway.records.ofRoute('torn')) {
    assert.equal(attempts[0].target, 'north/torn');
    assert.equal(attempts.at(-1).target, 'north/weather');
    for (const attempt of attempts.slice(0, -1)) assert.match(attempt.class, /^(broken|reset)$/);
  }
});
