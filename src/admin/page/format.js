// Numbers and times as people read them. What is not known is a dash, never a zero.

const NONE = '–';
const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const monies = new Map();

export function millis(value) {
  if (value === null || value === undefined) return NONE;
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 9_995) return `${(value / 1000).toFixed(2)} s`;
  if (value < 99_950) return `${(value / 1000).toFixed(1)} s`;
  return span(value / 1000);
}

/** The same at a line of a scale. */
export const tick = (value) => (value ? millis(value).replace(/(\.\d*[1-9])0+ s$|\.0+ s$/, '$1 s') : '0');

/** Seconds in its two largest units. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, '0')} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function count(value) {
  if (value === null || value === undefined) return NONE;
  return value < 100_000 ? plain.format(value) : compact.format(value);
}

export function share(part, whole) {
  if (!whole) return NONE;
  const percent = (100 * part) / whole;
  // What is not all is not told as all, nor what is not nothing as nothing.
  if (percent > 99.9 && percent < 100) return '99.9 %';
  if (percent > 0 && percent < 0.1) return '0.1 %';
  return `${percent.toFixed(percent === 0 || percent === 100 ? 0 : 1)} %`;
}

/** An amount, which comes as a decimal text: with so many decimals, or as many as tell it. */
export function money(amount, currency, decimals = null) {
  if (amount === null || amount === undefined || !currency) return NONE;
  const value = Number(amount);
  const adapted = value !== 0 && Math.abs(value) < 1 ? { maximumSignificantDigits: 3 } : fixed(2);
  const digits = decimals === null ? adapted : fixed(decimals);
  const name = JSON.stringify([currency, digits]);
  if (!monies.has(name)) monies.set(name, formatter(currency, digits));
  return monies.get(name)(value);
}

const fixed = (decimals) => ({ minimumFractionDigits: decimals, maximumFractionDigits: decimals });

function formatter(currency, digits) {
  try {
    const format = new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'narrowSymbol', ...digits });
    return (value) => format.format(value);
  } catch {
    const format = new Intl.NumberFormat('en', digits);
    return (value) => `${format.format(value)} ${currency}`;
  }
}

const clocks = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const days = new Intl.DateTimeFormat('en-GB', { year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' });

export const clock = (time) => clocks.format(new Date(time));
export const date = (time) => days.format(new Date(time));

/** A word of the record as people say it: `rate_limited` is `rate limited`. */
export const words = (name) => String(name).replaceAll('_', ' ');

/** The name of a target; one that no route has, to which a request was passed on as it came, is its provider. */
export const named = (target) => target.replace(/\/-$/, '');
