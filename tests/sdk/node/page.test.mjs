// The page on the admin port, in a real browser: what it shows of requests as they come, fail and are
// answered. It needs Chromium, and says so where there is none. Pictures are kept under target/page.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Pillion, TARGET, require } from './pillion.mjs';

const ADMIN_TOKEN = 'page-admin';
const PATIENCE = 20_000; // ms, for what takes a second or two
const PICTURES = join(TARGET, 'page');

/** The browser: the one that is told, else one that is installed. */
function browserPath() {
  if (process.env.PILLION_TEST_CHROMIUM) return process.env.PILLION_TEST_CHROMIUM;
  const found = ['chromium', 'chromium-browser', 'google-chrome'].map((name) => spawnSync('which', [name], { encoding: 'utf8' }).stdout.trim());
  return found.find(Boolean);
}

const executablePath = browserPath();
const skip = executablePath ? false : 'there is no Chromium: install it, or say where it is in PILLION_TEST_CHROMIUM';

let pillion, browser, page;
const complaints = [];

before(async () => {
  if (skip) return;
  mkdirSync(PICTURES, { recursive: true });
  pillion = await Pillion.start('page.yaml', {}, { PAGE_ADMIN_TOKEN: ADMIN_TOKEN });
  browser = await require('playwright-core').chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  page = await open({ viewport: { width: 1280, height: 900 }, colorScheme: 'light' });
});

after(async () => {
  await browser?.close();
  await pillion?.end();
});

/** The page in a browser that has not been here before. What it complains of is kept. */
async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on('pageerror', (error) => complaints.push(error.stack));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${message.text()} ${message.location().url}`);
  });
  await page.goto(`http://127.0.0.1:${pillion.ports.admin}/`);
  return page;
}

const row = (page, number) => page.locator('#requests tbody tr').nth(number);
const shows = (locator, text) => locator.filter({ hasText: text }).first().waitFor();
const ask = (model) => pillion.client({ maxRetries: 0 }).chat.completions.create({ model, messages: [{ role: 'user', content: 'Hello' }] });
const target = (page, id) => page.locator('#routes tr').filter({ has: page.locator('th', { hasText: id }) });
const drawn = (page) => page.locator('#first-token canvas').evaluate((canvas) => canvas.toDataURL());
const picture = (page, name) => page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });

test('a sidecar without requests says what it is and what to do', { skip }, async () => {
  await shows(page.locator('#standing'), 'Ready');
  await shows(page.locator('#identity'), 'page-test');
  await shows(page.locator('#requests-empty'), `http://127.0.0.1:${pillion.ports.listen}/v1`);
  await shows(target(page, 'north/weak'), 'Available');
  await shows(page.locator('#first-token .canvas[data-empty]'), '');
  await page.locator('.budgets', { hasText: 'route:chat' }).waitFor();
  const { config } = await (await fetch(`http://127.0.0.1:${pillion.ports.admin}/readyz`)).json();
  const fact = (name) => page.locator('#configuration-card dl > div').filter({ has: page.locator('dt', { hasText: name }) }).locator('dd');
  await shows(fact('Version'), config.version);
  assert.equal(await fact('Stale').textContent(), 'no');
});

test('a fallback is seen, a breaker opens and closes, and the plot moves', { skip }, async () => {
  const before = await drawn(page);
  await ask('chat');
  await shows(row(page, 0), 'switched');
  assert.equal(await row(page, 0).locator('.bar').count(), 2, 'an attempt a bar');
  assert.deepEqual(await row(page, 0).locator('.bar').evaluateAll((bars) => bars.map((bar) => bar.dataset.kind)), ['failed', 'ok']);
  await ask('chat');
  await shows(target(page, 'north/weak'), 'Breaker open');
  await shows(target(page, 'north/weak'), 'overloaded');
  await picture(page, 'breaker-open');
  await shows(page.locator('#first-token .legend'), 'chat');
  await shows(page.locator('#spend-rate .legend'), '$');
  assert.notEqual(await drawn(page), before, 'the plot has moved');
  for (const group of ['south', 'chat']) {
    await page.keyboard.press('g');
    await shows(page.locator('#first-token .legend'), group);
  }
  // The page counts down to the probe; then the next request is it.
  await shows(target(page, 'north/weak'), 'Half-open');
  await shows(page.locator('#routes-note'), '3 targets, 1 half-open');
  await ask('chat');
  await shows(target(page, 'north/weak'), 'Available');
  await shows(page.locator('#figures'), '66.7 %');
});

test('a request that runs is seen to run, and to end', { skip }, async () => {
  const stream = await pillion.client().chat.completions.create({ model: 'slow', stream: true, messages: [{ role: 'user', content: 'Hello' }] });
  await shows(row(page, 0), 'Answers');
  const width = () => row(page, 0).locator('.bar').evaluate((bar) => bar.getBoundingClientRect().width);
  assert.ok((await width()) > 0);
  await page.locator('#figures div', { hasText: 'In flight' }).filter({ hasText: '1' }).waitFor();
  stream.controller.abort();
  await shows(row(page, 0), 'Cancelled');
  await page.locator('#figures div', { hasText: 'In flight' }).filter({ hasText: '0' }).waitFor();
});

test('keys go through the requests, and the token opens what is known of one', { skip }, async () => {
  await page.keyboard.press('f');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  const detail = page.locator('#detail');
  await shows(detail, 'Cancelled');
  await page.keyboard.press('j');
  await shows(detail, 'switched');
  assert.equal(await detail.locator('.attempts li').count(), 2);
  await shows(detail, 'admin token');
  const show = async (token) => {
    await detail.getByRole('button', { name: 'Show the token' }).click();
    await page.locator('#token input[type=password]').fill(token);
    await page.keyboard.press('Enter');
  };
  await show('another');
  await shows(detail, 'The token that was shown is not the admin token.');
  await show(ADMIN_TOKEN);
  await detail.locator('summary', { hasText: 'Record' }).waitFor();
  await shows(detail.locator('.facts'), 'north/weak → south/steady');
  await picture(page, 'detail-light');
  await page.keyboard.press('Escape');
  await detail.waitFor({ state: 'hidden' });
  await page.keyboard.press('f');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  await page.keyboard.type('no such request');
  await shows(page.locator('#requests-empty'), 'None of them');
  await page.keyboard.press('Escape');
  await row(page, 3).waitFor();
  // What is told of one without the token is refused, and the browser says so.
  const refused = complaints.splice(0).filter((complaint) => !/401.*\/api\/requests\//.test(complaint));
  assert.deepEqual(refused, []);
});

test('from elsewhere the token is asked for, until it is the one', { skip }, async () => {
  const context = await browser.newContext();
  const far = await context.newPage();
  far.setDefaultTimeout(PATIENCE);
  // As the sidecar answers those who are not on its machine.
  await far.route(/\/(readyz|api\/.*)$/, (route) =>
    route.request().headers().authorization === `Bearer ${ADMIN_TOKEN}` ? route.continue() : route.fulfill({ status: 401, body: 'needs the token of `admin_token`\n' }));
  await far.goto(`http://127.0.0.1:${pillion.ports.admin}/`);
  const dialog = far.getByRole('dialog', { name: 'Token' });
  const show = async (token) => {
    await dialog.locator('input[type=password]').fill(token);
    await far.keyboard.press('Enter');
  };
  await dialog.waitFor();
  await shows(far.locator('#notices'), 'wants to see the admin token');
  await show('another');
  await shows(dialog, 'not the admin token');
  await shows(far.locator('#notices'), 'not the admin token');
  await show(ADMIN_TOKEN);
  await shows(far.locator('#standing'), 'Ready');
  await dialog.waitFor({ state: 'hidden' });
  await context.close();
});

test('many routes do not push the requests away', { skip }, async () => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const many = await context.newPage();
  many.setDefaultTimeout(PATIENCE);
  await many.route('**/api/routes', async (route) => {
    const response = await route.fetch();
    const told = await response.json();
    const more = Array.from({ length: 20 }, (_, n) => ({ ...told.routes[0], route: `more-${n}`, targets: [[`north/m${n}`]] }));
    await route.fulfill({ response, json: { ...told, routes: [...told.routes, ...more] } });
  });
  await many.goto(`http://127.0.0.1:${pillion.ports.admin}/`);
  const quiet = many.locator('#routes .empty', { hasText: '20 more routes that nobody has asked yet' });
  await quiet.waitFor();
  assert.deepEqual(await many.locator('#routes tr.route th').allTextContents(), ['chat', 'slow']);
  const { width } = await quiet.boundingBox();
  assert.ok(width > 200, `in one line on a telephone, too: ${width}`);
  await context.close();
});

test('it is of use in the dark, on a telephone, and when the sidecar has gone', { skip }, async () => {
  const dark = await open({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' });
  await row(dark, 3).waitFor();
  assert.equal(await dark.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(13, 16, 20)');
  await picture(dark, 'dark');
  await page.keyboard.press('t');
  await page.keyboard.press('t');
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(13, 16, 20)', 'the toggle');
  const narrow = await open({ viewport: { width: 390, height: 844 }, colorScheme: 'light' });
  await row(narrow, 3).waitFor();
  const [wide, room] = await narrow.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= room, `${wide} of ${room}`);
  await picture(narrow, 'narrow');
  assert.deepEqual(complaints.splice(0), []);
  await pillion.end();
  await shows(narrow.locator('#standing'), 'No answer');
});
