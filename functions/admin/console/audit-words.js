// What the codes of lines of the audit and their fields are called.

import { causeText } from './application-attempts.js';
import { refusalText } from './attempts.js';
import { has, t } from './texts.js';

// codeText says what the code of a line means, or '' where its type says it all.
export function codeText({ type, code }) {
  if (!code) return '';
  if (type === 'sign_in_refused') return refusalText(code);
  if (type === 'token_reused') return causeText(code);
  return has(`audit.code.${code}`) ? t(`audit.code.${code}`) : '';
}

const fields = {
  // Of several things.
  title: 'authenticator.title',
  enabled: 'audit.field.enabled',
  sessions: 'audit.field.sessions',
  authenticators: 'tab.authenticators',
  // Of a user.
  phone: 'user.phone',
  name: 'user.name',
  avatar: 'audit.field.avatar',
  roles: 'user.roles',
  identities: 'user.identities',
  // Of an authenticator.
  corpId: 'authenticator.corpId',
  agentId: 'authenticator.agentId',
  secret: 'authenticator.secret',
  origin: 'authenticator.origin',
  workbenchRedirectPath: 'authenticator.path',
  autoSignup: 'audit.field.autoSignup',
  autoLogin: 'authenticator.autoLogin',
  linkByPhone: 'audit.field.linkByPhone',
  events: 'events.title',
  roleRules: 'rules.title',
  applicationTags: 'audit.field.applicationTags',
  // Of an application.
  kind: 'audit.field.kind',
  homepage: 'application.homepage',
  redirectUris: 'application.redirectUris',
  postLogoutRedirectUris: 'application.postLogoutRedirectUris',
  backchannelLogoutUri: 'application.backchannelLogoutUri',
  requirePkce: 'application.requirePkce',
  firstParty: 'audit.field.firstParty',
  claims: 'application.part.claims',
  forwardAuth: 'audit.field.forwardAuth',
  audience: 'application.audience',
  refreshTokenLifetime: 'application.refreshTokenLifetime',
  secrets: 'audit.field.secrets',
  grants: 'audit.field.grants',
  // Filters of the audit.
  from: 'audit.from',
  to: 'audit.to',
  type: 'audit.what',
  user: 'audit.user',
  authenticator: 'attempts.through',
  application: 'audit.application',
  actor: 'audit.by',
};

function fieldText(type, name) {
  if (name === 'allow') return t(type.startsWith('application_') ? 'application.allow' : 'allow.roles');
  return Object.hasOwn(fields, name) ? t(fields[name]) : name;
}

// fieldsText says which fields a line is about, or what was searched by; '' for none.
export function fieldsText({ type, fields: names }) {
  if (!names.length) return '';
  if (type.startsWith('domain_file_')) return names.join(' ');
  const searched = ['users_listed', 'audit_exported'].includes(type);
  return t(searched ? 'audit.searched' : 'audit.fields', {
    fields: names.map((name) => fieldText(type, name)).join(', '),
  });
}
