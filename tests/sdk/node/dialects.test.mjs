// The same conversation by the Vercel AI SDK and the official SDK for JavaScript, over every dialect,
// plain and streamed: three turns with tools, each turn's history as the SDK itself keeps it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { OpenAI, Pillion, Providers, TOKEN, require } from './pillion.mjs';

const { generateText, stepCountIs, streamText, tool } = require('ai');
const { createAnthropic } = require('@ai-sdk/anthropic');
const { createOpenAI } = require('@ai-sdk/openai');
const { createOpenAICompatible } = require('@ai-sdk/openai-compatible');
const { z } = require('zod');

const ROUTES = [
  'claude-budget', 'claude-adaptive', 'claude-newest', 'gemini-2', 'gemini-3', 'vertex-gemini',
  'vertex-claude', 'bedrock-claude', 'bedrock-nova', 'openai', 'compatible',
];
const ASKED = 'How warm is it in Almaty, and what is the time? Make a note of it.';
const FINAL = 'In Almaty it is 21 degrees at 12:30, and the note is saved.';

let providers;
let gateway;

before(async () => {
  providers = await Providers.start();
  gateway = await Pillion.start('dialects.yaml', { providers: providers.port }, { PROVIDER_KEY: 'provider-key' });
});

after(async () => {
  await gateway?.end();
  await providers?.end();
});

const surfaces = {
  'chat completions': (route) => createOpenAI({ baseURL: gateway.url, apiKey: TOKEN }).chat(route),
  'chat completions, compatible': (route) =>
    createOpenAICompatible({ name: 'pillion', baseURL: gateway.url, apiKey: TOKEN, includeUsage: true })(route),
  responses: (route) => createOpenAI({ baseURL: gateway.url, apiKey: TOKEN }).responses(route),
  messages: (route) => createAnthropic({ baseURL: gateway.url, apiKey: TOKEN })(route),
};

/** The tools, each of which notes what it was called with. */
function tools(called) {
  const made = (name, inputSchema, result) =>
    tool({
      description: name,
      inputSchema,
      execute: async (input) => {
        called.push([name, input]);
        return result;
      },
    });
  return {
    get_weather: made('get_weather', z.object({ city: z.string(), unit: z.enum(['celsius', 'kelvin']) }), { celsius: 21 }),
    get_time: made('get_time', z.object({}), '12:30'),
    save_note: made('save_note', z.object({ note: z.object({ text: z.string(), tags: z.array(z.string()) }) }), 'saved'),
  };
}

const CALLED = [
  ['get_weather', { city: 'Алматы', unit: 'celsius' }],
  ['get_time', {}],
  ['save_note', { note: { text: '21°', tags: [] } }],
];

for (const [surface, model] of Object.entries(surfaces)) {
  for (const streamed of [false, true]) {
    test(`three turns with the AI SDK by ${surface}, ${streamed ? 'streamed' : 'plain'}`, async () => {
      for (const route of ROUTES) {
        const called = [];
        const request = {
          model: model(route),
          maxRetries: 0,
          // This client's name for it is one that OpenAI's reasoning models refuse.
          ...(surface.endsWith('compatible') && route === 'openai' ? {} : { maxOutputTokens: 8000 }),
          prompt: ASKED,
          tools: tools(called),
          stopWhen: stepCountIs(5),
          providerOptions: {
            openai: { store: false, reasoningEffort: 'low', forceReasoning: true },
            pillion: { reasoningEffort: 'low' },
          },
          onError: ({ error }) => assert.fail(`${route}: ${error.message}`),
        };
        const answer = streamed ? streamText(request) : await generateText(request);
        assert.equal(await answer.text, FINAL, route);
        assert.deepEqual(called, CALLED, route);
        assert.equal((await answer.steps).length, 3, route);
      }
    });
  }
}

for (const streamed of [false, true]) {
  test(`three turns with the official SDK, ${streamed ? 'streamed' : 'plain'}`, async () => {
    const client = gateway.client({ maxRetries: 0 });
    const results = { get_weather: '{"celsius":21}', get_time: '12:30', save_note: 'saved' };
    const offered = Object.keys(results).map((name) => ({
      type: 'function',
      function: { name, description: name, parameters: { type: 'object', properties: {} } },
    }));
    for (const route of ROUTES) {
      const messages = [{ role: 'user', content: ASKED }];
      let message;
      for (let turn = 0; turn < 3; turn++) {
        const request = { model: route, messages, tools: offered, reasoning_effort: 'low' };
        const answer = streamed
          ? await client.chat.completions.stream(request).finalChatCompletion()
          : await client.chat.completions.create(request);
        message = answer.choices[0].message;
        messages.push(message);
        for (const call of message.tool_calls ?? []) {
          messages.push({ role: 'tool', tool_call_id: call.id, content: results[call.function.name] });
        }
      }
      assert.equal(message.content, FINAL, route);
    }
  });
}
