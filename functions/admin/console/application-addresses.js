// Addresses of an application, looked at while they are typed. The service decides; what
// is said here is only earlier.

import { t } from './texts.js';

const loopback = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?=[:/?]|$)/;
const privateScheme = /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:\//;

// linesOf are the addresses of a field with one on each line.
export const linesOf = (text) =>
  text
    .split(/\s+/)
    .map((line) => line.trim())
    .filter(Boolean);

// wrongAddress says what is wrong with an address to come back to, or ''. kind is that of
// the application, '' for an address that is the same for all kinds.
export function wrongAddress(address, kind = '') {
  const say = (reason) => t(`application.address.${reason}`, { address });
  if (!/^[\x21-\x7e]*$/.test(address) || /[\\<>"{}|^`]/.test(address)) return say('characters');
  if (address.includes('#')) return say('fragment');
  if (address.includes('*')) return say('wildcard');
  if (address.startsWith('http://')) {
    if (!loopback.test(address)) return say('http');
  } else if (!address.startsWith('https://')) {
    if (kind !== 'native') return say('scheme');
    return privateScheme.test(address) ? '' : say('private');
  }
  let parsed;
  try {
    parsed = new URL(address);
  } catch {
    return say('form');
  }
  if (parsed.username || parsed.password) return say('user');
  return '';
}

// wrongAddresses says what is wrong with the first bad one of a field, or ''.
export const wrongAddresses = (text, kind) =>
  linesOf(text)
    .map((address) => wrongAddress(address, kind))
    .find(Boolean) || '';

// adviceOnAddresses says what is allowed and yet probably not meant: an address without a
// path, and two that differ in a slash at the end only.
export function adviceOnAddresses(text, kind) {
  const all = linesOf(text);
  if (wrongAddresses(text, kind)) return '';
  const twin = all.find((address) => all.includes(`${address}/`));
  if (twin) return t('application.address.twin', { address: twin });
  const bare = all.find(
    (address) => /^https?:\/\/[^/]*\/?$/.test(address) && !(kind === 'native' && loopback.test(address)),
  );
  if (bare) return t('application.address.path', { address: bare });
  return '';
}

// cleanBase is the address of software without a slash at the end, or '' for what is not
// one: it goes into configurations, so that it has nothing that would end a quotation.
export function cleanBase(text) {
  const base = text.trim().replace(/\/+$/, '');
  return /^https?:\/\/[A-Za-z0-9.[\]:-]+(\/[A-Za-z0-9._~/-]*)?$/.test(base) && !wrongAddress(base) ? base : '';
}
