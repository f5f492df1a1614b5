// The sentences of the page's language, which the document carries, and times as
// people of that language write them.

const texts = JSON.parse(document.getElementById('texts').textContent);

export const language = document.documentElement.lang;

// t returns the text of a key with its {name} places filled. A missing text shows
// its key: the tests find it before a visitor does.
export function t(key, values = {}) {
  const text = Object.hasOwn(texts, key) ? texts[key] : key;
  return text.replace(/\{(\w+)\}/g, (place, name) => (Object.hasOwn(values, name) ? String(values[name]) : place));
}

// has reports whether there is a text: for keys that come from an answer.
export const has = (key) => Object.hasOwn(texts, key);

// Made once: a formatter costs more than what it formats.
const moments = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
const seconds = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' });
const exact = new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'long' });

// dateTime writes a moment of an answer (RFC 3339) in the language of the page and
// the zone of the browser, and dateTimeSeconds to the second.
export const dateTime = (text) => moments.format(new Date(text));
export const dateTimeSeconds = (text) => seconds.format(new Date(text));

// exactTime is the same moment to the second and with its zone.
export const exactTime = (text) => exact.format(new Date(text));

const numbers = new Intl.NumberFormat(language);

// count writes a number of things.
export const count = (number) => numbers.format(number);
