// What the sidecar tells, over this port alone, with the token that this tab knows.

const KEY = 'pillion-token';
const PATIENCE = 5_000; // ms

/** Nobody answers, or not in time. */
export class Away extends Error {}

/** Not told to us: `status` 401 where a token would help, 403 where it would not. */
export class Denied extends Error {
  constructor(status, why) {
    super(why);
    this.status = status;
  }
}

let kept = null;

export const token = {
  get value() {
    try {
      kept ??= sessionStorage.getItem(KEY);
    } catch {
      // Storage may be forbidden; then it holds until the page is left.
    }
    return kept;
  },
  set value(text) {
    kept = text || null;
    try {
      if (kept) sessionStorage.setItem(KEY, kept);
      else sessionStorage.removeItem(KEY);
    } catch {
      // As above.
    }
  },
};

/** The JSON at `path`, which is relative: the page may be behind somebody's proxy. Null where it is not there. */
export async function ask(path) {
  const headers = token.value ? { authorization: `Bearer ${token.value}` } : {};
  let answer, body;
  try {
    answer = await fetch(path, { headers, cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
    body = await answer.text();
  } catch {
    throw new Away('no answer');
  }
  if (answer.status === 401 || answer.status === 403) throw new Denied(answer.status, body.trim());
  if (answer.status === 404) return null;
  try {
    // A process that is not ready says so with a 503, and why.
    return JSON.parse(body);
  } catch {
    throw new Away(`status ${answer.status}`);
  }
}
