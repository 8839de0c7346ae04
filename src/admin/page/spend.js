// What was spent since the start, by route and target, and how the budgets stand.

import { by, el, keyed, text } from './dom.js';
import { count, money, named, share, span } from './format.js';

const PERIODS = { day: 'a day', month: 'a month' };

export function spend({ spend, series, now }) {
  if (!spend) return;
  const card = by('spend-card');
  if (!card.children.length) card.append(budgetList(), spentTable(), el('p', { class: 'empty' }));
  const [budgets, table, empty] = card.children;
  const currency = series?.currency ?? spend.spent.find((row) => row.currency)?.currency ?? '';
  draw(budgets, spend.budgets, currency, now);
  rows(table, spend.spent);
  table.hidden = !spend.spent.length;
  empty.hidden = spend.spent.length > 0 && spend.budgets.length > 0;
  text(empty, hint(spend));
  const unpriced = spend.spent.reduce((sum, row) => sum + row.unpriced, 0);
  text(by('spend-note'), unpriced ? `${count(unpriced)} without a known price` : '');
}

function hint({ spent, budgets }) {
  const none = spent.length ? '' : 'Nothing was used since the start. ';
  return budgets.length ? none : `${none}No budget is set: \`budget: { amount: 200, per: day }\` on a route, a key or a team makes one.`;
}

const budgetList = () => el('ul', { class: 'budgets' });

function draw(list, budgets, currency, now) {
  list.hidden = !budgets.length;
  const make = ({ scope }) => el('li', {}, el('p', {}, el('b', {}, scope), el('span')), el('div', { class: 'meter', role: 'img' }, el('i', { class: 'spent' }), el('i', { class: 'held' })), el('p', { class: 'more' }));
  keyed(list, budgets, ({ scope }) => scope, make, (node, budget) => {
    const [what, meter, more] = node.children;
    const [limit, spent, held] = [budget.limit, budget.spent, budget.reserved].map(Number);
    const part = (value) => `${Math.min(100, (100 * value) / Math.max(limit, 1e-12)).toFixed(2)}%`;
    text(what.lastChild, `${money(budget.spent, currency || 'USD')} of ${money(budget.limit, currency || 'USD')} ${PERIODS[budget.per] ?? budget.per}`);
    meter.children[0].style.width = part(spent);
    meter.children[1].style.width = part(held);
    node.dataset.kind = spent >= limit ? 'bad' : spent >= 0.8 * limit ? 'warn' : 'ok';
    const word = { bad: 'spent', warn: 'nearly spent', ok: share(spent, limit) }[node.dataset.kind];
    meter.setAttribute('aria-label', `${budget.scope}: ${share(spent, limit)} is spent`);
    const resets = span(Math.max(0, Date.parse(budget.resets) - now) / 1000);
    text(more, `${word}${held > 0 ? `, ${money(budget.reserved, currency || 'USD')} reserved` : ''} · begins anew in ${resets} · ${budget.shared ? 'counted by the fleet' : 'counted here'}`);
  });
}

function spentTable() {
  const head = [['Route', ''], ['Target', ''], ['Requests', 'n'], ['Tokens', 'n'], ['Cost', 'n']];
  return el('table', { class: 'spent', 'aria-label': 'Spend by route and target' }, el('thead', {}, el('tr', {}, head.map(([name, kind]) => el('th', { scope: 'col', class: kind }, name)))), el('tbody'));
}

function rows(table, spent) {
  const make = () => el('tr', {}, el('td'), el('th', { scope: 'row', class: 'id' }), ...['n', 'n', 'n'].map((name) => el('td', { class: name })));
  const key = ({ route, target, currency }) => [route, target, currency].join('\n');
  keyed(table.tBodies[0], spent, key, make, (node, row) => {
    const cells = [row.route === '-' ? '–' : row.route, named(row.target), count(row.requests), `${count(row.prompt)} → ${count(row.completion)}`, row.cost === null ? 'no price' : money(row.cost, row.currency, 4)];
    cells.forEach((value, place) => text(node.children[place], value));
  });
}
