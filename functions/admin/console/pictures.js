// The pictures of the set-up: schematic pages of WeCom's admin console, drawn here.
// A picture shows where a thing is and what to paste; its numbers are those of the
// list beside it. Names are in Chinese, as WeCom's console has them, with the
// language of the page below.

import { t } from './texts.js';
import { el, newId } from './ui.js';

const space = 'http://www.w3.org/2000/svg';
const width = 400;
const margin = 16; // between the window and what is in it
const inner = width - 2 * margin;

function shape(tag, attributes, ...children) {
  const node = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// extent estimates how wide a text is, in units of its size.
const extent = (text) => Array.from(text).reduce((sum, letter) => sum + (letter > '\u2e80' ? 1 : 0.6), 0);

// fitted makes a text smaller, and then shorter, until it fits.
function fitted(text, size, room) {
  const least = size * 0.72;
  const fitting = Math.max(least, Math.min(size, room / extent(text)));
  if (extent(text) * fitting <= room + 1) return [text, fitting];
  const letters = Array.from(text);
  const kept = Math.max(4, Math.floor((letters.length * room) / (extent(text) * least)) - 1);
  return [
    `${letters.slice(0, Math.ceil(kept * 0.6)).join('')}…${letters.slice(-Math.floor(kept * 0.4)).join('')}`,
    least,
  ];
}

function words(x, y, text, { size = 13, room = inner, kind = '', anchor = 'start' } = {}) {
  const [shown, fitting] = fitted(text, size, room);
  return shape('text', { x, y, class: `words ${kind}`, 'font-size': fitting.toFixed(1), 'text-anchor': anchor }, shown);
}

const box = (x, y, w, h, kind, radius = 6) => shape('rect', { x, y, width: w, height: h, rx: radius, class: kind });

// The names in WeCom's console that pictures show, with the key of what they mean.
const names = {
  home: ['首页', 'setup.wecom.home'],
  contacts: ['通讯录', 'setup.wecom.contacts'],
  apps: ['应用管理', 'setup.wecom.apps'],
  company: ['我的企业', 'setup.wecom.company'],
  selfBuilt: ['自建', 'setup.wecom.selfbuilt'],
  create: ['创建应用', 'setup.wecom.create'],
  appName: ['应用名称', 'setup.wecom.appname'],
  range: ['可见范围', 'setup.wecom.range'],
  interfaces: ['开发者接口', 'setup.wecom.interfaces'],
  web: ['网页授权及JS-SDK', 'setup.wecom.web'],
  login: ['企业微信授权登录', 'setup.wecom.login'],
  ip: ['企业可信IP', 'setup.wecom.ip'],
  webPage: ['Web 网页', 'setup.wecom.webpage'],
  callback: ['授权回调域', 'setup.wecom.callback'],
  trusted: ['可信域名', 'setup.wecom.trusted'],
  verify: ['申请校验域名', 'setup.wecom.verify'],
  companyInfo: ['企业信息', 'setup.wecom.companyinfo'],
  companyId: ['企业ID', 'setup.wecom.companyid'],
  view: ['查看', 'setup.wecom.view'],
  save: ['保存', 'setup.wecom.save'],
  confirm: ['确定', 'setup.wecom.confirm'],
  sensitive: ['成员敏感信息', 'setup.wecom.sensitive'],
  mobile: ['手机', 'setup.wecom.mobile'],
  mail: ['邮箱', 'setup.wecom.mail'],
  gender: ['性别', 'setup.wecom.gender'],
  avatar: ['头像', 'setup.wecom.avatar'],
  homepage: ['工作台应用主页', 'setup.wecom.homepage'],
  receive: ['接收消息', 'setup.wecom.receive'],
  setReceive: ['设置API接收', 'setup.wecom.setreceive'],
};

// named draws a name, and what it means below it unless that is the same.
function named(name, x, y, { size = 13, room = inner, kind = 'strong', anchor = 'start' } = {}) {
  const [chinese, key] = names[name];
  const meaning = t(key);
  if (meaning === chinese) return [words(x, y + 6, chinese, { size, room, kind, anchor })];
  return [
    words(x, y, chinese, { size, room, kind, anchor }),
    words(x, y + 13, meaning, { size: 10.5, room, kind: 'soft', anchor }),
  ];
}

// mark rings a place and gives it the number of the list beside the picture.
const mark = (number, x, y, w, h) => [
  box(x, y, w, h, 'ring', 8),
  shape('circle', { cx: x, cy: y, r: 10, class: 'number' }),
  shape('text', { x, y: y + 4, class: 'digit', 'font-size': 12, 'text-anchor': 'middle' }, String(number)),
];

// entry is a field with what belongs into it.
const entry = (x, y, w, text, kind = 'value') => [
  box(x, y, w, 30, 'entry'),
  words(x + 10, y + 19.5, text, { size: 12.5, room: w - 20, kind }),
];

const press = (x, y, w, name) => {
  const [chinese, key] = names[name];
  const meaning = t(key);
  return [
    box(x, y, w, 28, 'press'),
    words(x + w / 2, y + 18.5, meaning === chinese ? chinese : `${chinese} ${meaning}`, {
      size: 12,
      room: w - 12,
      kind: 'onpress',
      anchor: 'middle',
    }),
  ];
};

// frame is the window of WeCom's console. active is where one is.
const frame = (height, active) => [
  box(1, 1, width - 2, height - 2, 'window', 10),
  box(margin, 10, inner, 20, 'address', 10),
  words(width / 2, 24, 'work.weixin.qq.com/wework_admin', { size: 10.5, kind: 'soft', anchor: 'middle' }),
  ...['home', 'contacts', 'apps', 'company'].flatMap((name, i) => [
    ...(name === active ? [box(margin + i * 92, 36, 88, 34, 'active', 6)] : []),
    ...named(name, margin + i * 92 + 44, 51, {
      size: 12,
      room: 84,
      anchor: 'middle',
      kind: name === active ? 'strong' : 'soft',
    }),
  ]),
  shape('line', { x1: 1, y1: 74, x2: width - 1, y2: 74, class: 'rule' }),
];

const menuPlace = (name) => [margin + ['home', 'contacts', 'apps', 'company'].indexOf(name) * 92, 36, 88, 34];

// interfaces draws the entries at the end of an app's page, one of them marked.
function interfaces(y, chosen) {
  const entries = ['web', 'login', 'ip'];
  const half = (inner - 10) / 2;
  return [
    ...named('interfaces', margin, y + 14, { room: inner }),
    ...entries.flatMap((name, i) => {
      const x = margin + (i % 2) * (half + 10);
      const top = y + 36 + Math.floor(i / 2) * 56;
      return [
        box(x, top, half, 48, 'card'),
        ...named(name, x + 12, top + 21, { size: 12.5, room: half - 22, kind: name === chosen ? 'strong' : 'soft' }),
        ...(name === chosen ? mark(1, x, top, half, 48) : []),
      ];
    }),
    box(margin + half + 10, y + 92, half, 48, 'card faint'),
    box(margin + half + 22, y + 106, half * 0.5, 7, 'blank', 3),
    box(margin + half + 22, y + 120, half * 0.34, 7, 'blank', 3),
  ];
}

const panel = (y, height) => [
  shape('path', { d: `M${width / 2 - 7} ${y - 15}h14l-7 9z`, class: 'down' }),
  box(margin, y, inner, height, 'panel', 8),
];

const scenes = {
  app: ({ title }) => [
    432,
    'setup.1.picture',
    [
      ...frame(432, 'apps'),
      ...mark(1, ...menuPlace('apps')),
      ...named('selfBuilt', margin, 100),
      ...[0, 1].flatMap((i) => [
        box(margin + i * 124, 124, 116, 74, 'card faint'),
        box(margin + 42 + i * 124, 136, 32, 32, 'blank', 8),
        box(margin + 28 + i * 124, 178, 60, 7, 'blank', 3),
      ]),
      box(margin + 248, 124, 120, 74, 'card dashed'),
      shape('path', { d: `M${margin + 308} 134v20m-10-10h20`, class: 'plus' }),
      ...named('create', margin + 308, 174, { size: 12.5, room: 110, anchor: 'middle' }),
      ...mark(2, margin + 248, 124, 120, 74),
      ...panel(224, 192),
      ...named('appName', margin + 14, 250, { room: 100 }),
      ...entry(margin + 122, 240, inner - 140, title, 'words'),
      ...named('range', margin + 14, 310, { room: 100 }),
      box(margin + 122, 288, inner - 140, 64, 'entry'),
      ...['setup.picture.department', 'setup.picture.everybody'].flatMap((key, i) => [
        box(margin + 132 + i * 102, 306, 94, 28, 'chip', 14),
        words(margin + 179 + i * 102, 324, t(key), { size: 11.5, room: 84, anchor: 'middle' }),
      ]),
      ...mark(3, margin + 116, 282, inner - 128, 76),
      ...press(margin + 122, 374, 130, 'create'),
      ...mark(4, margin + 116, 368, 142, 40),
    ],
  ],

  callback: ({ domain }) => [
    404,
    'setup.2.picture',
    [
      ...frame(404, 'apps'),
      ...interfaces(84, 'login'),
      ...panel(256, 132),
      ...named('webPage', margin + 14, 280, { room: 150 }),
      ...named('callback', margin + 14, 314, { room: 84 }),
      ...entry(margin + 106, 300, inner - 124, domain),
      ...mark(2, margin + 100, 294, inner - 112, 42),
      ...press(margin + 106, 348, 110, 'save'),
      ...mark(3, margin + 100, 342, 122, 40),
    ],
  ],

  domain: ({ domain, address, file }) => [
    500,
    'setup.3.picture',
    [
      ...frame(500, 'apps'),
      ...interfaces(84, 'web'),
      ...panel(256, 228),
      ...named('trusted', margin + 14, 284, { room: 84 }),
      ...entry(margin + 106, 270, inner - 124, domain),
      ...mark(2, margin + 100, 264, inner - 112, 42),
      ...named('verify', margin + 112, 330, { size: 12.5, room: 130, kind: 'link' }),
      ...mark(3, margin + 100, 314, 134, 40),
      shape('path', { d: `M${margin + 24} 372h22l8 8v30h-30zM${margin + 46} 372v8h8`, class: 'sheet' }),
      words(margin + 66, 388, file, { size: 12, room: 240, kind: 'value' }),
      words(margin + 66, 404, `${address}/`, { size: 11, room: 240, kind: 'soft' }),
      ...mark(4, margin + 14, 366, inner - 26, 50),
      ...press(margin + 106, 438, 110, 'confirm'),
      ...mark(5, margin + 100, 432, 122, 40),
    ],
  ],

  address: ({ addresses }) => [
    404,
    'setup.4.picture',
    [
      ...frame(404, 'apps'),
      ...interfaces(84, 'ip'),
      ...panel(256, 132),
      ...named('ip', margin + 14, 286, { room: 90 }),
      box(margin + 112, 270, inner - 130, 58, 'entry'),
      words(margin + 122, 290, addresses, { size: 12.5, room: inner - 150, kind: 'value' }),
      ...mark(2, margin + 106, 264, inner - 118, 70),
      ...press(margin + 112, 346, 110, 'confirm'),
      ...mark(3, margin + 106, 340, 122, 40),
    ],
  ],

  credentials: ({ corpId, agentId }) => [
    420,
    'setup.5.picture',
    [
      ...frame(420, 'company'),
      ...named('companyInfo', margin, 98),
      box(margin, 120, 150, 7, 'blank', 3),
      box(margin, 134, 110, 7, 'blank', 3),
      ...named('companyId', margin, 168, { room: 100 }),
      ...entry(margin + 112, 153, inner - 112, corpId),
      ...mark(1, margin + 106, 147, inner - 100, 42),
      shape('line', { x1: 1, y1: 206, x2: width - 1, y2: 206, class: 'rule' }),
      box(margin, 220, 88, 34, 'active', 6),
      ...named('apps', margin + 44, 235, { size: 12, room: 84, anchor: 'middle' }),
      words(margin + 100, 241, '→', { kind: 'soft' }),
      box(margin + 122, 222, 30, 30, 'blank', 8),
      box(margin + 162, 233, 80, 8, 'blank', 3),
      words(margin, 289, 'AgentId', { kind: 'strong' }),
      ...entry(margin + 112, 270, inner - 112, agentId),
      ...mark(2, margin + 106, 264, inner - 100, 42),
      words(margin, 343, 'Secret', { kind: 'strong' }),
      ...entry(margin + 112, 324, inner - 200, '••••••••••••••', 'soft'),
      ...press(width - margin - 78, 325, 78, 'view'),
      ...mark(3, margin + 106, 318, inner - 100, 42),
      shape('path', {
        d: `M${margin + 112} 376h200a8 8 0 0 1 8 8v10a8 8 0 0 1-8 8h-200l-10 6v-24a8 8 0 0 1 10-8z`,
        class: 'chip',
      }),
      words(margin + 122, 393, t('setup.picture.secret'), { size: 11.5, room: 186 }),
    ],
  ],

  phone: () => [
    330,
    'setup.6.picture',
    [
      ...frame(330, 'apps'),
      box(margin, 90, 38, 38, 'blank', 9),
      box(margin + 52, 97, 110, 9, 'blank', 4),
      box(margin + 52, 114, 70, 7, 'blank', 3),
      box(margin, 144, inner, 116, 'panel', 8),
      ...named('sensitive', margin + 14, 167, { room: inner - 30 }),
      ...mark(1, margin + 8, 150, 180, 38),
      ...['mobile', 'mail', 'gender', 'avatar'].flatMap((name, i) => {
        const x = margin + 18 + i * 88;
        return [
          box(x, 210, 16, 16, name === 'mobile' ? 'press' : 'entry', 4),
          ...(name === 'mobile' ? [shape('path', { d: `M${x + 3.5} 218l3.5 3.5 6-7`, class: 'tick' })] : []),
          ...named(name, x + 23, 222, { size: 12.5, room: 58, kind: name === 'mobile' ? 'strong' : 'soft' }),
        ];
      }),
      ...mark(2, margin + 10, 200, 82, 44),
      ...press(margin, 280, 110, 'save'),
      ...mark(3, margin - 6, 274, 122, 40),
    ],
  ],

  check: ({ domain, addresses, passed }) => [
    300,
    'setup.7.picture',
    [
      box(1, 40, 128, 190, 'window', 10),
      words(65, 70, t('setup.picture.service'), { kind: 'strong', room: 116, anchor: 'middle' }),
      words(65, 94, domain, { size: 11, room: 116, kind: 'value', anchor: 'middle' }),
      words(65, 114, addresses, { size: 11, room: 116, kind: 'value', anchor: 'middle' }),
      shape('path', { d: 'M52 140h18l8 8v28h-26zM70 140v8h8', class: 'sheet' }),
      words(65, 198, 'WW_verify_….txt', { size: 10.5, room: 116, kind: 'soft', anchor: 'middle' }),
      box(width - 129, 40, 128, 190, 'window', 10),
      words(width - 65, 70, t('setup.picture.wecom'), { kind: 'strong', room: 116, anchor: 'middle' }),
      ...['setup.picture.try.secret', 'setup.picture.try.ip', 'setup.picture.try.file'].flatMap((key, i) => {
        const y = 96 + i * 48;
        return [
          words(width / 2, y - 9, t(key), { size: 11.5, room: 130, anchor: 'middle' }),
          shape('path', {
            d: i === 2 ? `M${width - 134} ${y}H134m8-5-8 5 8 5` : `M134 ${y}H${width - 134}m-8-5 8 5-8 5`,
            class: 'arrow',
          }),
          shape('circle', { cx: width - 65, cy: y, r: 11, class: passed ? 'fine' : 'device' }),
          ...(passed ? [shape('path', { d: `M${width - 70} ${y}l4 4 7-8`, class: 'tick' })] : []),
        ];
      }),
      words(width / 2, 272, t('setup.picture.try.people'), { size: 12, kind: 'soft', anchor: 'middle' }),
    ],
  ],

  homepage: ({ phone, desktop }) => [
    372,
    'setup.8.picture',
    [
      ...frame(372, 'apps'),
      box(margin, 90, 38, 38, 'blank', 9),
      box(margin + 52, 97, 110, 9, 'blank', 4),
      box(margin + 52, 114, 70, 7, 'blank', 3),
      box(margin, 144, inner, 212, 'panel', 8),
      ...named('homepage', margin + 14, 168, { room: inner - 30 }),
      ...mark(1, margin + 8, 151, 190, 38),
      shape('rect', { x: margin + 20, y: 206, width: 18, height: 32, rx: 4, class: 'device' }),
      ...entry(margin + 60, 207, inner - 78, phone),
      ...mark(2, margin + 54, 201, inner - 66, 42),
      shape('path', { d: `M${margin + 14} 258h30v20h-30zM${margin + 24} 284h10`, class: 'device' }),
      ...entry(margin + 60, 257, inner - 78, desktop),
      ...mark(3, margin + 54, 251, inner - 66, 42),
      ...press(margin + 60, 312, 110, 'confirm'),
      ...mark(4, margin + 54, 306, 122, 40),
    ],
  ],

  events: ({ url }) => [
    360,
    'setup.9.picture',
    [
      ...frame(360, 'apps'),
      ...named('receive', margin, 100, { room: 180 }),
      ...named('setReceive', margin + 200, 100, { size: 12.5, room: 160, kind: 'link' }),
      ...mark(1, margin + 192, 84, 172, 40),
      box(margin, 144, inner, 158, 'panel', 8),
      ...[
        ['URL', url],
        ['Token', '••••••••••••••••'],
        ['EncodingAESKey', '••••••••••••••••••••••'],
      ].flatMap(([name, value], i) => [
        words(margin + 14, 176 + i * 48, name, { size: 12, room: 118, kind: 'strong' }),
        ...entry(margin + 142, 157 + i * 48, inner - 160, value),
      ]),
      ...mark(2, margin + 136, 151, inner - 148, 138),
      ...press(margin, 318, 110, 'save'),
      ...mark(3, margin - 6, 312, 122, 40),
    ],
  ],
};

// picture draws a scene with the values to paste: domain, address, addresses, file, title,
// corpId, agentId, phone, desktop and url, as far as the scene shows them.
export function picture(scene, values = {}) {
  const [height, key, content] = scenes[scene](values);
  const title = shape('title', { id: newId('picture') }, t(key));
  const about = shape('desc', { id: newId('picture') }, t('setup.picture.about'));
  return el(
    'figure',
    { className: 'picture' },
    shape(
      'svg',
      {
        viewBox: `-6 -2 ${width + 12} ${height + 4}`,
        role: 'img',
        'aria-labelledby': title.id,
        'aria-describedby': about.id,
      },
      title,
      about,
      ...content,
    ),
    el('figcaption', {}, t('setup.picture.note')),
  );
}
