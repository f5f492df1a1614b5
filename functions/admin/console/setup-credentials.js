// Step 5 of the set-up: the app's credentials and what the application is. This step
// saves: it creates the authenticator, or changes it.

import { at, call, everything, Problem } from './api.js';
import { button, field, form } from './controls.js';
import { sayThere } from './dialogs.js';
import { picture } from './pictures.js';
import { isNumbered, sayFormerNumbers } from './rules-field.js';
import { frame, knowing, paragraph, rich, todo } from './setup-layout.js';
import { fieldNames, forgetDraft, steps, writeDraft } from './setup-state.js';
import { tidy, wrong, wrongField } from './setup-validation.js';
import { t } from './texts.js';
import { el, toast } from './ui.js';

// holder is the other authenticator that has automatic login, if one has.
const holder = (state) => state.others.find((other) => other.autoLogin && other.enabled);

export function credentials(state, show) {
  const address = el('code', {});
  const fields = fieldsOf(state, address);
  const submit = el('button', { className: 'main' });
  const check = (key) => {
    const found = wrong(key, tidy(key, fields[key].input.value), state);
    fields[key].invalid(found && t(found));
    return !found;
  };
  const changed = () => {
    const { saved, values } = state;
    state.keep();
    submit.textContent = t(!saved ? 'setup.5.create' : state.isDirty() ? 'setup.5.save' : 'setup.onward');
    address.textContent = `${state.address}/authorize/${saved ? saved.name : values.name}`;
  };
  const texts = Object.keys(fields).filter((key) => Object.hasOwn(wrongField, key));
  for (const key of texts) watchText(state, key, fields[key].input, changed, check);
  for (const key of ['autoSignup', 'autoLogin']) watchTick(state, key, fields[key], changed);
  changed();

  const filledIn = async () => {
    const bad = texts.filter((key) => !check(key));
    if (bad.length) return fields[bad[0]].input.focus();
    return save(state, show, fields);
  };
  const group = (title, ...names) =>
    el(
      'fieldset',
      {},
      el('legend', {}, t(title)),
      names.map((name) => fields[name]?.node),
    );
  const foot = el(
    'div',
    { className: 'setup-foot' },
    button(t('setup.back'), () => show(steps.credentials - 1)),
    button(t('setup.later'), () => show(steps.credentials + 1)),
    submit,
  );
  const { corpId, agentId } = state.values;
  return frame(
    state,
    show,
    steps.credentials,
    {
      lead: 'setup.5.lead',
      foot: false, // the form has its own
      picture: picture('credentials', { corpId: corpId || 'ww…', agentId: agentId || '1000002' }),
    },
    todo(paragraph('setup.5.find.corpid'), paragraph('setup.5.find.agentid'), paragraph('setup.5.find.secret')),
    form(
      { className: 'setup-form' },
      filledIn,
      group('setup.5.group.wecom', 'corpId', 'agentId', 'secret'),
      group('setup.5.group.application', 'title', 'name', 'origin', 'workbenchRedirectPath'),
      group('setup.5.group.options', 'autoSignup', 'autoLogin'),
      knowing(state, 'setup.5.know'),
      foot,
    ),
  );
}

// fieldsOf makes the fields, by name and in their order. The name of an authenticator
// cannot be changed; address shows what it becomes a part of.
function fieldsOf(state, address) {
  const isNew = !state.saved;
  const secretHint = t(isNew ? 'setup.5.secret.hint' : 'setup.5.secret.keep');
  const specs = [
    { name: 'corpId', label: t('setup.5.corpid'), hint: t('setup.5.corpid.hint'), required: true },
    { name: 'agentId', label: t('setup.5.agentid'), hint: t('setup.5.agentid.hint'), required: true },
    {
      name: 'secret',
      label: t('setup.5.secret'),
      hint: secretHint,
      type: 'password',
      value: state.secret,
      required: isNew,
      autocomplete: 'new-password',
    },
    { name: 'title', label: t('setup.5.name.shown'), hint: t('setup.5.name.shown.hint'), required: true },
    isNew && {
      name: 'name',
      label: t('setup.5.name'),
      hint: [t('setup.5.name.hint'), el('br'), address],
      required: true,
    },
    {
      name: 'origin',
      label: t('setup.5.origin'),
      hint: t('setup.5.origin.hint'),
      required: true,
      placeholder: 'https://app.example.com',
    },
    {
      name: 'workbenchRedirectPath',
      label: t('setup.5.redirect'),
      hint: t('setup.5.redirect.hint'),
      required: true,
      placeholder: '/admin',
    },
    { name: 'autoSignup', label: t('setup.5.autosignup'), hint: t('setup.5.autosignup.hint'), type: 'checkbox' },
    { name: 'autoLogin', label: t('setup.5.autologin'), hint: automaticLoginHint(state), type: 'checkbox' },
  ].filter(Boolean);
  return Object.fromEntries(specs.map((spec) => [spec.name, field({ value: state.values[spec.name], ...spec })]));
}

function automaticLoginHint(state) {
  const hint = t('setup.5.autologin.hint');
  const taken = holder(state);
  if (!taken) return hint;
  const address = `#authenticators/${encodeURIComponent(taken.name)}`;
  const other = el('a', { href: address }, `${taken.title} (${taken.name})`);
  return [hint, ' ', rich('setup.5.autologin.taken', { other })];
}

// watchText takes over what is typed, and checks a field when it is left. A name that is
// taken is said at once.
function watchText(state, key, input, changed, check) {
  const take = () => {
    if (key === 'secret') state.secret = tidy(key, input.value);
    else state.values[key] = tidy(key, input.value);
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

function watchTick(state, key, { input, invalid }, changed) {
  const taken = holder(state);
  input.addEventListener('change', () => {
    state.values[key] = input.checked;
    if (key === 'autoLogin' && input.checked && taken) {
      invalid(t('setup.wrong.autologin', { other: taken.title }));
    }
    changed();
  });
}

// save creates the authenticator or changes it, and goes on.
async function save(state, show, fields) {
  const { saved } = state;
  if (saved && !state.isDirty()) return show(state.next(steps.credentials));
  let answer;
  try {
    answer = saved
      ? await call('PATCH', at('authenticators', saved.name), { json: state.changes(), version: saved.version })
      : await call('POST', '/authenticators', { json: { ...state.values, secret: state.secret } });
  } catch (error) {
    return refused(state, fields, error);
  }
  state.adopt(answer);
  if (saved) {
    toast(t('setup.5.saved'));
    return show(state.next(steps.credentials));
  }
  // The set-up goes on at the address of the new authenticator, and with its draft.
  forgetDraft();
  writeDraft(answer.name, { ...state.draft(), step: steps.credentials + 1 });
  sayThere(t('setup.5.created'));
  return location.replace(`#setup/${answer.name}`);
}

// refused says beside the field what the service refused. Anything else is said by the
// button.
async function refused(state, fields, error) {
  if (!(error instanceof Problem)) throw error;
  if (error.code === 'version_mismatch') return changedMeanwhile(state, fields);
  const [name, text] =
    {
      already_exists: ['name', 'setup.wrong.taken'],
      auto_login_taken: ['autoLogin', 'setup.wrong.autologin'],
      invalid_request: [error.field, wrongField[error.field]],
    }[error.code] || [];
  if (isNumbered(error.field)) {
    fields.corpId.invalid(sayFormerNumbers());
    return fields.corpId.input.focus();
  }
  if (!text || !fields[name]) throw error;
  let other = '';
  if (error.code === 'auto_login_taken') {
    state.others = (await everything('/authenticators')).filter((one) => one.name !== state.saved?.name);
    other = holder(state)?.title || '?';
  }
  fields[name].invalid(t(text, { other }));
  return fields[name].input.focus();
}

// changedMeanwhile shows the authenticator as somebody else has changed it, under what
// was typed here.
async function changedMeanwhile(state, fields) {
  state.rebase(await call('GET', at('authenticators', state.saved.name)));
  for (const key of fieldNames.filter((name) => fields[name])) {
    const { input } = fields[key];
    if (input.type === 'checkbox') input.checked = state.values[key];
    else input.value = state.values[key];
  }
  state.keep();
  toast(t('setup.wrong.changed'), 'bad');
}
