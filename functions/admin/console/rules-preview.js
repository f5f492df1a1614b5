// What a member would get by the rules of an authenticator, before they are saved.

import { at, call } from './api.js';
import { field, form } from './controls.js';
import { showProblem } from './form.js';
import { t } from './texts.js';
import { badge, el, pairs, section } from './ui.js';

// Why a sign-in would be refused.
const refusals = { user_disabled: 'rules.preview.disabled', not_allowed: 'rules.preview.notAllowed' };

// rulesPreview asks for a member. read() returns the rules as they are typed.
export function rulesPreview(authenticator, read) {
  const result = el('div', { className: 'stack' });
  const member = field({
    name: 'wecomUserId',
    label: t('rules.preview.member'),
    hint: t('rules.preview.member.hint'),
    required: true,
  });
  const asking = form(
    { className: 'stack' },
    async () => {
      const wecomUserId = member.input.value.trim();
      result.replaceChildren();
      let found;
      try {
        found = await call('POST', at('authenticators', authenticator, 'roles', 'preview'), {
          json: { ...read(), wecomUserId },
        });
      } catch (error) {
        return showProblem([member], error);
      }
      const title = el('p', { tabIndex: -1 }, el('strong', {}, t('preview.of', { name: wecomUserId })));
      result.replaceChildren(
        title,
        pairs([
          [
            t('rules.preview.allowed'),
            ...(found.allowed
              ? [badge(t('rules.preview.yes'), 'good')]
              : [badge(t('rules.preview.no'), 'bad'), el('p', { className: 'hint' }, t(refusals[found.refusal]))]),
          ],
          [
            t('user.wecomRoles'),
            found.roles.length ? found.roles.map((role) => [badge(role, 'info'), ' ']) : t('rules.preview.none'),
          ],
          [
            t('user.departments'),
            found.departments.length
              ? el(
                  'ul',
                  { className: 'plainlist' },
                  found.departments.map(({ id, name, leader }) =>
                    el(
                      'li',
                      {},
                      name || t('departments.unnamed', { id }),
                      ' ',
                      el('code', {}, id),
                      leader && [' ', badge(t('rules.preview.leader'))],
                    ),
                  ),
                )
              : t('rules.preview.none'),
          ],
        ]),
      );
      return title.focus();
    },
    member.node,
    el('div', { className: 'actions' }, el('button', {}, t('rules.preview.ask'))),
  );
  return section(t('rules.preview.title'), el('p', { className: 'hint' }, t('rules.preview.about')), asking, result);
}
