// What keys do. None of them is taken from a field, a dialog or a key of the browser's own.

import { by } from './dom.js';

const FIELDS = 'input:not([type=checkbox], [type=radio]), textarea, select, dialog';

export function keys({ requests, detail, pause, group }) {
  const move = (places) => requests.move(places, detail.id !== null);
  const does = {
    j: () => move(1),
    k: () => move(-1),
    '/': () => by('filter').focus(),
    f: () => by('problems').click(),
    g: group,
    p: pause,
    t: () => by('theme').click(),
    '?': () => by('help').showModal(),
  };
  const within = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Home: () => requests.move(-1e6, detail.id !== null), End: () => requests.move(1e6, detail.id !== null), Enter: () => requests.openCurrent() };

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === 'Escape') {
      leave(event, detail);
      return;
    }
    if (event.target.closest(FIELDS)) return;
    const inList = event.target.closest('#list tbody');
    const act = does[event.key] ?? (inList ? within[event.key] : undefined);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

/** A search is left first, and emptied; else what is open is closed. A dialog closes by itself. */
function leave(event, detail) {
  if (event.target.closest('dialog')) return;
  if (event.target.type === 'search') {
    event.target.value = '';
    event.target.dispatchEvent(new Event('input', { bubbles: true }));
    event.target.blur();
    return;
  }
  detail.close();
}
