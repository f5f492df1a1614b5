// The fields of an application: for the form of a new one and for that of one there is.

import { allowFields } from './allow-fields.js';
import { adviceOnAddresses, linesOf, wrongAddress, wrongAddresses } from './application-addresses.js';
import { choices } from './choices.js';
import { t } from './texts.js';

// An address of software behind a proxy, for those who enter one.
export const proxiedExample = 'https://wiki.example.com';

export const address = (a) => `#applications/${encodeURIComponent(a.id)}`;

// nest makes {a: {b: value}} of {'a.b': value}: fields are named as the service names
// what is wrong.
export function nest(flat) {
  const whole = {};
  for (const [path, value] of Object.entries(flat)) {
    const names = path.split('.');
    let part = whole;
    for (const name of names.slice(0, -1)) part = part[name] ??= {};
    part[names.at(-1)] = value;
  }
  return whole;
}

const at = (record, path) => path.split('.').reduce((part, name) => part?.[name], record);
const several = (spec) => choices({ ...spec, type: 'checkbox' });
const lines = { type: 'textarea', from: (name) => (record) => at(record, name).join('\n'), to: linesOf };
const words = (text) => text.split(' ').filter(Boolean);

// redirectHint is a hint with the exception that only programs on a device have.
export const redirectHint = (kind, key) =>
  kind === 'native' ? `${t(key)} ${t('application.address.loopback')}` : t(key);

const userIdPlace = '{wecom_userid}';
const emailTemplate = /^[A-Za-z0-9._+-]*\{wecom_userid\}[A-Za-z0-9._+-]*@([A-Za-z0-9-]+\.)*[A-Za-z][A-Za-z0-9-]*$/;

// companiesOf returns the companies whose members can come to an application that may use
// the named authenticators; none named are all enabled ones.
export function companiesOf(authenticators, named) {
  const used = authenticators.filter((a) => (named.length ? named.includes(a.name) : a.enabled));
  return new Set(used.map((a) => a.corpId)).size;
}

// whoMayUse says who an application is for.
export function whoMayUse({ roles, departments, tags }) {
  if (departments.length + tags.length > 0) return t('application.allow.match');
  return roles.length
    ? t('application.allow.some', { roles: roles.join(` ${t('application.or')} `) })
    : t('application.allow.everybody');
}

// fieldsOf returns the fields by name. authenticators are all there are.
export function fieldsOf(kind, authenticators) {
  const manyCompanies = (other) => companiesOf(authenticators, words(other('authenticators'))) > 1;
  const addresses = (name) => ({
    name,
    type: lines.type,
    label: t(`application.${name}`),
    hint: t(`application.${name}.hint`),
    from: lines.from(name),
    to: lines.to,
    check: (text) => wrongAddresses(text, kind),
  });
  const one = (name) => ({
    name,
    label: t(`application.${name}`),
    hint: t(`application.${name}.hint`),
    check: (text) => (text ? wrongAddress(text) : ''),
  });
  const claim = (name, spec) => ({
    name: `claims.${name}`,
    label: t(`application.claims.${name}`),
    from: (record) => at(record, `claims.${name}`),
    ...spec,
  });
  const proxied = kind === 'proxy';
  const fields = [
    { name: 'title', label: t('application.title'), hint: t('application.title.hint'), required: true },
    proxied
      ? {
          ...one('homepage'),
          hint: t('application.proxy.homepage'),
          check: (text) => (text ? wrongAddress(text) : t('application.new.base.wrong', { example: proxiedExample })),
        }
      : one('homepage'),
    !proxied && {
      ...addresses('redirectUris'),
      hint: redirectHint(kind, 'application.redirectUris.hint'),
      warns: true,
      advise: (text) => adviceOnAddresses(text, kind),
    },
    ...allowFields({
      authenticators: () => authenticators.filter(({ enabled }) => enabled),
      label: t('application.allow'),
      hint: t('application.allow.hint'),
      says: whoMayUse,
    }),
    {
      name: 'authenticators',
      label: t('tab.authenticators'),
      hint: t('application.authenticators.hint'),
      make: several,
      options: authenticators.map((a) => ({ value: a.name, label: a.title })),
      // In the order of the choice, as the choice returns them; one deleted since is let go.
      from: (record) =>
        authenticators
          .map((a) => a.name)
          .filter((name) => record.authenticators.includes(name))
          .join(' '),
      to: words,
    },
    claim('email', {
      type: 'select',
      options: ['none', 'wecom', 'template'].map((value) => [value, t(`application.email.${value}`)]),
      hint: t('application.claims.email.hint'),
      check: (shown, other) =>
        shown !== 'none' && manyCompanies(other) ? t('problem.invalid_request.claims.email') : '',
      warns: true,
      advise: (shown, other) => {
        if (shown !== 'none' && manyCompanies(other)) return t('application.companies');
        return shown === 'wecom' ? t('application.email.wecom.hint') : '';
      },
    }),
    claim('emailTemplate', {
      hint: t('application.claims.emailTemplate.hint', { place: userIdPlace }),
      check: (text, other) =>
        (text || other('claims.email') === 'template') && !emailTemplate.test(text)
          ? t('application.claims.emailTemplate.wrong', { place: userIdPlace })
          : '',
    }),
    claim('preferredUsername', {
      type: 'select',
      options: ['wecom_userid', 'phone', 'id'].map((value) => [value, t(`application.username.${value}`)]),
      hint: t('application.claims.preferredUsername.hint'),
      warns: true,
      advise: (shown, other) => (shown === 'wecom_userid' && manyCompanies(other) ? t('application.companies') : ''),
    }),
    claim('groups.name', { hint: t('application.claims.groups.name.hint') }),
    claim('groups.from', {
      make: several,
      options: [
        { value: 'roles', label: t('application.groups.roles') },
        {
          value: 'departments',
          label: t('application.groups.departments'),
          hint: t('application.groups.departments.hint'),
        },
      ],
      from: (record) => ['roles', 'departments'].filter((name) => record.claims.groups.from.includes(name)).join(' '),
      to: words,
    }),
    claim('groups.as', {
      type: 'select',
      options: ['id', 'path'].map((value) => [value, t(`application.groups.${value}`)]),
    }),
    claim('phone', { type: 'checkbox', hint: !proxied && t('application.claims.phone.hint') }),
    !proxied && claim('inIdToken', { type: 'checkbox', hint: t('application.claims.inIdToken.hint') }),
    !proxied && addresses('postLogoutRedirectUris'),
    !proxied && one('backchannelLogoutUri'),
    kind === 'web' && {
      name: 'requirePkce',
      type: 'checkbox',
      label: t('application.requirePkce'),
      hint: t('application.requirePkce.hint'),
    },
    {
      name: 'firstParty',
      type: 'checkbox',
      label: t('application.firstParty'),
      hint: t('application.firstParty.hint'),
    },
    !proxied && {
      name: 'refreshTokenLifetime',
      label: t('application.refreshTokenLifetime'),
      hint: t('application.refreshTokenLifetime.hint'),
      check: (text) => (/^(\d+h)?(\d+m)?(\d+s)?$/.test(text) && text ? '' : t('application.refreshTokenLifetime.hint')),
    },
    proxied && {
      name: 'forwardAuth.token',
      type: 'checkbox',
      label: t('application.forwardAuth.token'),
      hint: t('application.forwardAuth.token.hint'),
      from: (record) => Boolean(record.forwardAuth?.token),
    },
    { name: 'audience', label: t('application.audience'), hint: t('application.audience.hint') },
  ].filter(Boolean);
  return Object.fromEntries(fields.map((field) => [field.name, field]));
}

// partsOf returns the parts of the form, and the fields of each. The first is always open.
export const partsOf = (kind) => [
  ['main', ['title', 'homepage', 'redirectUris', 'allow.roles', 'allow.departments', 'allow.tags', 'authenticators']],
  [
    'claims',
    [
      'claims.email',
      'claims.emailTemplate',
      'claims.preferredUsername',
      'claims.groups.name',
      'claims.groups.from',
      'claims.groups.as',
      'claims.phone',
      'claims.inIdToken',
    ],
  ],
  [
    kind === 'proxy' ? 'other' : 'more',
    [
      'requirePkce',
      'firstParty',
      'refreshTokenLifetime',
      'forwardAuth.token',
      'audience',
      'postLogoutRedirectUris',
      'backchannelLogoutUri',
    ],
  ],
];
