// Everything but chat: embeddings, completions, models, other models.

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

test('embeddings are the same in both forms', async () => {
  const request = { model: 'embed', input: ['one', 'two'], dimensions: 64 };
  const packed = await client.embeddings.create(request);
  const plain = await client.embeddings.create({ ...request, encoding_format: 'float' });
  assert.equal(packed.model, 'embed');
  for (const [i, item] of plain.data.entries()) {
    assert.equal(item.embedding.length, 64);
    item.embedding.forEach((x, at) => assert.ok(Math.abs(x - packed.data[i].embedding[at]) < 1e-6));
  }
});

test('completions', async () => {
  const request = { model: 'plain', prompt: 'Say hello' };
  const answer = await client.completions.create(request);
  assert.match(answer.choices[0].text, /^Hello!/);
  const chunks = await all(await client.completions.create({ ...request, stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0].text).join(''), answer.choices[0].text);
});

test('models', async () => {
  const listed = (await all(client.models.list())).map((model) => model.id);
  for (const id of ['plain', 'weather', 'embed']) assert.ok(listed.includes(id), id);
  assert.equal((await client.models.retrieve('plain')).id, 'plain');
  await assert.rejects(client.models.retrieve('gpt-nobody'), OpenAI.NotFoundError);
  const limited = gateway.client({ apiKey: 'sdk-limited' });
  assert.deepEqual((await all(limited.models.list())).map((model) => model.id), ['plain']);
});

test('an unknown model goes to the default route', async () => {
  const { data, response } = await gateway
    .client({ apiKey: 'sdk-default' })
    .chat.completions.create({ model: 'gpt-of-next-year', messages: HELLO })
    .withResponse();
  assert.equal(data.model, 'gpt-of-next-year');
  assert.equal(response.headers.get('x-pillion-target'), 'north/plain');
});

test('a call that is not known passes through', async () => {
  const file = await OpenAI.toFile(Buffer.from('{}\n'.repeat(1000)), 'a.jsonl');
  const sent = await gateway
    .client({ apiKey: 'sdk-default' })
    .files.create({ file, purpose: 'batch' });
  assert.deepEqual([sent.method, sent.path], ['POST', '/v1/files']);
  assert.ok(sent.bytes > 3000);
});
