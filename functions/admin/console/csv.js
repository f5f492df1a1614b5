// Reading and writing CSV as spreadsheet programs have it.

// decode reads a file's bytes. A byte order mark decides. Without one, spreadsheet
// programs in Chinese write GB 18030 unless told otherwise; what is not correct UTF-8 is
// read as that.
export function decode(bytes) {
  const [first, second] = new Uint8Array(bytes);
  const marked = { '255 254': 'utf-16le', '254 255': 'utf-16be' }[`${first} ${second}`];
  if (marked) return { text: new TextDecoder(marked).decode(bytes), encoding: marked };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), encoding: 'utf-8' };
  } catch {
    return { text: new TextDecoder('gb18030').decode(bytes), encoding: 'gb18030' };
  }
}

// parse returns the rows of a text: {line, cells}, line being where in the file the
// row begins. Rows without any content are left out, as spreadsheet programs add them.
// A quotation mark that is never closed gives {rows, broken: line}, with the rows in
// front of it.
export function parse(text, separator) {
  const rows = [];
  let cells = [];
  let cell = '';
  let quoted = false;
  let line = 1;
  let begun = 1; // line of the row
  let opened = 0; // line of the last quotation mark that opened a cell
  const endRow = () => {
    cells.push(original(cell.trim()));
    if (cells.some(Boolean)) rows.push({ line: begun, cells });
    cells = [];
    cell = '';
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\n' || (c === '\r' && text[i + 1] !== '\n')) line++;
    if (quoted) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') {
        cell += '"';
        i++;
      } else quoted = false;
    } else if (c === '"' && !cell.trim()) {
      cell = '';
      quoted = true;
      opened = line;
    } else if (c === separator) {
      cells.push(original(cell.trim()));
      cell = '';
    } else if (c === '\n' || c === '\r') {
      if (c === '\r' && text[i + 1] === '\n') continue;
      endRow();
      begun = line;
    } else cell += c;
  }
  if (quoted) return { rows, broken: opened };
  endRow();
  return { rows };
}

const cellText = (cell) => (/[",\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

// rowText writes one row, without the end of its line.
export const rowText = (cells) => cells.map((cell) => cellText(String(cell))).join(',');

// harmless puts an apostrophe in front of a cell that a spreadsheet program would take for a
// formula, as the service does in its exports, and original takes it away again.
const harmless = (cell) => String(cell).replace(/^(?=[=+\-@\t\r\n])/, "'");
const original = (cell) => cell.replace(/^'(?=[=+\-@\t\r\n])/, '');

// download hands rows over as a file. The mark in front tells spreadsheet programs
// that it is UTF-8.
export const download = (name, rows) =>
  save(name, `${rows.map((cells) => rowText(cells.map(harmless))).join('\r\n')}\r\n`);

// save hands over the text of a file.
export function save(name, text) {
  const address = URL.createObjectURL(new Blob(['\uFEFF', text], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  Object.assign(link, { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
