import type { Page } from '../../shell/pages'

export const page: Page = {
  id: 'time',
  order: 50,
  group: 'look',
  title: { zh: '时光机', en: 'Time machine' },
  icon: 'history',
  key: 'm',
  roles: ['auditor'],
  load: () => import('./Time.svelte'),
}
