// The live configuration: which one, since when, from where, and what it says.

import { by, el, keyed, text } from './dom.js';
import { span } from './format.js';

const ORIGINS = { default: 'built in', flag: 'a flag' };

export class Configuration {
  #shown = null;
  #config = null;

  constructor() {
    this.search = el('input', { type: 'search', class: 'field', placeholder: 'Path, value or place', 'aria-label': 'Show settings that contain', spellcheck: 'false' });
    this.defaults = el('input', { type: 'checkbox' });
    this.rows = el('tbody');
    const head = ['Setting', 'Value', 'From'].map((name) => el('th', { scope: 'col' }, name));
    this.more = el('details', {}, el('summary', {}, 'What it says'),
      el('div', { class: 'choices' }, this.search, el('label', { class: 'check' }, this.defaults, el('span', {}, 'Defaults, too'))),
      el('div', { class: 'scroll settings' }, el('table', { 'aria-label': 'Settings' }, el('thead', {}, el('tr', {}, head)), this.rows)));
    this.facts = el('dl', { class: 'facts' });
    this.dropped = el('ul', { class: 'dropped', 'aria-label': 'What does not count' });
    by('configuration-card').append(this.facts, this.dropped, this.more);
    for (const node of [this.search, this.defaults, this.more]) node.addEventListener(node === this.more ? 'toggle' : 'input', () => this.#settings());
  }

  /** `ready` each time, `config` when it has changed. */
  draw({ ready, config }) {
    if (!ready) return;
    const { version, age_seconds, stale, source, restart } = ready.config;
    text(by('configuration-note'), version ? `${version}${stale ? ', stale' : ''}` : 'none yet');
    const facts = [
      ['Version', version ?? 'none yet'],
      ['Live for', age_seconds === null ? '' : span(age_seconds)],
      ['Stale', stale ? 'yes: a newer one was refused, and this is the last good one' : version ? 'no' : ''],
      ['At a restart', restart ? `${restart.join(', ')}: as before until then` : ''],
      ['Source', source?.url ?? 'this machine, by a file or built in'],
      ['Document', source ? [source.version === null ? '' : `version ${source.version}`, source.document].filter(Boolean).join(', ') : ''],
      ['Came from', source?.from ?? ''],
      ['Source heard', source ? `${span(source.age_seconds)} ago` : ''],
    ];
    keyed(this.facts, facts.filter(([, value]) => value), ([name]) => name, ([name]) => el('div', {}, el('dt', {}, name), el('dd')), (node, [, value]) => text(node.lastChild, value));
    if (config === this.#config) return;
    this.#config = config;
    this.#shown = null;
    const dropped = config?.dropped ?? [];
    keyed(this.dropped, dropped, ({ path, at }) => `${path} ${at}`, () => el('li'), (node, { path, at, why }) => text(node, `${path} (${at}) does not count: ${why}`));
    this.#settings();
  }

  #settings() {
    if (!this.more.open || !this.#config) return;
    this.#shown ??= settings(this.#config);
    const wanted = this.search.value.trim().toLowerCase();
    const shown = this.#shown.filter(({ path, value, origin }) =>
      (this.defaults.checked || origin !== 'default') && (!wanted || [path, value, origin].some((it) => it.toLowerCase().includes(wanted))));
    const make = () => el('tr', {}, el('th', { scope: 'row', class: 'id' }), el('td', { class: 'id' }), el('td', { class: 'from' }));
    keyed(this.rows, shown, ({ path }) => path, make, (row, { path, value, origin }) => {
      [path, value, ORIGINS[origin] ?? origin].forEach((it, place) => text(row.children[place], it));
    });
  }
}

/** Each setting with its value and its origin, by the paths that the sidecar names: `keys[0].id`. */
function settings({ config, origins }) {
  return Object.entries(origins).map(([path, origin]) => ({ path, origin, value: shown(at(config, path)) }));
}

/** The value at a path. A name may hold a dot, so the longest that is there is taken. */
function at(value, path) {
  if (path === '' || value === null || value === undefined) return value;
  const rest = path.replace(/^\./, '');
  const index = /^\[(\d+)\]/.exec(rest);
  if (index) return at(value[Number(index[1])], rest.slice(index[0].length));
  if (typeof value !== 'object') return undefined;
  const names = Object.keys(value).filter((name) => rest === name || rest.startsWith(`${name}.`) || rest.startsWith(`${name}[`));
  const longest = names.sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? undefined : at(value[longest], rest.slice(longest.length));
}

const shown = (value) => (typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value));
