import type { Page } from '../../shell/pages'

export const page: Page = {
  id: 'tail',
  order: 30,
  group: 'watch',
  title: { zh: '实时', en: 'Live tail' },
  icon: 'pulse',
  key: 'l',
  roles: ['auditor'],
  load: () => import('./Tail.svelte'),
}
