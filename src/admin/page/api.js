// What the sidecar tells, over this port alone, with the token that this tab knows.

const KEY = 'pillion-token';
const PATIENCE = 5_000; // ms

/** What is said of a token that was shown and refused. */
export const WRONG = 'The token that was shown is not the admin token.';

/** Nobody answers, or not in time. */
export class Away extends Error {}

/** Not told to us: `status` 401 where a token would help, 403 where it would not. `shown` is the token that was shown. */
export class Denied extends Error {
  constructor(status, why, shown) {
    super(why);
    this.status = status;
    this.shown = shown;
  }

  /** Whether the token that this tab knows was shown, and is not the one. */
  get isWrong() {
    return this.status === 401 && Boolean(this.shown) && this.shown === token.value;
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
  const shown = token.value;
  const headers = shown ? { authorization: `Bearer ${shown}` } : {};
  let answer, body;
  try {
    answer = await fetch(path, { headers, cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) });
    body = await answer.text();
  } catch {
    throw new Away('no answer');
  }
  if (answer.status === 401 || answer.status === 403) throw new Denied(answer.status, body.trim(), shown);
  if (answer.status === 404) return null;
  try {
    // A process that is not ready says so with a 503, and why.
    return JSON.parse(body);
  } catch {
    throw new Away(`status ${answer.status}`);
  }
}
