// The built binary as a child process: started with a configuration, ready, and surely ended.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const TOKEN = 'sdk-app';
const PATIENCE = 20_000; // ms, for what takes a fraction of it on an idle machine
const PORT_TAKEN = 1; // the exit code

const SDK = resolve(dirname(fileURLToPath(import.meta.url)), '..');
export const TARGET = resolve(SDK, '../../target');
const BINARY = process.env.PILLION_BIN ?? join(TARGET, 'debug/pillion');

// The packages are installed where build products are, not beside these files.
export const require = createRequire(join(TARGET, 'sdk/node/package.json'));
export const OpenAI = require('openai');

/** One process. When another took one of its ports meanwhile, it starts anew with others. */
export class Pillion {
  static async start(template, ports = {}, env = {}) {
    let pillion;
    for (let attempt = 0; attempt < 3; attempt++) {
      pillion = new Pillion(template, await fill(template, ports), env);
      try {
        if (await pillion.#ready()) return pillion;
      } catch (error) {
        await pillion.kill();
        throw error;
      }
      if (pillion.process.exitCode !== PORT_TAKEN) break;
    }
    throw new Error(`${template}: it did not start:\n${pillion.log}`);
  }

  constructor(template, { text, ports }, env) {
    this.ports = ports;
    this.directory = mkdtempSync(join(tmpdir(), 'pillion-'));
    const config = join(this.directory, template);
    writeFileSync(config, text);
    this.process = spawn(BINARY, ['run', '--config', config], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.log = '';
    this.process.stderr.on('data', (text) => (this.log = (this.log + text).slice(-10_000)));
    this.exited = once(this.process, 'exit');
    this.records = new Records(this.process.stdout);
    running.add(this);
  }

  get url() {
    return `http://127.0.0.1:${this.ports.listen}/v1`;
  }

  client(options = {}) {
    return new OpenAI({ baseURL: this.url, apiKey: TOKEN, ...options });
  }

  /** Kills it the hard way, as a machine does that runs out of memory. */
  async kill() {
    this.process.kill('SIGKILL');
    await this.#gone();
  }

  /** Ends it in the ordinary way, unless it has ended. Returns its exit code. */
  async end() {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGTERM');
      const timer = setTimeout(() => this.process.kill('SIGKILL'), PATIENCE);
      await this.exited;
      clearTimeout(timer);
    }
    await this.#gone();
    return this.process.exitCode;
  }

  async #gone() {
    await this.exited;
    running.delete(this);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Whether it came up; false when it ended instead. */
  async #ready() {
    const until = Date.now() + PATIENCE;
    while (Date.now() < until) {
      if (this.process.exitCode !== null) {
        await this.#gone();
        return false;
      }
      try {
        const answer = await fetch(`http://127.0.0.1:${this.ports.admin}/readyz`);
        await answer.text();
        if (answer.ok) return true;
      } catch {
        // Nobody listens yet.
      }
      await pause(20);
    }
    throw new Error(`not ready after ${PATIENCE} ms`);
  }
}

/** The scripted providers, as a process of their own. */
export class Providers {
  static async start() {
    const providers = new Providers();
    const lines = createInterface({ input: providers.process.stdout });
    const [line] = await once(lines, 'line');
    providers.port = Number(line);
    return providers;
  }

  constructor() {
    this.process = spawn('python3', [join(SDK, 'providers/serve.py')], {
      env: { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.exited = once(this.process, 'exit');
  }

  /** It ends with its input. */
  async end() {
    this.process.stdin.end();
    await this.exited;
  }
}

/** The audit records, as they arrive on the process's stdout. */
class Records {
  #all = [];
  #waiting = new Set();

  constructor(stdout) {
    createInterface({ input: stdout }).on('line', (line) => {
      const record = JSON.parse(line);
      if (record.kind !== 'pillion.audit') return;
      this.#all.push(record);
      for (const look of this.#waiting) look();
    });
  }

  /** The record of one request: waits until it is written. */
  of(requestId) {
    return this.find((record) => record.id === requestId);
  }

  find(wanted) {
    return new Promise((found, missed) => {
      const look = () => {
        const record = this.#all.find(wanted);
        if (!record) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        found(record);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        missed(new Error('there is no such record'));
      }, PATIENCE);
      this.#waiting.add(look);
      look();
    });
  }

  /** Those of a route that are there by now. */
  ofRoute(route) {
    return this.#all.filter((record) => record.route === route);
  }
}

// What still runs when this process ends, for whatever reason, is ended with it.
const running = new Set();
process.on('exit', () => running.forEach((pillion) => pillion.process.kill('SIGKILL')));
process.on('SIGTERM', () => process.exit(143));
process.on('SIGINT', () => process.exit(130));

async function fill(template, given) {
  const text = readFileSync(join(SDK, template), 'utf8');
  const ports = { ...given };
  for (const [, name] of text.matchAll(/@(\w+)@/g)) ports[name] ??= await freePort();
  return { text: text.replace(/@(\w+)@/g, (_, name) => ports[name]), ports };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** The schema of a JSON value: its keys in order, and the type of each leaf. */
export function shape(value) {
  if (Array.isArray(value)) return value.map(shape);
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return Object.entries(value).map(([key, member]) => [key, shape(member)]);
}

export async function all(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

/** The text of a stream's chunks. */
export function said(chunks) {
  return chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
}
