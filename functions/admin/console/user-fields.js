// What the list of users, the page of one, and the dialog for a new one have in common.

import { t } from './texts.js';

// administrator is the role that opens the console.
export const administrator = 'admin';

export const address = (user) => `#users/${encodeURIComponent(user.id)}`;
export const written = (user) => user.phoneText || user.phone;
export const called = (user) => user.name || written(user);
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
