// Elements, made and kept. What comes from outside is always text here, never HTML.

const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes (absent where the value is null or false) and children: nodes, or text. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) attribute(node, name, value);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function attribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value === true ? '' : value);
}

/** Sets a text where it differs: selections and focus stay. */
export function text(node, value) {
  const wanted = value ?? '';
  if (node.textContent !== wanted) node.textContent = wanted;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** A state by shape, word and colour: `{ kind, shape, word, more }`. */
export function state(node, { kind, shape, word, more = '' }) {
  const shown = [kind, shape, word, more].join('\n');
  if (node.dataset.shown === shown) return node;
  node.dataset.shown = shown;
  node.dataset.kind = kind;
  node.classList.add('state');
  node.replaceChildren(icon(shape), el('b', {}, word), ...(more ? [el('span', { class: 'more' }, more)] : []));
  return node;
}

/** Brings the children of `parent` to be those of `items`, in their order. A child lives as long as its key is there.
 *  Children without a key, as the head of a table, stay in front. */
export function keyed(parent, items, key, make, update) {
  const children = [...parent.children].filter((child) => 'key' in child.dataset);
  const before = new Map(children.map((child) => [child.dataset.key, child]));
  let place = children[0] ?? null;
  for (const item of items) {
    const name = String(key(item));
    let child = before.get(name);
    before.delete(name);
    if (!child) {
      child = make(item);
      child.dataset.key = name;
    }
    update?.(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const gone of before.values()) gone.remove();
}

export const by = (id) => document.getElementById(id);
