// The rules for what is typed into the set-up. They give the key of a text that says
// what is wrong, or ''. The service decides; these only say it earlier.

export const isLoopback = (host) => /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);

const privateRanges = [
  /^127\./,
  /^10\./,
  /^192\.168\./,
  /^172\.(1[6-9]|2\d|3[01])\./,
  /^169\.254\./,
  /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./,
  /^::1$/,
  /^f[cde]/i,
];

// isPrivate reports whether an IP address is not one of the internet.
export const isPrivate = (address) => privateRanges.some((range) => range.test(address));

// originOf returns an origin as browsers write it, or '' if the text is not one.
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

// isPath reports whether a text is a path on the application, with or without a query.
export const isPath = (text) =>
  /^\/(?!\/)/.test(text) &&
  !Array.from(text).some(isControl) &&
  !text.split('?')[0].includes('\\') &&
  new TextEncoder().encode(text).length <= 2048;

// What is said of a field with a value that cannot be.
export const wrongField = {
  name: 'setup.wrong.name',
  title: 'setup.wrong.title',
  corpId: 'setup.wrong.corpid',
  agentId: 'setup.wrong.agentid',
  secret: 'setup.wrong.secret',
  origin: 'setup.wrong.origin',
  workbenchRedirectPath: 'setup.wrong.path',
};

const isValid = {
  name: (value) => /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/.test(value),
  title: (value) => Array.from(value).length <= 200,
  corpId: (value) => /^[A-Za-z0-9_-]{4,64}$/.test(value),
  agentId: (value) => /^[0-9]{1,16}$/.test(value),
  secret: (value) => /^[!-~]{1,512}$/.test(value),
  origin: (value) => originOf(value) !== '',
  workbenchRedirectPath: isPath,
};

// wrong returns what is wrong with the value of a field. A secret that is saved may be
// left out.
export function wrong(name, value, state) {
  if (value === '') return name === 'secret' && state.saved ? '' : 'setup.wrong.missing';
  if (!isValid[name](value)) return wrongField[name];
  return name === 'name' && state.others.some((other) => other.name === value) ? 'setup.wrong.taken' : '';
}

// tidy repairs what can be meant in one way only.
export function tidy(name, value) {
  const text = value.trim();
  if (name !== 'origin') return text;
  const whole = /^[\w-]+(\.[\w-]+)+(:\d+)?\/?$/.test(text) ? `https://${text}` : text;
  return originOf(whole) || whole;
}
