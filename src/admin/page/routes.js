// The routes, the targets of each in fallback order, how each stands and why.

import { by, el, keyed, state, text } from './dom.js';
import { count, millis, span, words } from './format.js';

const WHY = {
  breaker_open: ['bad', 'bad', 'Breaker open'],
  rate_limited: ['warn', 'warn', 'Rate limited'],
  quota_exhausted: ['bad', 'off', 'Quota exhausted'],
  auth: ['bad', 'off', 'Key refused'],
  target_missing: ['bad', 'off', 'Model not found'],
};

/** How a target stands, in a shape, a word and why. `now` is the sidecar's time. */
export function standing(target, secret, now) {
  if (secret) return { kind: 'bad', shape: 'off', word: 'Key unreadable', more: secret };
  const left = target.until ? Math.max(0, Date.parse(target.until) - now) / 1000 : null;
  if (!target.available) {
    const [kind, shape, word] = WHY[target.reason] ?? ['bad', 'bad', words(target.reason)];
    return { kind, shape, word, more: left === null ? 'until the configuration changes' : next(target.reason, left) };
  }
  if (target.breaker === 'half_open') return { kind: 'warn', shape: 'half', word: 'Half-open', more: 'the next request tries it' };
  if (target.first_token_ms.slow || target.answer_ms.slow || target.pace_ms.slow) {
    return { kind: 'warn', shape: 'warn', word: 'Slow', more: 'much slower than it usually is' };
  }
  return { kind: 'ok', shape: 'ok', word: 'Available' };
}

function next(reason, left) {
  const wait = left < 1 ? 'now' : `in ${span(left)}`;
  return reason === 'breaker_open' || reason === 'auth' ? `probed ${wait}` : `asked again ${wait}`;
}

/** A line for each target of a route, by its place; a group's members share its number. */
function places(route, targets) {
  const line = (id, place) => ({ key: `${place} ${id}`, id, place, target: targets.get(id) });
  const letter = (members, member) => (members.length > 1 ? String.fromCharCode(97 + (member % 26)) : '');
  const own = route.targets.flatMap((members, place) => members.map((id, member) => line(id, `${place + 1}${letter(members, member)}`)));
  const listed = new Set(own.map(({ id }) => id));
  // Those that only a rule names.
  const ruled = new Set(route.rules.flatMap((rule) => rule.targets.flat()).filter((id) => !listed.has(id)));
  return [...own, ...[...ruled].map((id) => line(id, '·'))];
}

const rule = ({ rule, when, targets, only }) =>
  `${rule}: ${when.join(' and ') || 'always'} → ${targets.map((members) => members.join(' | ')).join(', ')}${only ? ', and none else' : ''}`;

export function routes({ routes, targets, ready, now }) {
  const table = by('routes').querySelector('table');
  if (!routes || !targets) return;
  const known = new Map(targets.targets.map((target) => [target.target, target]));
  const secrets = new Map((ready?.secrets ?? []).map(({ provider, problem }) => [provider, problem]));
  text(by('routes-note'), known.size ? note(targets.targets, secrets) : '');
  if (!routes.routes.length) {
    keyed(table, [null], () => '', nothing);
    return;
  }
  const rows = shown(routes.routes, known);
  const hidden = routes.routes.length - rows.length;
  keyed(table, hidden ? [...rows, { hidden }] : rows, ({ route }) => route ?? '', () => el('tbody'), (body, row) =>
    row.hidden ? quiet(body, row.hidden) : one(body, row, known, secrets, now));
}

/** How many targets there are, and how many get no requests, or one alone that tries them. */
function note(targets, secrets) {
  const isOut = (target) => !target.available || secrets.has(target.provider);
  const out = targets.filter(isOut).length;
  const half = targets.filter((target) => !isOut(target) && target.breaker === 'half_open').length;
  const but = [out && `${out} not available`, half && `${half} half-open`].filter(Boolean);
  return `${count(targets.length)} targets, ${but.join(', ') || 'all available'}`;
}

/** More routes than these are not all shown: those whose first target nobody has asked are counted instead, so that
 * the requests below stay near. The first few are shown until somebody asks. */
const MOST = 12;
const FEW = 4;

const asked = (target) =>
  target && (target.in_flight || target.last_failure || target.first_token_ms.expected !== null || target.answer_ms.expected !== null);

function shown(all, known) {
  if (all.length <= MOST) return all;
  const busy = new Set(all.filter(({ targets }) => targets[0]?.some((id) => asked(known.get(id)))));
  return busy.size ? all.filter((route) => busy.has(route)) : all.slice(0, FEW);
}

function quiet(body, hidden) {
  if (!body.firstChild) body.append(el('tr', {}, el('td', { colspan: 8, class: 'empty' })));
  text(body.firstChild.firstChild, `${count(hidden)} more ${hidden === 1 ? 'route' : 'routes'} that nobody has asked yet`);
}

const nothing = () =>
  el('tbody', {}, el('tr', {}, el('td', { colspan: 8, class: 'empty' }, 'This instance has no route. Either the configuration has none, or none of its keys is for this identity.')));

function one(body, route, known, secrets, now) {
  const lines = [{ key: 'head', head: true }, ...places(route, known), ...route.rules.map((it, index) => ({ key: `rule ${index}`, rule: it }))];
  keyed(body, lines, (line) => line.key, (line) => made(line, route), (row, line) => {
    if (line.head) return;
    if (line.rule) text(row.lastElementChild, rule(line.rule));
    else target(row, line, secrets, now);
  });
}

function made(line, route) {
  if (line.head) {
    const more = [
      ...(route.accepts.length ? [`also ${route.accepts.join(', ')}`] : []),
      ...(route.residency ? [`within ${route.residency}`] : []),
    ];
    return el('tr', { class: 'route' }, el('th', { colspan: 8, scope: 'rowgroup' }, route.route, el('span', {}, more.join(' · '))));
  }
  if (line.rule) return el('tr', { class: 'rule' }, el('td', { class: 'place' }, 'rule'), el('td', { colspan: 7 }));
  const cells = ['n', 'n', 'n', 'n', 'failure'].map((name) => el('td', { class: name }));
  return el('tr', {}, el('td', { class: 'place' }, line.place), el('th', { scope: 'row', class: 'id' }, line.id), el('td', {}, el('span')), ...cells);
}

function target(row, { target }, secrets, now) {
  if (!target) return;
  const [, , stands, flying, first, p95, answer, failure] = row.children;
  state(stands.firstChild, standing(target, secrets.get(target.provider), now));
  text(flying, target.in_flight ? count(target.in_flight) : '–');
  text(first, millis(target.first_token_ms.expected));
  text(p95, millis(target.first_token_ms.p95));
  text(answer, millis(target.answer_ms.expected));
  const last = target.last_failure;
  text(failure, last ? `${words(last.class)}, ${span(last.seconds_ago)} ago` : '–');
}
