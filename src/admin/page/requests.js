// The requests: those that run, above those that have ended, the newest first. One of them is the current
// one, which keys move; the one that is open is shown by `detail.js`.

import { attribute, by, el, keyed, state, text } from './dom.js';
import { clock, count, millis, money, named, tick, words } from './format.js';
import { lane, round } from './waterfall.js';

const KEPT = 400;
/** How long a request that runs no more is waited for: its record comes when it is written. */
const ENDING = 3; // looks

/** How a request ended, or how far it is. */
export function outcome(request) {
  const { outcome, status, reason, attempts, first_token_ms } = request;
  const switched = new Set(attempts.map(({ target }) => target)).size > 1;
  if (outcome === undefined) {
    const word = first_token_ms === null ? 'Waits' : 'Answers';
    return { kind: 'busy', shape: 'busy', word, more: switched ? 'switched' : '' };
  }
  if (outcome === 'ok') {
    if (switched) return { kind: 'warn', shape: 'switch', word: String(status), more: 'switched' };
    return { kind: 'ok', shape: 'ok', word: String(status), more: attempts.length > 1 ? 'retried' : '' };
  }
  if (outcome === 'cancelled') return { kind: 'idle', shape: 'off', word: 'Cancelled' };
  if (outcome === 'stream_broken') return { kind: 'bad', shape: 'bad', word: 'Broke off', more: words(reason) };
  return { kind: 'bad', shape: 'bad', word: String(status), more: words(reason) };
}

const troubled = (request) => !['ok', 'busy'].includes(outcome(request).kind);

export const tokens = ({ usage }) => (usage ? `${usage.estimated ? '~' : ''}${count(usage.prompt)} → ${count(usage.completion)}` : '–');

export class Requests {
  #all = new Map(); // by id, the newest last
  #missing = new Map(); // those that run no more and have no record yet
  #running = 0;
  #started = null;
  #next = 0;
  #scale = 0;
  #current = null;
  #shown = [];
  #open;

  /** `open` is called with a request that is to be shown, `changed` when another choice of them is. */
  constructor({ open, changed }) {
    this.#open = open;
    this.body = by('requests').querySelector('tbody');
    this.body.addEventListener('click', ({ target }) => {
      const row = target.closest('tr');
      if (row) this.go(row.dataset.key, true);
    });
    this.body.addEventListener('focusin', ({ target }) => this.#mark(target.closest('tr')?.dataset.key));
    for (const name of ['filter', 'problems']) by(name).addEventListener('input', changed);
  }

  /** What to ask for. */
  get path() {
    return `api/activity?after=${this.#next}`;
  }

  get(id) {
    return this.#all.get(id);
  }

  take(activity) {
    if (activity.started !== this.#started) {
      // Another process, which counts anew. What the one before told is gone with it.
      const anew = this.#started !== null && this.#next > 0;
      this.#started = activity.started;
      this.#all.clear();
      this.#missing.clear();
      if (anew) {
        this.#next = 0;
        return false;
      }
    }
    this.#next = activity.next;
    this.#running = activity.running_count;
    for (const request of activity.ended.toReversed()) this.#put(request);
    const running = new Set(activity.running.map(({ id }) => id));
    for (const request of activity.running.toReversed()) this.#put(request);
    for (const [id, { outcome }] of this.#all) {
      if (outcome !== undefined || running.has(id)) this.#missing.delete(id);
      else this.#missing.set(id, (this.#missing.get(id) ?? 0) + 1);
    }
    for (const [id, looks] of this.#missing) {
      if (looks > ENDING) this.#forget(id);
    }
    for (const id of this.#all.keys()) {
      if (this.#all.size <= KEPT) break;
      this.#forget(id);
    }
    return true;
  }

  #put(request) {
    const before = this.#all.get(request.id);
    // A record is the last word.
    if (before?.outcome !== undefined) return;
    this.#all.set(request.id, request);
  }

  #forget(id) {
    this.#all.delete(id);
    this.#missing.delete(id);
  }

  /** How many there are, and how many are shown. */
  draw() {
    const wanted = by('filter').value.trim().toLowerCase();
    const only = by('problems').checked;
    const is = ({ id, key, route, rule, target, outcome, reason, attempts }) =>
      [id, key, route, rule, target, outcome, reason, ...attempts.map(({ target }) => target)].some((it) => it?.toLowerCase().includes(wanted));
    // Ids go by the time of arrival.
    const all = [...this.#all.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
    const shown = all.filter((request) => (!only || troubled(request)) && (!wanted || is(request)));
    const runs = ({ outcome }) => outcome === undefined;
    this.#shown = [...shown.filter(runs), ...shown.filter((request) => !runs(request))];
    this.#rescale();
    keyed(this.body, this.#shown, ({ id }) => id, row, (node, request) => this.#fill(node, request));
    this.#mark(this.#all.has(this.#current) ? this.#current : null);
    const parts = [`${count(this.#running)} in flight`, `the last ${count(all.length)}`];
    if (shown.length < all.length) parts.push(`${count(shown.length)} shown`);
    text(by('requests-note'), all.length ? parts.join(', ') : '');
    return { all: all.length, shown: shown.length };
  }

  /** One scale for all, so that bars can be compared; the longest twentieth may be cut. It changes seldom. */
  #rescale() {
    const times = this.#shown.map(({ total_ms }) => total_ms).sort((a, b) => a - b);
    const most = times[Math.ceil(times.length * 0.95) - 1] ?? 0;
    if (most > this.#scale || most < this.#scale * 0.35) this.#scale = round(most * 1.05);
    text(by('scale'), this.#shown.length ? `0 to ${tick(this.#scale)}` : '');
  }

  #fill(row, request) {
    const [, stands, route, target, fall, first, total, used, cost] = row.children;
    state(stands.firstChild, outcome(request));
    text(route, request.route ?? '–');
    text(target, named(request.target ?? request.attempts.at(-1)?.target ?? '–'));
    lane(fall.firstChild, request.attempts, this.#scale);
    text(first, millis(request.first_token_ms));
    text(total, millis(request.total_ms));
    text(used, tokens(request));
    text(cost, money(request.cost, request.currency, 6));
    row.classList.toggle('runs', request.outcome === undefined);
  }

  /** The current one: it alone is in the order of the tab key. */
  #mark(id) {
    this.#current = id ?? null;
    const first = this.#shown[0]?.id;
    for (const row of this.body.rows) {
      const is = row.dataset.key === this.#current;
      attribute(row, 'aria-selected', is ? 'true' : 'false');
      attribute(row, 'tabindex', is || (this.#current === null && row.dataset.key === first) ? '0' : '-1');
    }
  }

  /** The current one is this; it is shown when it is to be opened. */
  go(id, open) {
    const row = [...this.body.rows].find((row) => row.dataset.key === id);
    if (!row) return;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: 'nearest' });
    if (open) this.#open(this.get(id));
  }

  /** The one that is `by` places further down; the first, where there is none. */
  move(by, open) {
    const place = this.#shown.findIndex(({ id }) => id === this.#current);
    const next = place < 0 ? 0 : Math.min(this.#shown.length - 1, Math.max(0, place + by));
    if (this.#shown[next]) this.go(this.#shown[next].id, open);
  }

  openCurrent() {
    if (this.#current) this.go(this.#current, true);
  }
}

function row({ time }) {
  const cells = ['route', 'target', 'fall', 'n first', 'n total', 'n tokens', 'n cost'].map((name) => el('td', { class: name }));
  cells[2].append(el('div', { class: 'lane' }));
  return el('tr', {}, el('td', { class: 'time' }, el('time', { datetime: time }, clock(time))), el('td', { class: 'outcome' }, el('span')), ...cells);
}
