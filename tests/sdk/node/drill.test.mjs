// The outage drill: an application that knows of nothing, while its provider dies.
//
// Thirty identical requests; the primary, a process of its own, is killed after the tenth.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OpenAI, Pillion, TOKEN, all, said, shape } from './pillion.mjs';

const REQUESTS = 30;
const KILLED_AFTER = 10;
const DEADLINE = 5000; // the route's `timeout`
const MODEL = 'gpt-4o';
const ASKED = [{ role: 'user', content: 'How warm is it in Almaty?' }];
const PARAMETERS = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
};
const TOOLS = [{ type: 'function', function: { name: 'get_weather', parameters: PARAMETERS } }];

/** Runs `play` with a gateway, its primary, and an application that was told two settings. */
async function onStage(play) {
  const started = [];
  const start = async (template, ports) => {
    started.push(await Pillion.start(template, ports));
    return started.at(-1);
  };
  try {
    const gateway = await start('drill.yaml');
    const primary = await start('primary.yaml', { primary: gateway.ports.primary });
    process.env.OPENAI_BASE_URL = gateway.url;
    process.env.OPENAI_API_KEY = TOKEN;
    await play({ gateway, primary, client: new OpenAI() });
  } finally {
    for (const pillion of started) await pillion.end();
  }
}

/** The answers to all requests, once their records were looked at. */
async function drill({ gateway, primary }, ask, turns = 1) {
  const answers = [];
  const records = [];
  for (let number = 0; number < REQUESTS; number++) {
    if (number === KILLED_AFTER) await primary.kill();
    const began = performance.now();
    const [requestId, answer] = await ask();
    assert.ok(performance.now() - began < DEADLINE);
    answers.push(answer);
    records.push(await gateway.records.of(requestId));
  }
  checkRecords(records, turns);
  return answers;
}

/** One record for each request, which tells who was asked and why another was. Of several turns it is
 * the last one's, when the first has learnt already that the primary is gone. */
function checkRecords(records, turns) {
  assert.equal(new Set(records.map((record) => record.id)).size, REQUESTS);
  records.forEach((record, number) => {
    assert.deepEqual([record.outcome, record.status], ['ok', 200]);
    const failed = record.attempts.slice(0, -1);
    const last = record.attempts.at(-1);
    const before = number < KILLED_AFTER;
    assert.deepEqual(
      [last.target, last.class],
      [before ? 'primary/large' : 'backup/small', 'ok'],
    );
    if (before) assert.deepEqual(failed, []);
    for (const attempt of failed) {
      assert.equal(attempt.target, 'primary/large');
      assert.match(attempt.class, /^(connect|reset)$/);
      assert.ok(attempt.reason);
    }
  });
  if (turns === 1) assert.equal(records[KILLED_AFTER].attempts[0].target, 'primary/large');
}

function oneSchema(answers) {
  for (const answer of answers) assert.deepEqual(shape(answer), shape(answers[0]));
}

test('plain answers', () =>
  onStage(async (stage) => {
    const answers = await drill(stage, async () => {
      const { data, request_id } = await stage.client.chat.completions
        .create({ model: MODEL, messages: ASKED })
        .withResponse();
      return [request_id, data];
    });
    assert.equal(answers.length, REQUESTS);
    oneSchema(answers);
    for (const answer of answers) assert.equal(answer.model, MODEL);
  }));

test('streamed answers', () =>
  onStage(async (stage) => {
    const answers = await drill(stage, async () => {
      const { data, request_id } = await stage.client.chat.completions
        .create({ model: MODEL, messages: ASKED, stream: true })
        .withResponse();
      return [request_id, await all(data)];
    });
    assert.equal(answers.length, REQUESTS);
    oneSchema(answers);
    for (const chunks of answers) {
      assert.match(said(chunks), /^Hello!/);
      assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1, 'from one provider');
      assert.equal(chunks.filter((chunk) => chunk.choices[0].finish_reason).length, 1);
    }
  }));

for (const stream of [false, true]) {
  test(`tools run once each, ${stream ? 'streamed' : 'plain'}`, () =>
    onStage(async (stage) => {
      const ran = [];
      const answers = await drill(stage, async () => {
        const turn = [];
        const run = (args) => {
          turn.push(args);
          return '21';
        };
        const runner = stage.client.chat.completions.runTools({
          model: MODEL,
          messages: ASKED,
          stream,
          tools: [
            {
              type: 'function',
              function: { name: 'get_weather', function: run, parse: JSON.parse, parameters: PARAMETERS },
            },
          ],
        });
        assert.match(await runner.finalContent(), /^Hello!/);
        ran.push(turn);
        // The runner keeps its responses to itself: the drill looks at a request beside it.
        const { data, request_id } = await stage.client.chat.completions
          .create({ model: MODEL, messages: ASKED, tools: TOOLS })
          .withResponse();
        assert.equal(data.choices[0].message.tool_calls.length, 1);
        return [request_id, runner.messages];
      }, 3);
      assert.deepEqual(ran, Array(REQUESTS).fill([{ city: 'Almaty' }]));
      oneSchema(answers);
    }));
}

test('a conversation goes on when the provider dies between call and result', () =>
  onStage(async ({ gateway, primary, client }) => {
    const request = { model: MODEL, tools: TOOLS };
    const answer = await client.chat.completions.create({ ...request, messages: ASKED });
    const { message } = answer.choices[0];
    await primary.kill();
    const result = { role: 'tool', tool_call_id: message.tool_calls[0].id, content: '21' };
    const { data, request_id } = await client.chat.completions
      .create({ ...request, messages: [...ASKED, message, result] })
      .withResponse();
    assert.equal(data.choices[0].finish_reason, 'stop');
    assert.equal((await gateway.records.of(request_id)).target, 'backup/small');
  }));
