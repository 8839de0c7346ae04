// One request, whole: what its record says, and its attempts on a scale of time.

import { ask, Denied, WRONG } from './api.js';
import { attribute, by, el, icon, keyed, state, text } from './dom.js';
import { count, date, millis, money, words } from './format.js';
import { outcome } from './requests.js';
import { bar, draw, kind } from './waterfall.js';

const MORE = 'Reasons, usage and the rest of its record are told to who shows the admin token.';

export class Detail {
  #request = null;
  #record = null;
  #refused = '';
  #denied = null;
  #closed;
  #askToken;

  /** `closed` is called when it has been closed, `askToken` when the token would help. */
  constructor({ closed, askToken }) {
    this.node = by('detail');
    this.#closed = closed;
    this.#askToken = askToken;
  }

  get id() {
    return this.#request?.id ?? null;
  }

  /** Shows what is known of it, and asks for the rest. */
  async show(request) {
    if (request.id !== this.id) {
      [this.#record, this.#refused] = [null, ''];
      this.#request = request;
      this.#make();
    }
    this.#request = request;
    this.node.hidden = false;
    this.#fill();
    if (request.outcome !== undefined && !this.#record && !this.#refused) await this.#ask(request.id);
  }

  async #ask(id) {
    let record = null;
    let refused = '';
    try {
      record = await ask(`api/requests/${encodeURIComponent(id)}`);
      if (!record) refused = 'The sidecar keeps the last 256 records, and this one no more.';
    } catch (error) {
      if (error instanceof Denied) [refused, this.#denied] = [error.isWrong ? WRONG : MORE, error];
    }
    if (this.id !== id) return;
    [this.#record, this.#refused] = [record, refused];
    this.#fill();
  }

  /** The token has changed: what was refused may be told now. */
  again() {
    if (!this.#request || this.#record) return;
    this.#refused = '';
    this.show(this.#request);
  }

  close() {
    if (this.node.hidden) return false;
    this.node.hidden = true;
    this.#request = null;
    this.#closed();
    return true;
  }

  #make() {
    const close = el('button', { type: 'button', class: 'tool icon', 'aria-label': 'Close', title: 'Close (Esc)' }, icon('close'));
    close.addEventListener('click', () => this.close());
    const copy = el('button', { type: 'button', class: 'id', title: 'Copy the id' }, this.id);
    copy.addEventListener('click', () => navigator.clipboard?.writeText(this.id).then(() => attribute(copy, 'data-copied', true)));
    const token = el('button', { type: 'button', class: 'tool' }, 'Show the token');
    token.addEventListener('click', () => this.#askToken(this.#denied));
    this.node.replaceChildren(
      el('header', {}, el('h2', { id: 'detail-title' }), el('span'), close),
      copy,
      el('section', { 'aria-label': 'Attempts' }, el('h3', {}, 'Attempts', el('span', { class: 'scale' })), el('ol', { class: 'attempts' }), el('p', { class: 'none' }, 'Nothing was sent to a provider.')),
      el('section', { class: 'refused' }, el('p'), token),
      el('section', { 'aria-label': 'Facts' }, el('h3', {}, 'Facts'), el('dl', { class: 'facts' })),
      el('details', {}, el('summary', {}, 'Record'), el('pre', { tabindex: '0' })),
    );
  }

  #fill() {
    const known = { ...this.#request, ...this.#record };
    const [header, , attempts, refused, facts, record] = this.node.children;
    text(header.children[0], known.route ?? 'no route');
    state(header.children[1], outcome(known));
    this.#attempts(attempts, known);
    refused.hidden = !this.#refused;
    text(refused.firstChild, this.#refused);
    refused.lastChild.hidden = !this.#refused.includes('token');
    keyed(facts.lastChild, told(known).filter(([, value]) => value), ([name]) => name, ([name]) => el('div', {}, el('dt', {}, name), el('dd')), (node, [, value]) => text(node.lastChild, value));
    record.hidden = !this.#record;
    text(record.lastChild, this.#record ? JSON.stringify(this.#record, null, 2) : '');
  }

  #attempts(section, { attempts, total_ms }) {
    const [head, list, none] = section.children;
    const end = Math.max(total_ms, 1);
    text(head.lastChild, `0 to ${millis(total_ms)}`);
    none.hidden = attempts.length > 0;
    keyed(list, attempts.map((attempt, number) => ({ attempt, number })), ({ number }) => number, attemptLine, (node, { attempt }) => {
      const [what, lane, more] = node.children;
      node.dataset.kind = kind(attempt);
      text(what.firstChild, attempt.target);
      text(what.lastChild, attempt.class === null ? 'runs' : [words(attempt.class), attempt.status].filter(Boolean).join(' · '));
      draw(lane.firstChild, attempt, end);
      text(more, [`${millis(attempt.ms)} from ${millis(attempt.start_ms)} on`, attempt.first_token_ms === null ? '' : `first token after ${millis(attempt.first_token_ms)}`, attempt.reason ?? ''].filter(Boolean).join(' · '));
    });
  }
}

const attemptLine = () => el('li', {}, el('p', { class: 'what' }, el('b'), el('span')), el('div', { class: 'lane' }, bar()), el('p', { class: 'more' }));

/** What is told of a request, in order. */
function told(known) {
  const { usage, privacy } = known;
  const found = Object.entries(privacy?.found ?? {}).map(([name, times]) => `${words(name)} × ${times}`);
  return [
    ['Arrived', date(known.time)],
    ['Total', millis(known.total_ms)],
    ['First token', known.first_token_ms === null ? '' : millis(known.first_token_ms)],
    ['Answered by', known.target],
    ['Why', known.reason ? words(known.reason) : ''],
    ['Rule', known.rule],
    ['Plan', known.plan?.join(' → ')],
    ['Surface', [known.surface, known.stream === true ? 'stream' : known.stream === false ? 'plain answer' : ''].filter(Boolean).join(', ')],
    ['Key', known.key],
    ['For', [known.team, known.service, known.environment].filter(Boolean).join(' / ')],
    ['Prompt', usage ? part(usage.prompt, [[usage.cached, 'cached'], [usage.cache_write, 'written to the cache']], usage.estimated) : ''],
    ['Answer', usage ? part(usage.completion, [[usage.reasoning, 'reasoning']], usage.estimated) : ''],
    ['Cost', known.cost ? money(known.cost, known.currency) : ''],
    ['Personal data', found.length ? `${found.join(', ')}${privacy.action ? ` (${privacy.action})` : ''}` : ''],
    ['Left out', known.dropped?.join(', ')],
    ['Configuration', known.config_version],
    ['Trace', known.trace_id],
    ['Instance', known.instance],
  ];
}

function part(tokens, within, estimated) {
  const more = within.filter(([value]) => value).map(([value, name]) => `${count(value)} ${name}`);
  return `${count(tokens)} tokens${more.length ? ` (${more.join(', ')})` : ''}${estimated ? ', estimated' : ''}`;
}
