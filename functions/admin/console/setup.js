// "Add – WeCom": the set-up of an authenticator, in the order of WeCom's own admin
// console, which the administrator has open beside this page.

import { at, call, everything, Problem, problemText, publicUrl } from './api.js';
import { picture } from './pictures.js';
import { t } from './texts.js';
import {
  button,
  confirmThen,
  copyable,
  el,
  field,
  fileDrop,
  form,
  guardUnsaved,
  notice,
  toast,
  waiting,
} from './ui.js';

const titles = [
  'setup.1.title',
  'setup.2.title',
  'setup.3.title',
  'setup.4.title',
  'setup.5.title',
  'setup.6.title',
  'setup.7.title',
  'setup.8.title',
];
const last = titles.length;
const credentials = 5; // the step that saves
const checking = 7;

// rich is a text as nodes: **strong** parts, and places filled with nodes.
function rich(key, places = {}) {
  return t(key)
    .split(/(\*\*.+?\*\*|\{\w+\})/)
    .filter(Boolean)
    .map((part) => {
      if (part.startsWith('**')) return el('b', {}, part.slice(2, -2));
      const name = /^\{(\w+)\}$/.exec(part)?.[1];
      return name && Object.hasOwn(places, name) ? places[name] : part;
    });
}

const paragraph = (key, places) => el('p', {}, rich(key, places));

// What was typed and which steps are done stay in this tab, without the secret, so
// that a reload loses neither.
const draftKey = (name = '') => `wecom-signin-setup:${name}`;

function readDraft(name) {
  try {
    return JSON.parse(sessionStorage.getItem(draftKey(name))) || {};
  } catch {
    return {};
  }
}

function writeDraft(name, draft) {
  try {
    sessionStorage.setItem(draftKey(name), JSON.stringify(draft));
  } catch {
    // No room in the tab's storage: a reload begins again, nothing else is lost.
  }
}

const forgetDraft = (name) => sessionStorage.removeItem(draftKey(name));

const isLoopback = (host) => /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);
const isPrivate = (address) =>
  /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|::1$|f[cde])/i.test(
    address,
  );

// originOf returns an origin as browsers write it, or '' for what is none.
function originOf(text) {
  if (/[@?#\\\s]/.test(text)) return '';
  try {
    const { protocol, host, pathname, origin } = new URL(text);
    const secure = protocol === 'https:' || (protocol === 'http:' && isLoopback(host));
    return secure && pathname === '/' ? origin : '';
  } catch {
    return '';
  }
}

const isControl = (character) => character < ' ' || character === '\u007f';
const isPath = (text) =>
  /^\/(?!\/)/.test(text) &&
  !Array.from(text).some(isControl) &&
  !text.split('?')[0].includes('\\') &&
  new TextEncoder().encode(text).length <= 2048;

// The rules of the fields: the key of what is wrong, or ''. The service decides; this
// only says it earlier.
const rules = {
  name: (value, guide) =>
    !/^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/.test(value)
      ? 'setup.wrong.name'
      : guide.others.some((other) => other.name === value)
        ? 'setup.wrong.taken'
        : '',
  title: (value) => (Array.from(value).length > 200 ? 'setup.wrong.title' : ''),
  corpId: (value) => (/^[A-Za-z0-9_-]{4,64}$/.test(value) ? '' : 'setup.wrong.corpid'),
  agentId: (value) => (/^[0-9]{1,16}$/.test(value) ? '' : 'setup.wrong.agentid'),
  secret: (value) => (/^[!-~]{1,512}$/.test(value) ? '' : 'setup.wrong.secret'),
  origin: (value) => (originOf(value) ? '' : 'setup.wrong.origin'),
  workbenchRedirectPath: (value) => (isPath(value) ? '' : 'setup.wrong.path'),
};

function wrong(name, value, guide) {
  if (value === '') return name === 'secret' && guide.saved ? '' : 'setup.wrong.missing';
  return rules[name](value, guide);
}

// tidy repairs what can be meant in one way only.
function tidy(name, value) {
  const text = value.trim();
  if (name !== 'origin') return text;
  const whole = /^[\w-]+(\.[\w-]+)+(:\d+)?\/?$/.test(text) ? `https://${text}` : text;
  return originOf(whole) || whole;
}

const kept = ['name', 'title', 'corpId', 'agentId', 'origin', 'workbenchRedirectPath', 'autoSignup', 'autoLogin'];
const valuesOf = (authenticator) => Object.fromEntries(kept.map((key) => [key, authenticator[key]]));

function firstValues(others) {
  const taken = new Set(others.map((other) => other.name));
  let name = 'wecom';
  for (let i = 2; taken.has(name); i++) name = `wecom-${i}`;
  return {
    name,
    title: t('setup.5.title.suggestion'),
    corpId: '',
    agentId: '',
    origin: '',
    workbenchRedirectPath: '/',
    autoSignup: true,
    autoLogin: false,
  };
}

// setupView shows the set-up: of a new authenticator, or with its name again of one
// that there is.
export async function setupView(name) {
  const [address, all, saved] = await Promise.all([
    publicUrl(),
    everything('/authenticators'),
    name ? call('GET', at('authenticators', name)) : null,
  ]);
  const draft = readDraft(name);
  const others = all.filter((other) => other.name !== name);
  const start = saved ? valuesOf(saved) : firstValues(others);
  const typed = draft.values || {};
  const guide = {
    saved,
    others,
    start,
    address,
    domain: saved?.callbackDomain || new URL(address).host,
    values: { ...start, ...typed },
    secret: '',
    done: new Set(draft.done || (saved ? [credentials] : [])),
    step: draft.step || 1,
    paths: draft.paths || {},
    results: null,
    fileResults: {},
    egress: null,
    files: null,
    // file is the domain file that was handed in here: others are of other apps.
    file: draft.file || '',
    // repairing means that the check sent the administrator to a step.
    repairing: false,
  };
  guide.dirty = () => guide.secret !== '' || Object.keys(changedValues(guide)).length > 0;
  guide.keep = () =>
    writeDraft(name, {
      step: guide.step,
      done: [...guide.done],
      paths: guide.paths,
      file: guide.file,
      values: changedValues(guide),
    });
  guide.mark = (step, isDone = true) => {
    if (isDone) guide.done.add(step);
    else guide.done.delete(step);
    guide.keep();
    progress.update();
  };
  const progress = progressOf(guide);
  const panel = el('section', { className: 'card setup-step', 'aria-labelledby': 'setup-title' });
  const root = el(
    'div',
    { className: 'setup' },
    el(
      'div',
      { className: 'setup-intro' },
      el('h1', {}, saved ? t('setup.title.again', { title: saved.title }) : t('setup.title')),
      paragraph('setup.intro', {
        link: el(
          'a',
          { href: 'https://work.weixin.qq.com/wework_admin/frame#apps', target: '_blank', rel: 'noopener noreferrer' },
          t('setup.intro.link'),
        ),
      }),
      saved && !saved.enabled && notice('warn', t('setup.disabled')),
      Object.keys(typed).length > 0 &&
        notice(
          'info',
          el('p', {}, t('setup.draft')),
          el(
            'div',
            { className: 'actions' },
            button(t('setup.over'), () => startOver(name), 'small'),
          ),
        ),
    ),
    progress.node,
    panel,
  );

  // show opens a step. Back in the browser leads to the step before.
  guide.show = (step, { focus = true, remember = true } = {}) => {
    if (remember && step !== guide.step) history.pushState({ setupStep: step }, '');
    guide.step = step;
    guide.keep();
    progress.update();
    panel.replaceChildren(...[stepView(guide, step)].flat(Infinity).filter(Boolean));
    if (!focus) return;
    const title = panel.querySelector('h2');
    title.focus({ preventScroll: true });
    (matchMedia('(min-width: 900px)').matches ? root : progress.node).scrollIntoView({ block: 'start' });
  };
  const home = location.hash;
  const returned = (event) => {
    if (!root.isConnected) window.removeEventListener('popstate', returned);
    else if (location.hash === home && event.state?.setupStep) guide.show(event.state.setupStep, { remember: false });
  };
  window.addEventListener('popstate', returned);
  history.replaceState({ setupStep: guide.step }, '');
  guardUnsaved(() => root.isConnected && guide.dirty());
  guide.show(guide.step, { focus: false });
  return [root];
}

async function startOver(name) {
  const again = () => {
    forgetDraft(name);
    document.dispatchEvent(new CustomEvent('outdated')); // shows the view anew
  };
  await confirmThen(
    { title: t('setup.over'), text: t('setup.over.text'), action: t('setup.over'), danger: true },
    async () => {
      setTimeout(again); // when the question is closed
    },
  );
}

// progressOf is the list of steps. Every one can be opened at any time.
function progressOf(guide) {
  const buttons = titles.map((key, i) => {
    const place = el('span', { className: 'place', 'aria-hidden': 'true' });
    return el(
      'button',
      { type: 'button', onclick: () => guide.show(i + 1) },
      place,
      el('span', { className: 'name' }, t(key)),
    );
  });
  const node = el(
    'nav',
    { className: 'setup-progress', 'aria-label': t('setup.steps') },
    el(
      'ol',
      {},
      buttons.map((control) => el('li', {}, control)),
    ),
  );
  const update = () =>
    buttons.forEach((control, i) => {
      const isDone = guide.done.has(i + 1);
      control.firstChild.textContent = isDone ? '✓' : String(i + 1);
      control.setAttribute(
        'aria-label',
        t(isDone ? 'setup.step.done' : 'setup.step.name', { n: i + 1, title: t(titles[i]) }),
      );
      control.parentNode.classList.toggle('done', isDone);
      if (guide.step === i + 1) control.setAttribute('aria-current', 'step');
      else control.removeAttribute('aria-current');
    });
  return { node, update };
}

const views = [
  createApp,
  callbackDomain,
  trustedDomain,
  trustedAddress,
  values,
  phoneNumber,
  checks,
  homepage,
  finished,
];
const stepView = (guide, step) => views[step - 1](guide);

// frame is what all steps have: heading, what to do, the picture beside it, what else
// is to be known, the way on. On a narrow screen they follow in this order.
function frame(guide, step, { lead, path, picture: drawing, know, foot }, first, ...rest) {
  return [
    el(
      'h2',
      { id: 'setup-title', tabIndex: -1 },
      el('span', { className: 'setup-count' }, t('setup.step.of', { n: step, count: last })),
      t(titles[step - 1]),
    ),
    el(
      'div',
      { className: 'setup-columns' },
      el(
        'div',
        { className: 'setup-words' },
        el('p', {}, rich(lead)),
        path && el('p', { className: 'setup-path' }, rich(path)),
        first,
      ),
      el('div', { className: 'setup-drawing' }, drawing),
      el('div', { className: 'setup-words' }, rest, know && knowing(guide, know)),
    ),
    foot ?? onward(guide, step),
  ];
}

// knowing says how to tell that a step worked.
const knowing = (guide, key) =>
  el(
    'div',
    { className: 'setup-know' },
    el('b', {}, t('setup.know')),
    el('p', {}, rich(key, { domain: el('code', {}, guide.domain) })),
  );

// nextOf is where to go when a step is done: back to the check, when that sent here.
const nextOf = (guide, step) => (guide.repairing && step < checking ? checking : step + 1);

// onward are the buttons below a step. Only what is pressed as done counts as done.
function onward(guide, step, { marks = true } = {}) {
  const marking = marks && !guide.done.has(step);
  return el(
    'div',
    { className: 'setup-foot' },
    step > 1 && button(t('setup.back'), () => guide.show(step - 1)),
    marking && button(t('setup.later'), () => guide.show(step + 1)),
    button(
      t(step === last ? 'setup.finish' : marking ? 'setup.next' : 'setup.onward'),
      () => {
        if (marking) guide.mark(step);
        guide.show(nextOf(guide, step));
      },
      'main',
    ),
  );
}

const todo = (...items) =>
  el(
    'ol',
    { className: 'setup-do' },
    items.map((item) => el('li', {}, item)),
  );
const local = (guide) =>
  isLoopback(guide.domain) && notice('info', rich('setup.local', { domain: el('code', {}, guide.domain) }));

function createApp(guide) {
  return frame(
    guide,
    1,
    {
      lead: 'setup.1.lead',
      path: 'setup.1.path',
      know: 'setup.1.know',
      picture: picture('app', { title: guide.values.title }),
    },
    todo(
      paragraph('setup.1.open'),
      paragraph('setup.1.create'),
      paragraph('setup.1.range'),
      paragraph('setup.1.press'),
    ),
    notice('warn', rich('setup.1.note')),
  );
}

function callbackDomain(guide) {
  return frame(
    guide,
    2,
    {
      lead: 'setup.2.lead',
      path: 'setup.2.path',
      know: 'setup.2.know',
      picture: picture('callback', { domain: guide.domain }),
    },
    [
      local(guide),
      todo(
        paragraph('setup.2.open'),
        [paragraph('setup.2.paste'), copyable(guide.domain, t('setup.2.title'))],
        paragraph('setup.2.save'),
      ),
    ],
    notice('warn', rich('setup.2.note')),
  );
}

// verifyName takes the 16 characters out of a name, an address or the characters.
const verifyName = (text) => /(?:^|WW_verify_)([A-Za-z0-9]{16})(?:[^A-Za-z0-9].*)?$/.exec(text.trim())?.[1];
const fileName = (characters) => `WW_verify_${characters}.txt`;

function trustedDomain(guide) {
  const list = el('ul', { className: 'setup-files', 'aria-live': 'polite' });
  const none = el('p', { className: 'soft' }, t('setup.3.none'));
  const problem = el('div', {});
  const drawn = el('div', {});
  const draw = () => {
    none.hidden = guide.files.length > 0;
    list.replaceChildren(...guide.files.map((name) => fileRow(guide, name)));
    drawn.replaceChildren(
      picture('domain', { domain: guide.domain, address: guide.address, file: guide.files[0] || 'WW_verify_….txt' }),
    );
  };
  const load = async () => {
    list.replaceChildren(el('li', {}, waiting()));
    try {
      const files = await everything('/domain-files');
      files.sort((a, b) => b.createdAt.localeCompare(a.createdAt));
      guide.files = files.map((file) => file.filename);
      draw();
    } catch (error) {
      list.replaceChildren(el('li', {}, notice('bad', problemText(error)), button(t('setup.retry'), load, 'small')));
    }
  };
  // serve has the file served, and fetches it back.
  const serve = async (characters) => {
    problem.replaceChildren();
    const name = fileName(characters);
    await call('PUT', at('domain-files', name));
    guide.files = [name, ...(guide.files || []).filter((other) => other !== name)];
    guide.file = name;
    guide.keep();
    delete guide.fileResults[name];
    draw();
    await fetchBack(guide, name, list.firstChild);
  };
  const refuse = (key) => problem.replaceChildren(notice('bad', t(key)));
  const drop = fileDrop({ label: t('setup.3.drop'), hint: t('setup.3.drop.hint'), accept: '.txt' }, async (file) => {
    const named = verifyName(file.name);
    const content = file.size > 1024 ? '?' : (await file.text()).trim();
    if (named && (content === '' || content === named)) return serve(named);
    if (!named && /^[A-Za-z0-9]{16}$/.test(content)) return serve(content); // renamed on the way
    return refuse(named ? 'setup.3.wrong.content' : 'setup.3.wrong.name');
  });
  const typed = field({ name: 'filename', label: t('setup.3.typed'), placeholder: 'WW_verify_….txt' });
  const typing = form(
    { className: 'setup-typed' },
    async () => {
      const characters = verifyName(typed.input.value);
      if (!characters) {
        typed.invalid(t('setup.3.wrong.name'));
        return typed.input.focus();
      }
      await serve(characters);
      typed.input.value = '';
    },
    typed.node,
    el('button', {}, t('setup.3.serve')),
  );
  drawn.append(
    picture('domain', { domain: guide.domain, address: guide.address, file: guide.files?.[0] || 'WW_verify_….txt' }),
  );
  if (guide.files) draw();
  else load();
  return frame(
    guide,
    3,
    { lead: 'setup.3.lead', path: 'setup.3.path', know: 'setup.3.know', picture: drawn },
    [
      local(guide),
      todo(
        paragraph('setup.3.open'),
        [paragraph('setup.3.paste'), copyable(guide.domain, t('setup.3.title'))],
        paragraph('setup.3.verify'),
        [paragraph('setup.3.bring'), drop, problem, typing, el('h3', {}, t('setup.3.served')), none, list],
        paragraph('setup.3.confirm'),
      ),
    ],
    notice('warn', rich('setup.3.icp')),
    el('p', { className: 'soft' }, t('setup.3.stay')),
  );
}

function fileRow(guide, name) {
  const result = el('div', {}, guide.fileResults[name]);
  const row = el(
    'li',
    {},
    el('code', {}, name),
    el(
      'div',
      { className: 'actions' },
      button(t('setup.3.fetch'), () => fetchBack(guide, name, row), 'small'),
    ),
    result,
  );
  return row;
}

// fetchBack has the service fetch a file over the network, as WeCom will.
async function fetchBack(guide, name, row) {
  const place = row.lastChild;
  place.replaceChildren(waiting(t('setup.3.fetching')));
  let said;
  try {
    const answer = await call('POST', at('domain-files', name, 'check'));
    const link = el(
      'a',
      { href: `${guide.address}/${name}`, target: '_blank', rel: 'noopener noreferrer' },
      `${guide.address}/${name}`,
    );
    said = answer.ok
      ? notice('good', el('p', {}, rich('setup.3.found', { address: link })))
      : answer.steps
          .filter((step) => !step.ok)
          .map((step) => notice('bad', el('p', {}, el('b', {}, step.title)), el('p', {}, step.fix)));
  } catch (error) {
    said = notice('bad', problemText(error));
  }
  guide.fileResults[name] = said;
  place.replaceChildren(...[said].flat());
}

function trustedAddress(guide) {
  const paste = el('div', { 'aria-live': 'polite' });
  const about = el('div', { className: 'setup-words' });
  const drawn = el('div', {});
  const draw = () => {
    const { addresses, source } = guide.egress;
    const joined = addresses.join(';');
    const known = source !== 'unknown' && joined !== '';
    paste.replaceChildren(
      known ? copyable(joined, t('setup.4.title')) : el('p', { className: 'soft' }, t('setup.4.nothing')),
    );
    about.replaceChildren(
      ...[
        notice(
          source === 'setting' ? 'good' : 'warn',
          rich({ setting: 'setup.4.setting', wecom: 'setup.4.wecom' }[known ? source : ''] || 'setup.4.unknown'),
        ),
        known && addresses.some(isPrivate) && notice('info', rich('setup.4.private')),
        known &&
          addresses.some((address) => address.includes(':') && !isPrivate(address)) &&
          notice('warn', rich('setup.4.six')),
        addresses.length > 1 && el('p', { className: 'soft' }, t('setup.4.several')),
      ].filter(Boolean),
    );
    drawn.replaceChildren(picture('address', { addresses: known ? joined : '…' }));
  };
  const load = async () => {
    paste.replaceChildren(waiting(t('setup.4.asking')));
    try {
      guide.egress = await call('GET', '/egress');
      draw();
    } catch (error) {
      paste.replaceChildren(notice('bad', problemText(error)), button(t('setup.retry'), load, 'small'));
    }
  };
  drawn.append(picture('address', { addresses: '…' }));
  if (guide.egress) draw();
  else load();
  return frame(
    guide,
    4,
    { lead: 'setup.4.lead', path: 'setup.4.path', know: 'setup.4.know', picture: drawn },
    todo(paragraph('setup.4.open'), [paragraph('setup.4.paste'), paste], paragraph('setup.4.confirm')),
    about,
    notice('warn', rich('setup.4.without')),
  );
}

// holder is the other authenticator that has automatic login, if one has.
const holder = (guide) => guide.others.find((other) => other.autoLogin && other.enabled);

// values is the step that saves.
function values(guide) {
  const isNew = !guide.saved;
  const address = el('code', {});
  const taken = holder(guide);
  const hintOfAutomatic = [
    t('setup.5.autologin.hint'),
    taken && [
      ' ',
      rich('setup.5.autologin.taken', {
        other: el('a', { href: `#authenticators/${encodeURIComponent(taken.name)}` }, `${taken.title} (${taken.name})`),
      }),
    ],
  ];
  const fields = {
    corpId: field({
      name: 'corpId',
      label: t('setup.5.corpid'),
      hint: t('setup.5.corpid.hint'),
      value: guide.values.corpId,
      required: true,
    }),
    agentId: field({
      name: 'agentId',
      label: t('setup.5.agentid'),
      hint: t('setup.5.agentid.hint'),
      value: guide.values.agentId,
      required: true,
    }),
    secret: field({
      name: 'secret',
      label: t('setup.5.secret'),
      hint: t(isNew ? 'setup.5.secret.hint' : 'setup.5.secret.keep'),
      type: 'password',
      value: guide.secret,
      required: isNew,
      autocomplete: 'new-password',
    }),
    title: field({
      name: 'title',
      label: t('setup.5.name.shown'),
      hint: t('setup.5.name.shown.hint'),
      value: guide.values.title,
      required: true,
    }),
    name:
      isNew &&
      field({
        name: 'name',
        label: t('setup.5.name'),
        hint: [t('setup.5.name.hint'), el('br'), address],
        value: guide.values.name,
        required: true,
      }),
    origin: field({
      name: 'origin',
      label: t('setup.5.origin'),
      hint: t('setup.5.origin.hint'),
      value: guide.values.origin,
      required: true,
      placeholder: 'https://app.example.com',
    }),
    workbenchRedirectPath: field({
      name: 'workbenchRedirectPath',
      label: t('setup.5.redirect'),
      hint: t('setup.5.redirect.hint'),
      value: guide.values.workbenchRedirectPath,
      required: true,
      placeholder: '/admin',
    }),
    autoSignup: field({
      name: 'autoSignup',
      label: t('setup.5.autosignup'),
      hint: t('setup.5.autosignup.hint'),
      type: 'checkbox',
      value: guide.values.autoSignup,
    }),
    autoLogin: field({
      name: 'autoLogin',
      label: t('setup.5.autologin'),
      hint: hintOfAutomatic,
      type: 'checkbox',
      value: guide.values.autoLogin,
    }),
  };
  const texts = Object.keys(rules).filter((key) => fields[key]);
  const check = (key) => {
    const found = wrong(key, tidy(key, fields[key].input.value), guide);
    fields[key].invalid(found && t(found));
    return !found;
  };
  const name = () => (isNew ? guide.values.name : guide.saved.name);
  const preview = () => {
    address.textContent = `${guide.address}/authorize/${name()}`;
  };
  const label = () => t(isNew ? 'setup.5.create' : guide.dirty() ? 'setup.5.save' : 'setup.onward');
  const submit = el('button', { className: 'main' });
  const changed = () => {
    guide.keep();
    submit.textContent = label();
    preview();
  };
  for (const key of texts) {
    const { input } = fields[key];
    const take = () => {
      if (key === 'secret') guide.secret = tidy(key, input.value);
      else guide.values[key] = tidy(key, input.value);
      changed();
    };
    input.addEventListener('input', () => {
      take();
      if (key === 'name') check(key);
    });
    input.addEventListener('change', () => {
      input.value = tidy(key, input.value);
      take();
      if (input.value !== '') check(key);
    });
  }
  for (const key of ['autoSignup', 'autoLogin']) {
    fields[key].input.addEventListener('change', () => {
      guide.values[key] = fields[key].input.checked;
      if (key === 'autoLogin' && guide.values[key] && taken)
        fields.autoLogin.invalid(t('setup.wrong.autologin', { other: taken.title }));
      changed();
    });
  }
  changed();
  const place = form(
    { className: 'setup-form' },
    async () => {
      const bad = texts.filter((key) => !check(key));
      if (bad.length)
        return Object.keys(fields)
          .map((key) => bad.includes(key) && fields[key].input)
          .find(Boolean)
          .focus();
      return save(guide, fields);
    },
    el(
      'fieldset',
      {},
      el('legend', {}, t('setup.5.group.wecom')),
      fields.corpId.node,
      fields.agentId.node,
      fields.secret.node,
    ),
    el(
      'fieldset',
      {},
      el('legend', {}, t('setup.5.group.application')),
      fields.title.node,
      fields.name ? fields.name.node : null,
      fields.origin.node,
      fields.workbenchRedirectPath.node,
    ),
    el('fieldset', {}, el('legend', {}, t('setup.5.group.options')), fields.autoSignup.node, fields.autoLogin.node),
    knowing(guide, 'setup.5.know'),
    el(
      'div',
      { className: 'setup-foot' },
      button(t('setup.back'), () => guide.show(credentials - 1)),
      button(t('setup.later'), () => guide.show(credentials + 1)),
      submit,
    ),
  );
  return frame(
    guide,
    credentials,
    {
      lead: 'setup.5.lead',
      foot: false, // the form has its own
      picture: picture('credentials', {
        corpId: guide.values.corpId || 'ww…',
        agentId: guide.values.agentId || '1000002',
      }),
    },
    todo(paragraph('setup.5.find.corpid'), paragraph('setup.5.find.agentid'), paragraph('setup.5.find.secret')),
    place,
  );
}

const wrongField = {
  name: 'setup.wrong.name',
  title: 'setup.wrong.title',
  corpId: 'setup.wrong.corpid',
  agentId: 'setup.wrong.agentid',
  secret: 'setup.wrong.secret',
  origin: 'setup.wrong.origin',
  workbenchRedirectPath: 'setup.wrong.path',
};

// save creates the authenticator or changes it, and goes on.
async function save(guide, fields) {
  if (guide.saved && !guide.dirty()) return guide.show(nextOf(guide, credentials));
  const isNew = !guide.saved;
  let answer;
  try {
    answer = isNew
      ? await call('POST', '/authenticators', { json: { ...guide.values, secret: guide.secret } })
      : await call('PATCH', at('authenticators', guide.saved.name), {
          json: changes(guide),
          version: guide.saved.version,
        });
  } catch (error) {
    return refused(guide, fields, error);
  }
  guide.secret = '';
  guide.done.add(credentials);
  guide.done.delete(checking);
  guide.results = null;
  guide.start = valuesOf(answer);
  guide.values = { ...guide.start };
  guide.saved = answer;
  toast(t(isNew ? 'setup.5.created' : 'setup.5.saved'));
  if (!isNew) return guide.show(nextOf(guide, credentials));
  forgetDraft();
  writeDraft(answer.name, {
    step: credentials + 1,
    done: [...guide.done],
    paths: guide.paths,
    file: guide.file,
    values: {},
  });
  return location.replace(`#setup/${answer.name}`);
}

const changedValues = (guide) =>
  Object.fromEntries(
    kept.filter((key) => guide.values[key] !== guide.start[key]).map((key) => [key, guide.values[key]]),
  );

const changes = (guide) => (guide.secret ? { ...changedValues(guide), secret: guide.secret } : changedValues(guide));

// refused says beside the field what the service refused. Anything else is said by
// the button.
async function refused(guide, fields, error) {
  if (!(error instanceof Problem)) throw error;
  if (error.code === 'version_mismatch') {
    // What was typed stays; everything else becomes what it is now.
    guide.saved = await call('GET', at('authenticators', guide.saved.name));
    const typed = changedValues(guide);
    guide.start = valuesOf(guide.saved);
    guide.values = { ...guide.start, ...typed };
    for (const key of kept.filter((name) => fields[name])) {
      if (typeof guide.values[key] === 'boolean') fields[key].input.checked = guide.values[key];
      else fields[key].input.value = guide.values[key];
    }
    guide.keep();
    return toast(t('setup.wrong.changed'), 'bad');
  }
  const about = {
    already_exists: ['name', 'setup.wrong.taken'],
    auto_login_taken: ['autoLogin', 'setup.wrong.autologin'],
    invalid_request: [error.field, wrongField[error.field]],
  }[error.code];
  const place = about?.[1] && fields[about[0]];
  if (!place) throw error;
  let other = '';
  if (error.code === 'auto_login_taken') {
    guide.others = (await everything('/authenticators')).filter((one) => one.name !== guide.saved?.name);
    other = holder(guide)?.title || '?';
  }
  place.invalid(t(about[1], { other }));
  return place.input.focus();
}

function phoneNumber(guide) {
  return frame(
    guide,
    6,
    { lead: 'setup.6.lead', path: 'setup.6.path', know: 'setup.6.know', picture: picture('phone') },
    todo(paragraph('setup.6.open'), paragraph('setup.6.tick'), paragraph('setup.6.save')),
    el('p', { className: 'soft' }, t('setup.6.wording')),
    el('p', { className: 'soft' }, t('setup.6.again')),
    notice('warn', rich('setup.6.without')),
  );
}

// notYet stands in for what needs the authenticator.
const notYet = (guide) => [
  notice('warn', t('setup.notyet')),
  button(
    t('setup.7.repair', { n: credentials, title: t(titles[credentials - 1]) }),
    () => guide.show(credentials),
    'main',
  ),
];

// The step of this page that repairs what a step of the check found, by WeCom's number
// or else by what was looked at. What passes by itself (WeCom busy or unreachable) and
// what only WeCom can end is repaired nowhere here.
const repairsOfCode = {
  40001: 5,
  40013: 5,
  40014: 5,
  40056: 5,
  40091: 5,
  41002: 5,
  41004: 5,
  42001: 5,
  45009: 5,
  48002: 5,
  50001: 5,
  301002: 5,
  50003: 1,
  60031: 1,
  60020: 4,
};
const repairs = { 'trusted-domain': 3, 'visible-range': 1, 'domain-file': 3 };
// The step of this page that is done for certain when a step of the check is good.
const proves = { credentials: 5, 'trusted-ip': 4, 'trusted-domain': 3, 'visible-range': 1 };
const repairOf = (step) => repairsOfCode[step.wecomCode] ?? repairs[step.step] ?? 0;

function checks(guide) {
  const drawn = el('div', {});
  const foot = onward(guide, checking, { marks: false });
  const details = { lead: 'setup.7.lead', know: 'setup.7.know', picture: drawn, foot };
  // draw shows in the picture, and by the button that stands out, whether all is good.
  const draw = () => {
    const good = guide.done.has(checking);
    drawn.replaceChildren(
      picture('check', { passed: good, domain: guide.domain, addresses: guide.egress?.addresses.join(';') || 'IP' }),
    );
    foot.lastElementChild.className = good ? 'main' : '';
    control.className = good ? '' : 'main';
  };
  const place = el('div', { className: 'setup-words', 'aria-live': 'polite' }, guide.results);
  const control = button(t(guide.results ? 'setup.7.again' : 'setup.7.check'), async () => {
    place.replaceChildren(waiting(t('setup.7.asking')));
    try {
      const steps = await tried(guide);
      for (const step of steps) if (step.ok && proves[step.step]) guide.mark(proves[step.step]);
      guide.mark(
        checking,
        steps.every((step) => step.ok),
      );
      guide.repairing = false;
      guide.results = resultsOf(guide, steps);
    } catch (error) {
      guide.results = [notice('bad', problemText(error))];
    }
    control.textContent = t('setup.7.again');
    place.replaceChildren(...guide.results);
    draw();
  });
  draw();
  if (!guide.saved) return frame(guide, checking, details, notYet(guide));
  const link = `${guide.address}/authorize/${guide.saved.name}`;
  return frame(guide, checking, details, [
    el('div', { className: 'actions' }, control),
    place,
    el('h3', {}, t('setup.7.try')),
    todo(
      [paragraph('setup.7.try.first'), copyable(link, t('setup.7.try'))],
      [
        paragraph('setup.7.try.then'),
        el(
          'p',
          {},
          el('a', { className: 'button', href: link, target: '_blank', rel: 'noopener' }, t('setup.7.try.link')),
        ),
      ],
    ),
    el('h3', {}, t('setup.7.cannot')),
    el(
      'ul',
      { className: 'setup-plain' },
      el('li', {}, rich('setup.7.cannot.callback', { step: toStep(guide, 2) })),
      el('li', {}, rich('setup.7.cannot.phone', { step: toStep(guide, 6) })),
    ),
  ]);
}

const toStep = (guide, step) =>
  button(t('setup.step.name', { n: step, title: t(titles[step - 1]) }), () => guide.show(step), 'small');

// tried has the service try the configuration, and fetch the domain file back.
async function tried(guide) {
  const { steps } = await call('POST', at('authenticators', guide.saved.name, 'check'));
  if (!guide.file) return steps;
  const file = await call('POST', at('domain-files', guide.file, 'check'));
  return [...steps, ...file.steps];
}

function resultsOf(guide, steps) {
  const good = steps.every((step) => step.ok);
  return [
    notice(good ? 'good' : 'bad', t(good ? 'setup.7.good' : 'setup.7.bad')),
    el(
      'ul',
      { className: 'setup-results' },
      steps.map((step) => {
        const repair = repairOf(step);
        return el(
          'li',
          { className: step.ok ? '' : 'bad' },
          el(
            'p',
            {},
            el('span', { className: 'away' }, `${t(step.ok ? 'check.step.good' : 'check.step.bad')} `),
            el('b', {}, step.title),
          ),
          !step.ok && step.fix && el('p', {}, step.fix),
          !step.ok &&
            repair > 0 &&
            button(
              t('setup.7.repair', { n: repair, title: t(titles[repair - 1]) }),
              () => {
                guide.repairing = true;
                guide.show(repair);
              },
              'small',
            ),
        );
      }),
      !guide.file && el('li', { className: 'none' }, el('p', {}, t('setup.7.nofile'))),
    ),
  ];
}

// homepageLink is what opens from the workbench. With automatic login any address of
// the service is a way in.
function homepageLink(guide, path) {
  const { autoLogin, name } = guide.saved;
  return autoLogin
    ? new URL(guide.address + path).href
    : `${guide.address}/authorize/${name}?${new URLSearchParams({ redirect: path })}`;
}

function homepage(guide) {
  const details = { lead: 'setup.8.lead', path: 'setup.8.path', know: 'setup.8.know' };
  if (!guide.saved)
    return frame(guide, 8, { ...details, picture: picture('homepage', { phone: '…', desktop: '…' }) }, notYet(guide));
  const drawn = el('div', {});
  const link = {};
  const places = {};
  const draw = () => {
    for (const device of ['phone', 'desktop']) {
      const path = guide.paths[device] || guide.saved.workbenchRedirectPath;
      if (isPath(path)) link[device] = homepageLink(guide, path);
      places[device].replaceChildren(
        copyable(link[device], t(device === 'phone' ? 'setup.8.link.phone' : 'setup.8.link.desktop')),
      );
    }
    drawn.replaceChildren(picture('homepage', link));
  };
  const fieldOf = (device, label) => {
    places[device] = el('div', {});
    const path = field({
      name: device,
      label,
      value: guide.paths[device] || guide.saved.workbenchRedirectPath,
      placeholder: guide.saved.workbenchRedirectPath,
    });
    path.input.addEventListener('input', () => {
      const value = path.input.value.trim();
      if (value !== '' && !isPath(value)) return path.invalid(t('setup.wrong.path'));
      guide.paths[device] = value;
      guide.keep();
      return draw();
    });
    return path.node;
  };
  const phone = fieldOf('phone', t('setup.8.phone'));
  const desktop = fieldOf('desktop', t('setup.8.desktop'));
  draw();
  return frame(guide, 8, { ...details, picture: drawn }, [
    el('p', {}, t(guide.saved.autoLogin ? 'setup.8.automatic' : 'setup.8.byhand')),
    todo(
      paragraph('setup.8.open'),
      [paragraph('setup.8.paste.phone'), phone, places.phone],
      [paragraph('setup.8.paste.desktop'), desktop, places.desktop],
      paragraph('setup.8.save'),
    ),
  ]);
}

function finished(guide) {
  const missing = titles.map((_, i) => i + 1).filter((step) => !guide.done.has(step));
  const signIn = `${guide.address}/signin`;
  const begin = () => {
    // who comes back begins with the first step
    guide.step = 1;
    guide.keep();
  };
  return [
    el('h2', { id: 'setup-title', tabIndex: -1 }, t(missing.length ? 'setup.end.nearly' : 'setup.end.title')),
    missing.length
      ? [
          notice('warn', t('setup.end.missing')),
          el(
            'div',
            { className: 'actions' },
            missing.map((step) => toStep(guide, step)),
          ),
        ]
      : [
          notice('good', t('setup.end.text')),
          el(
            'ul',
            { className: 'setup-results' },
            titles.map((key) => el('li', {}, t(key))),
          ),
        ],
    el('h3', {}, t('setup.end.next')),
    el(
      'ul',
      { className: 'setup-plain' },
      el(
        'li',
        {},
        rich('setup.end.button', {
          link: el('a', { href: signIn, target: '_blank', rel: 'noopener' }, t('setup.end.button.link')),
        }),
        copyable(signIn, t('setup.end.button.link')),
      ),
      el(
        'li',
        {},
        rich('setup.end.people', {
          add: el('a', { href: '#users' }, t('setup.end.people.add')),
          bring: el('a', { href: '#import' }, t('setup.end.people.import')),
        }),
      ),
      el('li', {}, rich('setup.end.admin', { users: el('a', { href: '#users' }, t('setup.end.admin.users')) })),
      guide.saved &&
        el(
          'li',
          {},
          rich('setup.end.look', { link: el('a', { href: `#authenticators/${guide.saved.name}` }, guide.saved.title) }),
        ),
    ),
    el(
      'div',
      { className: 'setup-foot' },
      button(t('setup.back'), () => guide.show(last)),
      el('a', { className: 'button main', href: '#authenticators', onclick: begin }, t('setup.end.close')),
    ),
  ];
}
