// The table in a file: which line names the columns, what they mean, and the rows below
// it. What people and programs make of a table is read where it can be meant in one way
// only; otherwise the answer says what was found and what to do.

import { decode, parse } from './csv.js';
import { count, t } from './texts.js';

export const columns = ['phone', 'name', 'roles'];

// In some countries the comma is a part of numbers, and Chinese keyboards have a wide one.
const separators = [',', ';', '\t', '，'];

// How many rows with a title and the like may stand above the names of the columns.
const rowsAbove = 5;

// How many characters are enough to find the names of the columns.
const beginning = 20_000;

// What columns may be called, as plain() writes it; besides, as the page calls them.
const meanings = {
  mobile:
    '手机 手机号 手机号码 手机电话 联系手机 移动电话 移动电话号码 手機 手機號 手機號碼 聯絡手機 行動電話 行動電話號碼 移動電話 ' +
    'mobile mobilephone mobilenumber mobilephonenumber mobileno cell cellphone cellnumber cellphonenumber',
  phone:
    '电话 电话号码 联系电话 联系电话号码 联系方式 電話 電話號碼 聯絡電話 聯繫電話 聯絡方式 聯繫方式 ' +
    'phone phonenumber phoneno telephone telephonenumber tel',
  name: '姓名 名字 名称 全名 名稱 name fullname',
  roles: '角色 role roles',
};
const known = new Map(
  Object.entries(meanings).flatMap(([kind, words]) => words.split(' ').map((word) => [word, kind])),
);

// plain returns the name of a column without what people add to it: the star of what is
// required, a note in brackets, blanks and punctuation.
function plain(cell) {
  const text = cell.normalize('NFKC').toLowerCase();
  const bare = text.replace(/\([^)]*\)|\[[^\]]*\]|【[^】]*】/g, '');
  return (bare.trim() ? bare : text)
    .replace(/[\p{Cf}\p{Variation_Selector}\s()[\]【】*:._'’ʼ-]/gu, '')
    .replace(/(必填|选填|選填|required|optional)$/, '')
    .replace(/^(员工|成员|用户|員工|成員|用戶)/, '');
}

// meaningOf returns mobile, phone, name, roles, or '' for another column.
function meaningOf(cell) {
  const name = plain(cell);
  return name && (known.get(name) || columns.find((column) => plain(t(`user.${column}`)) === name) || '');
}

const isPhone = (meaning) => meaning === 'mobile' || meaning === 'phone';

// withoutEmptyEnd leaves out the empty cells that spreadsheet programs add to a row.
function withoutEmptyEnd(cells) {
  let end = cells.length;
  while (end && !cells[end - 1]) end--;
  return cells.slice(0, end);
}

// headerOf returns the index of the row that names the columns, -1 for none: among the
// first rows, the one with the most names and a phone among them. known is how many.
function headerOf(rows) {
  let header = { index: -1, known: 0 };
  rows.slice(0, rowsAbove + 1).forEach(({ cells }, index) => {
    const found = cells.map(meaningOf).filter(Boolean);
    if (found.some(isPhone) && found.length > header.known) header = { index, known: found.length };
  });
  return header;
}

// separate returns the text and what separates its cells: what its first line says, as
// Excel writes it, or what makes the most of the line that names the columns.
function separate(text) {
  const said = /^"?sep=([^"\r\n])"?(?=[\r\n]|$)/i.exec(text);
  if (said) return { text: text.slice(said[0].length), separator: said[1] };
  let best = { known: -1, cells: 0 };
  for (const separator of separators) {
    const { rows } = parse(text.slice(0, beginning), separator);
    const found = { separator, known: headerOf(rows).known, cells: rows[0]?.cells.length ?? 0 };
    if (found.known > best.known || (found.known === best.known && found.cells > best.cells)) best = found;
  }
  return { text, separator: best.separator };
}

// readTable returns {problem} with a sentence, or the table of a file: its columns and
// rows ({line, misshapen, values}), and notes, sentences about how it was read.
export function readTable(bytes) {
  const { text: whole, encoding } = decode(bytes);
  if (!whole.trim()) return { problem: t('import.empty') };
  if (whole.includes('\0')) return { problem: t('import.nocsv') };
  const { text, separator } = separate(whole);
  const { rows, broken } = parse(text, separator);
  const { index } = headerOf(rows);
  if (broken) return { problem: t('import.broken', { line: count(broken) }) };
  if (index < 0) {
    const problem = t('import.noheader', { found: shown(rows[0].cells) });
    return { problem: encoding === 'gb18030' ? `${problem} ${t('import.garbled')}` : problem };
  }

  const header = rows[index];
  const names = withoutEmptyEnd(header.cells);
  const found = names.map(meaningOf);
  const where = (meaning) => found.flatMap((one, i) => (one === meaning ? [i] : []));
  // WeCom knows a member by the mobile phone.
  const mobiles = where('mobile');
  const phones = where('phone');
  const candidates = { phone: mobiles.length ? mobiles : phones, name: where('name'), roles: where('roles') };
  const twice = Object.values(candidates).find((places) => places.length > 1);
  if (twice) return { problem: t('import.twice', { columns: shown(twice.map((i) => names[i])) }) };
  if (index === rows.length - 1) return { problem: t('import.norows') };

  const place = Object.fromEntries(columns.map((column) => [column, candidates[column][0] ?? -1]));
  const table = rows.slice(index + 1).map(({ line, cells }) => {
    const row = resplit(cells, names.length, separator);
    return {
      line,
      misshapen: row.slice(names.length).some(Boolean),
      values: Object.fromEntries(columns.map((column) => [column, row[place[column]] ?? ''])),
      cells: row,
    };
  });

  const notes = [];
  if (encoding === 'gb18030') notes.push({ kind: 'warn', text: t('import.gb18030') });
  if (index > 0) notes.push({ kind: 'warn', text: t('import.skipped', { line: count(header.line) }) });
  if (mobiles.length && phones.length) {
    const other = shown(phones.map((i) => names[i]));
    notes.push({ kind: 'info', text: t('import.otherphone', { column: names[mobiles[0]], other }) });
  }
  const ignored = names.flatMap((name, i) => {
    if (found[i]) return [];
    if (name) return [name];
    return table.some(({ cells }) => cells[i]) ? [t('import.unnamed', { number: count(i + 1) })] : [];
  });
  if (ignored.length) notes.push({ kind: 'info', text: t('import.ignored', { columns: shown(ignored) }) });
  return {
    notes,
    columns: columns.filter((column) => column !== 'roles' || place.roles >= 0),
    rows: table.map(({ cells, ...row }) => row),
  };
}

// resplit separates a row by the other comma where the row is a single cell by the one
// of the header: as such it would be no row at all.
const resplit = (cells, width, separator) =>
  cells.length === 1 && width > 1 && (separator === ',' || separator === '，')
    ? cells[0].split(/[,，]/).map((cell) => cell.trim())
    : cells;

// shown writes names of columns into a sentence.
function shown(cells) {
  const text = cells.filter(Boolean).join(' | ');
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
