import type { Page } from '../../shell/pages'

export const page: Page = {
  id: 'overview',
  order: 10,
  group: 'watch',
  title: { zh: '概览', en: 'Overview' },
  icon: 'gauge',
  key: 'o',
  roles: ['auditor', 'analyst'],
  load: () => import('./Overview.svelte'),
}
