// The two plots, drawn by uPlot: first token as lines, spend as bars on top of each other. What is known
// of each slot the sidecar keeps for an hour, so they are full when the page is opened.

import { attribute, by, el, keyed, text } from './dom.js';
import { clock, millis, money, tick } from './format.js';

const { uPlot } = window;
const HEIGHT = 190;
const COLOURS = 8; // --c0 to --c7
const NO_ANSWER = '-';

/** A colour for each name, the same in both plots, in the order in which they were first seen: of routes,
 *  and of providers. */
const colours = { route: new Map(), provider: new Map() };
let seen = colours.route;
const place = (name) => {
  if (!seen.has(name)) seen.set(name, seen.size % COLOURS);
  return seen.get(name);
};

const probe = el('i', { hidden: true });
document.body.append(probe);
/** The value of a colour now: a canvas knows no variables. */
function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

const named = (name) => (name === NO_ANSWER ? 'without an answer' : name);

/** When each slot began: on one grid while the page is open, so that nothing trembles. */
let anchor = null;
function grid(series, now, minutes) {
  const length = series.slot_seconds;
  const running = now / 1000 - series.elapsed_seconds;
  anchor ??= running;
  const newest = anchor + Math.round((running - anchor) / length) * length;
  const slots = Math.min(series.slots, Math.round((minutes * 60) / length));
  return Array.from({ length: slots }, (_, place) => newest - (slots - 1 - place) * length);
}

/** The column of a group, a place for each slot; null where there was no request. */
function column(group, name, slots, value = (it) => it) {
  const all = Array(slots).fill(null);
  group.slots_ago.forEach((ago, index) => {
    if (ago < slots) all[slots - 1 - ago] = value(group[name][index]);
  });
  return all;
}

class Plot {
  #plot = null;
  #shape = '';
  #data = null;
  #names = [];
  #values = [];
  #rest = [];
  #tell;

  constructor(id, tell) {
    this.figure = by(id);
    this.canvas = this.figure.querySelector('.canvas');
    this.#tell = tell;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(this.canvas);
  }

  #size() {
    return { width: Math.max(this.canvas.clientWidth, 200), height: HEIGHT };
  }

  /** `values` are those that the legend tells at the cursor, and `rest` what it tells without one; `drawn`
   *  are those that are drawn, in the order of drawing. */
  draw({ times, names, values, rest, drawn, series, ticks, unit, empty }) {
    this.#data = times;
    [this.#names, this.#values, this.#rest] = [names, values, rest];
    text(this.figure.querySelector('.unit'), unit);
    this.canvas.classList.toggle('empty', Boolean(empty));
    this.canvas.dataset.empty = empty ?? '';
    const shape = JSON.stringify([names, names.map(place), unit, times.length]);
    if (this.#plot && shape === this.#shape) this.#plot.setData([times, ...drawn]);
    else this.#make([times, ...drawn], series(), ticks, shape);
    this.#legend(this.#plot.cursor.idx);
  }

  #make(data, series, ticks, shape) {
    const slot = data[0][1] - data[0][0];
    this.#plot?.destroy();
    this.#shape = shape;
    const axis = { stroke: colour('--muted'), font: '11px system-ui, sans-serif', ticks: { show: false }, grid: { stroke: colour('--grid'), width: 1 } };
    const options = {
      ...this.#size(),
      padding: [10, 12, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: 'time' }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: { x: { time: true, range: (_, first, last) => [first, last + slot] }, y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] } },
      axes: [
        { ...axis, size: 28, space: 70, values: (_, at) => at.map((time) => clock(time * 1000).slice(0, 5)), grid: { show: false } },
        { ...axis, size: 64, space: 34, values: (_, at) => at.map(ticks) },
      ],
      series: [{}, ...series],
      hooks: { setCursor: [(plot) => this.#legend(plot.cursor.idx)] },
    };
    this.#plot = new uPlot(options, data, this.canvas);
  }

  /** What was at the cursor, if there is one. */
  #legend(index) {
    const at = index ?? null;
    text(this.figure.querySelector('.at'), at === null ? '' : clock(this.#data[at] * 1000));
    const told = (place) => (at === null ? this.#rest[place] : (this.#values[place][at] ?? null));
    const rows = this.#names.map((name, place) => ({ name, value: this.#tell(told(place)) }));
    const make = ({ name }) => el('li', {}, el('i'), el('span', {}, named(name)), el('b'));
    keyed(this.figure.querySelector('.legend'), rows, ({ name }) => name, make, (node, { name, value }) => {
      attribute(node, 'class', `c${place(name)}`);
      text(node.lastChild, value);
    });
  }

  /** Colours have changed. */
  forget() {
    this.#shape = '';
  }
}

export class Charts {
  #first;
  #spend;
  #currency = null;

  constructor() {
    this.#first = new Plot('first-token', millis);
    this.#spend = new Plot('spend-rate', (value) => money(value, this.#currency));
    document.documentElement.addEventListener('theme', () => {
      this.#first.forget();
      this.#spend.forget();
    });
  }

  /** `now` is the sidecar's time; `quantile` the name of a column. */
  draw(series, { now, quantile, minutes }) {
    seen = colours[series.by];
    const times = grid(series, now, minutes);
    const slots = times.length;
    const groups = series.groups.filter((group) => group.slots_ago.some((ago) => ago < slots));
    groups.forEach(({ name }) => place(name));
    this.#lines(groups, times, quantile);
    this.#bars(groups, times, series);
  }

  #lines(groups, times, quantile) {
    const shown = groups.filter((group) => group[quantile].some((value) => value !== null));
    const values = shown.map((group) => column(group, quantile, times.length));
    this.#first.draw({
      times,
      names: shown.map(({ name }) => name),
      values,
      rest: values.map((column) => column.findLast((value) => value !== null) ?? null),
      drawn: values,
      unit: `${quantile.slice(0, 3)}, from the arrival of the request`,
      ticks: shown.length ? tick : () => '',
      empty: shown.length ? null : 'No answer in this time.',
      series: () => shown.map(({ name }) => ({ stroke: colour(`--c${place(name)}`), width: 1.75, points: { show: true, size: 4, fill: colour(`--c${place(name)}`) } })),
    });
  }

  #bars(groups, times, series) {
    this.#currency = series.currency;
    const a_minute = 60 / series.slot_seconds;
    const spent = (group) => group.cost.some((cost) => Number(cost) > 0);
    const shown = series.currency ? groups.filter(spent) : [];
    const values = shown.map((group) => column(group, 'cost', times.length, (cost) => Number(cost) * a_minute));
    // Each bar stands on those before it; the highest is drawn first, and the others over it.
    const sums = Array(times.length).fill(0);
    const stacked = values.map((column) => column.map((value, place) => (value === null ? null : (sums[place] += value))));
    const bars = uPlot.paths.bars({ size: [0.8, 24], align: 1, radius: 0.15 });
    this.#spend.draw({
      times,
      names: shown.map(({ name }) => name),
      values,
      rest: values.map((column) => column.reduce((sum, value) => sum + value, 0) / a_minute),
      drawn: stacked.toReversed(),
      unit: series.currency ? `${series.currency} a minute; below, all of this time` : '',
      ticks: (value) => (shown.length ? money(value, series.currency) : ''),
      empty: shown.length ? null : groups.length ? 'No request of this time has a known price: `models` in the configuration names prices.' : 'No request in this time.',
      series: () => shown.toReversed().map(({ name }) => ({ fill: colour(`--c${place(name)}`), width: 0, paths: bars, points: { show: false } })),
    });
  }
}
