// Attempts as bars on a scale of time: where each began, when its first token came, and how it ended.
// How it ended is told by the pattern as well as by the colour, and in words to who hears the page.

import { attribute, el, keyed } from './dom.js';
import { millis, words } from './format.js';

/** How an attempt is drawn. */
export function kind({ class: ended }) {
  if (ended === null) return 'runs';
  if (ended === 'ok') return 'ok';
  return ended === 'cancelled' ? 'cancelled' : 'failed';
}

const percent = (part, whole) => `${Math.min(100, (100 * part) / Math.max(whole, 1)).toFixed(2)}%`;

/** The bar of one attempt, with `scale` milliseconds to the width of its parent. */
export const bar = () => el('i', { class: 'bar' }, el('i', { class: 'wait' }));

export function draw(node, attempt, scale) {
  const { start_ms, ms, first_token_ms } = attempt;
  node.dataset.kind = kind(attempt);
  node.style.left = percent(start_ms, scale);
  node.style.width = percent(Math.min(ms, scale - start_ms), scale);
  // Until the first token it waited; what follows is the answer on its way.
  node.firstChild.style.width = percent(first_token_ms ?? ms, ms);
  attribute(node, 'title', said(attempt));
}

const said = (attempt) => `${attempt.target}: ${attempt.class === null ? 'runs' : words(attempt.class)}, ${millis(attempt.ms)}`;

/** All attempts of a request in one lane. */
export function lane(node, attempts, scale) {
  const items = attempts.map((attempt, number) => ({ attempt, number }));
  keyed(node, items, ({ number }) => number, bar, (child, { attempt }) => draw(child, attempt, scale));
  attribute(node, 'role', 'img');
  attribute(node, 'aria-label', attempts.length ? attempts.map(said).join('; ') : 'nothing was sent');
}

/** A round number that is no less: the end of a scale. */
export function round(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 2, 3, 5, 10].map((step) => step * power).find((end) => end >= most) ?? most;
}
