// A choice among a few things, of one or of several. It is used like a field of
// controls.js: input.value is what is chosen, several separated by a blank.

import { el, newId } from './ui.js';

// choices shows options {value, label, hint}. type is radio or checkbox.
export function choices({ name, label, hint, type, options, value = '', className = '' }) {
  const id = newId(name);
  const marks = options.map((option) => {
    const own = newId(name);
    return {
      input: el('input', {
        id: own,
        type,
        name: `${name}-choice`,
        value: option.value,
        'aria-describedby': option.hint ? `${own}-hint` : null,
      }),
      option,
    };
  });
  const wrong = el('p', { className: 'wrong', id: `${id}-wrong`, role: 'status' });
  const input = el(
    'fieldset',
    {
      className: `choices ${className}`,
      'aria-describedby': [hint && `${id}-hint`, `${id}-wrong`].filter(Boolean).join(' '),
    },
    el('legend', {}, label),
    hint && el('p', { className: 'hint', id: `${id}-hint` }, hint),
    el(
      'div',
      { className: 'options' },
      marks.map((mark) =>
        el(
          'label',
          { className: 'option' },
          mark.input,
          el(
            'span',
            {},
            el('span', { className: 'name' }, mark.option.label),
            mark.option.hint && el('span', { className: 'hint', id: `${mark.input.id}-hint` }, mark.option.hint),
          ),
        ),
      ),
    ),
    wrong,
  );
  input.name = name;
  Object.defineProperty(input, 'value', {
    get: () =>
      marks
        .filter((mark) => mark.input.checked)
        .map((mark) => mark.option.value)
        .join(' '),
    set: (chosen) => {
      const wanted = chosen.split(' ');
      for (const mark of marks) mark.input.checked = wanted.includes(mark.option.value);
    },
  });
  input.value = value;
  input.focus = () => (marks.find((mark) => mark.input.checked) || marks[0])?.input.focus();
  const invalid = (message) => {
    wrong.textContent = message;
  };
  input.addEventListener('input', () => invalid(''));
  return { node: el('div', { className: 'field' }, input), input, invalid };
}
