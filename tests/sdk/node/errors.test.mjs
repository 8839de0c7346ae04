// Failures, as the SDK raises them.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { OpenAI, Pillion, all } from './pillion.mjs';

const HELLO = [{ role: 'user', content: 'Hello' }];

let gateway, client;
before(async () => {
  gateway = await Pillion.start('gateway.yaml');
  client = gateway.client();
});
after(async () => assert.equal(await gateway?.end(), 0));

const ask = (model, by = client) => by.chat.completions.create({ model, messages: HELLO });

const askStreamed = async (model, by = client) =>
  all(await by.chat.completions.create({ model, messages: HELLO, stream: true }));

async function raised(promise, kind = OpenAI.APIError) {
  const error = await promise.then(
    () => assert.fail('it was answered'),
    (error) => error,
  );
  assert.ok(error instanceof kind, `${error}`);
  return error;
}

const FAILURES = [
  ['overloaded', 502, 'upstream_failed'],
  ['server-error', 502, 'upstream_failed'],
  ['broken', 502, 'upstream_failed'],
  ['empty', 502, 'upstream_failed'],
  ['gone', 502, 'upstream_failed'],
  ['missing', 502, 'upstream_model_not_found'],
  ['refused', 502, 'upstream_authentication_error'],
  ['spent', 503, 'upstream_quota_exhausted'],
  ['keyless', 503, 'no_eligible_target'],
  ['hung', 504, 'deadline_exceeded'],
];

for (const [route, status, code] of FAILURES) {
  // Whoever asks twice is answered: an error at all shows that the SDK asked once.
  test(`a provider's failure is not retried by the SDK: ${route}`, async () => {
    const error = await raised(askStreamed(route), OpenAI.InternalServerError);
    assert.deepEqual([error.status, error.code], [status, code]);
    assert.equal(error.headers.get('x-should-retry'), 'false');
    const record = await gateway.records.of(error.requestID);
    assert.deepEqual([record.outcome, record.status], ['error', status]);
    assert.deepEqual(gateway.records.ofRoute(route), [record], 'one request');
    // A connection that is refused is tried again at once, by the gateway: nothing was sent.
    const attempts = { gone: 2, keyless: 0 }[route] ?? 1;
    assert.equal((record.attempts ?? []).length, attempts);
    for (const attempt of record.attempts ?? []) assert.ok(attempt.class !== 'ok' && attempt.reason);
  });
}

const AT_FAULT = [
  ['invalid', 'unsupported_value', 'temperature'],
  ['long', 'context_length_exceeded', 'messages'],
  ['policy', 'content_policy_violation', null],
];

for (const [route, code, param] of AT_FAULT) {
  test(`a request at fault is told in the provider's words: ${route}`, async () => {
    const error = await raised(ask(route), OpenAI.BadRequestError);
    assert.deepEqual([error.status, error.code, error.param], [400, code, param]);
    assert.equal((await gateway.records.of(error.requestID)).attempts.length, 1);
  });
}

test('a token that is not good here', async () => {
  for (const apiKey of ['wrong', 'sdk-expired']) {
    const error = await raised(ask('plain', gateway.client({ apiKey })), OpenAI.AuthenticationError);
    assert.equal(error.code, 'invalid_api_key');
  }
});

test('a route that is not allowed', async () => {
  const limited = gateway.client({ apiKey: 'sdk-limited' });
  assert.ok((await ask('plain', limited)).choices.length);
  const error = await raised(ask('weather', limited), OpenAI.PermissionDeniedError);
  assert.equal(error.code, 'route_not_allowed');
});

test('a model that no route bears', async () => {
  const error = await raised(ask('gpt-nobody'), OpenAI.NotFoundError);
  assert.deepEqual([error.code, error.param], ['model_not_found', 'model']);
});

test('a body that is not a request', async () => {
  for (const rest of [{ messages: [] }, { messages: 'Hello' }, {}]) {
    const body = { model: 'plain', ...rest };
    const error = await raised(client.post('/chat/completions', { body }), OpenAI.BadRequestError);
    assert.equal(error.headers.get('x-should-retry'), 'false');
  }
});

test('a body that is too large', async () => {
  const messages = [{ role: 'user', content: 'x'.repeat(2 << 20) }];
  const error = await raised(client.chat.completions.create({ model: 'plain', messages }));
  assert.equal(error.status, 413);
  assert.ok((await ask('plain')).choices.length, 'the next request is served');
});

test('a rate limit is raised', async () => {
  const once = gateway.client({ maxRetries: 0 });
  const error = await raised(ask('limited-plain', once), OpenAI.RateLimitError);
  assert.equal(error.code, 'rate_limit_exceeded');
  assert.equal(error.headers.get('x-should-retry'), 'true');
});

test('a rate limit is waited out by the SDK', async () => {
  const { data, request_id } = await client.chat.completions
    .create({ model: 'limited', messages: HELLO, stream: true })
    .withResponse();
  assert.ok((await all(data)).length);
  const answered = await gateway.records.of(request_id);
  const [refused, again] = gateway.records.ofRoute('limited');
  assert.equal(refused.status, 429);
  assert.equal(again, answered);
  const waited = Date.parse(again.time) - Date.parse(refused.time);
  assert.ok(waited >= 1900 && waited < 10_000, `${waited} ms`);
});

test('a stream that breaks never ends in silence', async () => {
  const { data, request_id } = await client.chat.completions
    .create({ model: 'cut', messages: HELLO, stream: true })
    .withResponse();
  let text = '';
  const read = async () => {
    for await (const chunk of data) text += chunk.choices[0].delta.content ?? '';
  };
  const error = await raised(read());
  assert.equal(error.code, 'stream_broken');
  assert.match(text, /^Hello!/, 'what came before the break was passed on');
  const record = await gateway.records.of(request_id);
  assert.equal(record.outcome, 'stream_broken');
  assert.equal(record.attempts.length, 1, 'nothing is sent again once the caller has text');
});

test('a stream that breaks is raised by the helper', async () => {
  const stream = client.chat.completions.stream({ model: 'cut', messages: HELLO });
  const error = await raised(stream.finalChatCompletion(), OpenAI.OpenAIError);
  assert.equal(error.code ?? error.cause?.code, 'stream_broken');
});

test('a patient client hears of it before its own timeout', async () => {
  // Only a request's own timeout is announced, in whole seconds; the client's is not.
  for (const stream of [false, true]) {
    const asking = client.chat.completions.create(
      { model: 'patient', messages: HELLO, stream },
      { timeout: 1000 },
    );
    const error = await raised(asking, OpenAI.InternalServerError);
    assert.deepEqual([error.status, error.code], [504, 'deadline_exceeded']);
  }
});
