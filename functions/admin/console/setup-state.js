// The state of the guided set-up: what the service has, what was typed, and which
// steps are done. Steps read it and change it through its methods.

import { t } from './texts.js';

// The steps by number, in the order of WeCom's own admin console.
export const steps = {
  app: 1,
  callbackDomain: 2,
  trustedDomain: 3,
  trustedAddress: 4,
  credentials: 5, // the step that saves
  phoneNumber: 6,
  check: 7,
  homepage: 8,
  events: 9,
};

export const titles = [
  'setup.1.title',
  'setup.2.title',
  'setup.3.title',
  'setup.4.title',
  'setup.5.title',
  'setup.6.title',
  'setup.7.title',
  'setup.8.title',
  'setup.9.title',
];

export const lastStep = titles.length;

// titleOf returns the title of a step as text.
export const titleOf = (step) => t(titles[step - 1]);

// The fields of an authenticator that the set-up fills in. The secret is apart: it is
// sent, never read.
export const fieldNames = [
  'name',
  'title',
  'corpId',
  'agentId',
  'origin',
  'workbenchRedirectPath',
  'autoSignup',
  'autoLogin',
];

const valuesOf = (authenticator) => Object.fromEntries(fieldNames.map((key) => [key, authenticator[key]]));

export class SetupState {
  // address is the service's public URL; saved is the authenticator to set up, null for
  // a new one; others are all other authenticators.
  constructor({ address, saved, others }) {
    // What the service has.
    this.address = address;
    this.domain = saved?.callbackDomain || new URL(address).host;
    this.saved = saved;
    this.others = others;

    // What was typed. start has the values before that.
    const draft = readDraft(saved?.name);
    this.start = saved ? valuesOf(saved) : firstValues(others);
    this.values = { ...this.start, ...draft.values };
    this.resumed = Object.keys(draft.values || {}).length > 0; // some of it comes from a draft
    this.secret = '';
    this.paths = draft.paths || {}; // to open from the workbench: phone, desktop
    this.file = draft.file || ''; // the domain file handed in here; others are of other apps

    // Where the administrator is.
    this.step = draft.step || 1;
    this.done = new Set(draft.done || (saved ? [steps.credentials] : []));
    this.repairing = false; // the check sent the administrator to a step
    this.onProgress = () => {}; // called when a step is done, or open again

    // What was fetched and shows again when its step does. A reload fetches it anew.
    this.found = {
      files: null, // names of the domain files, newest first
      fileResults: {}, // by name: what fetching it back has shown
      egress: null, // GET /egress
      checkResults: null, // what the last check has shown
    };
  }

  // changedValues returns the fields that were typed over, without the secret.
  changedValues() {
    const changed = fieldNames.filter((key) => this.values[key] !== this.start[key]);
    return Object.fromEntries(changed.map((key) => [key, this.values[key]]));
  }

  // changes returns what is to be sent.
  changes() {
    return this.secret ? { ...this.changedValues(), secret: this.secret } : this.changedValues();
  }

  // isDirty reports whether there is something to save.
  isDirty() {
    return Object.keys(this.changes()).length > 0;
  }

  // mark records that a step is done, or open again.
  mark(step, isDone = true) {
    if (isDone) this.done.add(step);
    else this.done.delete(step);
    this.keep();
    this.onProgress();
  }

  // next returns the step after one that is done: the check, if the check sent here.
  next(step) {
    return this.repairing && step < steps.check ? steps.check : step + 1;
  }

  // adopt takes the authenticator as it was just saved. What a check had found is void.
  adopt(authenticator) {
    this.secret = '';
    this.done.add(steps.credentials);
    this.done.delete(steps.check);
    this.found.checkResults = null;
    this.saved = authenticator;
    this.start = valuesOf(authenticator);
    this.values = { ...this.start };
  }

  // rebase takes the authenticator as somebody else has changed it. What was typed here
  // stays.
  rebase(authenticator) {
    const typed = this.changedValues();
    this.saved = authenticator;
    this.start = valuesOf(authenticator);
    this.values = { ...this.start, ...typed };
  }

  draft() {
    const { step, done, paths, file } = this;
    return { step, done: [...done], paths, file, values: this.changedValues() };
  }

  // keep stores the draft in this tab, so that a reload loses nothing but the secret.
  keep() {
    writeDraft(this.saved?.name, this.draft());
  }
}

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

// A draft is stored under the name of its authenticator; the new one has none yet.
const draftKey = (name = '') => `wecom-signin-setup:${name}`;

function readDraft(name) {
  try {
    return JSON.parse(sessionStorage.getItem(draftKey(name))) || {};
  } catch {
    return {};
  }
}

export function writeDraft(name, draft) {
  try {
    sessionStorage.setItem(draftKey(name), JSON.stringify(draft));
  } catch {
    // The tab's storage is full: a reload begins again, nothing else is lost.
  }
}

export const forgetDraft = (name) => sessionStorage.removeItem(draftKey(name));
