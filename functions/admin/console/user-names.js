// Names of users, where an answer has their ids alone.

import { at, call } from './api.js';
import { t } from './texts.js';
import { el } from './ui.js';
import { address } from './user-fields.js';

// userNames makes links to users. A link shows the id until load has read the name, and
// named(link, name, id) shows that. Of a user who has been deleted the id stays.
export function userNames(named) {
  const names = new Map(); // by id; null for none
  const unnamed = new Map(); // links by id
  let reading = false;

  const link = (id) => {
    const made = el('a', { className: 'id', href: address({ id }) }, id);
    if (!names.has(id)) unnamed.set(id, [...(unnamed.get(id) || []), made]);
    else if (names.get(id) !== null) named(made, names.get(id), id);
    return made;
  };
  // read reads the users one after the other, as the service lets few calls through at once,
  // and only those who are on the page.
  async function read() {
    for (const [id, links] of unnamed) {
      unnamed.delete(id);
      if (!links.some((one) => one.isConnected)) continue;
      const name = await nameOf(id);
      names.set(id, name);
      if (name !== null) for (const one of links) named(one, name, id);
    }
  }
  async function load() {
    if (reading) return;
    reading = true;
    await new Promise((later) => setTimeout(later)); // until the links are on the page
    await read().catch(() => {}); // the ids stay
    reading = false;
  }
  return { link, load };
}

async function nameOf(id) {
  try {
    return (await call('GET', at('users', id))).name || t('user.noname');
  } catch (error) {
    if (error.code === 'not_found') return null;
    throw error;
  }
}
