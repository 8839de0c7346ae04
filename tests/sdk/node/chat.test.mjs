// Answers, plain and streamed.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { OpenAI, Pillion, TOKEN, all, require, said } from './pillion.mjs';

const { zodResponseFormat } = require('openai/helpers/zod');
const { z } = require('zod');

const HELLO = [{ role: 'user', content: 'Hello' }];
const TEXT = /^Hello! This is north speaking, in the part of plain\./;

let gateway, client;
before(async () => {
  gateway = await Pillion.start('gateway.yaml');
  client = gateway.client();
});
after(async () => assert.equal(await gateway?.end(), 0));

test('a plain answer', async () => {
  const { data, response, request_id } = await client.chat.completions
    .create({ model: 'plain', messages: HELLO })
    .withResponse();
  assert.match(data.choices[0].message.content, TEXT);
  assert.equal(data.choices[0].finish_reason, 'stop');
  assert.equal(data.model, 'plain');
  assert.equal(data.usage.completion_tokens, 24);
  assert.equal(response.headers.get('x-pillion-target'), 'north/plain');
  const record = await gateway.records.of(request_id);
  assert.deepEqual([record.outcome, record.status, record.stream], ['ok', 200, false]);
});

test('an unmodified application', async () => {
  process.env.OPENAI_BASE_URL = gateway.url;
  process.env.OPENAI_API_KEY = TOKEN;
  const answer = await new OpenAI().chat.completions.create({ model: 'gpt-4o', messages: HELLO });
  assert.equal(answer.model, 'gpt-4o');
  assert.match(answer.choices[0].message.content, TEXT);
});

for (const asked of [false, true]) {
  test(`a stream has usage only when asked: ${asked}`, async () => {
    const { data, request_id } = await client.chat.completions
      .create({
        model: 'plain',
        messages: HELLO,
        stream: true,
        ...(asked && { stream_options: { include_usage: true } }),
      })
      .withResponse();
    const chunks = await all(data);
    if (asked) {
      assert.deepEqual(chunks.at(-1).choices, []);
      assert.equal(chunks.at(-1).usage.completion_tokens, 24);
    } else {
      assert.ok(chunks.every((chunk) => chunk.choices.length === 1 && !('usage' in chunk)));
    }
    assert.match(said(chunks), TEXT);
    const finished = chunks.flatMap((chunk) => chunk.choices[0]?.finish_reason ?? []);
    assert.deepEqual(finished, ['stop']);
    assert.deepEqual([...new Set(chunks.map((chunk) => chunk.model))], ['plain']);
    const record = await gateway.records.of(request_id);
    assert.equal(record.outcome, 'ok');
    assert.equal(record.usage.completion, 24, 'the record has it, asked or not');
  });
}

test('the stream helper', async () => {
  const stream = client.chat.completions.stream({ model: 'plain', messages: HELLO });
  let text = '';
  stream.on('content', (delta) => (text += delta));
  const answer = await stream.finalChatCompletion();
  assert.match(text, TEXT);
  assert.equal(answer.choices[0].message.content, text);
  assert.equal(answer.choices[0].message.role, 'assistant');
});

const City = z.object({ name: z.string(), population: z.number(), twins: z.array(z.string()) });
const Verdict = z.object({ good: z.boolean(), score: z.number() });

test('structured answers, side by side', async () => {
  const forms = Array.from({ length: 10 }, (_, i) => (i % 2 ? City : Verdict));
  const answers = await Promise.all(
    forms.map((form) =>
      client.chat.completions.parse({
        model: 'plain',
        messages: HELLO,
        response_format: zodResponseFormat(form, 'answer'),
      }),
    ),
  );
  answers.forEach((answer, i) => {
    const { parsed } = answer.choices[0].message;
    assert.deepEqual(forms[i].parse(parsed), parsed);
  });
});

test('a structured answer in a stream', async () => {
  const stream = client.chat.completions.stream({
    model: 'plain',
    messages: HELLO,
    response_format: zodResponseFormat(City, 'city'),
  });
  const answer = await stream.finalChatCompletion();
  const { parsed } = answer.choices[0].message;
  assert.deepEqual(City.parse(parsed), parsed);
});

test('images reach the provider', async () => {
  const picture = randomBytes(30_000).toString('base64');
  const content = [
    { type: 'text', text: 'What is this?' },
    { type: 'image_url', image_url: { url: `data:image/png;base64,${picture}` } },
  ];
  const answer = await client.chat.completions.create({
    model: 'plain',
    messages: [{ role: 'user', content }],
  });
  // The simulated provider counts a token for every four bytes that it got.
  assert.ok(answer.usage.prompt_tokens > picture.length / 4);
});

test('fifty streams at once', async () => {
  const read = async (number) => {
    const { data, request_id } = await client.chat.completions
      .create({ model: 'plain', messages: [{ role: 'user', content: `${number}` }], stream: true })
      .withResponse();
    return [request_id, said(await all(data))];
  };
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => read(i)));
  assert.equal(new Set(answers.map(([id]) => id)).size, 50);
  for (const [id, text] of answers) {
    assert.match(text, TEXT);
    assert.equal((await gateway.records.of(id)).outcome, 'ok');
  }
});

test('a client that leaves the loop is recorded', async () => {
  const { data, request_id } = await client.chat.completions
    .create({ model: 'slow', messages: HELLO, stream: true })
    .withResponse();
  for await (const chunk of data) if (chunk.choices[0].delta.content) break;
  assert.equal((await gateway.records.of(request_id)).outcome, 'cancelled');
});

test('a client that aborts is recorded', async () => {
  const { data, request_id } = await client.chat.completions
    .create({ model: 'slow', messages: HELLO, stream: true })
    .withResponse();
  // The SDK ends the loop without an error when it was the application that aborted.
  for await (const chunk of data) if (chunk.choices[0].delta.content) data.controller.abort();
  assert.equal((await gateway.records.of(request_id)).outcome, 'cancelled');
});

test('a plain request that is given up is recorded', async () => {
  // The client's own timeout is not announced: here the SDK hangs up.
  const impatient = gateway.client({ timeout: 500, maxRetries: 0 });
  const asking = impatient.chat.completions.create({ model: 'patient', messages: HELLO });
  await assert.rejects(asking, OpenAI.APIConnectionTimeoutError);
  const record = await gateway.records.find((record) => record.route === 'patient');
  assert.equal(record.outcome, 'cancelled');
  assert.deepEqual(record.attempts.map((attempt) => attempt.class), ['cancelled']);
});
