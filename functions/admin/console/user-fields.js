// What the list of users, the page of one, and the dialog for a new one have in common.

import { t } from './texts.js';
import { badge } from './ui.js';

// administrator is the role that opens the console.
export const administrator = 'admin';

export const address = (user) => `#users/${encodeURIComponent(user.id)}`;
export const written = (user) => user.phoneText || user.phone;
export const called = (user) => user.name || written(user);
// whereabouts marks somebody whom no company has as an active member any more, null for others
// and for those who have not come yet.
export function whereabouts({ identities }) {
  if (!identities.length || identities.some(({ goneAt, disabledAt }) => !goneAt && !disabledAt)) return null;
  return badge(t(identities.every(({ goneAt }) => goneAt) ? 'user.nowhere' : 'user.disabledThere'), 'warn');
}
export const readRoles = (text) => text.split(/[\s,，、]+/).filter(Boolean);

export const nameField = (user) => ({
  name: 'name',
  label: t('user.name'),
  hint: t('user.name.hint'),
  value: user?.name,
});
export const phoneField = (user) => ({
  name: 'phone',
  label: t('user.phone'),
  hint: t('user.phone.hint'),
  type: 'tel',
  required: true,
  value: user?.phone,
});
