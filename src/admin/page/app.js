// The page: asks the sidecar each second while somebody looks, and draws what it says. Nothing is asked
// while the page is hidden or held still.

import { ask, Away, Denied, token, WRONG } from './api.js';
import { Charts } from './charts.js';
import { Configuration } from './configuration.js';
import { Detail } from './detail.js';
import { by, el, keyed, text } from './dom.js';
import { keys } from './keys.js';
import { Requests } from './requests.js';
import { routes } from './routes.js';
import { spend } from './spend.js';
import { figures, notices, problems, standing } from './standing.js';

const PAUSE = 1_000; // ms between two looks
const AWAY = 3_000; // the same, where nobody answers
const SLOWLY = 2; // looks between two of what changes slowly

const known = { ready: null, activity: null, targets: null, routes: null, series: null, spend: null, config: null };
const view = { away: null, paused: null, denied: null, answered: null, ahead: 0, look: 0, version: undefined };

const charts = new Charts();
const configuration = new Configuration();
const detail = new Detail({ closed: () => requests.go(opened), askToken });
let opened = null;
const requests = new Requests({
  open: (request) => {
    opened = request.id;
    detail.show(request);
  },
  changed: list,
});

const chosen = (name) => document.querySelector(`input[name=${name}]:checked`).value;
const now = () => Date.now() + view.ahead;

/** The last hour, and by what it is gathered. */
async function series() {
  const by = chosen('by');
  return { by, ...(await ask(`api/series?by=${by}`)) };
}

/** All that is to be asked this time. */
async function look() {
  const slow = view.look % SLOWLY === 0;
  view.look += 1;
  const asked = { ready: ask('readyz'), activity: ask(requests.path), targets: ask('api/targets') };
  if (slow || !known.series) Object.assign(asked, { series: series(), spend: ask('api/spend') });
  const answers = await Promise.allSettled(Object.values(asked));
  const failed = answers.find(({ status, reason }) => status === 'rejected' && reason instanceof Denied) ?? answers.find(({ status }) => status === 'rejected');
  Object.keys(asked).forEach((name, place) => {
    if (answers[place].status === 'fulfilled') known[name] = answers[place].value;
  });
  if (failed) throw failed.reason;
  view.ahead = Date.parse(known.activity.now) - Date.now();
  if (!requests.take(known.activity)) view.version = undefined;
  const { version } = known.ready.config;
  if (version !== view.version) {
    [known.routes, known.config] = await Promise.all([ask('api/routes'), ask('api/config')]);
    view.version = version;
  }
}

async function tick() {
  try {
    await look();
    [view.away, view.denied, view.answered] = [null, null, Date.now()];
  } catch (error) {
    if (error instanceof Denied) view.denied = error;
    else if (error instanceof Away) view.away = { since: view.answered };
    else throw error;
  }
  draw();
}

function draw() {
  const { away, paused } = view;
  document.body.classList.toggle('stale', Boolean(away || view.denied));
  standing({ ready: known.ready, away, paused });
  notices([...denials(), ...problems({ ready: known.ready, away })]);
  figures(known);
  identity(known.config?.config?.identity);
  list();
  routes({ ...known, now: now() });
  spend({ ...known, now: now() });
  configuration.draw(known);
  plots();
  const open = detail.id && requests.get(detail.id);
  if (open) detail.show(open);
  by('token-open').hidden = !token.value && view.denied?.status !== 401;
}

function list() {
  const { all, shown } = requests.draw();
  by('requests-empty').hidden = shown > 0 || !known.activity;
  if (!shown) empty(all);
}

function plots() {
  if (known.series) charts.draw(known.series, { now: now(), quantile: chosen('quantile'), minutes: Number(chosen('span')) });
}

function denials() {
  if (!view.denied) return [];
  const wants = view.denied.isWrong ? WRONG : 'The sidecar wants to see the admin token.';
  const what = view.denied.status === 401 ? wants : 'The sidecar does not tell us.';
  return [{ kind: 'bad', what, why: view.denied.message }];
}

function identity(said) {
  const parts = ['team', 'service', 'environment', 'instance'].filter((name) => said?.[name]);
  keyed(by('identity'), parts, (name) => name, (name) => el('span', { title: name }), (node, name) => text(node, said[name]));
  document.title = [said?.service, said?.instance, 'Pillion'].filter(Boolean).join(' · ');
}

/** What to do where there is no request to be seen. */
function empty(all) {
  const listen = known.activity?.listen ?? '127.0.0.1:4100';
  const route = known.routes?.routes[0]?.route ?? 'a-route';
  const lines = all
    ? [el('p', {}, 'None of them is like that.')]
    : [
        el('p', {}, 'No request has come yet. An application changes two settings:'),
        el('pre', {}, `export OPENAI_BASE_URL=http://${listen}/v1\nexport OPENAI_API_KEY=<its token>`),
        el('p', {}, 'Or by hand:'),
        el('pre', {}, `curl http://${listen}/v1/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H 'content-type: application/json' \\\n  -d '{"model": "${route}", "messages": [{"role": "user", "content": "Hello"}]}'`),
      ];
  const node = by('requests-empty');
  // A text that somebody selects stays as it is.
  if (node.textContent !== lines.map(({ textContent }) => textContent).join('')) node.replaceChildren(...lines);
}

/** `refused` is why it is asked for again. */
function askToken(refused) {
  const dialog = by('token');
  text(dialog.querySelector('.why'), refused?.isWrong ? WRONG : '');
  if (!dialog.open) dialog.showModal();
}

function hold() {
  view.paused = view.paused ? null : Date.now();
  const button = by('pause');
  button.setAttribute('aria-pressed', String(Boolean(view.paused)));
  text(button.lastElementChild, view.paused ? 'Go on' : 'Pause');
  standing({ ready: known.ready, away: view.away, paused: view.paused });
  if (!view.paused) wake();
}

function group() {
  const other = document.querySelector('input[name=by]:not(:checked)');
  other.click();
}

let timer = 0;
let runs = false;
/** Looks now, and then again and again. */
async function wake() {
  if (runs || document.hidden || view.paused) return;
  clearTimeout(timer);
  runs = true;
  const began = Date.now();
  try {
    await tick();
  } finally {
    runs = false;
    const pause = view.away || view.denied ? AWAY : PAUSE;
    timer = setTimeout(wake, Math.max(100, pause - (Date.now() - began)));
  }
}

by('pause').addEventListener('click', hold);
by('help-open').addEventListener('click', () => by('help').showModal());
by('token-open').addEventListener('click', () => askToken(view.denied));
by('token').addEventListener('submit', (event) => {
  event.preventDefault();
  take(event.target.elements.token.value);
});
by('token').querySelector('[value=forget]').addEventListener('click', () => take(null));
function take(value) {
  token.value = value;
  by('token').querySelector('form').reset();
  by('token').close();
  view.denied = null;
  detail.again();
  wake().then(() => {
    if (view.denied?.isWrong) askToken(view.denied);
  });
}
by('by').addEventListener('change', async () => {
  try {
    known.series = await series();
  } catch {
    return; // The next look says why.
  }
  plots();
});
for (const name of ['quantile', 'span']) by(name).addEventListener('change', plots);
document.documentElement.addEventListener('theme', plots);
document.addEventListener('visibilitychange', wake);
keys({ requests, detail, pause: hold, group });
wake().then(() => {
  if (view.denied?.status === 401) askToken(view.denied);
});
