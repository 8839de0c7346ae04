// How the process stands: its readiness, what needs attention, and the figures of the last minutes.

import { by, el, icon, keyed, state, text } from './dom.js';
import { clock, count, millis, money, share, span } from './format.js';

const SHAPES = { bad: 'bad', warn: 'warn', idle: 'off' };

/** Readiness in the bar; `away` is when the last answer came, where none comes any more. */
export function standing({ ready, away, paused }) {
  const node = by('standing');
  if (away) state(node, { kind: 'bad', shape: 'bad', word: 'No answer', more: away.since ? `since ${clock(away.since)}` : '' });
  else if (paused) state(node, { kind: 'idle', shape: 'pause', word: 'Held still', more: `at ${clock(paused)}` });
  else if (!ready) state(node, { kind: 'idle', shape: 'busy', word: 'Asking' });
  else if (ready.draining) state(node, { kind: 'warn', shape: 'half', word: 'Draining', more: 'no new requests' });
  else if (!ready.ready) state(node, { kind: 'bad', shape: 'bad', word: 'Not ready' });
  else if (ready.config.stale) state(node, { kind: 'warn', shape: 'warn', word: 'Ready', more: 'configuration is stale' });
  else state(node, { kind: 'ok', shape: 'ok', word: 'Ready' });
}

/** What needs attention, the worst first: `[{ kind, what, why }]`. */
export function problems({ ready, away }) {
  const found = [];
  const say = (kind, what, why) => found.push({ kind, what, why: why ?? '' });
  if (away) say('bad', 'The sidecar does not answer.', 'It has ended, or the way to it is cut. What is shown is what it last said.');
  if (!ready) return found;
  const { config, secrets = [], audit = [] } = ready;
  if (config.version === null) say('bad', 'There is no configuration yet.', config.source ? 'It waits for its source.' : 'It starts.');
  if (config.stale) say('warn', 'A newer configuration was refused. What was live stays live.', config.refused);
  const { source } = config;
  if (source?.away) say('warn', `The source has not been heard for ${span(source.age_seconds)}.`, source.away);
  if (source?.waits) say('idle', 'A newer document is not taken yet.', source.waits);
  if (source?.early) say('idle', 'This document is not for this instance as yet.', source.early);
  for (const { provider, problem } of secrets) say('bad', `The key of ${provider} cannot be read.`, problem);
  for (const { sink, problem, since_seconds } of audit ?? []) say('bad', `The audit sink ${sink} has taken no records for ${span(since_seconds)}.`, problem);
  return found;
}

export function notices(found) {
  const key = ({ what }, index) => `${index} ${what.replace(/\d+/g, '')}`;
  const items = found.map((item, index) => ({ ...item, key: key(item, index) }));
  const make = ({ kind }) => el('li', { 'data-kind': kind }, icon(SHAPES[kind]), el('b'), el('span'));
  keyed(by('notices'), items, (item) => item.key + item.kind, make, (node, { what, why }) => {
    text(node.children[1], what);
    text(node.children[2], why);
  });
}

/** The figures of the last minutes. */
export function figures({ activity, series, spend }) {
  const late = series?.of_late;
  const window = !late || late.seconds >= 280 ? 'last 5 min' : `last ${span(late.seconds)}`;
  const minutes = late ? Math.max(late.seconds, 1) / 60 : 1;
  const all = total(spend, series?.currency);
  const tiles = [
    { name: 'In flight', value: activity ? count(activity.running_count) : '–', more: 'now' },
    { name: 'Requests', value: late ? count(late.requests) : '–', more: late?.requests ? `${rate(late.requests / minutes)} a minute, ${window}` : window },
    { name: 'Failed', value: late ? share(late.failed, late.requests) : '–', more: late?.failed ? `${count(late.failed)} with 5xx or cut, ${window}` : window, kind: late?.failed ? 'bad' : null },
    { name: 'Switched target', value: late ? share(late.switched, late.requests) : '–', more: late?.switched ? `${count(late.switched)}, ${window}` : window, kind: late?.switched ? 'warn' : null },
    { name: 'First token', value: millis(late?.p50_ms), more: late?.p95_ms ? `p50; p95 ${millis(late.p95_ms)}` : `p50, ${window}` },
    { name: `Spend, ${window}`, key: 'spend', value: late && series.currency ? money(late.cost, series.currency) : '–', more: all ? `${all} since the start` : window },
  ];
  const make = () => el('div', {}, el('dt'), el('dd', { class: 'value' }), el('dd', { class: 'more' }));
  keyed(by('figures'), tiles, ({ key, name }) => key ?? name, make, (node, { name, value, more, kind }) => {
    text(node.children[0], name);
    text(node.children[1], value);
    text(node.children[2], more);
    if (kind) node.dataset.kind = kind;
    else delete node.dataset.kind;
  });
}

const rate = (value) => (value < 10 ? value.toFixed(1) : count(Math.round(value)));

function total(spend, currency) {
  const rows = (spend?.spent ?? []).filter((row) => row.currency !== null && row.currency === currency);
  return rows.length ? money(rows.reduce((sum, row) => sum + Number(row.cost), 0), currency) : null;
}
