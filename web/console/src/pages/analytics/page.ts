import type { Page } from '../../shell/pages'

export const page: Page = {
  id: 'analytics',
  order: 80,
  group: 'work',
  title: { zh: '统计', en: 'Analytics' },
  icon: 'chart',
  key: 'n',
  roles: ['auditor', 'analyst'],
  range: true,
  load: () => import('./Analytics.svelte'),
}
